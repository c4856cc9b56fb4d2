"""Measures the tables of dmic.md but that of transfers; stopped and started again, it goes on.

    python docs/allocation.py DATA savings|search|links [--workers 2]

DATA holds angiography/eval, with images and masks. Tables go to docs/results, what is finished to
results/. Then ``python docs/tables.py``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from measure import FOLDER, chosen

import scenarios
import semcom
from scenarios.comparisons.allocation.figure import drawn
from scenarios.comparisons.allocation.savings import savings_of
from scenarios.comparisons.allocation.ways import ANCHOR, UPPER
from scenarios.engine.workers.cores import cores
from semcom.metrics import bd_rate

IMAGES = Path(__file__).parent / "images"
KIND, SIDE = "angiography", 512
RULE, POLICY = "two levels", "dmic-angiography"
WAYS = (RULE, "sensitivity", "low-pass", "picture QP")
DRAWN = (ANCHOR, RULE, "sensitivity", POLICY, "low-pass (extension)")
PICTURES, SEARCHED, SENT = 32, 6, 16
SEARCHED_QPS, SEARCHED_PRESET = (28, 34, 40, 46), "ultrafast"
"""130 encodes a point, and the segmenter asked after each, are minutes a picture even so."""

CBR, SNR_DB = (1 / 128, 1 / 64), (0, 6, 12)


def savings(data: Path, workers: int) -> None:
    """All evaluation pictures, and the policies beside the rule that they imitated at first."""
    images, masks = chosen(data, KIND, SIDE, PICTURES)
    found = scenarios.dmic(images, masks, ways=WAYS, out=Path("results") / "dmic", workers=workers)
    write_savings(found.savings, "dmic")
    found.print()
    frame = found.frame
    others = frame[frame["way"] != ANCHOR].replace({"way": {RULE: ANCHOR}})
    write_savings(savings_of(others), "dmic_over_rule")
    drawn(frame[frame["way"].isin(DRAWN)]).savefig(IMAGES / "dmic.png", dpi=110)


def search(data: Path, workers: int) -> None:
    """The first pictures, whose offsets are also searched with the segmenter that judges."""
    images, masks = chosen(data, KIND, SIDE, PICTURES)
    found = scenarios.dmic(
        images[:SEARCHED],
        masks[:SEARCHED],
        ways=[RULE, "picture QP", *UPPER],
        base_qps=SEARCHED_QPS,
        preset=SEARCHED_PRESET,
        out=Path("results") / "search",
        workers=workers,
    )
    rows = []
    for (way, who), own in found.frame.groupby(["way", "observer"], sort=False):
        if way != ANCHOR:
            there = found.frame.query("way == @ANCHOR and observer == @who")
            for measure in ("diagnostic", "soft"):
                rows.append(
                    {"way": way, "measure": measure, "observer": who} | over(own, there, measure)
                )
    write_savings(pd.DataFrame(rows), "dmic_search")


def over(own: pd.DataFrame, anchor: pd.DataFrame, measure: str) -> dict[str, float]:
    """BD-rate of mean curves over the qualities that both reach: a search reaches higher ones."""
    curves = [
        rows.groupby("base_qp")[["bytes", measure]].mean()[::-1].to_numpy().T
        for rows in (anchor, own)
    ]
    low, high = ([pick(curve[1]) for curve in curves] for pick in (min, max))
    return {
        "saving": bd_rate(*curves[0], *curves[1], min_overlap=0),
        "low": math.nan,
        "high": math.nan,
        "overlap": (min(high) - max(low)) / (max(high) - min(low)),
    }


def links(data: Path, workers: int) -> None:
    """The policy's streams on the air, seen by the observer that nothing was made for."""
    table = scenarios.snr(
        chosen(data, KIND, SIDE, SENT)[0],
        KIND,
        codecs={
            "hevc-ldpc": semcom.codec("hevc-ldpc"),
            "hevc-roi-ldpc": semcom.codec("hevc-roi-ldpc"),
            f"{RULE}, ldpc": semcom.codec("dmic-ldpc", policy=RULE),
            "dmic-ldpc": semcom.codec("dmic-ldpc"),
            "medjscc": semcom.codec("medjscc"),
        },
        links=("awgn", "ntn-tdl-c"),
        snr_db=SNR_DB,
        cbr=CBR,
        diagnosis=f"{KIND}-second",
        out=Path("results") / "dmic_links",
        workers=workers,
        progress=True,
    )
    table.save(FOLDER / "dmic_links.csv")
    table.plot("dice", IMAGES / "dmic_links.png")


def write_savings(rows: pd.DataFrame, name: str) -> None:
    """Four digits are more than bootstrap knows."""
    rows.to_csv(FOLDER / f"{name}.csv", index=False, float_format="%.4g")


PARTS: dict[str, Callable[[Path, int], None]] = {
    "savings": savings, "search": search, "links": links,
}  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--workers", type=int, default=cores())
    asked = parser.parse_args()
    PARTS[asked.part](asked.data, asked.workers)
