"""The separate source-channel coding baseline: image coder, 5G LDPC and QAM.

>>> from semcom.separate import SeparateCodec
>>> SeparateCodec("hevc").name
'hevc-ldpc'
"""

from channels.renamed import renamed
from semcom.modem.mcs import MCS
from semcom.modem.transport import ModulatedBlock
from semcom.scheme import Delivered
from semcom.separate.bound import CapacityBound
from semcom.separate.codec import SeparateCodec
from semcom.separate.layered import LayeredCodec

__all__ = ["MCS", "CapacityBound", "Delivered", "LayeredCodec", "ModulatedBlock", "SeparateCodec"]

__getattr__ = renamed(__name__, TransportBlock="ModulatedBlock")
