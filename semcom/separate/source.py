"""The image coders of the separate baseline, each as a ladder of qualities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from channels.errors import unknown_name
from semcom.separate import hevc, jpeg2000
from semcom.separate.rate import fit

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class SourceCoder:
    """An image coder whose payload leaves out what both ends know: headers fixed by the size.

    Args:
        name: its name in :func:`source_coder`.
        top: finest step of its quality ladder; 0 is the coarsest.
        encode: picture ``[H, W]`` and step → payload.
        decode: payload, height, width → picture; trailing zero bytes are harmless.
        smallest: height, width → bytes that hold the coarsest stream of nearly any X-ray.
    """

    name: str
    top: int
    encode: Callable[[Picture, int], bytes]
    decode: Callable[[bytes, int, int], Picture]
    smallest: Callable[[int, int], int]

    def fit(self, picture: Picture, budget: int) -> bytes:
        """The payload of at most ``budget`` bytes with the least squared error.

        Raises:
            InputError: if the coarsest payload is larger than that.

        >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
        >>> len(source_coder("jpeg2000").fit(ramp, 90)) <= 90
        True
        """

        def error(payload: bytes) -> float:
            decoded = self.decode(payload, *picture.shape)
            return float(np.mean((decoded - picture) ** 2, dtype=np.float64))

        return fit(
            lambda step: self.encode(picture, step), self.top, budget, error, picture.size
        )


_BLURS = 16
_WIDEST_BLUR = 128.0
_QP_STEPS = 16
_FIRST_DB, _LAST_DB, _DB_STEPS = 5, 65, 20


def _hevc_encode(picture: Picture, step: int) -> bytes:
    """QP 51 of an ever less blurred picture, then the picture itself at QP 51 to 0.

    Blurring goes on where the coarsest QP ends, so that every budget that holds a flat picture
    holds some version of this one; the receiver need not know.
    """
    blurred = picture
    if step < _BLURS:
        sigma = _WIDEST_BLUR * 2 ** (-step / 2)
        blurred = np.clip(gaussian_filter(picture, sigma, mode="nearest"), 0, 1)
    stream = hevc.encode(blurred, hevc.QP_MAX - max(step - _BLURS, 0) / _QP_STEPS)
    return stream.removeprefix(hevc.header(*picture.shape))


def _hevc_decode(payload: bytes, height: int, width: int) -> Picture:
    return hevc.decode(hevc.header(height, width) + payload)


def _jpeg2000_encode(picture: Picture, step: int) -> bytes:
    return jpeg2000.strip(jpeg2000.encode(picture, _FIRST_DB + step / _DB_STEPS))


def _jpeg2000_decode(payload: bytes, height: int, width: int) -> Picture:
    return jpeg2000.decode(jpeg2000.restore(payload, height, width))


_CODERS = {
    coder.name: coder
    for coder in (
        SourceCoder(
            "hevc",
            _BLURS + hevc.QP_MAX * _QP_STEPS,
            _hevc_encode,
            _hevc_decode,
            lambda height, width: 24 + height * width // 1536,
        ),
        SourceCoder(
            "jpeg2000",
            (_LAST_DB - _FIRST_DB) * _DB_STEPS,
            _jpeg2000_encode,
            _jpeg2000_decode,
            lambda height, width: 64 + height * width // 16384,
        ),
    )
}


def source_coder(name: str) -> SourceCoder:
    """Look an image coder up: ``"hevc"`` or ``"jpeg2000"``.

    Raises:
        InputError: on an unknown name.

    >>> source_coder("hevc").top
    832
    """
    if name not in _CODERS:
        raise unknown_name("source coder", name, _CODERS)
    return _CODERS[name]
