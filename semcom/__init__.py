"""Codecs for semantic image communication: images → symbols → images.

>>> import semcom
>>> list(semcom.codecs())[:4]
['medjscc', 'medjscc-small', 'deepjscc', 'adjscc']
"""

from semcom import data, metrics
from semcom.catalogue import bound, bounds, codec, codecs, segmenter, segmenters
from semcom.codec import Codec

__all__ = [
    "Codec",
    "bound",
    "bounds",
    "codec",
    "codecs",
    "data",
    "metrics",
    "segmenter",
    "segmenters",
]
