"""One episode: an image is coded once with the offsets chosen, and every unit gets its credit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from channels import InputError
from channels.errors import check_count
from semcom.dmic.bits import BitShares
from semcom.dmic.observers import look, seen, shares_of_loss
from semcom.dmic.rules import Rule, surroundings
from semcom.dmic.units import Map, encode, grid
from semcom.image_coders import hevc
from semcom.segmentation.segmenter import Segmenter

_NOTHING = 1e-9
_SLOPE_SCALE = 1024.0
_EXPECTED = 0.8
"""Share of the anchor's rate at which an allocation is expected to lose as little."""


@dataclass(frozen=True)
class Coded:
    """What a coded image comes to.

    Args:
        num_bytes: of the stream.
        bits: of it, about, that each unit takes, ``[rows, columns]``; they add up to all.
        loss: of the diagnosis, :func:`~semcom.dmic.observers.loss`, the mean over observers.
        decoded: samples, float16 ``[H, W]``.
        slope: derivative of the loss by the samples, times 1024, float16 ``[H, W]``.
    """

    num_bytes: int
    bits: NDArray[np.float64]
    loss: float
    decoded: NDArray[np.float16]
    slope: NDArray[np.float16]

    def losses(self, anchor: Coded) -> NDArray[np.float64]:
        """What each unit takes more of the diagnosis than in the anchor, ``[rows, columns]``.

        See :func:`~semcom.dmic.observers.shares_of_loss`; they add up to the difference of losses.
        """
        change = self.decoded.astype(np.float32) - anchor.decoded
        slope = (self.slope.astype(np.float32) + anchor.slope) / (2 * _SLOPE_SCALE)
        return shares_of_loss(change, slope, self.loss - anchor.loss)


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
    _anchors: dict[tuple[int, int], Coded] = field(default_factory=dict, init=False)

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
        >>> round(coded.bits.sum() / 8) == coded.num_bytes, coded.loss < 0.01
        (True, True)
        """
        whose = range(len(self.observers)) if by is None else [by]
        return _together(self._looked_at(base_qp, offsets, whose))

    def _looked_at(self, base_qp: int, offsets: Map, whose: Iterable[int]) -> list[Coded]:
        """The image coded once, in the eyes of each observer."""
        stream = encode(self.image, base_qp, offsets, self.preset)
        bits = self._shares(np.clip(base_qp + offsets, 0, hevc.QP_MAX), 8.0 * len(stream))
        decoded = np.clip(hevc.decode(stream), 0, 1)
        looks = (
            look(self.observers[one], decoded, self.found[one], self._weights) for one in whose
        )
        kept = decoded.astype(np.float16)
        return [
            Coded(len(stream), bits, lost, kept, (slope * _SLOPE_SCALE).astype(np.float16))
            for lost, slope in looks
        ]

    def anchor(self, base_qp: int, by: int | None = None) -> Coded:
        """The image coded at one QP; ``by`` as of :meth:`coded`."""
        whose = range(len(self.observers)) if by is None else [by]
        new = [one for one in whose if (base_qp, one) not in self._anchors]
        if new:
            flat = np.zeros(grid(*self.image.shape), np.int64)
            looks = self._looked_at(base_qp, flat, new)
            self._anchors.update(
                {(base_qp, one): look for one, look in zip(new, looks, strict=True)}
            )
        return _together([self._anchors[base_qp, one] for one in whose])


def _together(each: Sequence[Coded]) -> Coded:
    """What an image comes to in the eyes of several observers."""
    if len(each) == 1:
        return each[0]
    slope = np.stack([one.slope for one in each]).mean(0, np.float32).astype(np.float16)
    return replace(each[0], loss=float(np.mean([one.loss for one in each])), slope=slope)


@dataclass(frozen=True)
class Exchange:
    """What bits and losses are worth at a base QP, from anchors of many images.

    Args:
        bits: mean length of an anchor, in bits.
        slope: bits that one unit of loss is worth: by how much the mean anchor grows where its
            mean loss shrinks, times 0.8, since a better allocation comes to the same loss at fewer
            bits.
        loss: mean loss of an anchor.
        spread: how far apart credits are: their deviation over units where the rule chooses or,
            without one, where anchors stand for the next finer ones.
    """

    bits: float
    slope: float
    spread: float = 1.0
    loss: float = 1.0

    def credits(self, coded: Coded, anchor: Coded) -> NDArray[np.float64]:
        """What each unit gains over the anchor, ``[rows, columns]``, in mean units of it.

        ::

            credit_u = (B0_u - B_u - slope S_u) U / mean(B0)

        with ``S_u`` of :meth:`Coded.losses`.

        >>> image = np.zeros((32, 64), np.float16)
        >>> flat = Coded(2, np.full((1, 2), 8.0), 0.0, image, image)
        >>> Exchange(16.0, 100.0).credits(Coded(1, np.full((1, 2), 4.0), 0.0, image, image), flat)
        array([[0.5, 0.5]])
        """
        gained = anchor.bits - coded.bits - self.slope * coded.losses(anchor)
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


def exchanges(
    scenes: Sequence[Scene], base_qps: Sequence[int], rule: Rule | None = None
) -> dict[int, Exchange]:
    """Exchange rates at each base QP, from the anchors of all scenes.

    What a bit is worth is read off the anchors where they lose as much as ``rule`` does. A useful
    map saves bits *and* loses more than the anchor of its own base QP, where the curve is so steep
    that every such map seems to lose: what learns to choose a map must be told what the loss is
    worth where it lands.

    Args:
        scenes: images of one kind.
        base_qps: rising, three at least.
        rule: about what is to be learned; ``None``: the anchors themselves.

    Raises:
        InputError: on other base QPs, or if two of them lose the same of the diagnosis.
    """
    base_qps = check_base_qps(base_qps)
    bits = np.array([[scene.anchor(qp).bits.sum() for scene in scenes] for qp in base_qps])
    lost = np.array([[scene.anchor(qp).loss for scene in scenes] for qp in base_qps])
    rate, loss = bits.mean(1), np.maximum(lost.mean(1), _NOTHING)
    falls = _elasticities(rate, loss)
    if not np.isfinite(falls).all():
        raise InputError(
            "the diagnosis of these images is the same at several base QPs: take others, in which "
            "observers find something"
        )
    found = {}
    for at, qp in enumerate(base_qps):
        if rule is None:
            there = float(loss[at])
            others = [scene.anchor(base_qps[at - 1] if at else base_qps[1]) for scene in scenes]
        else:
            maps = [rule(scene.image, scene.found[0], qp) for scene in scenes]
            others = [scene.coded(qp, each) for scene, each in zip(scenes, maps, strict=True)]
            there = max(float(np.mean([other.loss for other in others])), _NOTHING)
        slope = _EXPECTED * max(_fall(there, rate, loss, falls), 0.0)
        rates = Exchange(float(rate[at]), slope, loss=float(loss[at]))
        moves = [
            rates.credits(other, scene.anchor(qp))
            for other, scene in zip(others, scenes, strict=True)
        ]
        spread = float(np.sqrt(np.mean([credits.var() for credits in moves])))
        if spread < _NOTHING:
            raise InputError(
                "no choice of QPs tells units of these images apart: the segmenter finds something "
                "in all of them or in none; take larger images or another segmenter"
            )
        found[qp] = replace(rates, spread=spread)
    return found


def _elasticities(rate: NDArray[np.float64], loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how many percent a curve's rate falls where its loss grows by one, at each of its points.

    Not finite where two neighbours lose the same, or nothing.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found: NDArray[np.float64] = -np.gradient(np.log(rate), np.log(loss))
    return found


def _fall(
    there: float,
    rate: NDArray[np.float64],
    loss: NDArray[np.float64],
    falls: NDArray[np.float64],
) -> float:
    """Bits that one unit of loss is worth on the curve of anchors, where they lose ``there``."""
    order = np.argsort(loss)
    at = np.log(there), np.log(loss[order])
    fall = float(np.interp(*at, falls[order]))
    near = int(np.abs(at[1] - at[0]).argmin())
    log_rate = np.log(rate[order])[near] - fall * (at[0] - at[1][near])
    return fall * float(np.exp(log_rate)) / there


def returns(credits: NDArray[np.float64], gamma: float, reach: int = 0) -> NDArray[np.float64]:
    """What a unit's choice is held to account for: its own credit, and those that it touches.

    Args:
        credits: ``[..., rows, columns]``.
        gamma: by how much each unit later in raster order, which may be predicted from this one,
            counts less than the one before it; 0 for none of them.
        reach: units to each side whose credits count as much, in the mean over the window:
            prediction and segmenters carry a unit's errors there.

    >>> returns(np.array([[1.0, 2.0, 4.0]]), 0.5).tolist()
    [[3.0, 4.0, 4.0]]
    >>> returns(np.array([[1.0, 2.0, 4.0]]), 0.0, reach=1).tolist()
    [[0.333..., 0.777..., 0.666...]]
    """
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
    kept: NDArray[np.float64] = flat.reshape(credits.shape)
    return kept
