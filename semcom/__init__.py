"""Codecs for semantic image communication: images → symbols → images.

>>> import semcom
>>> list(semcom.codecs())[:4]
['medjscc', 'deepjscc', 'adjscc', 'ntscc']
"""

from semcom import data, metrics
from semcom.catalogue import bound, bounds, codec, codecs, register, segmenter, segmenters
from semcom.codec import Codec
from semcom.learned import LearnedCodec
from semcom.scheme import Scheme

__all__ = [
    "Codec",
    "LearnedCodec",
    "Scheme",
    "bound",
    "bounds",
    "codec",
    "codecs",
    "data",
    "metrics",
    "register",
    "segmenter",
    "segmenters",
]
