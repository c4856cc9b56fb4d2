"""What of an HEVC picture is sent, down to rates far below those that QP 51 reaches."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter

from channels import InputError
from semcom.separate import hevc
from semcom.separate.scale import Picture, resize

_BLURS = 16
_WIDEST_BLUR = 128.0
_STEPS_PER_QP = 16
TOP = _BLURS + hevc.QP_MAX * _STEPS_PER_QP

_SMALL_SCALES = (2, 4)
_SCALING_BITS_PER_PIXEL = 0.06
_SMALLEST_SIDE = 32
_FIRST_SLICE_BIT = 0x80


def encode(picture: Picture, scale: int, step: int) -> bytes:
    """The slice of one picture without the header that its size decides.

    Steps below 16 code an ever more blurred picture at QP 51, so that every budget that holds a
    flat picture holds some version of this one. Above them QP falls from 51 to 0 by 1/16 a
    step. A shrunk picture is preceded by one byte with log2 of its scale: its highest bit is 0
    and that of a slice is 1 (first_slice_segment_in_pic_flag, H.265 clause 7.3.6.1).

    Args:
        picture: float32 ``[H, W]`` in [0, 1].
        scale: 1, 2 or 4: by what the sides are divided before coding.
        step: 0 (coarsest) to ``TOP``.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> len(encode(ramp, 1, 0)) < len(encode(ramp, 1, TOP))
    True
    """
    height, width = _scaled(picture.shape[0], scale), _scaled(picture.shape[1], scale)
    small = picture if scale == 1 else resize(picture, height, width)
    if step < _BLURS:
        sigma = _WIDEST_BLUR * 2 ** (-step / 2)
        small = np.clip(gaussian_filter(small, sigma, mode="nearest"), 0, 1)
    stream = hevc.encode(small, hevc.QP_MAX - max(step - _BLURS, 0) / _STEPS_PER_QP)
    header = hevc.header(height, width)
    if not stream.startswith(header) or not stream[len(header)] & _FIRST_SLICE_BIT:
        raise RuntimeError("this x265 writes headers that depend on the picture")
    mark = b"" if scale == 1 else bytes([scale.bit_length() - 1])
    return mark + stream[len(header) :]


def decode(payload: bytes, height: int, width: int) -> Picture:
    """Decode a payload of :func:`encode`; trailing zero bytes are harmless.

    Returns:
        float32 ``[height, width]`` in [0, 1].

    Raises:
        InputError: if it holds no picture.

    >>> flat = np.full((64, 65), 0.25, dtype=np.float32)
    >>> float(np.abs(decode(encode(flat, 2, TOP), 64, 65) - flat).max()) < 0.01
    True
    """
    if not payload:
        raise InputError("the HEVC payload is empty: send it again")
    scale = 1
    if not payload[0] & _FIRST_SLICE_BIT:
        scale = 1 << payload[0]
        payload = payload[1:]
        if scale not in _SMALL_SCALES:
            raise InputError("not a decodable HEVC payload (unknown scale): send it again")
    small_height, small_width = _scaled(height, scale), _scaled(width, scale)
    picture = hevc.decode(hevc.header(small_height, small_width) + payload)
    return picture if scale == 1 else resize(picture, height, width)


def scales(height: int, width: int, budget: int) -> tuple[int, ...]:
    """The scales worth trying: below 0.06 bits per pixel a shrunk picture may come out better.

    >>> scales(256, 256, 4000), scales(256, 256, 100)
    ((1,), (1, 2, 4))
    """
    if 8 * budget >= _SCALING_BITS_PER_PIXEL * height * width:
        return (1,)
    small = (scale for scale in _SMALL_SCALES if min(height, width) // scale >= _SMALLEST_SIDE)
    return (1, *small)


def _scaled(side: int, scale: int) -> int:
    return math.ceil(side / scale)
