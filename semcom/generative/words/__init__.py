"""Captions: a vocabulary, the words that a picture itself says, how likely they are, as bits.

>>> from semcom.data import phantoms
>>> images, masks = phantoms("dental", n=1, size=128)
>>> caption = sentence(measured(images[0, 0], masks[0, 0], kind="dental panoramic X-ray"))
>>> bits = encode_text(caption, shipped())
>>> decode_text(bits, shipped()) == caption, len(bits) < 60
(True, True)
"""

from semcom.generative.words.coder import decode_text, encode_text
from semcom.generative.words.language_model import LanguageModel, shipped
from semcom.generative.words.levels import Levels, grey_places, levels
from semcom.generative.words.measured import measured
from semcom.generative.words.shares import NOTHING, said
from semcom.generative.words.vocabulary import KINDS, SLOTS, Slot, choices, sentence

__all__ = [
    "KINDS",
    "NOTHING",
    "SLOTS",
    "LanguageModel",
    "Levels",
    "Slot",
    "choices",
    "decode_text",
    "encode_text",
    "grey_places",
    "levels",
    "measured",
    "said",
    "sentence",
    "shipped",
]
