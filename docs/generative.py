"""Measures the tables of generative.md; stopped and started again, it goes on.

    python docs/generative.py DATA compare|words|light|captions [--kinds chest] [--pictures 16]

DATA holds chest/, angiography/ and dental/, each with eval/images and eval/masks, the first two
with train/images and train/masks as well. Tables go to docs/results, what is finished to results/.
Then ``python docs/tables.py``. A kind whose generator or captioner does not ship yet is painted by
that of chest X-rays, and says what is measured.

On one free core ``compare`` takes four hours for all (--kinds, --links, --snr, --cbr and --pictures
choose a part, which becomes the table; what is finished is found again by the whole), ``words``
a quarter of an hour, ``light`` with 600 steps in each of five trainings an hour and a quarter,
``captions`` a minute.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import pandas as pd
import torch
from lightened import light
from measure import FOLDER, KINDS, chosen
from painting import Seen, codec_of, painted_scores, painter_of, pictures_of, said, written

import channels
import scenarios
import semcom
from scenarios.comparisons.generative import CBR, CODECS, LINKS, SNR_DB
from scenarios.results.statistics import mean_interval
from scenarios.results.style import SMALL
from semcom.data import phantoms
from semcom.generative.captioner import Measured
from semcom.generative.kinds import ShippedCaptioner
from semcom.generative.learned_captioner import shipped_captioner
from semcom.generative.words import encode_text, shipped
from semcom.generative.words.vocabulary import KIND_OF_TASK
from semcom.scheme import Scheme

IMAGES = Path(__file__).parent / "images"
OWN = "generative"
COMPARED = (
    "roi_psnr", "nroi_psnr", "psnr", "ssim", "vsi", "frechet", "dice", "dice_control",
)  # fmt: skip
TOLD = ("painted", "words_lost")
"""Means alone: other codecs make nothing up."""

SPENT_AT = (0.0, 6.0, 12.0)
"""SNR in dB at which channel uses are told by part."""

TEXTS = {"chest": 7, "angiography": 7, "dental": 6}
"""How many captions of each kind are told."""

DRAWN = {"chest": 2, "angiography": 1, "dental": 1}
"""Phantoms of each kind that are drawn beside their captions."""


def compare(asked: Namespace) -> None:
    """The scenario, a table of means and paired differences for each kind."""
    for kind in asked.kinds:
        codecs: dict[str, Scheme] = {name: semcom.codec(name) for name in CODECS if name != OWN}
        parts = scenarios.generative(
            *chosen(asked.data, kind, asked.size, asked.pictures),
            codecs={OWN: codec_of(kind), **codecs},
            links=asked.links,
            snr_db=asked.snr,
            cbr=asked.cbr,
            diagnosis=kind,
            out=asked.kept / f"compare_{kind}",
            workers=asked.workers,
            progress=True,
        )
        written(compared(parts.table.frame), asked.out / f"generative_{kind}.csv")
        parts.print()


def compared(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each codec and point: means, how much more the generative codec has, and ±."""
    rows = []
    for (link, cbr, snr_db), at in frame.groupby(["link", "cbr", "snr_db"], sort=False):
        values = at.set_index(["codec", "image"])
        own = values.loc[OWN]
        for codec in dict.fromkeys(at["codec"]):
            its = values.loc[codec]
            row = {"link": link, "cbr": cbr, "snr_db": snr_db, "codec": codec, "images": len(its)}
            row["lost"] = float(its["outage"].mean())
            for metric in (*COMPARED, *TOLD):
                row[metric] = float(its[metric].mean())
                if metric not in COMPARED:
                    continue
                gain, low, _ = mean_interval((own[metric] - its[metric]).dropna().tolist())
                row[f"{metric}_gain"], row[f"{metric}_half"] = gain, gain - low
            rows.append(row)
    return pd.DataFrame(rows)


def words(asked: Namespace) -> None:
    """What words are worth around true key regions, what they cost, and what else costs."""
    worth, spent = [], []
    for kind in asked.kinds:
        seen = pictures_of(asked.data, kind, asked.size, asked.pictures)
        worth += worth_of_words(kind, seen, asked.kept)
        spent += uses(kind, seen, asked)
    written(pd.DataFrame(worth), asked.out / "generative_words.csv")
    written(pd.DataFrame(spent), asked.out / "generative_uses.csv")


def worth_of_words(kind: str, seen: list[Seen], folder: Path) -> list[dict[str, object]]:
    """A row for each picture and what is said of it: scores, and bits of the words."""
    painter, captioner = painter_of(kind), ShippedCaptioner(kind)
    right = [said(captioner, one) for one in seen]
    texts = {"right": right, "none": [""] * len(seen), "other": [*right[1:], right[0]]}
    if shipped_captioner(kind) is not None:
        texts["measured"] = [said(Measured(KIND_OF_TASK[kind]), one) for one in seen]
    rows = []
    for words, of_each in texts.items():
        print(f"{kind}, words: {words}", flush=True)
        for number, (one, text) in enumerate(zip(seen, of_each, strict=True)):
            found = painted_scores(painter, one, text, kind, folder)
            cost = {"bytes": len(text.encode()), "bits": len(encode_text(text, shipped()))}
            rows.append({"kind": kind, "words": words, "picture": number, **found, **cost})
    return rows


def uses(kind: str, seen: list[Seen], asked: Namespace) -> list[dict[str, object]]:
    """Mean channel uses of each part."""
    rows = []
    for link in asked.links:
        codec = codec_of(kind).adapted(channels.link(link))
        for cbr in asked.cbr:
            for snr_db in SPENT_AT:
                parts = []
                for one in seen:
                    with torch.no_grad():
                        tx = codec.encode(one.image, cbr=cbr, snr_db=snr_db, roi=one.mask)
                    parts += codec.uses_by_part(tx)
                told = {"kind": kind, "link": link, "cbr": cbr, "snr_db": snr_db}
                rows.append(told | pd.DataFrame(parts).mean().round(1).to_dict())
    return rows


def captions(asked: Namespace) -> None:
    """What is said of twenty test pictures, and a figure of phantoms with their captions."""
    rows = []
    for kind in asked.kinds:
        captioner = ShippedCaptioner(kind)
        for one in pictures_of(asked.data, kind, asked.size, TEXTS[kind]):
            text = said(captioner, one)
            bits = len(encode_text(text, shipped()))
            rows.append({"kind": kind, "file": one.name, "caption": text, "bits": bits})
    written(pd.DataFrame(rows), asked.out / "generative_captions.csv")
    drawn_captions(asked.figures / "generative-captions.png", asked.size)


def drawn_captions(path: Path, size: int) -> None:
    """Phantoms, the regions that words leave out, and their captions as clauses."""
    figure, axes = plt.subplots(1, sum(DRAWN.values()), figsize=(11, 4.9))
    figure.subplots_adjust(left=0.01, right=0.99, top=0.94, bottom=0.4, wspace=0.1)
    places = iter(axes)
    for kind, count in DRAWN.items():
        images, masks = phantoms(kind, n=count, size=size, seed=7)
        captioner = ShippedCaptioner(kind)
        for image, region in zip(images, codec_of(kind).key_region(masks), strict=True):
            axis = next(places)
            (text,) = captioner(image[None], region[None])
            bits = len(encode_text(text, shipped()))
            axis.imshow(image[0].numpy(), cmap="gray", vmin=0, vmax=1)
            axis.contour(region[0].numpy(), levels=[0.5], colors="#E69F00", linewidths=0.9)
            axis.set_title(f"{kind} phantom: {bits} bits", fontsize=9)
            lines = [fill(clause, 48, subsequent_indent="    ") for clause in text.split("; ")]
            below = {"transform": axis.transAxes, "va": "top", "fontsize": SMALL}
            axis.text(0, -0.03, "\n".join(lines), **below)
            axis.set_axis_off()
    figure.savefig(path, dpi=110)
    plt.close(figure)


PARTS: dict[str, Callable[[Namespace], None]] = {
    "compare": compare, "words": words, "light": light, "captions": captions,
}  # fmt: skip


def listed(read: Callable[[str], object]) -> Callable[[str], tuple[object, ...]]:
    """Reads values separated by commas."""
    return lambda text: tuple(read(one) for one in text.split(","))


def arguments(given: list[str] | None = None) -> Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--kinds", type=listed(str), default=KINDS)
    parser.add_argument("--pictures", type=int, default=16, help="of each kind")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--links", type=listed(str), default=LINKS)
    parser.add_argument("--snr", type=listed(float), default=SNR_DB)
    parser.add_argument("--cbr", type=listed(lambda text: float(Fraction(text))), default=CBR)
    parser.add_argument("--steps", type=int, default=600, help="updates of each training")
    parser.add_argument("--train", type=int, default=400, help="pictures to train on")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of tables")
    parser.add_argument("--figures", type=Path, default=IMAGES, help="folder of figures")
    parser.add_argument("--kept", type=Path, default=Path("results") / "generative")
    return parser.parse_args(given)


if __name__ == "__main__":
    asked = arguments()
    PARTS[asked.part](asked)
