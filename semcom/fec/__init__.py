"""5G LDPC coding after TS 38.212, at the speed of the machine.

>>> import torch
>>> from semcom.fec import LDPCDecoder, LDPCEncoder
>>> bits = torch.randint(0, 2, (100, 512)).float()
>>> llr = 8 * LDPCEncoder(512, 1024)(bits) - 4
>>> bool((LDPCDecoder(512, 1024)(llr) == bits).all())
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_HOMES = {
    "attach": "crc",
    "check": "crc",
    "DecoderInfo": "decoder",
    "LDPCDecoder": "decoder",
    "LDPCEncoder": "encoder",
    "Segmentation": "segmentation",
    "largest_payload": "segmentation",
    "TransportBlock": "transport_block",
    "TransportBlockInfo": "transport_block",
}


def __getattr__(name: str) -> object:
    """Import on first use: the coders take Numba along."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
