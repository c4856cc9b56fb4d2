"""Power amplifiers: memoryless nonlinearities on the oversampled OFDM waveform."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from channels.describe import Row
from channels.errors import InputError, keep_number, shown
from channels.ofdm.papr import decibels, filled_symbols, frame_energy, oversampled, sample_power

BACKOFF_DB = (0.0, 80.0)
CLIP_DB = (-10.0, 60.0)


@dataclass(frozen=True)
class SoftLimiter:
    """Ideal limiter: linear up to a peak amplitude, which is never exceeded; phases are kept.

    Applied to an OFDM waveform this is clipping of the PAPR. The amplitude has a kink at the limit,
    where the gradient is a subgradient; everywhere else it is exact.

    Args:
        clip_db: limit above the mean input power, -10 to 60 dB.

    Raises:
        InputError: if ``clip_db`` is out of range.

    >>> SoftLimiter(clip_db=0)(torch.tensor([0.5j, -2.0])).abs().tolist()
    [0.5, 1.0]
    """

    clip_db: float

    def __post_init__(self) -> None:
        keep_number(self, "clip_db", *CLIP_DB)

    def __call__(self, waveform: Tensor) -> Tensor:
        """Amplify a waveform, complex ``[..., samples]`` of unit mean power."""
        return waveform * self._gain(sample_power(waveform))

    @property
    def saturation_amplitude(self) -> float:
        """Largest output amplitude, over the root mean square of the input."""
        return float(10 ** (self.clip_db / 20))

    def am_am(self, amplitude: Tensor) -> Tensor:
        """Output amplitude, of any shape, over the root mean square of the input."""
        return amplitude * self._gain(_amplitude(amplitude).square())

    def am_pm_rad(self, amplitude: Tensor) -> Tensor:
        """Phase shift in rad: none."""
        return torch.zeros_like(_amplitude(amplitude))

    def _gain(self, power: Tensor) -> Tensor:
        limit = self.saturation_amplitude
        return limit * power.clamp_min(limit**2).rsqrt()

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        return [
            ("amplifier", "soft limiter", "", "Rapp with smoothness to infinity"),
            ("clipping level", self.clip_db, "dB", "above mean input power"),
        ]


@dataclass(frozen=True)
class Rapp:
    """Solid-state power amplifier that compresses amplitudes and keeps phases.

    Amplitude a becomes a / (1 + (a/A)^2p)^(1/2p) at saturation amplitude A and smoothness p:
    C. Rapp, "Effects of HPA-nonlinearity on a 4-DPSK/OFDM-signal for a digital sound broadcasting
    system", 2nd European Conference on Satellite Communications, 1991.

    Args:
        input_backoff_db: A² over the mean input power, 0 to 80 dB.
        smoothness: p, 0.5 to 100; the larger, the sharper the transition to saturation.

    Raises:
        InputError: if a parameter is out of range.

    >>> round(Rapp(input_backoff_db=0, smoothness=2)(torch.tensor([1j]))[0].imag.item(), 4)
    0.8409
    """

    input_backoff_db: float
    smoothness: float = 2.0

    def __post_init__(self) -> None:
        keep_number(self, "input_backoff_db", *BACKOFF_DB)
        keep_number(self, "smoothness", 0.5, 100)

    def __call__(self, waveform: Tensor) -> Tensor:
        """Amplify a waveform, complex ``[..., samples]`` of unit mean power."""
        return waveform * self._gain(sample_power(waveform))

    @property
    def saturation_amplitude(self) -> float:
        """Largest output amplitude, over the root mean square of the input."""
        return float(10 ** (self.input_backoff_db / 20))

    def am_am(self, amplitude: Tensor) -> Tensor:
        """Output amplitude, of any shape, over the root mean square of the input."""
        return amplitude * self._gain(_amplitude(amplitude).square())

    def am_pm_rad(self, amplitude: Tensor) -> Tensor:
        """Phase shift in rad: none."""
        return torch.zeros_like(_amplitude(amplitude))

    def _gain(self, power: Tensor) -> Tensor:
        """In logarithms, so that no power of a large amplitude overflows."""
        relative = (power / self.saturation_amplitude**2).clamp_min(1e-30)
        exponent = self.smoothness * relative.log()
        compression = torch.logaddexp(exponent, torch.zeros_like(exponent))
        return torch.exp(-compression / (2 * self.smoothness))

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        return [
            ("amplifier", "solid state", "", "Rapp 1991"),
            ("input back-off", self.input_backoff_db, "dB", "from saturation"),
            ("smoothness", self.smoothness, "", "exponent p"),
        ]


@dataclass(frozen=True)
class Saleh:
    """Travelling-wave tube amplifier: compresses amplitudes and turns phases.

    Amplitude r becomes α_a r / (1 + β_a r²) and the phase grows by α_p r² / (1 + β_p r²): A. Saleh,
    "Frequency-independent and frequency-dependent nonlinear models of TWT amplifiers", IEEE Trans.
    Commun. 29(11), 1981. The defaults are seen in several public programs but not verified against
    the paper. An input of r = 1/√β_a saturates the tube, a stronger one comes out weaker.

    Args:
        input_backoff_db: 1/β_a over the mean input power, 0 to 80 dB.
        alpha_a: small-signal gain in Saleh's units, 1e-3 to 100.
        beta_a: compression in Saleh's units, 1e-3 to 100.
        alpha_p: growth of the phase with power in rad, -100 to 100.
        beta_p: saturation of the phase, 0 to 100.

    Raises:
        InputError: if a parameter is out of range.

    >>> out = Saleh(input_backoff_db=0)(torch.tensor([1 + 0j]))
    >>> round(out.abs().item(), 4), round(out.angle().item(), 4)
    (1.0058, 0.3903)
    """

    input_backoff_db: float
    alpha_a: float = 2.1587
    beta_a: float = 1.1517
    alpha_p: float = 4.0033
    beta_p: float = 9.1040

    def __post_init__(self) -> None:
        keep_number(self, "input_backoff_db", *BACKOFF_DB)
        keep_number(self, "alpha_a", 1e-3, 100)
        keep_number(self, "beta_a", 1e-3, 100)
        keep_number(self, "alpha_p", -100, 100)
        keep_number(self, "beta_p", 0, 100)

    def __call__(self, waveform: Tensor) -> Tensor:
        """Amplify a waveform, complex ``[..., samples]`` of unit mean power."""
        power = sample_power(waveform)
        return waveform * torch.polar(self._gain(power), self._turn(power))

    @property
    def saturation_amplitude(self) -> float:
        """Largest output amplitude, in Saleh's units."""
        return self.alpha_a / (2 * math.sqrt(self.beta_a))

    def am_am(self, amplitude: Tensor) -> Tensor:
        """Output amplitude in Saleh's units; the input's is over its root mean square."""
        return amplitude * self._gain(_amplitude(amplitude).square())

    def am_pm_rad(self, amplitude: Tensor) -> Tensor:
        """Phase shift in rad at an input amplitude over its root mean square."""
        return self._turn(_amplitude(amplitude).square())

    @property
    def _mean_power(self) -> float:
        """Mean input power in Saleh's units."""
        return float(10 ** (-self.input_backoff_db / 10) / self.beta_a)

    def _gain(self, power: Tensor) -> Tensor:
        scale = self._mean_power
        return self.alpha_a * math.sqrt(scale) / (1 + self.beta_a * scale * power)

    def _turn(self, power: Tensor) -> Tensor:
        power = self._mean_power * power
        return self.alpha_p * power / (1 + self.beta_p * power)

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        source = "Saleh 1981"
        return [
            ("amplifier", "travelling-wave tube", "", source),
            ("input back-off", self.input_backoff_db, "dB", "from saturation"),
            ("AM/AM", f"alpha {self.alpha_a:g}, beta {self.beta_a:g}", "", source),
            ("AM/PM", f"alpha {self.alpha_p:g}, beta {self.beta_p:g}", "", source),
        ]


Amplifier = SoftLimiter | Rapp | Saleh


@dataclass(frozen=True, eq=False)
class Amplified:
    """What an amplifier makes of a batch of OFDM frames; :func:`transmit` fills it.

    Args:
        frame: complex ``[batch, T, F]``, radiated on the occupied subcarriers, at the mean power of
            the frame that came in.
        gain: complex ``[batch]``, Bussgang gain ⟨y, x⟩ / ⟨x, x⟩ of the radiated frame y over the
            incoming frame x.
        distortion: float ``[batch]``, mean |y − gain·x|² of a resource element, over all
            subcarriers of the symbols that are not empty, for unit symbol energy.
        papr_db: float ``[batch]``, peak over mean power of each image's amplified waveform.
        output_backoff_db: float ``[batch]``, saturation power over mean output power.
        acpr_db: float ``[batch]``, power in the stronger one of the two neighbouring bands, as wide
            as the occupied one, over the power in the occupied one; NaN where oversampling does not
            reach that far. Regrowth by the nonlinearity only: OFDM's own side lobes do not count.
    """

    frame: Tensor
    gain: Tensor
    distortion: Tensor
    papr_db: Tensor
    output_backoff_db: Tensor
    acpr_db: Tensor


def transmit(
    frame: Tensor, fft_size: int, amplifier: Amplifier, oversampling: int = 4
) -> Amplified:
    """Send OFDM frames through an amplifier and an ideal filter around the occupied subcarriers.

    The waveform of each image enters at unit mean power over its symbols, empty ones excluded, and
    is rescaled afterwards to the in-band power that the frame had, so that an SNR keeps its
    meaning. Only the useful part of a symbol is computed: the nonlinearity has no memory, so the
    amplified cyclic prefix is the prefix of the amplified symbol.

    Args:
        frame: complex ``[batch, T, F]``, one OFDM symbol per row; subcarrier F // 2 is at DC.
        fft_size: size of the FFT without oversampling, at least F.
        amplifier: a nonlinearity.
        oversampling: 1 to 16; 4 keeps products of third order from folding back.

    Returns:
        The radiated frame and what the amplifier did to it.

    Raises:
        InputError: if the frame has another shape, does not fit the FFT, or a row has no power, or
            on what is no amplifier.

    >>> frame = torch.ones(2, 14, 300, dtype=torch.complex64)
    >>> sent = transmit(frame, 512, Rapp(input_backoff_db=6))
    >>> sent.frame.shape, round(sent.frame.abs().square().mean().item(), 4)
    (torch.Size([2, 14, 300]), 1.0)
    """
    if not isinstance(amplifier, Amplifier):
        raise InputError(f"amplifier must be a SoftLimiter, Rapp or Saleh, got {shown(amplifier)}")
    waveform = oversampled(frame, fft_size, oversampling)
    amplified = amplifier(waveform)
    spectrum = torch.fft.fft(amplified, norm="forward")
    width = frame.shape[-1]
    radiated = _band(spectrum, width, 0)
    energy = frame_energy(frame)
    sent = radiated * (energy / frame_energy(radiated)).sqrt()[:, None, None]

    gain = (sent * frame.conj()).sum((1, 2)) / energy
    symbols = filled_symbols(frame).sum((1, 2))
    distortion = frame_energy(sent - gain[:, None, None] * frame) / (symbols * width)
    with torch.no_grad():
        power = sample_power(amplified)
        mean = power.mean(-1).sum(1) / symbols
        if spectrum.shape[-1] >= 3 * width:
            beside = [frame_energy(_band(spectrum, width, shift)) for shift in (-width, width)]
            leaked = torch.maximum(*beside) / frame_energy(radiated)
        else:
            leaked = torch.full_like(mean, torch.nan)
    return Amplified(
        sent,
        gain,
        distortion,
        decibels(power.amax((1, 2)) / mean),
        decibels(amplifier.saturation_amplitude**2 / mean),
        decibels(leaked),
    )


def _amplitude(amplitude: Tensor) -> Tensor:
    real = isinstance(amplitude, Tensor) and amplitude.dtype.is_floating_point
    if not real or not bool((amplitude >= 0).all()):
        raise InputError(
            f"amplitude must be a float tensor without negative entries, got {shown(amplitude)}"
        )
    return amplitude


def _band(spectrum: Tensor, width: int, shift: int) -> Tensor:
    """Subcarriers ``[..., width]`` around the one ``shift`` above DC."""
    place = torch.arange(width, device=spectrum.device) - width // 2 + shift
    return spectrum[..., place % spectrum.shape[-1]]
