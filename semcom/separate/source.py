"""The image coders of the separate baseline, each as ladders of qualities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from channels.errors import unknown_name
from semcom.separate import hevc_payload, jpeg2000
from semcom.separate.rate import fit
from semcom.separate.scale import Picture


@dataclass(frozen=True)
class SourceCoder:
    """An image coder whose payload leaves out what both ends know: headers fixed by the size.

    Args:
        name: its name in :func:`source_coder`.
        top: finest step of its quality ladder; 0 is the coarsest.
        encode: picture ``[H, W]``, scale and step → payload.
        decode: payload, height, width → picture; trailing zero bytes are harmless.
        scales: height, width, bytes → the scales worth trying; at 2 the picture is halved.
        smallest: height, width → bytes that hold the coarsest payload of any X-ray.
    """

    name: str
    top: int
    encode: Callable[[Picture, int, int], bytes]
    decode: Callable[[bytes, int, int], Picture]
    scales: Callable[[int, int, int], tuple[int, ...]]
    smallest: Callable[[int, int], int]

    def fit(self, picture: Picture, budget: int) -> bytes:
        """The payload of at most ``budget`` bytes with the least squared error.

        Raises:
            InputError: if the coarsest payload is larger than that.

        >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
        >>> len(source_coder("jpeg2000").fit(ramp, 90)) <= 90
        True
        """
        height, width = picture.shape

        def error(payload: bytes) -> float:
            decoded = self.decode(payload, height, width)
            return float(np.mean((decoded - picture) ** 2, dtype=np.float64))

        def best(scale: int) -> bytes:
            return fit(
                lambda step: self.encode(picture, scale, step),
                self.top,
                budget,
                error,
                finest=picture.size // scale**2,
            )

        payloads = [best(scale) for scale in self.scales(height, width, budget)]
        return payloads[0] if len(payloads) == 1 else min(payloads, key=error)


_FIRST_DB, _LAST_DB, _DB_STEPS = 5, 65, 20


def _jpeg2000_encode(picture: Picture, scale: int, step: int) -> bytes:
    return jpeg2000.strip(jpeg2000.encode(picture, _FIRST_DB + step / _DB_STEPS))


def _jpeg2000_decode(payload: bytes, height: int, width: int) -> Picture:
    return jpeg2000.decode(jpeg2000.restore(payload, height, width))


def _jpeg2000_scales(height: int, width: int, budget: int) -> tuple[int, ...]:
    return (1,)


def _jpeg2000_smallest(height: int, width: int) -> int:
    return 64 + height * width // 16384


def _hevc_smallest(height: int, width: int) -> int:
    return 24 + height * width // 1536


_CODERS = {
    coder.name: coder
    for coder in (
        SourceCoder(
            "hevc",
            hevc_payload.TOP,
            hevc_payload.encode,
            hevc_payload.decode,
            hevc_payload.scales,
            _hevc_smallest,
        ),
        SourceCoder(
            "jpeg2000",
            (_LAST_DB - _FIRST_DB) * _DB_STEPS,
            _jpeg2000_encode,
            _jpeg2000_decode,
            _jpeg2000_scales,
            _jpeg2000_smallest,
        ),
    )
}


def source_coder(name: str) -> SourceCoder:
    """Look an image coder up: ``"hevc"`` or ``"jpeg2000"``.

    Raises:
        InputError: on an unknown name.

    >>> source_coder("hevc").name
    'hevc'
    """
    if name not in _CODERS:
        raise unknown_name("source coder", name, _CODERS)
    return _CODERS[name]
