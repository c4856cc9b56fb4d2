"""Codecs for semantic image communication: images → symbols → images.

>>> import semcom
>>> sorted(semcom.codecs())
['deepjscc', 'hevc-ldpc', 'jpeg2000-ldpc', 'medjscc']
"""

from semcom import data, metrics
from semcom.catalogue import codec, codecs
from semcom.codec import Codec

__all__ = ["Codec", "codec", "codecs", "data", "metrics"]
