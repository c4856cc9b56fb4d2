"""Bytes against what is left of the diagnosis, for one way to allocate bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from channels import InputError
from channels.errors import check_name, check_whole
from semcom.dmic.observers import seen
from semcom.dmic.rules import Rule
from semcom.dmic.units import BASE_QPS, Before, encode
from semcom.image_coders import hevc
from semcom.metrics import cldice, psnr, rate, roi_psnr
from semcom.segmentation.segmenter import Segmenter

Measure = Literal["diagnostic", "soft", "dice", "cldice", "roi_psnr"]
"""What is held equal when bytes are compared; the last for no observer in particular."""

_LEVELS = 2.5, 97.5
_MOST_REFUSED = 0.05


class Interval(NamedTuple):
    """95 % of a saving over resampled images.

    Args:
        low: percent.
        high: percent.
        refused: resamples that have no BD-rate, and are left out.
    """

    low: float
    high: float
    refused: int


@dataclass(frozen=True)
class Curve:
    """What streams of several images come to at each base QP.

    Args:
        num_bytes: of each stream, float64 ``[images, base QPs]``.
        diagnostic: Dice of what an observer finds in the decoded and in the original image,
            ``[observers, images, base QPs]``.
        soft: Dice of the two probability maps, the same.
        psnr_db: ``[images, base QPs]``.
        dice: Dice of what an observer finds in the decoded image and the annotated mask,
            ``[observers, images, base QPs]``; NaN without such masks.
        cldice: centreline Dice of the masks that ``diagnostic`` compares, the same.
        roi_psnr_db: PSNR in the annotated mask or, without, in what the first observer finds in the
            original; ``[images, base QPs]``, NaN where that is nothing.
    """

    num_bytes: NDArray[np.float64]
    diagnostic: NDArray[np.float64]
    soft: NDArray[np.float64]
    psnr_db: NDArray[np.float64]
    dice: NDArray[np.float64]
    cldice: NDArray[np.float64]
    roi_psnr_db: NDArray[np.float64]

    def saving(
        self,
        anchor: Curve,
        observer: int = 0,
        images: Sequence[int] | slice = slice(None),
        measure: Measure = "diagnostic",
    ) -> float:
        """BD-rate over the anchor at equal mean quality, in percent; negative saves.

        Args:
            anchor: of the same images.
            observer: whose diagnosis counts.
            images: which ones, for the bootstrap; all by default.
            measure: of quality.

        Raises:
            InputError: if a curve does not fall with the QP, or the two share too little; see
                :func:`semcom.metrics.bd_rate`.
        """
        return rate.bd_rate(
            *anchor._mean(measure, observer, images), *self._mean(measure, observer, images)
        )

    def interval(
        self,
        anchor: Curve,
        observer: int = 0,
        resamples: int = 1000,
        seed: int = 0,
        measure: Measure = "diagnostic",
    ) -> Interval:
        """95 % of :meth:`saving` over resampled images (bootstrap, percentiles).

        Raises:
            InputError: if more than 5 % of the resamples have no BD-rate.
        """
        resamples = check_whole("resamples", resamples, 1)
        draws = np.random.default_rng(seed)
        count = len(self.num_bytes)
        found, why = [], ""
        for _ in range(resamples):
            chosen = list(draws.integers(0, count, count))
            try:
                found.append(self.saving(anchor, observer, chosen, measure))
            except InputError as error:
                why = str(error)
        refused = resamples - len(found)
        if refused > _MOST_REFUSED * resamples:
            raise InputError(
                f"{refused} of {resamples} resamples have no BD-rate, more than 5 %: {why}"
            )
        low, high = np.percentile(found, _LEVELS)
        return Interval(float(low), float(high), refused)

    def picture_savings(
        self, anchor: Curve, observer: int = 0, measure: Measure = "diagnostic"
    ) -> NDArray[np.float64]:
        """BD-rate of each picture by itself, in percent, float64 ``[images]``.

        Without what a change of QPs from picture to picture saves, which a mean curve counts too.
        Points whose quality is no better than that of a shorter stream are dropped; NaN where what
        is left has no BD-rate: report the mean of the others, and how many they are.

        Args:
            anchor: of the same images.
            observer: whose diagnosis counts.
            measure: of quality.
        """
        found = np.full(len(self.num_bytes), np.nan)
        for image in range(len(found)):
            own, other = (
                _rising(*curve._mean(measure, observer, [image])) for curve in (self, anchor)
            )
            try:
                found[image] = rate.bd_rate(*other, *own)
            except InputError:
                continue
        return found

    def overlap(self, anchor: Curve, measure: Measure = "diagnostic", observer: int = 0) -> float:
        """Share of all mean qualities that both curves reach: what a saving speaks of."""
        return rate.overlap(
            *(curve._mean(measure, observer, slice(None))[1] for curve in (anchor, self))
        )

    def _mean(
        self, measure: Measure, observer: int, images: Sequence[int] | slice
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean bytes and quality of images, both rising where the curve does."""
        check_name("measure", measure, get_args(Measure))
        values = {
            "diagnostic": self.diagnostic,
            "soft": self.soft,
            "dice": self.dice,
            "cldice": self.cldice,
            "roi_psnr": self.roi_psnr_db[None],
        }[measure]
        if measure == "dice" and np.isnan(values).any():
            raise InputError("dice needs annotated masks: give masks to curve")
        quality = values[0 if measure == "roi_psnr" else observer][images]
        return self.num_bytes[images].mean(0)[::-1], quality.mean(0)[::-1]


def _rising(
    rates: NDArray[np.float64], qualities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points that are better than every one at no more bytes.

    >>> _rising(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.4, 0.6]))
    (array([1., 3.]), array([0.5, 0.6]))
    """
    order = np.lexsort((-qualities, rates))
    rates, qualities = rates[order], qualities[order]
    best = np.maximum.accumulate(np.concatenate([[-np.inf], qualities[:-1]]))
    kept = qualities > best
    return rates[kept], qualities[kept]


def curve(
    images: Sequence[NDArray[np.float32]],
    observers: Sequence[Segmenter],
    rule: Rule,
    *,
    base_qps: Sequence[int] = BASE_QPS,
    preset: str = hevc.PRESET,
    masks: Sequence[NDArray[np.bool_]] | None = None,
    before: Before | None = None,
) -> Curve:
    """Code images at every base QP with the offsets of a rule, and let the observers look.

    Args:
        images: float32 ``[H, W]`` in [0, 1].
        observers: frozen segmenters; what the first finds in the original is what the rule knows.
        rule: one of :data:`semcom.dmic.RULES`, or a policy's ``offsets``.
        base_qps: rising.
        preset: of x265.
        masks: what is there, bool ``[H, W]`` of each image, where an annotator has said it.
        before: makes of an image and what is found in it what is coded in its place; rules and
            measures keep to the original. E.g. :func:`semcom.dmic.lowpass.blurred`.

    Raises:
        InputError: if there is not one bool mask of its size for each image.

    >>> from semcom.dmic.rules import anchor
    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> found = curve([ramp], [lambda images: images], anchor, base_qps=(30, 45))
    >>> found.num_bytes.shape, bool(found.diagnostic.min() > 0.9)
    ((1, 2), True)
    """
    _check_masks(images, masks)
    shape = len(images), len(base_qps)
    num_bytes, quality, in_region = (np.empty(shape) for _ in range(3))
    diagnostic, soft, dice, centre = (np.full((len(observers), *shape), np.nan) for _ in range(4))
    for row, image in enumerate(images):
        found = seen(observers, image)
        coded = image if before is None else before(image, found[0])
        region = found[0] > 0.5 if masks is None else masks[row]
        for column, qp in enumerate(base_qps):
            stream = encode(coded, qp, rule(image, found[0], qp), preset)
            decoded = hevc.decode(stream)
            now = seen(observers, decoded)
            num_bytes[row, column] = len(stream)
            sent, received = (torch.from_numpy(x)[None, None] for x in (image, decoded))
            quality[row, column] = float(psnr(received, sent))
            where = torch.from_numpy(region)[None, None]
            in_region[row, column] = float(roi_psnr(received, sent, where))
            for which, (p, p0) in enumerate(zip(now, found, strict=True)):
                at = which, row, column
                diagnostic[at] = _overlap(p > 0.5, p0 > 0.5)
                soft[at] = _overlap(p, p0)
                centre[at] = float(
                    cldice(*(torch.from_numpy(x > 0.5)[None, None] for x in (p, p0)))
                )
                if masks is not None:
                    dice[at] = _overlap(p > 0.5, masks[row])
    return Curve(num_bytes, diagnostic, soft, quality, dice, centre, in_region)


def _check_masks(
    images: Sequence[NDArray[np.float32]], masks: Sequence[NDArray[np.bool_]] | None
) -> None:
    """Refuse masks that are not one bool mask of its size for each image."""
    if masks is None:
        return
    if len(masks) != len(images):
        raise InputError(f"masks must be one for each of {len(images)} images, got {len(masks)}")
    for image, mask in zip(images, masks, strict=True):
        if mask.dtype != np.bool_ or mask.shape != image.shape:
            raise InputError(
                f"masks must be bool {list(image.shape)} as their images, got {mask.dtype} "
                f"{list(mask.shape)}"
            )


def _overlap(
    a: NDArray[np.float64] | NDArray[np.bool_], b: NDArray[np.float64] | NDArray[np.bool_]
) -> float:
    """Dice of masks or probabilities, ``2 sum(a b) / sum(a^2 + b^2)``; 1 where both are empty."""
    one, other = a.astype(np.float64), b.astype(np.float64)
    total = float((one**2 + other**2).sum())
    return 2 * float((one * other).sum()) / total if total else 1.0
