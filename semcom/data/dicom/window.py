"""Windows of DICOM files (PS3.3 C.11.2.1): from values to grey between black and white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from channels import InputError

_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_TISSUE_HU = -500.0
_SHARE = 0.5


@dataclass(frozen=True)
class Window:
    """A window.

    Args:
        centre: of it.
        width: of it.
        function: LINEAR, LINEAR_EXACT or SIGMOID.
    """

    centre: float
    width: float
    function: str = "LINEAR"

    def __post_init__(self) -> None:
        if self.function not in _FUNCTIONS:
            raise InputError(
                f"has a VOILUTFunction other than {', '.join(_FUNCTIONS)}: export it with a window"
            )
        if self.width <= 0:
            raise InputError("has a WindowWidth that is not above 0: correct it or take it out")

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Grey in [0, 1]. A linear window below 1 wide can only mean its exact form.

        >>> Window(100.5, 101)(np.array([50.0, 75.0, 150.0])).tolist()
        [0.0, 0.25, 1.0]
        >>> Window(0.5, 1, "LINEAR_EXACT")(np.array([0.25])).tolist()
        [0.25]
        """
        if self.function == "SIGMOID":
            steepness = -4 * (values - self.centre) / self.width
            return 1 / (1 + np.exp(np.clip(steepness, -700, 700)))
        if self.function == "LINEAR_EXACT" or self.width < 1:
            return np.clip((values - self.centre) / self.width + 0.5, 0, 1)
        middle = self.centre - 0.5
        if self.width == 1:
            return (values > middle).astype(np.float64)
        return np.clip((values - middle) / (self.width - 1) + 0.5, 0, 1)


def own_ends(
    values: NDArray[np.float64], seen: NDArray[np.bool_], *, hounsfield: bool
) -> tuple[float, float]:
    """Black and white where a file names none and its values have no end of their own.

    They are what half a percent of the values lies below and above: of the body, the largest
    thing denser than half water with all that it encloses, where values are Hounsfield units.

    Args:
        values: ``[H, W]``.
        seen: where there is a picture.
        hounsfield: whether they are Hounsfield units.

    Raises:
        InputError: if all values are equal.

    >>> field = np.full((40, 40), -1000.0)
    >>> field[10:30, 10:30] = np.arange(400).reshape(20, 20)
    >>> own_ends(field, field > -2000, hounsfield=True)
    (1.995, 397.005)
    """
    kept = seen
    if hounsfield:
        parts, count = ndimage.label(seen & (values > _TISSUE_HU))
        if count:
            largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
            kept = ndimage.binary_fill_holes(parts == largest) & seen
    for body in (kept, seen):
        if body.any():
            black, white = np.percentile(values[body], (_SHARE, 100 - _SHARE))
            if white > black:
                return float(black), float(white)
    raise InputError("has no window, and pixels of one value: leave it out, or export it with one")
