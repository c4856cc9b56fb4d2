"""Generative transmission: the key region by a codec, the rest in words that a generator paints."""

from semcom.generative.codec import Generative
from semcom.generative.generator import Generator
from semcom.generative.painter import Painter

__all__ = ["Generative", "Generator", "Painter"]
