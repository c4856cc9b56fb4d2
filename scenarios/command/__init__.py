"""The ``semcom`` command: options as text, what they mean, and what is written in the end."""
