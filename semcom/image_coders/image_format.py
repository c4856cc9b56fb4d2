"""What every image format offers to the search for the best image of a budget."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from semcom.image_coders.scale import ImageArray

Mask = NDArray[np.bool_]
"""bool ``[H, W]``, true in the region of interest."""


class ImageFormat(Protocol):
    """An image coder at all its qualities, as streams that any decoder of the format reads.

    Attributes:
        channels: the numbers of channels it takes, of 1 (grey) and 3 (RGB).
        finest: its highest quality step; 0 is the coarsest.
        layouts: in how many ways it codes an image at one step, about equally good but of other
            lengths (JPEG 2000's code-blocks, say): tried where no step fills the budget.
        step_of_one_bit: the step at which a chest X-ray takes about 1 bit per pixel.
        steps_per_octave: about how many steps double the bytes; a first guess of the search.
        scaling_bits_per_pixel: rate below which a shrunk image may come out better.
        smallest_scale: by what the sides of the image are divided at most where ``smallest``
            is asked how little holds any image.
    """

    @property
    def channels(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def finest(self) -> int: ...  # noqa: D102
    @property
    def layouts(self) -> int: ...  # noqa: D102
    @property
    def step_of_one_bit(self) -> int: ...  # noqa: D102
    @property
    def steps_per_octave(self) -> float: ...  # noqa: D102
    @property
    def scaling_bits_per_pixel(self) -> float: ...  # noqa: D102
    @property
    def smallest_scale(self) -> int: ...  # noqa: D102

    def weights(self, image: ImageArray, roi: Mask | None) -> NDArray[np.float64] | float:
        """How often each pixel's squared error counts where versions of an image compete.

        A coder that takes bits away from somewhere means that errors count less there.

        Returns:
            ``[H, W]``, or 1 where all count alike.
        """
        ...

    def encode(self, image: ImageArray, step: int, layout: int, roi: Mask | None) -> bytes:
        """Code an image at a step, in one of the ``layouts`` ways; the headers come first."""
        ...

    def decode(self, stream: bytes, largest: tuple[int, int]) -> ImageArray:
        """Decode a stream; zero bytes after it change nothing.

        Args:
            stream: what arrived.
            largest: rows and columns of the image at most; a damaged stream may promise millions,
                and a decoder that would go and make them refuses beforehand.

        Raises:
            InputError: if it holds no image.
        """
        ...

    def headers(self, height: int, width: int, channels: int) -> tuple[bytes, ...]:
        """The beginnings that streams of an image size can have, whatever the image shows."""
        ...

    def smallest(self, height: int, width: int, channels: int) -> int:
        """Bytes that hold the coarsest stream of any image, without its header."""
        ...
