"""The wavelet: it inverts itself at any taps and size, and weighs errors in all bands alike."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom.medjscc.source.wavelet import LEVELS, Wavelet


def altered(seed: int) -> Wavelet:
    """Double precision, with taps of each level moved by chance."""
    wavelet = Wavelet().double().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    wavelet.taps += 0.05 * torch.randn(wavelet.taps.shape, generator=generator)
    return wavelet


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(2, 9), columns=st.integers(2, 9), seed=st.integers(0, 99))
def test_it_gives_back_what_it_took(rows: int, columns: int, seed: int) -> None:
    wavelet, generator = altered(seed), torch.Generator().manual_seed(seed)
    image = torch.rand(1, 1, 16 * rows, 16 * columns, generator=generator, dtype=torch.float64)
    bands = wavelet.analyse(image)
    assert torch.allclose(wavelet.synthesise(bands), image, atol=1e-9)
    sizes = [(-(-rows // 4), -(-columns // 4)), (-(-rows // 2), -(-columns // 2))]
    sizes += [(rows * 2**level, columns * 2**level) for level in range(4)]
    assert [tuple(band.shape[2:]) for band in bands] == [sizes[0], *sizes]


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(2, 9), columns=st.integers(2, 9), known=st.integers(2, 5))
def test_fine_levels_alone_go_on_from_an_approximation(rows: int, columns: int, known: int) -> None:
    """From 1/16 on, where sides are whole numbers of blocks."""
    wavelet = altered(rows)
    generator = torch.Generator().manual_seed(columns)
    image = torch.rand(1, 1, 16 * rows, 16 * columns, generator=generator, dtype=torch.float64)
    bands = wavelet.analyse(image)
    coarse = wavelet.synthesise(bands[: 1 + known])
    height, width = bands[1 + known].shape[2:]
    again = wavelet.synthesise_from([coarse[..., :height, :width], *bands[1 + known :]])
    assert torch.allclose(again, image, atol=1e-9)


def test_an_error_in_any_band_costs_about_the_same() -> None:
    """Within 1.4 dB: the 9/7 wavelet is nearly orthonormal. Edges apart, so a large image."""
    generator = torch.Generator().manual_seed(3)
    wavelet = Wavelet().requires_grad_(False)
    bands = wavelet.analyse(torch.zeros(1, 1, 1024, 1024))
    for index, band in enumerate(bands):
        noise = [torch.zeros_like(b) for b in bands]
        noise[index] = torch.randn(band.shape, generator=generator)
        cost = wavelet.synthesise(noise).square().sum() / noise[index].square().sum()
        assert abs(10 * math.log10(cost)) < 1.4, index


def test_slopes_have_no_details() -> None:
    """The 9/7's high-pass filters are blind to them; edges, where lines are repeated, apart."""
    place = torch.arange(256, dtype=torch.float64)
    image = (0.2 + 1e-3 * place[:, None] - 5e-4 * place)[None, None]
    for band in Wavelet().double().requires_grad_(False).analyse(image)[-3:]:
        assert band[..., 4:-4, 4:-4].abs().max() < 1e-6


def test_a_level_has_its_own_taps() -> None:
    generator = torch.Generator().manual_seed(4)
    image = torch.rand(1, 1, 128, 128, generator=generator)
    before = Wavelet().requires_grad_(False).analyse(image)
    for level in range(LEVELS):
        wavelet = Wavelet().requires_grad_(False)
        wavelet.taps[level] += 0.1
        after = wavelet.analyse(image)
        same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
        assert same == [False] * (level + 2) + [True] * (LEVELS - 1 - level)
