"""Extension: the background without its fine detail, before it is coded.

What is sent is another picture, so this is no bit allocation: it is shown beside it, and named.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from channels.errors import check_number
from semcom.dmic.rules import surroundings

SIGMA = 6.0
_FEATHER = 8


def blurred(
    image: NDArray[np.float32], found: NDArray[np.floating], sigma: float = SIGMA
) -> NDArray[np.float32]:
    """The image as it is where the segmenter finds something, and blurred elsewhere.

    ::

        w image + (1 - w) (image * Gaussian of sigma)

    with ``w`` 1 in what is found and 8 pixels around, falling to 0 over the 8 pixels after.
    To be used as ``before`` of :func:`semcom.dmic.curves.curve`, with the rule "two levels".

    Args:
        image: float32 ``[H, W]`` in [0, 1].
        found: what a segmenter finds in it, ``[H, W]``; nothing: all is blurred.
        sigma: in pixels, 0 to 100.

    Raises:
        InputError: if sigma is out of range.

    >>> noise = np.random.default_rng(0).random((64, 64), np.float32)
    >>> spot = np.zeros((64, 64))
    >>> spot[30, 30] = 1
    >>> smooth = blurred(noise, spot)
    >>> bool((smooth == noise)[26:34, 26:34].all()), bool(smooth[:8].std() < 0.1)
    (True, True)
    """
    sigma = check_number("sigma", sigma, 0, 100)
    smooth = gaussian_filter(image.astype(np.float64), sigma, mode="nearest")
    kept = surroundings(found)
    weight = np.zeros(image.shape)
    if kept.any():
        weight = np.clip(1 - distance_transform_edt(~kept) / _FEATHER, 0, 1)
    mixed = weight * image + (1 - weight) * smooth
    return np.asarray(np.clip(mixed, 0, 1), np.float32)
