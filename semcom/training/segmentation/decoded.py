"""Images as receivers show them: what a segmenter has to see to judge all codecs alike."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

import channels
from channels.errors import check_count
from semcom import catalogue
from semcom.codec import Codec
from semcom.image_coders.formats import FORMATS
from semcom.training.crops import Sample

_SOURCES = ("hevc", "avif", "jpegxl", "jpeg2000")
_LEARNED = ("medjscc-uniform", "deepjscc")
_BITS_PER_PIXEL = (0.03, 0.6)
_SNR_DB = (-2.0, 12.0)
_CBR = (1 / 16, 1 / 32)


def decoded(samples: list[Sample], copies: int = 1, seed: int = 0) -> list[Sample]:
    """Copies of samples that went through image coders and learned codecs, with their masks.

    Each copy goes through one of six at random: HEVC, AV1, JPEG XL or JPEG 2000 at 0.03 to 0.6
    bits per pixel, or Med-JSCC or DeepJSCC at CBR 1/16 or 1/32 and -2 to 12 dB over Gaussian noise.

    Args:
        samples: images float32 ``[1, H, W]`` with masks.
        copies: of each.
        seed: of all draws.

    Returns:
        ``copies * len(samples)`` samples with the very masks.

    >>> image, mask = torch.rand(1, 64, 64), torch.ones(1, 64, 64, dtype=torch.bool)
    >>> copy = decoded([(image, mask)], seed=3)[0]
    >>> copy[0].shape, bool((copy[0] != image).any()), copy[1] is mask
    (torch.Size([1, 64, 64]), True, True)
    """
    draws = np.random.default_rng(check_count("seed", seed, 0, 2**40 - 1))
    copies = check_count("copies", copies, 0, 1000)
    return [(_through(image, draws), mask) for _ in range(copies) for image, mask in samples]


@cache
def _codec(name: str) -> Codec:
    return catalogue.codec(name)


def _through(image: Tensor, draws: np.random.Generator) -> Tensor:
    name = str(draws.choice(_SOURCES + _LEARNED))
    low, high = (math.log2(rate) for rate in _BITS_PER_PIXEL)
    octaves = draws.uniform(low, high)
    snr_db, cbr = draws.uniform(*_SNR_DB), float(draws.choice(_CBR))
    if name in _LEARNED:
        codec, link = _codec(name), channels.link("awgn")
        noise = int(draws.integers(2**40))
        return codec.deliver(image[None], link, cbr=cbr, snr_db=snr_db, seed=noise).images[0]
    source = FORMATS[name].make(10, -6)
    step = source.step_of_one_bit + round(source.steps_per_octave * octaves)
    stream = source.encode(image[0].numpy(), min(max(step, 0), source.finest), 0, None)
    height, width = image.shape[1:]
    return torch.from_numpy(source.decode(stream, (height, width)))[None].clamp(0, 1)
