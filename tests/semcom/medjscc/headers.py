"""What Med-JSCC's headers say, for the tests of its parts."""

from __future__ import annotations

import torch

from channels import Transmission
from semcom.fec.bits import packed
from semcom.medjscc import MedJSCC
from semcom.medjscc.header import Header


def headers_of(codec: MedJSCC, tx: Transmission) -> list[Header]:
    """The header of each image of a transmission."""
    block = codec._layout(tx.session).header
    sent = tx.symbols[:, : block.channel_uses]
    bits, ok = block.decode(sent, torch.full(sent.shape, 0.01))
    assert ok.all()
    return [Header.parse(packed(row)) for row in bits]
