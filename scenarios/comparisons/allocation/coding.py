"""One picture coded in one way at all base QPs, and what observers find in it then."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.comparisons.allocation.ways import Way
from semcom.dmic.curves import curve
from semcom.dmic.episode import Exchange, Scene
from semcom.dmic.lowpass import blurred
from semcom.dmic.rules import RULES, Rule, two_levels
from semcom.dmic.search import best_uniform, search
from semcom.dmic.sensitivity import Sensitivity
from semcom.dmic.units import Before, Map, encode
from semcom.image_coders import hevc
from semcom.segmentation import Segmenter

MEASURED: dict[str, tuple[type, ...]] = {
    "num_bytes": (list,),
    "header_bytes": (int,),
    "psnr_db": (list,),
    "roi_psnr_db": (list,),
    "qp_offsets": (list,),
    "diagnostic": (list,),
    "soft": (list,),
    "cldice": (list,),
    "dice": (list,),
}
"""What is kept of a job: lists over base QPs, of observers lists of these, of offsets maps."""

_START_CODE = b"\x00\x00\x01"
_NAL_HEADER = 2


@dataclass(frozen=True, eq=False)
class Job:
    """A picture and a way to allocate its bits.

    Args:
        way: rule, policy or search.
        image: float32 ``[H, W]`` in [0, 1].
        mask: what is there, bool ``[H, W]``, where an annotator has said it.
        observers: frozen segmenters; what the first finds is what a rule knows.
        base_qps: rising.
        preset: of x265.
        seed: of the search's proposals and of the sensitivity's signs.
        encodes: of a search.
        exchanges: what losses cost at each base QP, for the upper curves.
    """

    way: Way
    image: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    observers: tuple[Segmenter, ...]
    base_qps: tuple[int, ...]
    preset: str
    seed: int = 0
    encodes: int = 0
    exchanges: dict[int, Exchange] = field(default_factory=dict)


def carried_out(job: Job) -> dict[str, Any]:
    """What came of a job, as ``MEASURED`` says.

    Offsets are those of the QPs that units are coded at, which end at 0 and 51.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> looks = (lambda images: images,)
    >>> found = carried_out(Job(Way("anchor"), ramp, None, looks, (30, 45), "ultrafast"))
    >>> len(found["num_bytes"]), found["qp_offsets"][0]
    (2, [[0, 0], [0, 0]])
    """
    rule, before = _rule(job)
    offsets: list[Map] = []

    def noted(image: NDArray[np.float32], seen: NDArray[np.floating], base_qp: float) -> Map:
        chosen = rule(image, seen, base_qp)
        offsets.append((np.clip(base_qp + chosen, 0, hevc.QP_MAX) - base_qp).astype(np.int64))
        return chosen

    masks = None if job.mask is None else [job.mask]
    found = curve(
        [job.image],
        job.observers,
        noted,
        base_qps=job.base_qps,
        preset=job.preset,
        masks=masks,
        before=before,
    )
    return {
        "num_bytes": found.num_bytes[0].tolist(),
        "header_bytes": header_bytes(*job.image.shape, job.preset),
        "psnr_db": found.psnr_db[0].tolist(),
        "roi_psnr_db": found.roi_psnr_db[0].tolist(),
        "qp_offsets": [chosen.tolist() for chosen in offsets],
        "diagnostic": found.diagnostic[:, 0].tolist(),
        "soft": found.soft[:, 0].tolist(),
        "cldice": found.cldice[:, 0].tolist(),
        "dice": found.dice[:, 0].tolist(),
    }


@cache
def header_bytes(height: int, width: int, preset: str) -> int:
    """Bytes that size and preset alone decide, so that a session may hold them: 80 or a few less.

    VPS, SPS, PPS and the slice's NAL header, which follows the last start code.

    >>> header_bytes(64, 64, "veryslow") == len(hevc.header(64, 64))
    True
    """
    stream = encode(np.full((height, width), 0.5, np.float32), hevc.QP_MAX, None, preset)
    return stream.rindex(_START_CODE) + len(_START_CODE) + _NAL_HEADER


def _rule(job: Job) -> tuple[Rule, Before | None]:
    """Who chooses the offsets, and what is made of the picture before it is coded."""
    way, segmenter = job.way, job.observers[0]
    if way.policy is not None:
        return way.policy.offsets, None
    if way.is_upper:
        return _upper(job), None
    if way.name == "sensitivity":
        return Sensitivity(segmenter, seed=job.seed), None
    return (RULES[way.name], None) if way.name in RULES else (two_levels, blurred)


def _upper(job: Job) -> Rule:
    scene = Scene(job.image, [job.observers[0]], job.preset)

    def chosen(image: NDArray[np.float32], seen: NDArray[np.floating], base_qp: float) -> Map:
        qp = int(base_qp)
        if job.way.name == "search":
            return search(scene, qp, job.exchanges[qp], job.encodes, job.seed)
        return best_uniform(scene, qp, job.exchanges[qp])

    return chosen
