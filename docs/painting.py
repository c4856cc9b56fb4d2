"""What generators paint around true key regions, without a link: pictures, words, scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
from measure import chosen, spaced
from torch import Tensor

import semcom
from channels.files import atomic_write
from semcom.data import list_images
from semcom.generative import Generative, Painter
from semcom.generative.captioner import Captioner
from semcom.generative.kinds import ShippedPainter
from semcom.medjscc.source.region import region_pixels
from semcom.metrics import nroi_psnr, vsi
from semcom.segmentation import frechet
from semcom.weightfile import digest, packaged_names

SEED = 0
SCORES = ("rest_psnr", "vsi", "frechet")


@dataclass(frozen=True, eq=False)
class Seen:
    """A test picture.

    Args:
        name: stem of its file.
        image: float32 ``[1, 1, H, W]``.
        mask: of its region of interest, bool ``[1, 1, H, W]``.
        region: that words leave out, the mask with the codec's margin.
        key: that is not painted: the region's blocks.
    """

    name: str
    image: Tensor
    mask: Tensor
    region: Tensor
    key: Tensor

    @property
    def digest(self) -> str:
        """Changes with any pixel of the picture or the key."""
        return digest({"image": self.image, "key": self.key})


def told(kind: str) -> str | None:
    """The kind, where a generator of it ships; ``None``: the words tell it."""
    return kind if f"generator-{kind}" in packaged_names("generator-") else None


def codec_of(kind: str) -> Generative:
    """The codec for pictures of a kind, whatever ships."""
    return Generative(told(kind))


def painter_of(kind: str) -> ShippedPainter:
    """What that codec paints with."""
    return ShippedPainter(told(kind))


def pictures_of(data: Path, kind: str, size: int, pictures: int) -> list[Seen]:
    """Test pictures of a kind, evenly spaced in their list."""
    files = list_images(data / kind / "eval" / "images")
    names = [files[place].stem for place in spaced(len(files), pictures)]
    codec, found = codec_of(kind), []
    for name, image, mask in zip(names, *chosen(data, kind, size, pictures), strict=True):
        region = codec.key_region(mask[None])
        found.append(Seen(name, image[None], mask[None], region, region_pixels(region)))
    return found


def said(captioner: Captioner, seen: Seen) -> str:
    """What a captioner says of a picture."""
    return captioner(seen.image, seen.region)[0]


def scores(painter: Painter, seen: Seen, text: str, kind: str) -> dict[str, float]:
    """Of a picture whose rest is painted in one step around the true key.

    PSNR of the rest; VSI and Fréchet distance of the whole, in which the key is as it was.
    """
    out = painter.paint(seen.image, seen.key, [text], SEED, 1)
    observer = semcom.segmenter(kind)
    found = (
        nroi_psnr(out, seen.image, seen.key),
        vsi(out, seen.image),
        frechet(out, seen.image, observer),
    )
    return dict(zip(SCORES, map(float, found), strict=True))


def painted_scores(
    painter: Painter, seen: Seen, text: str, kind: str, folder: Path
) -> dict[str, float]:
    """The same, found again where a folder has them."""
    name = sha256(repr((painter.fingerprint, seen.digest, text, kind, SEED)).encode()).hexdigest()
    return kept(folder / "painted" / f"{name[:16]}.json", lambda: scores(painter, seen, text, kind))


def kept(path: Path, work: Callable[[], Any]) -> Any:
    """What a file holds of a job; where it is not there yet, the job is done."""
    if not path.exists():
        found = work()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as new:
            new.write_text(json.dumps(found), "utf-8")
    return json.loads(path.read_text("utf-8"))


def written(rows: pd.DataFrame, path: Path) -> None:
    """Five digits are more than so few pictures know."""
    rows.to_csv(path, index=False, float_format="%.5g")
    print(path)
