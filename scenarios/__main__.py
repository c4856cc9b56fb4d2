"""``python -m scenarios``: the ``semcom`` command where its script is not installed."""

from scenarios.command.cli import main

if __name__ == "__main__":
    main()
