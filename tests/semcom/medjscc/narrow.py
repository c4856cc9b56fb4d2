"""A codec small enough for tests."""

from __future__ import annotations

import torch
from torch import nn

from semcom.medjscc import MedJSCC
from semcom.medjscc.source.wavelet import LEVELS


def untrained() -> MedJSCC:
    """A narrow codec whose probabilities and steps depend on all that they may depend on."""
    torch.manual_seed(1)
    codec = MedJSCC((8, 8, 8), (8,) * LEVELS)
    for level in range(LEVELS):
        nn.init.normal_(codec.entropy_model.detail(level).step.weight, std=0.2)
    for head in codec.synthesis.heads:
        assert isinstance(head, nn.Conv2d)
        nn.init.normal_(head.weight, std=0.02)
    return codec
