"""Bytes against what is left of the diagnosis, for one way to allocate bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from semcom.dmic.observers import seen
from semcom.dmic.rules import Rule
from semcom.dmic.units import encode
from semcom.image_coders import hevc
from semcom.metrics import psnr
from semcom.metrics.rate import bd_rate
from semcom.segmentation.segmenter import Segmenter

BASE_QPS = (28, 31, 34, 37, 40, 43, 46, 49)
"""Where the mean diagnostic Dice of angiograms falls from one to the next: .98 to .71."""


@dataclass(frozen=True)
class Curve:
    """What streams of several images come to at each base QP.

    Args:
        num_bytes: of each stream, float64 ``[images, base QPs]``.
        diagnostic: diagnostic Dice, ``[observers, images, base QPs]``.
        soft: soft Dice of the probability maps, the same.
        psnr_db: ``[images, base QPs]``.
    """

    num_bytes: NDArray[np.float64]
    diagnostic: NDArray[np.float64]
    soft: NDArray[np.float64]
    psnr_db: NDArray[np.float64]

    def saving(
        self, anchor: Curve, observer: int = 0, images: Sequence[int] | slice = slice(None)
    ) -> float:
        """BD-rate over the anchor at equal mean diagnostic Dice, in percent; negative saves.

        Args:
            anchor: of the same images.
            observer: whose diagnosis counts.
            images: which ones, for the bootstrap; all by default.

        Raises:
            InputError: if a curve does not fall with the QP, or the two share too little.
        """
        rates = [curve.num_bytes[images].mean(0)[::-1] for curve in (anchor, self)]
        kept = [curve.diagnostic[observer][images].mean(0)[::-1] for curve in (anchor, self)]
        return bd_rate(rates[0], kept[0], rates[1], kept[1])

    def interval(
        self, anchor: Curve, observer: int = 0, resamples: int = 1000, seed: int = 0
    ) -> tuple[float, float]:
        """95 % of :meth:`saving` over resampled images (bootstrap, percentiles)."""
        draws = np.random.default_rng(seed)
        count = len(self.num_bytes)
        found = [
            self.saving(anchor, observer, list(draws.integers(0, count, count)))
            for _ in range(resamples)
        ]
        low, high = np.percentile(found, (2.5, 97.5))
        return float(low), float(high)


def curve(
    images: Sequence[NDArray[np.float32]],
    observers: Sequence[Segmenter],
    rule: Rule,
    *,
    base_qps: Sequence[int] = BASE_QPS,
    preset: str = hevc.PRESET,
) -> Curve:
    """Code images at every base QP with the offsets of a rule, and let the observers look.

    Args:
        images: float32 ``[H, W]`` in [0, 1].
        observers: frozen segmenters; what the first finds in the original is what the rule knows.
        rule: one of :data:`semcom.dmic.RULES`, or a policy's ``offsets``.
        base_qps: rising.
        preset: of x265.

    >>> from semcom.dmic.rules import anchor
    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> found = curve([ramp], [lambda images: images], anchor, base_qps=(30, 45))
    >>> found.num_bytes.shape, bool(found.diagnostic.min() > 0.9)
    ((1, 2), True)
    """
    shape = len(images), len(base_qps)
    num_bytes, quality = np.empty(shape), np.empty(shape)
    diagnostic, soft = (np.empty((len(observers), *shape)) for _ in range(2))
    for row, image in enumerate(images):
        before = seen(observers, image)
        for column, qp in enumerate(base_qps):
            stream = encode(image, qp, rule(image, before[0], qp), preset)
            decoded = hevc.decode(stream)
            now = seen(observers, decoded)
            num_bytes[row, column] = len(stream)
            sent, received = (torch.from_numpy(x)[None, None] for x in (image, decoded))
            quality[row, column] = float(psnr(received, sent))
            for which, (p, p0) in enumerate(zip(now, before, strict=True)):
                diagnostic[which, row, column] = _overlap(p > 0.5, p0 > 0.5)
                soft[which, row, column] = _overlap(p, p0)
    return Curve(num_bytes, diagnostic, soft, quality)


def _overlap(
    a: NDArray[np.float64] | NDArray[np.bool_], b: NDArray[np.float64] | NDArray[np.bool_]
) -> float:
    """Dice of masks or probabilities, ``2 sum(a b) / sum(a^2 + b^2)``; 1 where both are empty."""
    one, other = a.astype(np.float64), b.astype(np.float64)
    total = float((one**2 + other**2).sum())
    return 2 * float((one * other).sum()) / total if total else 1.0
