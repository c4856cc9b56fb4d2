"""From stored values to what is meant to be seen: modality, VOI and presentation stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from channels import InputError
from semcom.data.dicom.elements import COLOURS, number, word
from semcom.data.dicom.pixels import Pixels
from semcom.data.dicom.tables import look_up_table
from semcom.data.dicom.window import Window, own_ends
from semcom.data.white import Reading, by_bits, depth

_RELATIVE = {"CT", "MR", "PT", "NM"}
"""Modalities whose values have no upper end that is white."""
_COLOUR = (
    "is a colour image, which is read from PNG, JPEG and TIFF alone: "
    "export it as MONOCHROME2, or as such a file"
)
_HALF_CHROMA = {"YBR_FULL", "YBR_FULL_422"}
_RGB = {"RGB", "YBR_ICT", "YBR_RCT"}


def grey_of(dataset: Dataset, pixels: Pixels) -> Reading:
    """Grey values as a DICOM file means them.

    Args:
        dataset: elements of the file.
        pixels: stored values of the frame.

    Raises:
        InputError: if it is in colour, its elements cannot be followed, or what is white cannot
            be known.
    """
    kind = pixels.photometric
    if kind in ("MONOCHROME1", "MONOCHROME2") and pixels.values.shape[2] == 1:
        return _monochrome(dataset, pixels)
    if kind == "PALETTE_COLOR" and pixels.values.shape[2] == 1:
        return _of_palette(dataset, pixels)
    if kind in _HALF_CHROMA | _RGB and pixels.values.shape[2] == 3:
        return _of_channels(pixels)
    raise InputError("has a PhotometricInterpretation that is not read: export it as MONOCHROME2")


def _of_channels(pixels: Pixels) -> Reading:
    """Of a frame in colours that are all grey."""
    first, others = pixels.values[..., 0], pixels.values[..., 1:]
    neutral = pixels.photometric in _HALF_CHROMA and (others == 2 ** (pixels.bits - 1)).all()
    if not neutral and (others != first[..., None]).any():
        raise InputError(_COLOUR)
    bits, white = _depth(pixels, np.ones(first.shape, bool))
    return Reading((first / (2**bits - 1)).astype(np.float32), white)


def _of_palette(dataset: Dataset, pixels: Pixels) -> Reading:
    """Of a frame whose palette holds grey alone, as far as it is used."""
    names = [f"{colour}PaletteColorLookupTable" for colour in COLOURS]
    if any(f"{name}Data" not in dataset for name in names):
        raise InputError("has a palette that is not read: export it as MONOCHROME2")
    little = dataset.original_encoding[1]
    red, *others = (
        look_up_table(dataset, little=little, signed=pixels.signed, prefix=name) for name in names
    )
    first = red(pixels.values[..., 0])
    if any((other(pixels.values[..., 0]) != first).any() for other in others):
        raise InputError(_COLOUR)
    return Reading((first / red.white()).astype(np.float32), "its palette")


@dataclass(frozen=True)
class _Rescale:
    slope: float
    intercept: float

    def __call__(self, values: NDArray[np.int64] | float) -> NDArray[np.float64]:
        return np.asarray(values * self.slope + self.intercept, np.float64)


def _monochrome(dataset: Dataset, pixels: Pixels) -> Reading:
    layers = list(_layers(dataset, pixels.frame))
    stored, seen = pixels.values[..., 0], ~pixels.padding
    if not seen.any():
        raise InputError("holds nothing but padding: leave it out")
    reading = _between_black_and_white(dataset, layers, pixels, stored, seen)
    grey = reading.image
    if pixels.photometric == "MONOCHROME1" or word(dataset, "PresentationLUTShape") == "INVERSE":
        grey = 1 - grey
    white = reading.white + ("; MONOCHROME2 taken for granted" if pixels.assumed else "")
    return Reading(np.where(seen, grey, np.float32(0)), white, reading.chosen)


def _between_black_and_white(
    dataset: Dataset,
    layers: list[Dataset],
    pixels: Pixels,
    stored: NDArray[np.int64],
    seen: NDArray[np.bool_],
) -> Reading:
    """Modality and VOI stage."""
    little = dataset.original_encoding[1]
    rescale = _rescale(layers)
    values = rescale(stored)
    modality = dataset.get("ModalityLUTSequence")
    table = None
    if modality:
        table = look_up_table(modality[0], little=little, signed=pixels.signed)
        values = table(stored).astype(np.float64)
    voi = _last(layers, "VOILUTSequence")
    if voi:
        signed = table is None and (pixels.signed or float(values.min()) < 0)
        shown = look_up_table(voi[0], little=little, signed=signed)
        return _reading(shown(values) / shown.white(), "the file's VOI LUT")
    window = _window(layers)
    if window is not None:
        return _reading(window(values), "the file's window")
    if table is not None:
        return _reading(values / table.white(), "the file's modality LUT")
    kind, unit = word(dataset, "Modality"), _last(layers, "RescaleType")
    hounsfield = kind == "CT" or unit == "HU" or (not kind and rescale.intercept < 0)
    if hounsfield or kind in _RELATIVE or pixels.signed or float(values[seen].min()) < 0:
        black, white = own_ends(values, seen, hounsfield=hounsfield)
        grey = np.clip((values - black) / (white - black), 0, 1)
        where = " in the body" if hounsfield else ""
        said = f"what 99.5 % of its own values{where} lie below, for want of a window"
        return _reading(grey, said, chosen=True)
    bits, said = _depth(pixels, seen)
    black, white = sorted(float(rescale(end)) for end in (0, 2**bits - 1))
    return _reading(np.clip((values - black) / (white - black), 0, 1), said)


def _reading(grey: NDArray[np.float64], white: str, *, chosen: bool = False) -> Reading:
    return Reading(grey.astype(np.float32), white, chosen)


def _depth(pixels: Pixels, seen: NDArray[np.bool_]) -> tuple[int, str]:
    """How many bits are used: those that are declared, unless that is all that memory has."""
    if not pixels.is_container:
        return pixels.bits, by_bits(pixels.bits, declared=True)
    bits = depth(int(pixels.values[seen].max()))
    if bits is None:
        raise InputError(
            f"stores {pixels.bits} bits and has no window, so that white cannot be known: export "
            "it with a window"
        )
    return bits, by_bits(bits, declared=False)


def _layers(dataset: Dataset, frame: int) -> Iterator[Dataset]:
    """Where the elements of a frame may stand, what is nearest to it last."""
    yield dataset
    for name, at in (("Shared", 0), ("PerFrame", frame)):
        groups = dataset.get(f"{name}FunctionalGroupsSequence") or []
        if at < len(groups):
            for macro in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
                yield from (groups[at].get(macro) or [])[:1]


def _last(layers: list[Dataset], name: str) -> Any:
    """The nearest element that is not empty."""
    return next((layer.get(name) for layer in reversed(layers) if layer.get(name)), None)


def _rescale(layers: list[Dataset]) -> _Rescale:
    slope, intercept = 1.0, 0.0
    for layer in layers:
        given = number(layer, "RescaleSlope"), number(layer, "RescaleIntercept")
        slope = slope if given[0] is None else given[0]
        intercept = intercept if given[1] is None else given[1]
    if slope == 0:
        raise InputError("has a RescaleSlope of 0, which makes all pixels one: correct it")
    return _Rescale(slope, intercept)


def _window(layers: list[Dataset]) -> Window | None:
    """The first window of the nearest layer that has one."""
    for layer in reversed(layers):
        centre, width = number(layer, "WindowCenter"), number(layer, "WindowWidth")
        if centre is not None and width is not None:
            return Window(centre, width, word(layer, "VOILUTFunction") or "LINEAR")
    return None
