"""Any network made small: weights in few bits, and low-rank adapters that stand for a fine-tuning.

>>> import torch
>>> from torch import nn
>>> network = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 64))
>>> num_bytes(network), num_bytes(quantised(network, bits=4))
(132352, 18432)
>>> round(trainable_share(with_lora(quantised(network, bits=4), rank=2)), 3)
0.037
"""

from __future__ import annotations

from semcom.light.lora import (
    LoRA,
    adapter_state,
    has_adapters,
    load_adapter,
    merged,
    save_adapter,
    trainable_share,
    with_lora,
)
from semcom.light.quantise import (
    QuantisedConv2d,
    QuantisedLinear,
    num_bytes,
    quantised,
    small,
)

__all__ = [
    "LoRA",
    "QuantisedConv2d",
    "QuantisedLinear",
    "adapter_state",
    "has_adapters",
    "load_adapter",
    "merged",
    "num_bytes",
    "quantised",
    "save_adapter",
    "small",
    "trainable_share",
    "with_lora",
]
