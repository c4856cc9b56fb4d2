"""One episode: an image is coded once with the offsets chosen, and every unit gets its credit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channels import InputError
from channels.errors import check_count
from semcom.dmic.bits import BitShares
from semcom.dmic.observers import caused, seen
from semcom.dmic.rules import surroundings
from semcom.dmic.units import Map, encode, grid
from semcom.image_coders import hevc
from semcom.segmentation.segmenter import Segmenter

_QUARTERS = 4
TURNS = 2 * _QUARTERS
"""Ways to turn and mirror a square."""

_NOTHING = 1e-9
_EXPECTED = 0.7
"""Share of the anchor's rate at which an allocation is expected to lose as little."""


@dataclass(frozen=True)
class Coded:
    """What a coded image comes to.

    Args:
        num_bytes: of the stream.
        bits: of it, about, that each unit takes, ``[rows, columns]``; they add up to all.
        losses: what each unit takes of the diagnosis, ``[rows, columns]``; they add up to
            :func:`~semcom.dmic.observers.loss`, the mean over observers.
    """

    num_bytes: int
    bits: NDArray[np.float64]
    losses: NDArray[np.float64]


@dataclass(eq=False)
class Scene:
    """An image under the eyes of observers; anchors that were coded once are kept.

    Args:
        image: float32 ``[H, W]`` in [0, 1].
        observers: frozen segmenters; what the first finds is what a policy knows.
        preset: of x265.
        mask: what is there, bool ``[H, W]``, where an annotator has said it: what is lost there,
            and 8 pixels around, counts twice.
    """

    image: NDArray[np.float32]
    observers: Sequence[Segmenter]
    preset: str = hevc.PRESET
    mask: NDArray[np.bool_] | None = None
    _anchors: dict[int, list[Coded]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.found = seen(self.observers, self.image)
        self._shares = BitShares(self.image)
        self._weights: NDArray[np.float64] | float = 1.0
        if self.mask is not None:
            self._weights = 1.0 + surroundings(self.mask).astype(np.float64)

    def coded(self, base_qp: int, offsets: Map, by: int | None = None) -> Coded:
        """Code the image and let the observers look.

        Args:
            base_qp: what the offsets are added to.
            offsets: of each unit.
            by: the only observer who looks; ``None``: all do.

        >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
        >>> scene = Scene(ramp, [lambda images: images], "ultrafast")
        >>> coded = scene.coded(30, np.zeros((2, 2), np.int64))
        >>> round(coded.bits.sum() / 8) == coded.num_bytes, coded.losses.sum() < 0.01
        (True, np.True_)
        """
        whose = range(len(self.observers)) if by is None else [by]
        return _together(self._looked_at(base_qp, offsets, whose))

    def _looked_at(self, base_qp: int, offsets: Map, whose: Iterable[int]) -> list[Coded]:
        """The image coded once, in the eyes of each observer."""
        stream = encode(self.image, base_qp, offsets, self.preset)
        bits = self._shares(np.clip(base_qp + offsets, 0, hevc.QP_MAX), 8.0 * len(stream))
        decoded = np.clip(hevc.decode(stream), 0, 1)
        return [
            Coded(
                len(stream),
                bits,
                caused(self.observers[one], decoded, self.image, self.found[one], self._weights),
            )
            for one in whose
        ]

    def turned(self, turn: int) -> Scene:
        """The scene turned by ``turn % 4`` quarters, and mirrored before from 4 on.

        >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (32, 1))
        >>> Scene(ramp, [lambda images: images]).turned(5).image.shape
        (64, 32)
        """

        def moved(values: NDArray[Any]) -> NDArray[Any]:
            there = np.flip(values, -1) if turn >= _QUARTERS else values
            return np.ascontiguousarray(np.rot90(there, turn % _QUARTERS, (-2, -1)))

        mask = None if self.mask is None else moved(self.mask)
        return Scene(moved(self.image), self.observers, self.preset, mask)

    def anchor(self, base_qp: int, by: int | None = None) -> Coded:
        """The image coded at one QP; ``by`` as of :meth:`coded`."""
        if base_qp not in self._anchors:
            flat = np.zeros(grid(*self.image.shape), np.int64)
            everyone = range(len(self.observers))
            self._anchors[base_qp] = self._looked_at(base_qp, flat, everyone)
        each = self._anchors[base_qp]
        return _together(each) if by is None else each[by]


def _together(each: Sequence[Coded]) -> Coded:
    """What an image comes to in the eyes of several observers."""
    return replace(each[0], losses=np.mean([one.losses for one in each], 0))


@dataclass(frozen=True)
class Exchange:
    """What bits and losses are worth at a base QP, from anchors of many images.

    Args:
        bits: mean length of an anchor, in bits.
        slope: bits that one unit of loss is worth: by how much the mean anchor grows where its
            mean loss shrinks, times 0.7, since a better allocation comes to the same loss at fewer
            bits, where less is gained by more.
        loss: mean loss of an anchor.
        spread: how far apart units are, in mean units of the anchor: the deviation of what their
            bits and losses come to.
    """

    bits: float
    slope: float
    spread: float = 1.0
    loss: float = 1.0

    def credits(self, coded: Coded, anchor: Coded) -> NDArray[np.float64]:
        """What each unit gains over the anchor, ``[rows, columns]``, in mean units of it.

        ::

            credit_u = ((B0_u - B_u) + slope (S0_u - S_u)) U / mean(B0)

        >>> flat = Coded(2, np.full((1, 2), 8.0), np.zeros((1, 2)))
        >>> Exchange(16.0, 100.0).credits(Coded(1, np.full((1, 2), 4.0), np.zeros((1, 2))), flat)
        array([[0.5, 0.5]])
        """
        gained = anchor.bits - coded.bits + self.slope * (anchor.losses - coded.losses)
        return gained * gained.size / self.bits


def check_base_qps(base_qps: Sequence[int]) -> tuple[int, ...]:
    """Base QPs that exchange rates can be reckoned at: rising, three at least.

    >>> check_base_qps([31, 37])
    Traceback (most recent call last):
    channels.errors.InputError: base_qps must be three rising ones at least, got [31, 37]
    """
    qps = tuple(check_count("a base QP", qp, 0, hevc.QP_MAX) for qp in base_qps)
    if len(qps) < 3 or sorted(set(qps)) != list(qps):
        raise InputError(f"base_qps must be three rising ones at least, got {list(qps)}")
    return qps


def exchanges(scenes: Sequence[Scene], base_qps: Sequence[int]) -> dict[int, Exchange]:
    """Exchange rates at each base QP, from the anchors of all scenes at that and the next ones.

    Args:
        scenes: images of one kind.
        base_qps: rising, three at least.

    Raises:
        InputError: on other base QPs, or if two of them lose the same of the diagnosis.
    """
    base_qps = check_base_qps(base_qps)
    bits = np.array([[scene.anchor(qp).bits.sum() for scene in scenes] for qp in base_qps])
    lost = np.array([[scene.anchor(qp).losses.sum() for scene in scenes] for qp in base_qps])
    rate, loss = bits.mean(1), np.maximum(lost.mean(1), _NOTHING)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = -np.gradient(np.log(rate), np.log(loss)) * rate / loss
    if not np.isfinite(slopes).all():
        raise InputError(
            "the diagnosis of these images is the same at several base QPs: take others, in which "
            "observers find something"
        )
    found = {}
    slopes = _EXPECTED * np.maximum(slopes, 0)
    for qp, mean, slope, taken in zip(base_qps, rate, slopes, loss, strict=True):
        anchors = [scene.anchor(qp) for scene in scenes]
        weighed = [(a.bits + slope * a.losses) * a.bits.size / mean for a in anchors]
        spread = float(np.sqrt(np.mean([units.var() for units in weighed])))
        found[qp] = Exchange(float(mean), float(slope), max(spread, _NOTHING), float(taken))
    return found


def returns(
    credits: NDArray[np.float64], gamma: float, reach: int = 0, whole: float = 0.0
) -> NDArray[np.float64]:
    """What a unit's choice is held to account for: its own credit, and those that it touches.

    Args:
        credits: ``[..., rows, columns]``.
        gamma: by how much each unit later in raster order, which may be predicted from this one,
            counts less than the one before it; 0 for none of them.
        reach: units to each side whose credits count as much, in the mean over the window:
            prediction and segmenters carry a unit's errors there.
        whole: weight of the mean over the image, beside.

    >>> returns(np.array([[1.0, 2.0, 4.0]]), 0.5).tolist()
    [[3.0, 4.0, 4.0]]
    >>> returns(np.array([[1.0, 2.0, 4.0]]), 0.0, reach=1).tolist()
    [[0.333..., 0.777..., 0.666...]]
    """
    overall = whole * credits.mean((-2, -1), keepdims=True)
    if reach:
        side = 2 * reach + 1
        edges = ((0, 0),) * (credits.ndim - 2) + ((reach, reach),) * 2
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(credits, edges), (side, side), axis=(-2, -1)
        )
        credits = windows.mean((-2, -1))
    flat: NDArray[np.float64] = credits.reshape(*credits.shape[:-2], -1).copy()
    for place in range(flat.shape[-1] - 2, -1, -1):
        flat[..., place] += gamma * flat[..., place + 1]
    kept: NDArray[np.float64] = flat.reshape(credits.shape) + overall
    return kept
