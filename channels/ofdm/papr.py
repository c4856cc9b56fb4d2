"""The oversampled OFDM waveform without a link, and its peak-to-average power ratio (PAPR)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from channels.errors import InputError, check_count, shown
from channels.power import LEAST_POWER, squared_magnitude
from channels.real import real_tensor
from channels.signal import COMPLEX

OVERSAMPLED_SAMPLES = 2.8
"""Independent samples per subcarrier that a continuous OFDM waveform amounts to (van Nee and de
Wild, "Reducing the peak-to-average power ratio of OFDM", VTC 1998; van Nee and Prasad, "OFDM for
wireless multimedia communications", 2000). Not verified against the text."""


def oversampled(frame: Tensor, fft_size: int, oversampling: int = 4) -> Tensor:
    """Waveform of OFDM frames without cyclic prefix.

    Args:
        frame: complex ``[batch, T, F]``, one OFDM symbol per row; subcarrier F // 2 is at DC.
        fft_size: size of the FFT without oversampling, at least F.
        oversampling: samples per Nyquist interval, 1 to 16.

    Returns:
        complex ``[batch, T, oversampling * fft_size]``, of unit mean power per image over its
        symbols, those that are zero throughout excluded.

    Raises:
        InputError: if the frame has another shape, does not fit the FFT, or a row has no power.

    >>> oversampled(torch.ones(2, 14, 300, dtype=torch.complex64), 512).shape
    torch.Size([2, 14, 2048])
    """
    if not isinstance(frame, Tensor) or frame.ndim != 3 or frame.dtype not in COMPLEX:
        what = f"{frame.dtype} {list(frame.shape)}" if isinstance(frame, Tensor) else shown(frame)
        raise InputError(f"frame must be complex [batch, T, F], got {what}")
    width = frame.shape[-1]
    oversampling = check_count("oversampling", oversampling, 1, 16)
    fft_size = check_count("fft_size", fft_size, width, 2**20)
    mean = frame_energy(frame) / filled_symbols(frame).sum((1, 2)).clamp_min(1)
    good = torch.isfinite(mean) & (mean > LEAST_POWER)
    if not bool(good.all()):
        rows = torch.nonzero(~good).flatten().tolist()
        raise InputError(f"frames {rows} have no finite, non-zero power: send at least one symbol")
    middle = width // 2
    gap = frame.new_zeros(*frame.shape[:2], oversampling * fft_size - width)
    spectrum = torch.cat([frame[..., middle:], gap, frame[..., :middle]], -1)
    waveform: Tensor = torch.fft.ifft(spectrum, norm="forward")
    return waveform / mean.sqrt()[:, None, None]


def papr_db(waveform: Tensor) -> Tensor:
    """Peak over mean power of each OFDM symbol in dB, NaN where a symbol is zero throughout.

    Args:
        waveform: complex ``[..., samples]``, one OFDM symbol per row.

    Raises:
        InputError: if the waveform is not complex or has no samples.

    >>> [round(value, 2) for value in papr_db(torch.tensor([[1j, 1], [0, 2]])).tolist()]
    [0.0, 3.01]
    """
    power = sample_power(waveform)
    if power.ndim == 0 or power.shape[-1] == 0:
        raise InputError(f"waveform must have samples, got shape {list(power.shape)}")
    return decibels(power.amax(-1) / power.mean(-1))


def papr_ccdf(
    frame: Tensor, fft_size: int, thresholds_db: Tensor | Sequence[float], oversampling: int = 4
) -> Tensor:
    """Share of OFDM symbols whose PAPR exceeds each threshold; empty symbols do not count.

    Args:
        frame: complex ``[batch, T, F]``, one OFDM symbol per row.
        fft_size: size of the FFT without oversampling, at least F.
        thresholds_db: PAPR in dB, ``[thresholds]``.
        oversampling: 1 to 16; peaks between samples need 4.

    Returns:
        float64 ``[thresholds]``.

    Raises:
        InputError: as :func:`oversampled`, or on thresholds that are no real numbers.

    >>> papr_ccdf(torch.ones(1, 14, 16, dtype=torch.complex64), 16, [6.0, 12.0, 12.1]).tolist()
    [1.0, 1.0, 0.0]
    """
    with torch.no_grad():
        ratios_db = papr_db(oversampled(frame, fft_size, oversampling)).flatten()
    ratios_db = ratios_db[~ratios_db.isnan()].double()
    levels = _thresholds(thresholds_db).to(ratios_db.device)
    return (ratios_db[:, None] > levels).double().mean(0)


def papr_ccdf_gaussian(
    thresholds_db: Tensor | Sequence[float], num_subcarriers: int, oversampling: int = 1
) -> Tensor:
    """CCDF of the PAPR that Gaussian samples would have: 1 − (1 − e^−γ)^n.

    At Nyquist sampling n is the number N of subcarriers, and the form is exact for N independent
    Gaussian samples whose peak is taken over the ensemble's mean power; over a symbol's own mean
    power, as :func:`papr_db` has it, the tail is lower by a share of about (γ²/2 − γ)/N. For an
    oversampled waveform n = 2.8 N, an empirical fit by van Nee and Prasad, "OFDM for wireless
    multimedia communications", 2000 (not verified against the text).

    Args:
        thresholds_db: γ in dB, ``[thresholds]``.
        num_subcarriers: N, at least 1.
        oversampling: 1 for Nyquist sampling, more (up to 16) for the fit.

    Returns:
        float64 ``[thresholds]``.

    Raises:
        InputError: if a count is not an integer in its range, or on thresholds that are no real
            numbers.

    >>> [round(share, 4) for share in papr_ccdf_gaussian([8.0, 10.0], 256).tolist()]
    [0.3725, 0.0116]
    """
    num_subcarriers = check_count("num_subcarriers", num_subcarriers, 1, 2**20)
    oversampling = check_count("oversampling", oversampling, 1, 16)
    levels = _thresholds(thresholds_db)
    samples = num_subcarriers * (1.0 if oversampling == 1 else OVERSAMPLED_SAMPLES)
    return -torch.expm1(samples * torch.log1p(-torch.exp(-(10 ** (levels / 10)))))


def sample_power(waveform: Tensor) -> Tensor:
    """|x|² of each sample, float ``[..., samples]``.

    Raises:
        InputError: if the waveform is no complex tensor.

    >>> sample_power(torch.tensor([3 + 4j])).item()
    25.0
    """
    if not isinstance(waveform, Tensor) or waveform.dtype not in COMPLEX:
        kind = waveform.dtype if isinstance(waveform, Tensor) else type(waveform).__name__
        raise InputError(f"waveform must be a complex tensor [..., samples], got {kind}")
    return squared_magnitude(waveform)


def _thresholds(thresholds_db: Tensor | Sequence[float]) -> Tensor:
    levels = real_tensor("thresholds_db", thresholds_db)
    if bool(levels.isnan().any()):
        raise InputError(f"thresholds_db must not be NaN, got {shown(thresholds_db)}")
    return levels


def frame_energy(frame: Tensor) -> Tensor:
    """Energy of each frame ``[batch, T, F]``, float ``[batch]``.

    >>> frame_energy(torch.ones(1, 14, 12, dtype=torch.complex64)).tolist()
    [168.0]
    """
    return sample_power(frame).sum((1, 2))


def filled_symbols(frame: Tensor) -> Tensor:
    """Float ``[batch, T, 1]``: 1 where a symbol is not zero throughout.

    >>> filled_symbols(torch.tensor([[[0j, 0j], [1j, 0j]]])).flatten().tolist()
    [0.0, 1.0]
    """
    return (sample_power(frame.detach()).sum(-1, keepdim=True) > 0).to(frame.real.dtype)


def decibels(ratio: Tensor) -> Tensor:
    """10 log10 of a ratio of powers.

    >>> decibels(torch.tensor(100.0)).item()
    20.0
    """
    return 10 * torch.log10(ratio)
