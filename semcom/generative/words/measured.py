"""The words that a picture itself says: grades of what is measured outside the key region."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from semcom.generative.words.levels import BRIGHTER, CONTRAST, EXPOSURE
from semcom.generative.words.vocabulary import AS_BRIGHT, COLUMNS, PLACES, ROWS, kind_index
from semcom.images import as_sample, check_tensor

_RING = 64
"""A border is looked for in a ring of one 64th of the shorter side."""
_BORDER_SHARE, _BLACK, _WHITE = 0.4, 0.06, 0.94
_GRAINLESS, _COARSER = 0.005, 1.1
_ONE_WAY = 1.5

_Grey = NDArray[np.float64]
_Mask = NDArray[np.bool_]


def measured(
    image: Tensor | NDArray[np.float32],
    key_mask: Tensor | NDArray[np.bool_] | None = None,
    *,
    kind: str,
) -> list[int]:
    """The choices that a picture says by itself.

    All is measured outside the key region; ``x`` are the grey values there:

    * exposure: mean of ``x``.
    * brightness of a place, a 16th of the picture: ``d = mean(x in it) - mean(x)``, over the
      contrast, which is the RMS of ``d`` over the 16 places. A place that lies wholly in the key
      region has ``d = 0``.
    * border: the ring of ``max(1, min(H, W) // 64)`` pixels along the sides, key region or not;
      black where 40 % of it are below 0.06, else white where 40 % are above 0.94.
    * grain: standard deviation by the mean absolute mixed difference,
      ``s = sqrt(pi / 2) mean|x[i, j] - x[i, j+1] - x[i+1, j] + x[i+1, j+1]| / 2`` (after Immerkær,
      Computer Vision and Image Understanding 64 (2), 1996), and ``s'``, the same of means of
      2 x 2. None where both are below 0.005; coarse where ``s' > 1.1 s``; else fine.
    * edges: ``p``, mean square of differences between horizontal neighbours over that between
      vertical ones, of means of 4 x 4. Vertical where ``p > 1.5``, horizontal where ``p < 1/1.5``.

    Grades end where :mod:`semcom.generative.words.levels` says. With nothing outside the key
    region the words are those of an even middle grey.

    Args:
        image: float32 ``[H, W]`` in [0, 1], sides of at least 32.
        key_mask: bool ``[H, W]``, where the key region is; ``None``: nowhere.
        kind: of picture, one of ``KINDS``.

    Returns:
        Of each slot the index of a phrase, ``[22]``.

    Raises:
        InputError: on another shape, other values or an unknown kind.

    >>> from semcom.generative.words.vocabulary import sentence
    >>> image = np.full((64, 64), 0.5, np.float32)
    >>> image[:16, :16] = 0.25
    >>> sentence(measured(image, kind="other picture"))
    'other picture; middle grey; low contrast; no border; no grain; edges in all directions;
    much darker at the top far left; all else as bright'
    """
    named = kind_index(kind)
    grey, outside = _read(image, key_mask)
    mean = float(grey[outside].mean()) if outside.any() else 0.5
    differences = [
        float(grey[place][outside[place]].mean()) - mean if outside[place].any() else 0.0
        for place in _places(grey.shape)
    ]
    contrast = math.sqrt(sum(d * d for d in differences) / len(PLACES))
    return [
        named,
        EXPOSURE.of(mean),
        CONTRAST.of(contrast),
        _border(grey),
        _grain(grey, outside),
        _edges(grey, outside),
        *(BRIGHTER.of(d / contrast) if contrast > 1e-6 else AS_BRIGHT for d in differences),
    ]


def _read(image: object, key_mask: object) -> tuple[_Grey, _Mask]:
    """Grey values and what lies outside the key region, ``[H, W]`` each."""
    picture = _tensor("a picture", image)
    region = None if key_mask is None else _tensor("a key mask", key_mask)
    if region is not None and region.shape != picture.shape:
        raise InputError(
            f"a key mask must have the picture's size, {list(picture.shape)}, "
            f"got {list(region.shape)}"
        )
    sample, mask = as_sample(picture[None], None if region is None else region[None])
    grey = sample[0].detach().cpu().numpy().astype(np.float64)
    if mask is None:
        return grey, np.ones(grey.shape, dtype=np.bool_)
    if mask.dtype != torch.bool:
        raise InputError(f"a key mask must be bool, got {mask.dtype}: use mask > 0.5")
    return grey, ~mask[0].cpu().numpy()


def _tensor(called: str, value: object) -> Tensor:
    """What should be ``[H, W]``, of whatever values."""
    if isinstance(value, np.ndarray):
        try:
            value = torch.from_numpy(np.array(value, order="C"))
        except TypeError as error:
            raise InputError(f"{called} must hold numbers, got {value.dtype}") from error
    tensor = check_tensor(called, value)
    if tensor.ndim != 2:
        raise InputError(f"{called} must be [H, W], got {list(tensor.shape)}")
    return tensor


def _places(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    height, width = shape
    for row in range(len(ROWS)):
        for column in range(len(COLUMNS)):
            yield (
                slice(row * height // len(ROWS), (row + 1) * height // len(ROWS)),
                slice(column * width // len(COLUMNS), (column + 1) * width // len(COLUMNS)),
            )


def _border(grey: _Grey) -> int:
    thick = max(1, min(grey.shape) // _RING)
    ring = np.ones(grey.shape, dtype=np.bool_)
    ring[thick:-thick, thick:-thick] = False
    if (grey[ring] < _BLACK).mean() >= _BORDER_SHARE:
        return 1
    return 2 if (grey[ring] > _WHITE).mean() >= _BORDER_SHARE else 0


def _grain(grey: _Grey, outside: _Mask) -> int:
    fine, coarse = _deviation(grey, outside), _deviation(*_averaged(grey, outside, 2))
    if max(fine, coarse) < _GRAINLESS:
        return 0
    return 2 if coarse > _COARSER * fine else 1


def _deviation(grey: _Grey, outside: _Mask) -> float:
    """Standard deviation of the grain; 0 where nothing can be compared."""
    mixed = np.diff(np.diff(grey, axis=0), axis=1)
    whole = outside[1:, 1:] & outside[1:, :-1] & outside[:-1, 1:] & outside[:-1, :-1]
    return math.sqrt(math.pi / 2) * float(np.abs(mixed[whole]).mean()) / 2 if whole.any() else 0.0


def _edges(grey: _Grey, outside: _Mask) -> int:
    coarse, whole = _averaged(grey, outside, 4)
    across = np.diff(coarse, axis=1)[whole[:, 1:] & whole[:, :-1]]
    down = np.diff(coarse, axis=0)[whole[1:] & whole[:-1]]
    if not len(across) or not len(down):
        return 0
    horizontal, vertical = float((across**2).mean()), float((down**2).mean())
    if horizontal > _ONE_WAY * vertical + 1e-9:
        return 1
    return 2 if vertical > _ONE_WAY * horizontal + 1e-9 else 0


def _averaged(grey: _Grey, outside: _Mask, side: int) -> tuple[_Grey, _Mask]:
    """Means of ``side`` x ``side`` pixels, and which lie outside as a whole."""
    height, width = (length // side for length in grey.shape)
    blocks = (height, side, width, side)
    kept = np.s_[: height * side, : width * side]
    means: _Grey = grey[kept].reshape(blocks).mean((1, 3))
    whole: _Mask = np.all(outside[kept].reshape(blocks), axis=(1, 3))
    return means, whole
