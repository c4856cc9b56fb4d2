"""A link: power constraint → resource grid → propagation → noise → estimation → equalisation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from sionna.phy.channel import ChannelModel, cir_to_ofdm_channel
from torch import Tensor

from channels.awgn import complex_normal, noise_variance
from channels.errors import InputError, check_number, unknown_name
from channels.fading import FlatFading
from channels.ntn import NTNTDL, SPEED_OF_LIGHT_MPS
from channels.ofdm import SYMBOLS_PER_SLOT, Grid, estimate_ls, from_grid, to_grid
from channels.power import AveragePower
from channels.randomness import seeded
from channels.signal import SNR_DB, Reception, Transmission

ESTIMATORS = ("perfect", "ls")
MAX_DOPPLER_FRACTION = 0.05


@dataclass(frozen=True)
class Link:
    """Carries symbols over a satellite link; differentiable from end to end.

    Each row of a transmission is one image. Its symbols fill as many OFDM slots as they need and
    fading evolves over those slots. The link enforces the power constraint itself. The channel acts
    on each subcarrier: there is no interference between symbols or subcarriers, and
    :func:`link` refuses parameters for which that would be wrong.

    Args:
        name: the link's name in tables and plots.
        propagation: builds the fading model for a device; ``None`` means a constant gain of 1.
        summary: the propagation in words, with its parameters and units.
        grid: OFDM numerology and pilots.
        carrier_hz: carrier frequency in Hz.
        estimator: ``"perfect"`` or ``"ls"`` (least squares at the pilots, linear in between).
        power: the power constraint.

    Raises:
        InputError: on an unknown estimator or a carrier that is not positive.

    >>> import channels
    >>> round(channels.link("awgn").overhead, 2)
    0.2
    """

    name: str
    propagation: Callable[[torch.device], ChannelModel] | None
    summary: str
    grid: Grid = field(default_factory=Grid)
    carrier_hz: float = 2e9
    estimator: str = "perfect"
    power: AveragePower = field(default_factory=AveragePower)

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise unknown_name("estimator", self.estimator, ESTIMATORS)
        check_number("carrier_hz", self.carrier_hz, 1e6, 1e12)
        if not isinstance(self.grid, Grid):
            raise InputError(f"grid must be a channels.Grid, got {self.grid!r}")

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
        device = tx.symbols.device
        batch, num_symbols = tx.symbols.shape
        if not isinstance(snr_db, Tensor):
            snr_db = torch.tensor(check_number("snr_db", snr_db, *SNR_DB))
        elif snr_db.shape not in ((), (batch,)) or not bool((snr_db.abs() <= SNR_DB[1]).all()):
            raise InputError(
                f"snr_db must be one number or [{batch}], finite and in -100…100 dB, got "
                f"{list(snr_db.shape)}"
            )
        snr = snr_db.to(device, torch.float32).expand(batch)
        noise_var = noise_variance(snr)
        frame = to_grid(self.power(tx), self.grid)
        with seeded(seed, device):
            h = self._frequency_response(batch, frame.shape[1], device)
            noise = complex_normal(tuple(frame.shape), device)
        received = h * frame + noise_var.sqrt()[:, None, None] * noise

        if self.estimator == "perfect":
            h_hat, error_var = h, torch.zeros(1, device=device)
        else:
            h_hat, error_var = estimate_ls(received, noise_var, self.grid)
        gain = h_hat.abs().square().clamp_min(1e-9)
        disturbance = noise_var[:, None, None] + error_var
        # In a single-antenna link the LMMSE equaliser with its bias removed is a division by h.
        symbols = from_grid(received * h_hat.conj() / gain, num_symbols, self.grid)
        effective = from_grid((disturbance / gain).expand_as(frame), num_symbols, self.grid)
        mean_snr = from_grid((gain / disturbance).expand_as(frame), num_symbols, self.grid).mean(1)
        return Reception(symbols, effective, 10 * torch.log10(mean_snr), tx.session)

    def _frequency_response(self, batch: int, num_times: int, device: torch.device) -> Tensor:
        """Channel at every resource element, complex64 ``[batch, T, F]``."""
        if self.propagation is None:
            shape = (batch, num_times, self.grid.num_subcarriers)
            return torch.ones(shape, dtype=torch.complex64, device=device)
        gains, delays = self.propagation(device)(batch, num_times, self.grid.symbol_rate_hz)
        h: Tensor = cir_to_ofdm_channel(self.grid.frequencies_hz(device), gains, delays)
        return h[:, 0, 0, 0, 0]

    def __repr__(self) -> str:
        grid = self.grid
        return (
            f"Link({self.name}: {self.summary}; carrier {self.carrier_hz / 1e9:g} GHz, "
            f"bandwidth {grid.bandwidth_hz / 1e6:g} MHz, {grid.num_subcarriers} subcarriers x "
            f"{grid.subcarrier_spacing_hz / 1e3:g} kHz, pilots on symbols "
            f"{list(grid.pilot_symbols)} of {SYMBOLS_PER_SLOT}, {self.estimator} channel "
            f"estimation, one-tap LMMSE, overhead {100 * grid.overhead:.1f} % (not in cbr); "
            "no ISI, no ICI; SNR = E_s/N_0 per complex channel use)"
        )


Propagation = tuple[Callable[[torch.device], ChannelModel] | None, str]


def _awgn(carrier_hz: float) -> Propagation:
    """Constant gain and white Gaussian noise."""
    return None, "no fading, no Doppler"


def _rayleigh(carrier_hz: float) -> Propagation:
    """Rayleigh block fading: one complex gain per image, no line of sight."""
    return partial(FlatFading, None), "frequency-flat, one gain per image, no Doppler"


def _rician(carrier_hz: float, *, k_factor_db: float = 10.0) -> Propagation:
    """Rician block fading: one complex gain per image, line of sight at k_factor_db."""
    summary = f"K factor {k_factor_db:g} dB, frequency-flat, one gain per image, no Doppler"
    return partial(FlatFading, k_factor_db), summary


def _ntn_tdl(
    profile: str, carrier_hz: float, *, delay_spread_s: float = 100e-9, speed_mps: float = 3 / 3.6
) -> Propagation:
    doppler_hz = speed_mps / SPEED_OF_LIGHT_MPS * carrier_hz
    summary = (
        f"TR 38.811 NTN-TDL-{profile}, RMS delay spread {delay_spread_s * 1e9:g} ns, "
        f"terminal {speed_mps:.3g} m/s (Doppler up to {doppler_hz:.3g} Hz), "
        "satellite Doppler pre-compensated"
    )
    return partial(NTNTDL, profile, delay_spread_s, carrier_hz, speed_mps), summary


_PROPAGATIONS: dict[str, Callable[..., Propagation]] = {
    "awgn": _awgn,
    "rayleigh": _rayleigh,
    "rician": _rician,
    **{f"ntn-tdl-{profile.lower()}": partial(_ntn_tdl, profile) for profile in "ABCD"},
}


_RANGES = {"k_factor_db": (-100.0, 100.0), "delay_spread_s": (0.0, 1.0), "speed_mps": (0.0, 1e5)}


def links() -> dict[str, str]:
    """Every link by name, with one line on what it is.

    >>> links()["ntn-tdl-c"]
    '3GPP TR 38.811 NTN-TDL-C, line of sight.'
    """
    profiles = {
        f"ntn-tdl-{p.lower()}": f"3GPP TR 38.811 NTN-TDL-{p}, {sight}line of sight."
        for p, sight in zip("ABCD", ("no ", "no ", "", ""), strict=True)
    }
    flat = {build.__name__[1:]: build.__doc__ or "" for build in (_awgn, _rayleigh, _rician)}
    return flat | profiles


def link(
    name: str,
    *,
    estimator: str = "perfect",
    carrier_hz: float = 2e9,
    grid: Grid | None = None,
    **parameters: float,
) -> Link:
    """Build a link by name.

    Args:
        name: one of :func:`links`.
        estimator: ``"perfect"`` or ``"ls"``.
        carrier_hz: carrier frequency in Hz.
        grid: OFDM numerology and pilots; by default 300 subcarriers of 15 kHz.
        **parameters: ``k_factor_db`` in dB for ``"rician"``; ``delay_spread_s`` in s and
            ``speed_mps`` in m/s for ``"ntn-tdl-…"``.

    Raises:
        InputError: on an unknown name, an unknown parameter or a value out of range.

    >>> link("ntn-tdl-c", delay_spread_s=30e-9, speed_mps=0.0).name
    'ntn-tdl-c'
    """
    if not isinstance(name, str) or name not in _PROPAGATIONS:
        raise unknown_name("link", name, _PROPAGATIONS)
    build = _PROPAGATIONS[name]
    own = [key for key in inspect.signature(build).parameters if key != "carrier_hz"]
    for key, value in parameters.items():
        if key not in own:
            known = [*own, "estimator", "carrier_hz", "grid"]
            raise unknown_name(f"parameter of link {name!r}", key, known)
        check_number(key, value, *_RANGES[key])
    check_number("carrier_hz", carrier_hz, 1e6, 1e12)
    propagation, summary = build(carrier_hz, **parameters)
    made = Link(name, propagation, summary, grid or Grid(), carrier_hz, estimator)
    if propagation is not None:
        _check_quasi_static(made, propagation(torch.device("cpu")))
    return made


def _check_quasi_static(link: Link, model: ChannelModel) -> None:
    """Refuse what the frequency-domain path would get wrong without a word: ISI and ICI."""
    if not isinstance(model, NTNTDL):
        return
    longest_s, prefix_s = float(model.delays.max()), link.grid.cyclic_prefix_s
    if longest_s > prefix_s:
        raise InputError(
            f"the last tap comes {longest_s * 1e6:.3g} us late, after the cyclic prefix of "
            f"{prefix_s * 1e6:.3g} us, and intersymbol interference is not modelled: "
            "lower delay_spread_s or the subcarrier spacing"
        )
    limit_hz = MAX_DOPPLER_FRACTION * link.grid.subcarrier_spacing_hz
    if model.doppler_hz > limit_hz:
        raise InputError(
            f"Doppler of {model.doppler_hz:.0f} Hz exceeds {limit_hz:.0f} Hz, 5 % of the "
            "subcarrier spacing, and intercarrier interference is not modelled: lower speed_mps"
        )
