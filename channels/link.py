"""A link: power constraint → resource grid → propagation → noise → estimation → equalisation."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import uuid4

import torch
from torch import Tensor

from channels.describe import Row, one_line, table
from channels.errors import InputError, check_name, keep_number, shown, warn
from channels.fading.awgn import complex_normal, noise_variance
from channels.fading.recipe import Build, SionnaBlock, model_for
from channels.fading.statistics import STILL, Statistics, doppler_of, knows_itself, stated_by
from channels.ofdm.amplifier import Rapp, Saleh, SoftLimiter, transmit
from channels.ofdm.doubts import MEAN_OVER_FADING, check_draws, doubts
from channels.ofdm.equalisation import Observed, equalised
from channels.ofdm.estimation import estimate
from channels.ofdm.grid import SYMBOLS_PER_SLOT, Grid, at_symbols, filler, from_grid, place, to_grid
from channels.ofdm.prior import prior_of
from channels.ofdm.realisation import Realisation, draw
from channels.ofdm.trial import tried
from channels.orbit.doppler import Residual
from channels.power import AveragePower, PeakPower, squared_magnitude
from channels.randomness import seeded
from channels.signal import (
    Received,
    Reception,
    Transmission,
    check_symbols,
    checked_snr,
    sent_mask,
)
from channels.surroundings import undisturbed

if TYPE_CHECKING:
    from sionna.phy.channel import ChannelModel

ESTIMATORS = ("perfect", "ls", "lmmse")
DOMAINS = ("frequency", "time")
MAX_DOPPLER_FRACTION = 0.1


@dataclass(frozen=True)
class Link:
    """Carries symbols over a satellite link; differentiable from end to end.

    Each row of a transmission is one image. Its symbols fill as many OFDM slots as they need and
    fading evolves over those slots. The link enforces the power constraint itself.

    ::

        symbols ─ power ─ grid ─ amplifier ─ propagation ─ noise ─ estimation ─ equalisation ─▶
                    x    pilots                   h          n          ĥ           y / ĥ

    On each resource element, with σ² = 10^(−snr_db / 10) and interference i (ICI, and paths beyond
    the cyclic prefix)::

        y = h·x + i + n,    n ~ CN(0, σ²)
        D = σ² + E|i|² + δ·|h|² + ε

    δ is the amplifier's distortion (whose Bussgang gain is part of h) and ε the error variance of
    ĥ; both are 0 with a linear amplifier and perfect estimation. The LMMSE estimate of x over its
    bias β is a division, and its error is that of a Gaussian channel::

        w = ĥ* / (|ĥ|² + D),    β = w·ĥ = |ĥ|² / (|ĥ|² + D)
        symbols = w·y / β = y / ĥ,    noise_var = D / |ĥ|²
        snr_db = 10 log10 mean((|ĥ|² − b) / D)

    with b = ε for least squares, whose ``|ĥ|²`` is too large by that on average, and 0 otherwise.

    In the frequency domain, which is fast, the channel acts on each resource element; a residual
    carrier offset and a channel that changes within a symbol couple subcarriers (ICI), both
    exactly; paths later than the cyclic prefix count as interference of their analytic power. The
    time domain carries every sample of the waveform and lets interference come out by itself.

    Args:
        name: the link's name in tables and plots.
        propagation: builds the fading model for a ``torch.device``, any Sionna ``ChannelModel``
            (which takes the device as a string); ``None`` means a constant gain of 1. The model's
            attributes ``doppler_hz`` (largest scatter Doppler) and ``max_delay_s`` are used if it
            has them.
        rows: the propagation's (parameter, value, unit, source) for :meth:`describe`; where there
            are any, they must tell the propagation from others.
        grid: OFDM numerology and pilots.
        carrier_hz: carrier frequency in Hz.
        estimator: ``"perfect"``, ``"ls"`` (least squares at the pilots, linear in between) or
            ``"lmmse"`` (long-term statistics known).
        domain: ``"frequency"`` or ``"time"``.
        residual: carrier offset left after Doppler pre-compensation.
        power: power constraint on the symbols.
        amplifier: memoryless amplifier on the OFDM waveform; ``None`` is linear.
        snr_reference: what ``snr_db`` refers to, for :meth:`describe`.

    Raises:
        InputError: on an unknown estimator or domain, or a part that is out of range.

    >>> import channels
    >>> round(channels.link("awgn").overhead, 2)
    0.2
    >>> from sionna.phy.channel import RayleighBlockFading
    >>> def build(device):
    ...     return RayleighBlockFading(1, 1, 1, 1, device=str(device))
    >>> channels.Link("mine", build).name
    'mine'
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
    snr_reference: str = MEAN_OVER_FADING

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isprintable():
            raise InputError(f"name must be a line of text, got {shown(self.name)}")
        if self.propagation is not None and not callable(self.propagation):
            raise InputError(
                "propagation must be None or a function of the device that makes a channel model, "
                f"got {shown(self.propagation)}"
            )
        check_name("estimator", self.estimator, ESTIMATORS)
        check_name("domain", self.domain, DOMAINS)
        keep_number(self, "carrier_hz", 1e6, 1e12)
        for name, kinds in (
            ("grid", (Grid,)),
            ("residual", (Residual,)),
            ("power", (AveragePower, PeakPower)),
            ("amplifier", (SoftLimiter, Rapp, Saleh, type(None))),
        ):
            if not isinstance(getattr(self, name), kinds):
                wanted = " or ".join(kind.__name__ for kind in kinds)
                raise InputError(
                    f"{name} must be a channels.{wanted}, got {shown(getattr(self, name))}"
                )
        self._check_offset(duration_s=0.0)
        self._check_scatter()

    def _check_offset(self, duration_s: float) -> None:
        residual = self.residual
        drift_hz = abs(residual.rate_hz_per_s) * duration_s
        worst_hz = (
            abs(residual.offset_hz) + residual.spread_hz + 3 * residual.deviation_hz + drift_hz
        )
        if worst_hz > self.grid.subcarrier_spacing_hz / 2:
            raise InputError(
                f"a residual offset of up to {worst_hz:.0f} Hz exceeds half the subcarrier spacing "
                f"of {self.grid.subcarrier_spacing_hz / 1e3:g} kHz: pre-compensate the Doppler, "
                "take a wider spacing or a shorter transmission"
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
        """Send a transmission: :meth:`propagate` for symbols that belong to a session.

        Args:
            tx: symbols ``[batch, K]``.
            snr_db: average E_s/N_0 per complex channel use in dB, a number or float ``[batch]``.
            seed: seeds fading and noise; ``None`` draws on from Sionna's generator.

        Returns:
            The reception: each symbol divided by the gain that the receiver believes, with the
            variance of its error.

        Raises:
            InputError: if ``snr_db`` lies outside -100…100 dB or a row has no power.
        """
        if not isinstance(tx, Transmission):
            raise InputError(f"a link takes a Transmission, got {type(tx).__name__}: encode first")
        return Reception(*self._send(tx.symbols, tx.sent, snr_db, seed), tx.session)

    def propagate(
        self,
        symbols: Tensor,
        snr_db: float | Tensor,
        seed: int | None = None,
        *,
        used: Tensor | None = None,
    ) -> Received:
        """Send complex symbols, whatever they mean.

        With x the symbols under the power constraint (mean |x|² = 1 in each row), h the effective
        gain and ĥ the receiver's estimate of it::

            y = h·x + interference + n,    n ~ CN(0, σ²),    σ² = 10^(−snr_db / 10)
            symbols = y / ĥ = x + e,       noise_var = E|e|²

        Rows are images: each meets fading and noise of its own, and its symbols fill OFDM slots one
        after the other.

        Args:
            symbols: complex64 ``[batch, K]``, of any scale (complex128 for gradient checks).
            snr_db: average E_s/N_0 per complex channel use in dB, a number or float ``[batch]``.
            seed: seeds fading and noise; ``None`` draws on from Sionna's generator.
            used: int64 ``[batch]``, how many of its K symbols each row sends; ``None``: all.

        Returns:
            Symbols ``[batch, K]``, the variance of each one's error ``[batch, K]``, and the
            receiver's own estimate of the SNR in dB ``[batch]``; differentiable in ``symbols``.

        Raises:
            InputError: if symbols are not complex ``[batch, K]``, a row has no finite power,
                ``used`` lies outside 1…K, or ``snr_db`` outside -100…100 dB.

        >>> import channels
        >>> bits = torch.randint(0, 2, (4, 1000, 2)) * 2.0 - 1
        >>> qpsk = torch.view_as_complex(bits) / 2**0.5
        >>> got = channels.link("ntn-tdl-c").propagate(qpsk, snr_db=20.0, seed=1)
        >>> got.symbols.shape, got.noise_var.shape, got.snr_db.shape
        (torch.Size([4, 1000]), torch.Size([4, 1000]), torch.Size([4]))
        """
        check_symbols(symbols)
        return Received(*self._send(symbols, sent_mask(symbols, used), snr_db, seed))

    def _send(
        self, symbols: Tensor, sent: Tensor, snr_db: float | Tensor, seed: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Symbols, variances of their errors, and SNR in dB that the receiver finds."""
        learning = symbols.requires_grad and torch.is_grad_enabled()
        with undisturbed(training=learning), torch.autocast(symbols.device.type, enabled=False):
            return self._carry(self.power.constrain(symbols, sent), sent, snr_db, seed)

    def _carry(
        self, x: Tensor, sent: Tensor, snr_db: float | Tensor, seed: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        batch, num_symbols = x.shape
        noise_var = noise_variance(checked_snr(snr_db, batch).to(x.device))
        noise_var = noise_var.to(x.real.dtype)[:, None]
        known, own = self._known(x.device, batch, seeded=seed is not None)
        with seeded(seed, x.device, stream=0, everywhere=own):
            channel = self._draw(batch, num_symbols, x.device)
        with seeded(seed, x.device, stream=1):
            noise = noise_var.sqrt() * complex_normal((batch, num_symbols), x.device)
            if self.estimator == "perfect" and self.amplifier is None and channel.scales_only:
                h = at_symbols(channel.response.h.to(x.dtype), num_symbols, self.grid)
                observed = Observed(h * x + noise, h, noise_var, torch.zeros_like(noise_var))
            else:
                observed = self._through_frame(x, sent, channel, noise, noise_var, known)
        symbols, error_var, gain = equalised(observed.symbols, observed.h, observed.disturbance)
        error_var = error_var.expand(batch, num_symbols)
        mean_snr = ((gain - observed.excess) / observed.disturbance).expand(batch, -1).mean(1)
        return symbols, error_var, 10 * torch.log10(mean_snr.clamp_min(1e-10))

    def _draw(self, batch: int, num_symbols: int, device: torch.device) -> Realisation:
        num_times = SYMBOLS_PER_SLOT * self.grid.num_slots(num_symbols)
        self._check_offset(duration_s=num_times * self.grid.symbol_period_s)
        model, time = self._model(device), self.domain == "time"
        return draw(model, self.residual, batch, num_times, self.grid, device, every_sample=time)

    def _known(self, device: torch.device, batch: int, *, seeded: bool) -> tuple[Statistics, bool]:
        """Long-term statistics of the channel model, and whether it is one of the user's own."""
        model, own = self._model(device), False
        known = STILL if model is None else stated_by(model)
        if known is not None and (self.propagation is None or knows_itself(model)):
            power = (known.mean_power or 1.0,) * 2
        else:
            assert self.propagation is not None
            trial = tried(self.propagation, device, batch, self.grid.symbol_period_s)
            still = self.estimator != "perfect" and doppler_of(model) == 0
            check_draws(self.name, trial, seeded=seeded, still=still)
            known, power, own = trial.statistics, trial.power, True
        if "doubted" not in self.__dict__:
            self.__dict__["doubted"] = True
            parts = self.estimator, self.grid, self.residual, self.snr_reference
            for doubt in doubts(*parts, known, power):
                warn(f"link {self.name!r}: {doubt}")
        return known, own

    def _through_frame(
        self,
        x: Tensor,
        sent: Tensor,
        channel: Realisation,
        noise: Tensor,
        noise_var: Tensor,
        known: Statistics,
    ) -> Observed:
        """Send symbols with their pilots through amplifier, channel and channel estimation.

        Resource elements that an image does not use carry another user's symbols, so that ICI and
        the amplifier's drive do not depend on how full a slot happens to be.
        """
        grid, num_symbols = self.grid, x.shape[1]
        others = at_symbols(filler(grid, num_symbols, x.device), num_symbols, grid)
        others = torch.where(sent, 0, others.to(x.dtype))
        frame = to_grid(x + others, grid)
        bussgang: Tensor | float = 1.0
        distortion: Tensor | float = 0.0
        if self.amplifier is not None:
            amplified = transmit(frame, grid.fft_size, self.amplifier)
            frame, bussgang = amplified.frame, amplified.gain[:, None, None]
            distortion = amplified.distortion[:, None, None]
        received = channel.act(frame)
        h, interference = channel.known()
        h = h.to(frame.dtype)
        disturbance = noise_var[..., None] + interference.to(frame.real.dtype)
        if self.amplifier is not None:
            disturbance = disturbance + distortion * squared_magnitude(h)
        gain = at_symbols(h * bussgang, num_symbols, grid)
        noise = noise.to(frame.dtype)
        if self.estimator == "perfect":
            at_symbol = from_grid(received, num_symbols, grid) + noise - gain * others
            total = at_symbols(disturbance, num_symbols, grid)
            return Observed(at_symbol, gain, total, torch.zeros_like(noise_var))

        elsewhere = complex_normal(tuple(frame.shape), frame.device).to(frame.dtype)
        elsewhere = noise_var.sqrt()[..., None] * elsewhere
        received = received + place(noise, grid, onto=elsewhere)
        mean = disturbance.expand(frame.shape).mean((1, 2))
        prior = prior_of(known, self.residual, grid)
        estimated = estimate(received, mean, grid, prior, self.estimator)
        uncertain = estimated.error_var if self.estimator == "ls" else torch.zeros(1, 1, 1)
        return Observed(
            from_grid(received, num_symbols, grid) - gain * others,
            at_symbols(estimated.h, num_symbols, grid),
            at_symbols(disturbance + estimated.error_var, num_symbols, grid),
            at_symbols(uncertain.to(disturbance), num_symbols, grid),
        )

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

    @cached_property
    def identity(self) -> str:
        """What tells this link from others wherever results over it are kept.

        A propagation that no rows describe is told by its pickle; one without a pickle is like no
        other.

        >>> import channels
        >>> channels.link("awgn").identity == channels.link("awgn").identity
        True
        >>> from sionna.phy.channel import RayleighBlockFading
        >>> def build(device):
        ...     return RayleighBlockFading(1, 1, 1, 1, device=str(device))
        >>> len({channels.Link("mine", lambda device: build(device)).identity for _ in range(2)})
        2
        """
        if isinstance(self.propagation, SionnaBlock):
            return f"{self!r}, propagation {self.propagation}"
        if self.rows or self.propagation is None:
            return repr(self)
        try:
            digest = hashlib.sha256(pickle.dumps(self.propagation)).hexdigest()
        except (pickle.PicklingError, AttributeError, TypeError):
            digest = uuid4().hex
        return f"{self!r}, propagation {digest}"

    def _all_rows(self) -> list[Row]:
        coupled = {
            "frequency": "ICI: offset exact, fading first order; ISI beyond prefix analytic",
            "time": "every sample: ISI and ICI as they come",
        }
        rows: list[Row] = [("carrier", self.carrier_hz / 1e9, "GHz", ""), *self.rows]
        rows += self.residual.describe() + self.grid.describe() + self.power.describe()
        rows += [] if self.amplifier is None else self.amplifier.describe()
        return [
            *rows,
            ("channel estimation", self.estimator, "", "division by the gain, then error variance"),
            ("domain", self.domain, "", coupled[self.domain]),
            ("SNR", "E_s/N_0 per complex channel use", "", self.snr_reference),
        ]
