"""Segmenters trained from few labels: what each method reaches, on pictures of other patients.

    python benchmarks/few_labels.py DATA OUT --workers 2
    python benchmarks/few_labels.py DATA OUT --collect docs/results/few_labels.csv

``DATA`` holds ``train`` and ``eval``, each with ``images`` and ``masks``, whose names begin with
``ker_`` (paediatric), ``hann_`` (adult, intensive care) or ``nih_`` (adult, without masks). A
finished run is kept in ``OUT``; one that was stopped goes on from its checkpoint. In the setting
``ker to hann`` only paediatric pictures have labels; the weights are chosen on paediatric ones too.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from semcom import metrics
from semcom.data import list_images
from semcom.segmentation import Segmenter
from semcom.training.crops import Sample
from semcom.training.samples import load_samples
from semcom.training.segmentation.few_labels import FewLabels, few_labels
from semcom.training.segmentation.segmenters import METHODS, SegmenterPlan, train_segmenter

SETTINGS = ("ker to hann", "5 %", "10 %", "100 %")
STEPS, LONGEST_SIDE = 800, 128
SCORES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "dice": metrics.dice,
    "iou": metrics.iou,
    "hd95_px": metrics.hausdorff_95,
    "asd_px": metrics.surface_distance,
}
COLUMNS = ("setting", "method", "seed", "labelled", "unlabelled", "pictures", "masks", *SCORES)


def named(folder: Path) -> dict[str, Sample]:
    """Pictures of a folder with their masks, by name."""
    samples = load_samples(folder / "images", folder / "masks")
    names = [path.name for path in list_images(folder / "images")]
    return dict(zip(names, samples, strict=True))


def of(samples: dict[str, Sample], *prefixes: str) -> list[Sample]:
    """Those whose names begin so."""
    return [sample for name, sample in samples.items() if name.startswith(prefixes)]


def divided(train: dict[str, Sample], setting: str, seed: int) -> FewLabels:
    """What a setting trains with."""
    if setting == "ker to hann":
        few = few_labels(of(train, "ker_"), 1.0, seed=seed)
        others = [image for image, _ in of(train, "hann_", "nih_")]
        return few._replace(unlabelled=[*few.unlabelled, *others])
    share = float(setting.removesuffix(" %")) / 100
    return few_labels(of(train, "ker_", "hann_", "nih_"), share, seed=seed)


def scored(segmenter: Segmenter, samples: list[Sample]) -> dict[str, float | int]:
    """Means over the pictures that have masks."""
    found: dict[str, list[float]] = {name: [] for name in SCORES}
    for image, mask in samples:
        if mask is not None:
            with torch.inference_mode():
                region = segmenter(image[None]) > 0.5
            for name, score in SCORES.items():
                found[name].append(float(score(region, mask[None])))
    means = {name: sum(values) / len(values) for name, values in found.items()}
    return {"masks": len(found["dice"]), **{name: round(v, 4) for name, v in means.items()}}


def run(data: Path, out: Path, job: tuple[int, str, str]) -> None:
    """Train and score one segmenter, unless that is done."""
    torch.set_num_threads(1)
    seed, setting, method = job
    folder = out / f"{method} {setting} {seed}".replace(" ", "_").replace("%", "pc")
    if (folder / "scores.json").exists():
        return
    train, evaluation = named(data / "train"), named(data / "eval")
    few = divided(train, setting, seed)
    plan = SegmenterPlan(method, STEPS, longest_side=LONGEST_SIDE, seed=seed)
    segmenter = train_segmenter(
        "chest", few.labelled, few.unlabelled, plan, folder, validation=few.validation, log_every=50
    )
    sets = {
        "eval": of(evaluation, "ker_", "hann_"),
        "eval ker": of(evaluation, "ker_"),
        "eval hann": of(evaluation, "hann_"),
    }
    if setting == "ker to hann":
        sets["train hann"] = of(train, "hann_")
    counts = {"labelled": len(few.labelled), "unlabelled": len(few.unlabelled)}
    first = {"setting": setting, "method": method, "seed": seed, **counts}
    rows = [{**first, "pictures": name, **scored(segmenter, s)} for name, s in sets.items()]
    (folder / "scores.json").write_text(json.dumps(rows))
    print(method, setting, seed, [(row["pictures"], row["dice"]) for row in rows], flush=True)


def collect(out: Path, target: Path) -> None:
    """Write the rows of all finished runs into one table."""
    rows = [
        row for path in sorted(out.glob("*/scores.json")) for row in json.loads(path.read_text())
    ]
    order = {name: i for i, name in enumerate([*SETTINGS, *METHODS])}
    rows.sort(key=lambda row: (order[row["setting"]], order[row["method"]], row["seed"]))
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def table(path: Path) -> str:
    """Markdown: mean and standard deviation of Dice over the seeds."""
    rows = pd.read_csv(path)
    shown = [("5 %", "eval"), ("10 %", "eval"), ("100 %", "eval")]
    shown += [("ker to hann", "eval hann"), ("ker to hann", "train hann")]
    lines = ["| | " + " | ".join(f"{a}, {b}" for a, b in shown) + " |"]
    lines.append("| --- " * (len(shown) + 1) + "|")
    for method, own in rows.groupby("method", sort=False):
        cells = []
        for setting, pictures in shown:
            dice = own[(own.setting == setting) & (own.pictures == pictures)].dice
            cells.append(f"{dice.mean():.4f} ± {dice.std():.4f}")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--collect", type=Path)
    options = parser.parse_args()
    if options.collect:
        collect(options.out, options.collect)
        print(table(options.collect))
        return
    jobs = list(product(range(3), SETTINGS, options.methods))
    with ProcessPoolExecutor(options.workers) as pool:
        list(pool.map(partial(run, options.data, options.out), jobs))


if __name__ == "__main__":
    main()
