"""5G LDPC coding after TS 38.212, at the speed of the machine.

>>> import torch
>>> from semcom.fec import LDPCDecoder, LDPCEncoder
>>> bits = torch.randint(0, 2, (100, 512)).float()
>>> llr = 8 * LDPCEncoder(512, 1024)(bits) - 4
>>> bool((LDPCDecoder(512, 1024)(llr) == bits).all())
True
"""

from semcom.fec.crc import attach, check
from semcom.fec.decoder import DecoderInfo, LDPCDecoder
from semcom.fec.encoder import LDPCEncoder
from semcom.fec.segmentation import Segmentation, largest_payload
from semcom.fec.transport_block import TransportBlock, TransportBlockInfo

__all__ = [
    "DecoderInfo",
    "LDPCDecoder",
    "LDPCEncoder",
    "Segmentation",
    "TransportBlock",
    "TransportBlockInfo",
    "attach",
    "check",
    "largest_payload",
]
