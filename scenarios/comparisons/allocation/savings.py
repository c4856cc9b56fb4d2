"""How many bytes each way saves over the anchor, at equal quality of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from channels import InputError
from scenarios.comparisons.allocation.observers import ALL
from scenarios.comparisons.allocation.ways import ANCHOR
from semcom.dmic.curves import Curve

MEASURES = {
    "diagnostic": "diagnostic Dice",
    "soft": "soft Dice",
    "cldice": "clDice",
    "dice": "annotated Dice",
    "roi_psnr_db": "ROI-PSNR",
    "psnr_db": "PSNR",
}
"""Columns of a frame that are held equal, in words; PSNR is no observer's."""

DICE_FROM = 37
"""Least base QP of annotated Dice: it is flat below, and a flat curve has no BD-rate."""

_TYPES = {
    "way": "str", "measure": "str", "observer": "str", "images": "int64", "least_qp": "Int64",
    "saving": "float64", "low": "float64", "high": "float64", "refused": "Int64",
    "overlap": "float64", "per_image": "float64", "per_image_of": "int64",
    "known_header": "float64", "reason": "str",
}  # fmt: skip
_RESAMPLES = 1000
_FEWEST = 5
"""Resamples of fewer pictures are too few different ones: their percentiles tell nothing."""


def observers_in(frame: pd.DataFrame) -> list[str]:
    """Observers of a frame, in its order.

    >>> observers_in(pd.DataFrame({"observer": ["b", "a", "b"]}))
    ['b', 'a']
    """
    return list(dict.fromkeys(frame["observer"]))


def is_of_observers(measure: str) -> bool:
    """Whether each observer has a value of its own.

    >>> is_of_observers("soft"), is_of_observers("psnr_db")
    (True, False)
    """
    return not measure.endswith("_db")


def savings_of(frame: pd.DataFrame, resamples: int = _RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Savings of every way, as told at :attr:`~.allocations.Allocations.savings`.

    Args:
        frame: rows of :class:`~.allocations.Allocations`.
        resamples: of the bootstrap over images.
        seed: of the bootstrap.
    """
    rows = []
    for measure in MEASURES:
        if frame[measure].isna().all():
            continue
        for who in observers_in(frame):
            seen = frame[frame["observer"] == who]
            anchor = seen[seen["way"] == ANCHOR]
            for way, own in seen.groupby("way", sort=False):
                if way != ANCHOR:
                    told = who if is_of_observers(measure) else ALL
                    row = {"way": way, "measure": measure, "observer": told}
                    rows.append(row | _saving(own, anchor, measure, resamples, seed))
            if not is_of_observers(measure):
                break
    return pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)


def _saving(
    own: pd.DataFrame, anchor: pd.DataFrame, measure: str, resamples: int, seed: int
) -> dict[str, Any]:
    """What one way saves in one respect; why not, where it cannot be said."""
    told = {"reason": "", "refused": None} | dict.fromkeys(("saving", "low", "high"), np.nan)
    told |= dict.fromkeys(("per_image", "overlap", "known_header"), np.nan)
    here, there, headers, qps = _curves(own, anchor, measure)
    told |= {"images": len(headers), "least_qp": min(qps, default=None), "per_image_of": 0}
    if not len(headers):
        return told | {"reason": "no picture has such a region"}
    if len(qps) < 2:
        return told | {"reason": f"needs two base QPs from {DICE_FROM} on"}
    singles = here.picture_savings(there)
    known = np.isfinite(singles)
    told["per_image_of"] = int(known.sum())
    told["per_image"] = float(singles[known].mean()) if known.any() else np.nan
    told["overlap"] = here.overlap(there)
    try:
        told["saving"] = here.saving(there)
        told["known_header"] = _shortened(here, headers).saving(_shortened(there, headers))
        if len(headers) < _FEWEST:
            raise InputError(f"no interval of fewer than {_FEWEST} pictures")
        found = here.interval(there, resamples=resamples, seed=seed)
    except InputError as error:
        return told | {"reason": str(error)}
    return told | found._asdict()


def _curves(
    own: pd.DataFrame, anchor: pd.DataFrame, measure: str
) -> tuple[Curve, Curve, NDArray[np.float64], list[int]]:
    """Both curves of the images and base QPs that a measure is of, their headers, the base QPs."""
    if measure == "dice":
        own, anchor = (rows[rows["base_qp"] >= DICE_FROM] for rows in (own, anchor))
    quality, flat = _grid(own, measure), _grid(anchor, measure)
    has = ~np.isnan(quality).any(1)
    headers = _grid(anchor, "header_bytes")[has]
    here, there = (
        _plain(_grid(rows, "bytes")[has], values[has])
        for rows, values in ((own, quality), (anchor, flat))
    )
    return here, there, headers, sorted(set(own["base_qp"]))


def _grid(rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Values ``[images, base QPs]``."""
    return rows.pivot(index="image", columns="base_qp", values=name).to_numpy(np.float64)


def _plain(num_bytes: NDArray[np.float64], quality: NDArray[np.float64]) -> Curve:
    """A curve of one quality, whichever it is asked for."""
    each = quality[None]
    return Curve(num_bytes, each, each, quality, each, each, quality)


def _shortened(curve: Curve, headers: NDArray[np.float64]) -> Curve:
    return _plain(curve.num_bytes - headers, curve.psnr_db)
