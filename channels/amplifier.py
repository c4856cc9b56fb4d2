"""Amplifiers: memoryless nonlinearities on the oversampled OFDM waveform."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from channels.describe import Row
from channels.errors import InputError, check_number
from channels.squared import squared_magnitude

BACKOFF_DB = (-10.0, 60.0)


class Amplifier(Protocol):
    """A gain that depends on the instantaneous power of a waveform of unit mean power."""

    def gain(self, power: Tensor) -> Tensor:
        """Complex or real gain at an instantaneous input power; any shape."""
        ...

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        ...


@dataclass(frozen=True)
class SoftLimiter:
    """Amplitude clipping: linear up to the limit, constant beyond, phase kept.

    Differentiable almost everywhere; at the kink the gradient is that of the linear side.

    Args:
        clip_db: limit above the mean power in dB, −10 to 60.

    >>> SoftLimiter(clip_db=0.0).gain(torch.tensor([0.25, 4.0])).tolist()
    [1.0, 0.5]
    """

    clip_db: float

    def __post_init__(self) -> None:
        check_number("clip_db", self.clip_db, *BACKOFF_DB)

    def gain(self, power: Tensor) -> Tensor:
        """Real gain at an instantaneous power."""
        return (10 ** (self.clip_db / 10) / power.clamp_min(10 ** (self.clip_db / 10))).sqrt()

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        return [("amplifier", "soft limiter", "", ""), ("clipping at", self.clip_db, "dB", "")]


@dataclass(frozen=True)
class Rapp:
    """Solid-state amplifier: A / (1 + A^2p)^(1/2p), no phase shift (Rapp, ECSC 1991).

    Args:
        input_backoff_db: saturation power over mean input power in dB, −10 to 60.
        smoothness: p, 0.1 to 100; 2 to 3 for solid state, large for a soft limiter.

    >>> round(Rapp(input_backoff_db=0.0).gain(torch.tensor(1.0)).item(), 4)
    0.8409
    """

    input_backoff_db: float
    smoothness: float = 2.0

    def __post_init__(self) -> None:
        check_number("input_backoff_db", self.input_backoff_db, *BACKOFF_DB)
        check_number("smoothness", self.smoothness, 0.1, 100)

    def gain(self, power: Tensor) -> Tensor:
        """Real gain at an instantaneous power."""
        p = self.smoothness
        drive = (power * 10 ** (-self.input_backoff_db / 10)).clamp_min(1e-30)
        # (1 + x^p)^(-1/2p) with x^p kept in the exponent: p = 100 would overflow.
        return torch.exp(-torch.nn.functional.softplus(p * drive.log()) / (2 * p))

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        return [
            ("amplifier", "Rapp", "", "Rapp 1991"),
            ("input back-off", self.input_backoff_db, "dB", "to saturation"),
            ("smoothness", self.smoothness, "", ""),
        ]


@dataclass(frozen=True)
class Saleh:
    """Travelling-wave tube: AM/AM and AM/PM (Saleh, IEEE Trans. Commun. 29(11), 1981).

    With r the amplitude over that at saturation times 1/√β_a: A(r) = α_a r / (1 + β_a r²),
    Φ(r) = α_φ r² / (1 + β_φ r²). The small-signal gain α_a is normalised away.

    Args:
        input_backoff_db: saturation power over mean input power in dB, −10 to 60.
        alpha_p: α_φ in rad; default: Saleh's fit to a 1972 tube.
        beta_p: β_φ.
        beta_a: β_a; the amplitude saturates at 1/√β_a.

    >>> round(Saleh(input_backoff_db=0.0).gain(torch.tensor(1.0)).abs().item(), 4)
    0.5
    """

    input_backoff_db: float
    alpha_p: float = 4.0033
    beta_p: float = 9.1040
    beta_a: float = 1.1517

    def __post_init__(self) -> None:
        check_number("input_backoff_db", self.input_backoff_db, *BACKOFF_DB)
        check_number("alpha_p", self.alpha_p, -100, 100)
        check_number("beta_p", self.beta_p, 0, 100)
        check_number("beta_a", self.beta_a, 1e-3, 100)

    def gain(self, power: Tensor) -> Tensor:
        """Complex gain at an instantaneous power."""
        squared = power * 10 ** (-self.input_backoff_db / 10) / self.beta_a
        phase = self.alpha_p * squared / (1 + self.beta_p * squared)
        return torch.polar(1 / (1 + self.beta_a * squared), phase)

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        return [
            ("amplifier", "Saleh", "", "Saleh 1981"),
            ("input back-off", self.input_backoff_db, "dB", "to saturation"),
            ("AM/PM", f"{self.alpha_p:g} r²/(1 + {self.beta_p:g} r²)", "rad", ""),
        ]


@dataclass(frozen=True)
class Amplified:
    """What an amplifier made of the frames of a batch.

    Args:
        frame: complex ``[batch, T, F]``, at the mean power of what went in.
        gain: complex ``[batch]``, Bussgang gain: the part of ``frame`` that is a multiple of the
            input.
        distortion: float ``[batch]``, in-band power of the rest per resource element.
        out_of_band_db: float ``[batch]``, power outside the occupied subcarriers over that inside.
    """

    frame: Tensor
    gain: Tensor
    distortion: Tensor
    out_of_band_db: Tensor


def transmit(
    frame: Tensor, fft_size: int, amplifier: Amplifier, oversampling: int = 4
) -> Amplified:
    """Send frames through an amplifier.

    Each image drives the amplifier at unit mean power, over its non-empty OFDM symbols, and leaves
    with the in-band power it came with, so that an SNR keeps its meaning; what a back-off costs in
    radiated power is for the link budget. A cyclic prefix repeats samples of its symbol, so a
    memoryless amplifier treats it alike and it needs no samples of its own.

    Args:
        frame: complex ``[batch, T, F]``, F occupied subcarriers around F // 2.
        fft_size: subcarriers of the grid with its guard.
        amplifier: the nonlinearity.
        oversampling: samples per critical sample; 4 makes aliasing of the spectrum negligible.

    Returns:
        The frames and what the amplifier did to them, all differentiable.

    Raises:
        InputError: if the frame does not fit the grid.

    >>> from channels import Grid
    >>> frame = torch.randn(2, 14, 300, dtype=torch.complex64)
    >>> sent = transmit(frame, Grid().fft_size, Rapp(input_backoff_db=40.0))
    >>> bool((sent.frame - frame).abs().max() < 1e-3)
    True
    """
    waveform = to_waveform(frame, fft_size, oversampling)
    energy = squared_magnitude(frame)
    filled = (energy.detach().sum(-1, keepdim=True) > 0).to(energy.dtype)
    symbols = filled.sum((1, 2), keepdim=True).clamp_min(1)
    drive = squared_magnitude(waveform).mean(-1, keepdim=True).sum(1, keepdim=True) / symbols
    drive = drive.clamp_min(1e-30)
    instantaneous = squared_magnitude(waveform) / drive
    amplified = waveform * amplifier.gain(instantaneous).to(waveform.dtype)
    spectrum = torch.fft.fftshift(torch.fft.fft(amplified, norm="ortho"), -1)
    first = spectrum.shape[-1] // 2 - frame.shape[-1] // 2
    inside = spectrum[..., first : first + frame.shape[-1]]
    total, kept = (squared_magnitude(part).sum((1, 2)) for part in (spectrum, inside))
    sent = inside * (energy.sum((1, 2)) / kept.clamp_min(1e-30)).sqrt()[:, None, None]
    gain = (sent * frame.conj()).sum((1, 2)) / energy.sum((1, 2)).clamp_min(1e-30)
    rest = squared_magnitude(sent - gain[:, None, None] * frame).sum((1, 2))
    distortion = rest / (filled.sum((1, 2)) * frame.shape[-1]).clamp_min(1)
    leaked = 10 * torch.log10((total - kept).clamp_min(1e-30) / kept.clamp_min(1e-30))
    return Amplified(sent, gain, distortion, leaked)


def to_waveform(frame: Tensor, fft_size: int, oversampling: int = 4) -> Tensor:
    """Oversampled waveform of each OFDM symbol.

    Args:
        frame: complex ``[..., F]``.
        fft_size: subcarriers of the grid with its guard, at least F.
        oversampling: samples per critical sample.

    Returns:
        complex ``[..., fft_size * oversampling]``.

    >>> to_waveform(torch.ones(14, 300, dtype=torch.complex64), 512).shape
    torch.Size([14, 2048])
    """
    count = frame.shape[-1]
    if not frame.is_complex() or count > fft_size:
        raise InputError(
            f"frame must be complex with at most fft_size = {fft_size} subcarriers, got "
            f"{frame.dtype} {list(frame.shape)}"
        )
    if not isinstance(oversampling, int) or not 1 <= oversampling <= 64:
        raise InputError(f"oversampling must be an int in 1..64, got {oversampling!r}")
    left = fft_size * oversampling // 2 - count // 2
    wide = torch.nn.functional.pad(frame, (left, fft_size * oversampling - count - left))
    waveform: Tensor = torch.fft.ifft(torch.fft.ifftshift(wide, -1), norm="ortho")
    return waveform


def papr_db(waveform: Tensor) -> Tensor:
    """Peak over mean power of each OFDM symbol in dB: complex ``[..., N]`` to float ``[...]``.

    >>> round(papr_db(torch.tensor([[2j, 0, 0, 0]])).item(), 3)
    6.021
    """
    power = squared_magnitude(waveform)
    return 10 * torch.log10(power.amax(-1) / power.mean(-1).clamp_min(1e-30))


def papr_ccdf(papr: Tensor, thresholds_db: Tensor) -> Tensor:
    """Share of OFDM symbols whose PAPR exceeds each threshold.

    Args:
        papr: float, PAPR of symbols in dB, any shape.
        thresholds_db: float ``[thresholds]``.

    >>> papr_ccdf(torch.tensor([6.0, 8.0]), torch.tensor([5.0, 7.0, 9.0])).tolist()
    [1.0, 0.5, 0.0]
    """
    above: Tensor = papr.flatten()[:, None] > thresholds_db
    return above.double().mean(0)


def papr_ccdf_gaussian(thresholds_db: Tensor, num_samples: float) -> Tensor:
    """CCDF of the PAPR of Gaussian samples: 1 − (1 − e^−γ)^N.

    N = F for F subcarriers at the critical rate; N = 2.8 F for the continuous waveform (van Nee and
    de Wild, VTC 1998).

    Args:
        thresholds_db: float ``[thresholds]``.
        num_samples: N.

    >>> round(papr_ccdf_gaussian(torch.tensor([10.0]), 300).item(), 4)
    0.0135
    """
    level = torch.pow(10.0, thresholds_db.double() / 10)
    return -torch.expm1(num_samples * torch.log1p(-torch.exp(-level)))


def clipped_gaussian(clip_db: float) -> tuple[float, float]:
    """Bussgang gain and distortion of a soft limiter on a Gaussian waveform of unit power.

    With γ the clipping amplitude: α = 1 − e^−γ² + (√π/2) γ erfc(γ); the output power is 1 − e^−γ²,
    the distortion what α² leaves of it (Ochiai and Imai, IEEE Trans. Commun. 50(1), 2002).

    >>> [round(value, 4) for value in clipped_gaussian(3.0)]
    [0.9213, 0.0152]
    """
    level = 10 ** (clip_db / 20)
    gain = 1 - math.exp(-(level**2)) + math.sqrt(math.pi) / 2 * level * math.erfc(level)
    return gain, 1 - math.exp(-(level**2)) - gain**2
