"""Source coding alone: bytes and PSNR of still pictures, without any channel.

    python benchmarks/source_coding.py rows.csv --coder NAME
    OMP_NUM_THREADS=1 python benchmarks/source_coding.py rows.csv --anchors DATA

The first prints two Markdown tables for the rows of one coder: its BD-rate against each anchor, and
by how many dB its PSNR is higher at equal rate. ``rows.csv`` has the columns ``COLUMNS``, a row for
each picture and quality: bytes that tell the picture where its size is known, and PSNR of the
8-bit picture that comes out against the one that went in. Anchors lie in ``ANCHORS``.

The second adds the anchors' rows that ``rows.csv`` lacks, so that it may be broken off: a quarter
of an hour on one core. ``DATA`` holds ``<kind>/eval/images``. Anchors are x265 at its preset
veryslow and SVT-AV1 at its preset 1, set up as in separate coding, 10 bits a sample. The bytes are
those of a payload with external header: the stream less what the picture's size decides (of HEVC
parameter sets and the slice's NAL header, of AV1 the sequence header and the frame's OBU type), and
one byte that tells which header that is and by what the sides were divided. At low rates a shrunk
picture comes out better: so each is coded at full size and at 1/2, 1/4 and 1/8, from the coarsest
quality on, until it takes ``MOST_BPP`` or larger sizes are better. ``quality`` is the QP or the
quantiser index, and after a stroke what the sides were divided by.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import PchipInterpolator

from semcom.image_coders import avif, hevc
from semcom.image_coders.avif import Avif
from semcom.image_coders.hevc import Hevc
from semcom.image_coders.image_format import ImageFormat
from semcom.image_coders.scale import ImageArray, resize
from semcom.metrics import bd_rate

COLUMNS = ("kind", "stem", "coder", "quality", "bytes", "psnr_db", "width", "height")
ANCHORS = Path(__file__).with_suffix(".csv")
PICTURES = {
    "chest": (("gbnc_", 3), ("hann_", 3), ("ker_", 3), ("nih_", 3)),
    "angiography": (("", 12),),
    "dental": (("", 8),),
}
"""Of every kind, name's beginnings and how many pictures of each, evenly over the sorted names."""

BANDS = ((0.0, math.inf), (0.005, 0.02), (0.02, 0.06), (0.06, 0.2))
POINTS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
MOST_BPP, SCALES, LEAST_SIDE = 0.25, (1, 2, 4, 8), 32
LEAST_SHARE = 0.5
"""Share of an anchor's qualities in a band that a picture needs to count there."""

RESAMPLES, DENSE = 10_000, 129

CODERS: dict[str, tuple[ImageFormat, range, Callable[[int], int]]] = {
    "hevc": (Hevc(10), range(hevc.QP_MAX, 0, -2), lambda qp: 64 * (hevc.QP_MAX - qp)),
    "avif": (Avif(), range(avif.QINDEX[1], avif.QINDEX[0], -12), lambda i: avif.QINDEX[1] - i),
}
"""Anchors: format, qualities from the coarsest on, and the format's step of a quality."""


def pictures(data: Path) -> Iterator[tuple[str, Path]]:
    """Kind and file of every picture that is coded."""
    for kind, groups in PICTURES.items():
        for beginning, count in groups:
            paths = sorted((data / kind / "eval" / "images").glob(f"{beginning}*.png"))
            yield from ((kind, paths[n * len(paths) // count]) for n in range(count))


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Samples ``[H, W]`` of an 8-bit grey picture."""
    picture = Image.open(path)
    assert picture.mode == "L", path
    return np.asarray(picture)


def psnr_db(decoded: NDArray[np.floating], original: NDArray[np.uint8]) -> float:
    """PSNR over the whole of a picture in [0, 1] once it is rounded to 8 bits."""
    error = np.rint(np.clip(decoded, 0, 1).astype(np.float64) * 255) - original
    return float(20 * math.log10(255) - 10 * math.log10(max(np.mean(error**2), 1e-10)))


def rows_of(path: Path) -> pd.DataFrame:
    """Rows of a file, none if it is not there."""
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.read_csv(path, dtype={"quality": str})


def add_row(path: Path, row: dict[str, Any]) -> None:
    """Write one row to the end of a file."""
    begun = path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not begun:
            writer.writeheader()
        writer.writerow({**row, "psnr_db": f"{row['psnr_db']:.4f}"})


def coded(coder: str, picture: ImageArray, quality: int, scale: int) -> tuple[int, ImageArray]:
    """Bytes of a picture shrunk by a scale and coded, and the picture that comes out."""
    form, _, step = CODERS[coder]
    height, width = picture.shape
    shape = math.ceil(height / scale), math.ceil(width / scale)
    seen = picture if scale == 1 else resize(picture, *shape)
    stream = form.encode(seen, step(quality), 0, None)
    header = next(h for h in form.headers(*shape, 1) if stream.startswith(h))
    shown = form.decode(stream, shape)
    return 1 + len(stream) - len(header), shown if scale == 1 else resize(shown, height, width)


def add_anchors(path: Path, data: Path) -> None:
    """Add the anchors' rows that a file lacks."""
    torch.set_num_threads(1)
    avif.PRESET = "1"
    table = rows_of(path)
    done = {
        (row["coder"], row["stem"], row["quality"]): (row["bytes"], row["psnr_db"])
        for row in table.to_dict("records")
    }
    for coder, (_, qualities, _) in CODERS.items():
        for kind, file in pictures(data):
            original = read_grey(file)
            height, width = original.shape
            larger: list[tuple[int, float]] = []
            for scale in SCALES:
                if min(height, width) // scale < LEAST_SIDE:
                    continue
                found: list[tuple[int, float]] = []
                for number in qualities:
                    quality = str(number) if scale == 1 else f"{number}/{scale}"
                    key = (coder, file.stem, quality)
                    if key not in done:
                        picture = original.astype(np.float32) / np.float32(255)
                        count, shown = coded(coder, picture, number, scale)
                        done[key] = count, round(psnr_db(shown, original), 4)
                        values = (kind, file.stem, coder, quality, *done[key], width, height)
                        add_row(path, dict(zip(COLUMNS, values, strict=True)))
                    count, reached = done[key]
                    found.append((count, reached))
                    beaten = bool(larger) and better(larger, count, reached)
                    if beaten or 8 * count > MOST_BPP * height * width:
                        break
                larger += found
            print(coder, kind, file.stem, len(larger), flush=True)


def better(rows: Iterable[tuple[int, float]], count: int, reached: float) -> bool:
    """Whether a straight line over the logarithm of some rows' bytes runs above another row."""
    counts, qualities = zip(*sorted(rows), strict=True)
    if not counts[0] <= count <= counts[-1]:
        return False
    return bool(np.interp(math.log(count), np.log(counts), qualities) > reached)


class Curve:
    """PSNR of one picture over log2 of the rate in bit per pixel, both rising.

    Of rows whose ``quality`` differs after the stroke, those are left out above which the others'
    lines run; and any row that takes more bytes than another and has no better PSNR.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        sizes = rows["quality"].astype(str).str.partition("/")[2]
        points = {
            size: list(zip(of["bytes"], of["psnr_db"], strict=True))
            for size, of in rows.groupby(sizes)
        }
        kept = [
            not any(better(other, count, reached) for at, other in points.items() if at != size)
            for size, count, reached in zip(sizes, rows["bytes"], rows["psnr_db"], strict=True)
        ]
        ordered = rows[kept].sort_values(["bytes", "psnr_db"], ascending=[True, False])
        best = ordered["psnr_db"].cummax().shift(fill_value=-math.inf)
        front = ordered[ordered["psnr_db"] > best]
        bits = 8 * front["bytes"] / (front["width"] * front["height"])
        self.rate = np.log2(bits.to_numpy(np.float64))
        self.quality = front["psnr_db"].to_numpy(np.float64)

    def quality_at(self, bpp: float) -> float:
        """PSNR at a rate, NaN where the curve does not reach."""
        if len(self.rate) < 2:
            return math.nan
        at = PchipInterpolator(self.rate, self.quality, extrapolate=False)
        return float(at(math.log2(bpp)))

    def span(self, low: float, high: float) -> tuple[float, float]:
        """PSNR at the lowest and the highest rate of a band that the curve has."""
        ends = np.clip(np.log2([max(low, 1e-9), high]), self.rate[0], self.rate[-1])
        found = PchipInterpolator(self.rate, self.quality)(ends)
        return float(found[0]), float(found[1])

    def between(self, low: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Many rates and qualities between two qualities."""
        quality = np.linspace(low, high, DENSE)
        return np.exp2(PchipInterpolator(self.quality, self.rate)(quality)), quality


def band_rate(anchor: Curve, other: Curve, low: float, high: float) -> float:
    """BD-rate in percent where the anchor takes ``low`` to ``high`` bpp; NaN where too little."""
    if min(len(anchor.rate), len(other.rate)) < 2:
        return math.nan
    least, most = anchor.span(low, high)
    start, end = max(least, other.quality[0]), min(most, other.quality[-1])
    whole = low == 0
    if end <= start or (not whole and end - start < LEAST_SHARE * (most - least)):
        return math.nan
    return bd_rate(*anchor.between(start, end), *other.between(start, end), min_overlap=0)


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean."""
    draws = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
    return float(low), float(high)


def curves(rows: pd.DataFrame) -> dict[tuple[str, str], Curve]:
    """Curves by kind and picture."""
    return {(str(k), str(s)): Curve(part) for (k, s), part in rows.groupby(["kind", "stem"])}


def cell(values: list[float], whole: int, digits: int, with_interval: bool) -> str:
    """Mean of the numbers, its interval if there are three, and their count if not all are."""
    there = np.array([value for value in values if not math.isnan(value)])
    if not len(there):
        return "–"
    text = f"{there.mean():+.{digits}f}"
    if with_interval and len(there) > 2:
        low, high = interval(there)
        text += f" [{low:+.{digits}f}, {high:+.{digits}f}]"
    return text if len(there) == whole else f"{text} ({len(there)})"


def tables(rows: pd.DataFrame, anchors: pd.DataFrame, coder: str) -> str:
    """Markdown: BD-rate of a coder in percent, and its PSNR less the anchors' in dB."""
    names = ["whole overlap", *(f"{low:g}–{high:g} bpp" for low, high in BANDS[1:])]
    rates = [["kind", "anchor", "pictures", *names]]
    gains = [["kind", "anchor", *(f"{point:g} bpp" for point in POINTS)]]
    own = curves(rows[rows["coder"] == coder])
    for name in anchors["coder"].unique():
        other = curves(anchors[anchors["coder"] == name])
        for kind in PICTURES:
            pairs = [(other[key], own[key]) for key in own if key[0] == kind and key in other]
            if not pairs:
                continue
            found = [[band_rate(a, c, *band) for a, c in pairs] for band in BANDS]
            cells = [cell(values, len(pairs), 1, True) for values in found]
            rates.append([kind, name, str(len(pairs)), *cells])
            found = [[c.quality_at(p) - a.quality_at(p) for a, c in pairs] for p in POINTS]
            gains.append([kind, name, *(cell(values, len(pairs), 2, False) for values in found)])
    if len(rates) == 1:
        raise SystemExit(f"no rows of {coder!r} for pictures that the anchors have")
    return "\n\n".join(markdown(lines) for lines in (rates, gains))


def markdown(lines: list[list[str]]) -> str:
    """A table, its first line the head."""
    head, *body = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--coder")
    task.add_argument("--anchors", type=Path, metavar="DATA")
    options = parser.parse_args()
    if options.anchors:
        add_anchors(options.rows, options.anchors)
    else:
        print(tables(rows_of(options.rows), rows_of(ANCHORS), options.coder))


if __name__ == "__main__":
    main()
