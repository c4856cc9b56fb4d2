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

from semcom.medjscc.allocation import allocate, flattened, importance
from semcom.medjscc.entropy_model import EntropyModel
from semcom.medjscc.quantiser import worthwhile
from semcom.medjscc.wavelet import Bands

_MOST = 64

_kept: WeakKeyDictionary[EntropyModel, OrderedDict[tuple[int, bytes], Estimate]]
_kept = WeakKeyDictionary()
_lock = Lock()


@dataclass(frozen=True)
class Estimate:
    """What quantising a picture comes to.

    Args:
        num_bytes: about how long the digital part is.
        importances: see :func:`semcom.medjscc.allocation.importance`.
        errors: what quantisation takes away, in steps, float16 in the order of the importances.
    """

    num_bytes: int
    importances: NDArray[np.int16]
    errors: NDArray[np.float16]

    def left(self, numbers: int, snr_db: float) -> float:
        """Squared error in steps that is left when the channel is as believed.

        Errors that are larger than foreseen take power from all others.

        Args:
            numbers: real numbers in the analogue part.
            snr_db: E_s/N_0 in dB.

        >>> one = Estimate(8, np.array([0, -80], np.int16), np.array([1.0, 0.5], np.float16))
        >>> one.left(0, 10.0), round(one.left(1, 10.0), 3)
        (1.25, 0.341)
        """
        sent = allocate(self.importances, numbers, snr_db)
        squares = np.square(self.errors, dtype=np.float32)
        if not len(sent.power):
            return float(squares.sum())
        chosen, power = sent.chosen.numpy(), sent.power.numpy()
        variance = np.square(sent.deviation.numpy())
        strength = float(np.mean(power * squares[chosen] / variance))
        gains = power * 10 ** (snr_db / 10) / max(strength, 1e-9)
        squares[chosen] = (squares[chosen] + gains * variance) / np.square(1 + gains)
        return float(squares.sum())


@torch.no_grad()
def estimate(model: EntropyModel, bands: Bands, log_step: Tensor) -> Estimate:
    """What quantising one picture comes to by the word of the entropy model.

    Args:
        model: the entropy model, in evaluation mode.
        bands: coefficients in steps, ``[1, bands, h, w]``.
        log_step: log2 of the step of each cell.
    """
    digest = hashlib.sha256(repr(tuple(log_step.shape)).encode())
    for part in (*bands, log_step):
        digest.update(np.ascontiguousarray(part.cpu().numpy()).tobytes())
    changes = sum(parameter._version for parameter in model.parameters())
    key = (changes, digest.digest())
    with _lock:
        kept = _kept.setdefault(model, OrderedDict())
        if key in kept:
            kept.move_to_end(key)
            return kept[key]
    values = worthwhile(model, bands, log_step)
    modelled = model(values, log_step)
    num_bits = float(modelled.hyper_bits.sum())
    num_bits += sum(float(part.sum()) for part in modelled.band_bits(values))
    missing = [b - v - r.mean for b, v, r in zip(bands, values, modelled.rest, strict=True)]
    found = Estimate(
        math.ceil(num_bits / 8),
        importance(modelled.rest).astype(np.int16),
        flattened(missing)[0].cpu().numpy().astype(np.float16),
    )
    with _lock:
        kept[key] = found
        while len(kept) > _MOST:
            kept.popitem(last=False)
    return found
