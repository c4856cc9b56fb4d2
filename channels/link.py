"""A link: power constraint → resource grid → propagation → noise → estimation → equalisation."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from sionna.phy.channel import ChannelModel
from torch import Tensor

from channels.amplifier import Rapp, Saleh, SoftLimiter, transmit
from channels.awgn import complex_normal, noise_variance
from channels.coupling import couple, leaked_power, phasor
from channels.describe import Row, one_line, table
from channels.doppler import Residual
from channels.errors import InputError, check_number, unknown_name
from channels.estimation import estimate, prior_of
from channels.ofdm import Grid, from_grid, to_grid
from channels.power import AveragePower, PeakPower
from channels.propagation import Build, Paths, Response, doppler_of, draw_response, model_for
from channels.randomness import seeded
from channels.signal import SNR_DB, Reception, Transmission
from channels.waveform import draw_waveform_paths, propagate, respond_waveform

ESTIMATORS = ("perfect", "ls", "lmmse")
DOMAINS = ("frequency", "time")
MAX_DOPPLER_FRACTION = 0.1


@dataclass(frozen=True)
class Link:
    """Carries symbols over a satellite link; differentiable from end to end.

    Each row of a transmission is one image. Its symbols fill as many OFDM slots as they need and
    fading evolves over those slots. The link enforces the power constraint itself.

    In the frequency domain, which is fast, the channel acts on each resource element; a residual
    carrier offset and a channel that changes within a symbol couple subcarriers (ICI), both
    exactly; paths later than the cyclic prefix count as interference of their analytic power. The
    time domain carries every sample of the waveform and lets interference come out by itself.

    Args:
        name: the link's name in tables and plots.
        propagation: builds the fading model for a device, any Sionna ``ChannelModel``; ``None``
            means a constant gain of 1. The model's attributes ``doppler_hz`` (largest scatter
            Doppler) and ``max_delay_s`` are used if it has them.
        rows: the propagation's (parameter, value, unit, source) for :meth:`describe`.
        grid: OFDM numerology and pilots.
        carrier_hz: carrier frequency in Hz.
        estimator: ``"perfect"``, ``"ls"`` (least squares at the pilots, linear in between) or
            ``"lmmse"`` (long-term statistics known).
        domain: ``"frequency"`` or ``"time"``.
        residual: carrier offset left after Doppler pre-compensation.
        power: power constraint on the symbols.
        amplifier: memoryless amplifier on the OFDM waveform; ``None`` is linear.

    Raises:
        InputError: on an unknown estimator or domain, or a part that is out of range.

    >>> import channels
    >>> round(channels.link("awgn").overhead, 2)
    0.2
    """

    name: str
    propagation: Build | None
    rows: tuple[Row, ...] = ()
    grid: Grid = field(default_factory=Grid)
    carrier_hz: float = 2e9
    estimator: str = "perfect"
    domain: str = "frequency"
    residual: Residual = field(default_factory=Residual)
    power: AveragePower | PeakPower = field(default_factory=AveragePower)
    amplifier: SoftLimiter | Rapp | Saleh | None = None

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise unknown_name("estimator", self.estimator, ESTIMATORS)
        if self.domain not in DOMAINS:
            raise unknown_name("domain", self.domain, DOMAINS)
        check_number("carrier_hz", self.carrier_hz, 1e6, 1e12)
        for name, kinds in (
            ("grid", (Grid,)),
            ("residual", (Residual,)),
            ("power", (AveragePower, PeakPower)),
            ("amplifier", (SoftLimiter, Rapp, Saleh, type(None))),
        ):
            if not isinstance(getattr(self, name), kinds):
                wanted = " or ".join(kind.__name__ for kind in kinds)
                raise InputError(f"{name} must be a channels.{wanted}, got {getattr(self, name)!r}")
        self._check_offset()
        self._check_scatter()

    def _check_offset(self) -> None:
        worst_hz = abs(self.residual.offset_hz) + self.residual.spread_hz
        if worst_hz > self.grid.subcarrier_spacing_hz / 2:
            raise InputError(
                f"a residual offset of {worst_hz:.0f} Hz exceeds half the subcarrier spacing of "
                f"{self.grid.subcarrier_spacing_hz / 1e3:g} kHz: pre-compensate the Doppler or "
                "take a wider spacing"
            )

    def _check_scatter(self) -> None:
        doppler_hz = doppler_of(self._model(torch.device("cpu")))
        limit_hz = MAX_DOPPLER_FRACTION * self.grid.subcarrier_spacing_hz
        if self.domain == "frequency" and doppler_hz > limit_hz:
            raise InputError(
                f"scatter Doppler of {doppler_hz:.0f} Hz exceeds {limit_hz:.0f} Hz, a tenth of the "
                "subcarrier spacing, up to which the frequency domain holds: take domain='time', "
                "a wider spacing or a lower speed_mps"
            )

    @property
    def overhead(self) -> float:
        """Share of the resource that pilots and cyclic prefix take; not part of ``cbr``."""
        return self.grid.overhead

    def __call__(
        self, tx: Transmission, snr_db: float | Tensor, seed: int | None = None
    ) -> Reception:
        """Send a transmission.

        Args:
            tx: symbols ``[batch, K]``.
            snr_db: average E_s/N_0 per complex channel use in dB, a number or float ``[batch]``.
            seed: seeds fading and noise; ``None`` draws on from Sionna's generator.

        Returns:
            The reception: unbiased LMMSE symbol estimates and the error variance of each.

        Raises:
            InputError: if ``snr_db`` lies outside -100…100 dB or a row has no power.
        """
        if not isinstance(tx, Transmission):
            raise InputError(f"a link takes a Transmission, got {type(tx).__name__}: encode first")
        batch, num_symbols = tx.symbols.shape
        frame = to_grid(self.power(tx), self.grid)
        noise_var = noise_variance(_checked_snr(snr_db, batch).to(frame.device))
        noise_var = noise_var.to(frame.real.dtype)[:, None, None]
        bussgang: Tensor | float = 1.0
        distortion: Tensor | float = 0.0
        if self.amplifier is not None:
            sent = transmit(frame, self.grid.fft_size, self.amplifier)
            frame, bussgang = sent.frame, sent.gain[:, None, None]
            distortion = sent.distortion[:, None, None]
        with seeded(seed, frame.device):
            passed = self._propagate(frame)
        received = passed.received + noise_var.sqrt() * passed.noise
        disturbance = noise_var + passed.interference + distortion * passed.h.abs().square()

        if self.estimator == "perfect":
            h_hat, total = passed.h * bussgang, disturbance
        else:
            mean = disturbance.expand(frame.shape).mean((1, 2))
            prior = prior_of(self._model(frame.device), self.residual, self.grid)
            found = estimate(received, mean, self.grid, prior, self.estimator)
            h_hat, total = found.h, disturbance + found.error_var
        gain = h_hat.abs().square().clamp_min(1e-9)
        # In a single-antenna link the LMMSE equaliser with its bias removed is a division by h.
        symbols = from_grid(received * h_hat.conj() / gain, num_symbols, self.grid)
        effective = from_grid((total / gain).expand(frame.shape), num_symbols, self.grid)
        mean_snr = from_grid((gain / total).expand(frame.shape), num_symbols, self.grid).mean(1)
        return Reception(symbols, effective, 10 * torch.log10(mean_snr), tx.session)

    def _propagate(self, frame: Tensor) -> _Passed:
        """Draw fading, noise and offset, in this order, and send a frame through the channel."""
        (batch, num_symbols, _), device, grid = frame.shape, frame.device, self.grid
        model = self._model(device)
        paths: Paths | None = None
        if self.domain == "time":
            paths = draw_waveform_paths(model, batch, num_symbols, grid, device)
            response = respond_waveform(paths, num_symbols, grid)
        else:
            offset = not self.residual.is_zero
            response = draw_response(model, batch, num_symbols, grid, device, offset=offset)
        noise = complex_normal(tuple(frame.shape), device).to(frame.dtype)
        offset_hz = self.residual.draw(batch, device)
        carrier = self._carrier(offset_hz, num_symbols)
        h, interference = _known(response, carrier, grid)
        if paths is None:
            received = _apply(response, frame, carrier, grid)
        else:
            received = propagate(frame, paths, offset_hz, self.residual.rate_hz_per_s, grid)
        return _Passed(received, h.to(frame.dtype), interference.to(frame.real.dtype), noise)

    def _carrier(self, offset_hz: Tensor, num_symbols: int) -> Tensor | None:
        """Phasor of the residual offset at every sample of each symbol's useful part."""
        if self.residual.is_zero:
            return None
        grid = self.grid
        start_s = torch.arange(num_symbols, dtype=torch.float64) * grid.symbol_period_s
        rate = self.residual.rate_hz_per_s
        return phasor(offset_hz, rate, start_s, grid.fft_size, grid.sample_rate_hz)

    def _model(self, device: torch.device) -> ChannelModel | None:
        return None if self.propagation is None else model_for(self.propagation, device)

    def describe(self) -> str:
        """Every parameter with its unit and source, one per line.

        >>> import channels
        >>> print(channels.link("awgn").describe().splitlines()[0])
        awgn
        """
        return table(self.name, self._all_rows())

    def __repr__(self) -> str:
        return f"Link({self.name}: {one_line(self._all_rows())})"

    def _all_rows(self) -> list[Row]:
        coupled = {
            "frequency": "exact ICI of offset and fading; analytic ISI beyond the prefix",
            "time": "every sample: ISI and ICI as they come",
        }
        rows: list[Row] = [("carrier", self.carrier_hz / 1e9, "GHz", ""), *self.rows]
        rows += self.residual.describe() + self.grid.describe() + self.power.describe()
        rows += [] if self.amplifier is None else self.amplifier.describe()
        return [
            *rows,
            ("channel estimation", self.estimator, "", "one-tap LMMSE equaliser, bias removed"),
            ("domain", self.domain, "", coupled[self.domain]),
            ("SNR", "E_s/N_0 per complex channel use", "", "mean over fading"),
        ]


@dataclass(frozen=True)
class _Passed:
    received: Tensor
    h: Tensor
    interference: Tensor
    noise: Tensor


def _checked_snr(snr_db: float | Tensor, batch: int) -> Tensor:
    if not isinstance(snr_db, Tensor):
        snr_db = torch.tensor(check_number("snr_db", snr_db, *SNR_DB))
    elif snr_db.shape not in ((), (batch,)) or not bool((snr_db.abs() <= SNR_DB[1]).all()):
        raise InputError(
            f"snr_db must be one number or [{batch}], finite and in -100…100 dB, got "
            f"{list(snr_db.shape)}"
        )
    return snr_db.double().expand(batch)


def _apply(response: Response, frame: Tensor, carrier: Tensor | None, grid: Grid) -> Tensor:
    """Frequency-domain path, free of thermal noise."""
    received = response.h.to(frame.dtype) * frame
    change = response.change
    if change is not None or carrier is not None:
        moved = None if change is None else change.to(frame.dtype) * frame
        received = couple(received, moved, carrier, grid)
    if response.stray is not None:
        stray = complex_normal(tuple(frame.shape), frame.device)
        received = received + (response.stray.sqrt() * stray).to(frame.dtype)
    return received


def _known(response: Response, carrier: Tensor | None, grid: Grid) -> tuple[Tensor, Tensor]:
    """Effective gain of each resource element and the power of its interference."""
    h = response.h
    interference = torch.zeros((), device=h.device)
    if response.stray is not None:
        interference = interference + response.stray
    if response.change is not None:
        interference = interference + response.change.abs().square() / 12
    if carrier is not None:
        interference = interference + leaked_power(h.abs().square(), carrier, grid)
        h = h * carrier.mean(-1)[..., None].to(h.dtype)
    return h, interference
