"""Measures what results.md shows; stopped and started again, it goes on.

    python docs/measure.py DATA [--size 384] [--pictures 8]

DATA holds chest/, angiography/ and dental/, each with eval/images and eval/masks. Tables go to
docs/results, what is finished to results/measure. Then ``python docs/tables.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import Tensor

import scenarios
import semcom
from scenarios.engine.workers.cores import cores
from semcom.scheme import Scheme

KINDS = ("chest", "angiography", "dental")
CODECS = (
    "medjscc", "medjscc-uniform", "hevc-ldpc", "hevc-roi-ldpc", "avif-ldpc", "jpegxl-ldpc",
    "jpeg2000-ldpc", "deepjscc",
)  # fmt: skip
THUMBNAIL = "hevc-ldpc, thumbnail"
FOLDER = Path(__file__).parent / "results"


def schemes() -> dict[str, Scheme]:
    """What is compared, by label."""
    named: dict[str, Scheme] = {name: semcom.codec(name) for name in CODECS}
    return named | {THUMBNAIL: semcom.codec("hevc-ldpc", fallback="thumbnail")}


def chosen(data: Path, kind: str, size: int, pictures: int) -> tuple[list[Tensor], list[Tensor]]:
    """Test pictures of a kind, evenly spaced in their list, and their masks."""
    images, masks = semcom.data.load_folder(
        data / kind / "eval" / "images", masks=data / kind / "eval" / "masks", size=size
    )
    places = spaced(len(images), pictures)
    return [images[place] for place in places], [masks[place] for place in places]


def spaced(count: int, pictures: int) -> list[int]:
    """Places of some of a list, evenly spaced."""
    return [round(place * count / pictures) for place in range(pictures)]


def measure(data: Path, kind: str, size: int, pictures: int) -> None:
    """One kind of picture."""
    table = scenarios.snr(
        *chosen(data, kind, size, pictures),
        codecs=schemes(),
        links="ntn-tdl-c",
        snr_db=(0, 6, 12),
        cbr=1 / 32,
        diagnosis=kind,
        out=Path("results") / "measure" / kind,
        workers=cores(),
        progress=True,
    )
    table.save(FOLDER / f"ntn-tdl-c_{kind}.csv")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--pictures", type=int, default=8)
    asked = parser.parse_args()
    for kind in KINDS:
        measure(asked.data, kind, asked.size, asked.pictures)
