"""What a payload is worth to a transmitter that has not seen the image."""

from __future__ import annotations

import math

_GAIN_DB, _GAIN_DB_PER_OCTAVE, _LEAST_DB = 30.9, 3.0, 1.0


def expected_gain_db(payload_bits: float, pixels: int, header_bytes: int = 0) -> float:
    """PSNR above that of a grey image that a payload buys on average, in dB.

    ``30.9 + 3.0 log2(bits per pixel)`` without the headers, at least 1: a line fitted to HEVC on
    eight open chest X-rays, used for every coder.

    Args:
        payload_bits: bits of the payload.
        pixels: pixels of the image.
        header_bytes: bytes of the payload that say nothing about the image.

    >>> expected_gain_db(65536 / 8, 65536), expected_gain_db(600, 65536, header_bytes=79)
    (21.9, 1.0)
    """
    net = payload_bits - 8 * header_bytes
    if net <= 0:
        return _LEAST_DB
    return max(_GAIN_DB + _GAIN_DB_PER_OCTAVE * math.log2(net / pixels), _LEAST_DB)
