"""Generative transmission: the key region by a codec, the rest in words that a generator paints."""
