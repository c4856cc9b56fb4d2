"""Measures the transfer table of dmic.md; stopped and started again, it goes on.

    python docs/transfer.py DATA [--updates 300] [--pictures 16] [--workers 2]

DATA holds angiography/, with train and eval, images and masks in each. Tables go to docs/results,
what is finished to results/transfer.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from measure import FOLDER as RESULTS
from measure import chosen

import scenarios
import semcom
from scenarios.engine.workers.cores import cores
from semcom.data import read_file
from semcom.dmic import Policy, shipped
from semcom.dmic.episode import Scene
from semcom.training.dmic import PolicyPlan
from semcom.training.dmic.plan import PRESET
from semcom.training.dmic.scenes import observers
from semcom.training.dmic.teach import train_policy

FOLDER = Path("results") / "transfer"
ONES = (10, 100, 190, 280, 370)
"""Places of the pictures that a transfer sees alone, in the sorted list of the training part."""

_SIDE = 512


@dataclass(frozen=True)
class Transfer:
    """One transfer: what moves, and what it sees.

    Args:
        tuned: as of :class:`PolicyPlan`; ``"scratch"``: all, from random weights.
        places: of the pictures, in the sorted list of the training part.
        gamma: as of :class:`PolicyPlan`.
        updates: of how many pairs of streams each.
    """

    tuned: str
    places: tuple[int, ...]
    gamma: float
    updates: int

    @property
    def label(self) -> str:
        """What tables call it."""
        told = f"{self.tuned}, {len(self.places)} from {self.places[0]}, {self.updates} updates"
        return told + (f", gamma {self.gamma:g}" if self.gamma else "")

    @property
    def folder(self) -> Path:
        """Of its run."""
        return FOLDER / self.label.replace(", ", "-").replace(" ", "_")


def transfers(pictures: int, updates: int) -> list[Transfer]:
    """Rows of the table."""
    every, ten = tuple(range(0, pictures, 4)), tuple(range(ONES[0], pictures, pictures // 10))
    sets = [*((place,) for place in ONES), ONES, ten[:10], every, tuple(range(pictures))]
    rows = [Transfer("head", places, 0.0, updates) for places in sets]
    rows.append(Transfer("head", ONES[:1], 0.9, updates))
    return [
        *rows,
        *(Transfer(tuned, ONES[:1], 0.0, updates) for tuned in ("last", "all", "scratch")),
        Transfer("all", every, 0.0, updates),
    ]


def carried_out(transfer: Transfer, data: Path) -> None:
    """Tune the policy, and note the CPU time of it."""
    if (transfer.folder / "cpu_seconds.json").exists():
        return
    begun = time.process_time()
    images = sorted((data / "images").iterdir())
    looking = observers(semcom.segmenter("angiography"))
    scenes = []
    for place in transfer.places:
        found = read_file(images[place], data / "masks" / images[place].name)
        assert found.masks is not None
        scenes.append(Scene(found.images[0][0].numpy(), looking, PRESET, found.masks[0][0].numpy()))
    scratch = transfer.tuned == "scratch"
    plan = PolicyPlan(
        steps=transfer.updates,
        tuned="all" if scratch else transfer.tuned,
        turned=True,
        gamma=transfer.gamma,
    )
    train_policy([scenes], plan, transfer.folder, first=None if scratch else shipped())
    seconds = time.process_time() - begun
    (transfer.folder / "cpu_seconds.json").write_text(json.dumps(seconds))


def main(data: Path, updates: int, pictures: int, workers: int) -> None:
    """Carry out all transfers, and measure what comes of them."""
    kind = data / "angiography"
    rows = transfers(len(list((kind / "train" / "images").iterdir())), updates)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        jobs = [pool.submit(carried_out, row, kind / "train") for row in rows]
        for job in jobs:
            job.result()
    policies: dict[str, Policy | str | Path] = {"no transfer": shipped()}
    policies |= {row.label: row.folder / "policy.safetensors" for row in rows}
    found = scenarios.dmic(
        *chosen(data, "angiography", _SIDE, pictures),
        ways="two levels",
        policies=policies,
        preset=PRESET,
        out=FOLDER / "measured",
        workers=workers,
    )
    savings = found.savings
    savings["cpu_seconds"] = savings["way"].map(
        {row.label: json.loads((row.folder / "cpu_seconds.json").read_text()) for row in rows}
    )
    savings.to_csv(RESULTS / "dmic_transfer.csv", index=False, float_format="%.4g")
    diagnostic = savings[savings["measure"] == "diagnostic"]
    with pd.option_context("display.width", 200, "display.max_rows", 200):
        print(diagnostic.pivot(index="way", columns="observer", values="saving").round(1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--workers", type=int, default=cores())
    asked = parser.parse_args()
    main(asked.data, asked.updates, asked.pictures, asked.workers)
