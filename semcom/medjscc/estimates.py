"""What a quantisation step costs and leaves, kept for pictures seen before.

A sweep sends one picture at many SNRs and rates, and what a step does to it depends on neither.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcom.medjscc.allocation import importance
from semcom.medjscc.entropy_model import EntropyModel
from semcom.medjscc.quantiser import rounded
from semcom.medjscc.wavelet import Bands

_MOST = 256
_WORTHWHILE_SHARE = 0.93
"""Bits after weighing each against the error that it saves, over those of plain rounding."""

_kept: WeakKeyDictionary[EntropyModel, OrderedDict[tuple[int, bytes], Estimate]]
_kept = WeakKeyDictionary()
_lock = Lock()


@dataclass(frozen=True)
class Estimate:
    """What quantising a picture comes to.

    Args:
        num_bytes: about how long the digital part is.
        importances: see :func:`semcom.medjscc.allocation.importance`.
    """

    num_bytes: int
    importances: NDArray[np.int16]

    def towards(self, other: Estimate, share: float) -> Estimate:
        """What a step between two comes to, ``share`` of the way in octaves.

        >>> low, high = Estimate(800, np.zeros(1, np.int16)), Estimate(200, np.ones(1, np.int16))
        >>> low.towards(high, 0.5).num_bytes
        400
        """
        num_bytes = self.num_bytes ** (1 - share) * other.num_bytes**share
        between = (1 - share) * self.importances + share * other.importances
        return Estimate(math.ceil(num_bytes), np.rint(between).astype(np.int16))


@torch.no_grad()
def estimate(model: EntropyModel, bands: Bands, log_step: Tensor) -> Estimate:
    """What quantising one picture comes to by the word of the entropy model.

    Args:
        model: the entropy model, in evaluation mode.
        bands: coefficients in steps, ``[1, bands, h, w]``.
        log_step: log2 of the step of each cell.
    """
    values = rounded(bands)
    digest = hashlib.sha256(repr(tuple(log_step.shape)).encode())
    for part in (*values, log_step):
        digest.update(np.ascontiguousarray(part.cpu().numpy()).tobytes())
    changes = sum(parameter._version for parameter in model.parameters())
    key = (changes, digest.digest())
    with _lock:
        kept = _kept.setdefault(model, OrderedDict())
        if key in kept:
            kept.move_to_end(key)
            return kept[key]
    modelled = model(values, log_step)
    bits = float(modelled.hyper_bits.sum())
    bits += sum(float(part.sum()) for part in modelled.band_bits(values))
    found = Estimate(
        int(np.ceil(bits * _WORTHWHILE_SHARE / 8)), importance(modelled.rest).astype(np.int16)
    )
    with _lock:
        kept[key] = found
        while len(kept) > _MOST:
            kept.popitem(last=False)
    return found
