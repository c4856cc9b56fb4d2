"""LMMSE estimation in time and frequency: all pilots of a block for each of its gains."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from channels.cached import cached
from channels.ofdm.grid import SYMBOLS_PER_SLOT, Grid
from channels.ofdm.prior import Prior, Spectrum, correlation, gaussian_turning, off_centre, turning
from channels.ofdm.tracking import pilot_rows
from channels.orbit.doppler import LIMIT_HZ, Residual
from channels.power import squared_magnitude

BLOCK_SLOTS = 16
"""Gains of so many slots are estimated at a time, from their pilots and those of one slot more at
either end."""

MOST_MODES = 320
"""Blocks are shorter where delays of different Doppler spectra have more modes than this in all."""

MOST_SHAPES = 2**25
"""The same holds where modes times gains, which are kept, would be more than this."""

LEAST_MODE = 1e-10
"""Modes of less power, relative to the strongest, are left to the error variance."""

LEAST_NOISE = 1e-9
"""Noise over the channel that is always reckoned with: inverses stay finite."""

SPREAD_STEP = math.sqrt(2)
"""What a tracked offset leaves is told apart in steps of this factor."""


@dataclass(frozen=True, eq=False)
class _Group:
    """Delays of one Doppler spectrum: their gains are independent modes in time and frequency.

    With modes g of unit power, a gain is Σ_ij time[t, i] · frequency[f, j] · g_ij, and pilots see
    Σ_ij rows[p, i] · time_scale[i] · comb[c, j] · frequency_scale[j] · g_ij.

    Args:
        rows: complex128 ``[P, I]``, orthonormal over pilot symbols.
        time_scale: float64 ``[I]``.
        time: complex128 ``[T, I]``.
        comb: complex128 ``[C, J]``, orthonormal over pilot subcarriers.
        frequency_scale: float64 ``[J]``.
        frequency: complex128 ``[F, J]``.
        power: of all its delays.
    """

    rows: Tensor
    time_scale: Tensor
    time: Tensor
    comb: Tensor
    frequency_scale: Tensor
    frequency: Tensor
    power: float

    @property
    def scale(self) -> Tensor:
        """Amplitude of each mode at the pilots, float64 ``[I · J]``."""
        return torch.outer(self.time_scale, self.frequency_scale).flatten()

    def unseen(self) -> Tensor:
        """Power of each gain that no pilot tells of, float64 ``[T, F]``."""
        seen = torch.outer(
            squared_magnitude(self.time).sum(1), squared_magnitude(self.frequency).sum(1)
        )
        return (self.power - seen).clamp_min(0)


class BlockFilter:
    """LMMSE of the gains h of a block from its pilots y = Φg + n, with h = Ψg + (what is unseen).

    With g of unit covariance and ρ the noise over the channel's mean power::

        ĥ = Ψ (ΦᴴΦ + ρ)⁻¹ Φᴴ y,    error = ρ · diag(Ψ (ΦᴴΦ + ρ)⁻¹ Ψᴴ) + unseen

    which is R_hy (R_yy + ρ)⁻¹ y, the LMMSE of the full covariance. ΦᴴΦ is diagonal if all delays
    share a Doppler spectrum; otherwise it has a few dozen rows and is decomposed once for all
    noise powers.

    Args:
        groups: delays by Doppler spectrum.
    """

    def __init__(self, groups: list[_Group]) -> None:
        self._groups = groups
        self._unseen = torch.stack([group.unseen() for group in groups]).sum(0).float()
        self._turn: Tensor | None = None
        if len(groups) == 1:
            only = groups[0]
            self._modes = only.scale.square()
            self._shapes = [squared_magnitude(part).float() for part in (only.time, only.frequency)]
            return
        seen = [
            [
                _kron(a.rows.mH @ b.rows, a.comb.mH @ b.comb) * torch.outer(a.scale, b.scale)
                for b in groups
            ]
            for a in groups
        ]
        gram = torch.cat([torch.cat(row, 1) for row in seen])
        modes, self._turn = torch.linalg.eigh(gram)
        self._modes = modes.clamp_min(0)
        wide = torch.cat([_kron(g.time, g.frequency) for g in groups], 1) @ self._turn
        self._shapes = [squared_magnitude(wide).T.float().contiguous()]

    def __call__(self, raw: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Estimate.

        Args:
            raw: complex ``[batch, P, C]``, received over sent at the pilots.
            noise: float64 ``[batch]``, its noise over the mean power of the channel.

        Returns:
            Gains, complex ``[batch, T, F]``, and error variances over the channel's mean power,
            float ``[batch, T, F]``, or ``[1, T, F]`` where noise is the same.
        """
        parts = []
        for group in self._groups:
            rows, comb = (part.to(raw.device, raw.dtype) for part in (group.rows, group.comb))
            seen = rows.mH @ (raw @ comb.conj())
            parts.append(seen.flatten(1).to(torch.complex128) * group.scale.to(raw.device))
        modes = self._modes.to(raw.device)
        given = torch.cat(parts, 1)
        if self._turn is not None:
            given = given @ self._turn.conj().to(raw.device)
        given = given / (modes + noise[:, None])
        if self._turn is not None:
            given = given @ self._turn.mT.to(raw.device)
        h = torch.zeros((), dtype=raw.dtype, device=raw.device)
        sizes = [len(group.scale) for group in self._groups]
        for group, own in zip(self._groups, torch.split(given, sizes, 1), strict=True):
            time, frequency = (
                part.to(raw.device, raw.dtype) for part in (group.time, group.frequency)
            )
            gains = own.to(raw.dtype).reshape(len(own), time.shape[1], -1)
            h = h + time @ (gains @ frequency.mT)
        return h, self._error(noise, modes, raw.real.dtype)

    def _error(self, noise: Tensor, modes: Tensor, dtype: torch.dtype) -> Tensor:
        """Error variances, for all images at once where they have the same noise."""
        if not noise.requires_grad and bool((noise == noise[0]).all()):
            noise = noise[:1]
        left = (noise[:, None] / (modes + noise[:, None])).to(dtype)
        unseen, *shapes = (part.to(left) for part in (self._unseen, *self._shapes))
        if self._turn is not None:
            return unseen + (left @ shapes[0]).reshape(-1, *unseen.shape)
        time, frequency = shapes
        modes_of = left.reshape(len(left), time.shape[1], -1)
        return unseen + time @ (modes_of @ frequency.mT)


def lmmse(
    raw: Tensor, noise: Tensor, left_hz: Tensor | None, prior: Prior, grid: Grid
) -> tuple[Tensor, Tensor]:
    """Estimate a frame block by block, each image by the filter of what tracking left.

    Args:
        raw: complex ``[batch, P, C]``, received over sent at the pilots.
        noise: float ``[batch]``, its noise over the mean power of the channel.
        left_hz: float64 ``[batch]``, standard deviation of what tracking left of each image's
            offset; ``None`` without tracking.
        prior: long-term statistics.
        grid: the numerology.

    Returns:
        Gains, complex ``[batch, T, F]``, and error variances over the channel's mean power, float
        that broadcasts to them.

    >>> lmmse(torch.ones(3, 2, 300) + 0j, torch.full((3,), 0.1), None, Prior(), Grid())[0].shape
    torch.Size([3, 14, 300])
    """
    noise = noise.double() + LEAST_NOISE
    if left_hz is None:
        return _by_blocks(raw, noise, None, prior, grid)
    steps = nearest_spread_hz(left_hz)
    h: Tensor | None = None
    for step in torch.unique(steps):
        own = torch.nonzero(steps == step).flatten()
        found, var = _by_blocks(raw[own], noise[own], float(step), prior, grid)
        if len(own) == len(raw):
            return found, var
        if h is None:
            h, error = (part.new_zeros(len(raw), *part.shape[1:]) for part in (found, var))
        h = h.index_copy(0, own, found)
        error = error.index_copy(0, own, var.expand(len(own), -1, -1))
    assert h is not None
    return h, error


def _by_blocks(
    raw: Tensor, noise: Tensor, spread_hz: float | None, prior: Prior, grid: Grid
) -> tuple[Tensor, Tensor]:
    rows, most = len(grid.pilot_symbols), block_slots(prior, grid)
    slots = raw.shape[1] // rows
    parts = []
    for begin in range(0, slots, most):
        end = min(begin + most, slots)
        before, after = begin > 0, end < slots
        own = block_filter(prior, grid, end - begin, before, after, spread_hz)
        parts.append(own(raw[:, (begin - before) * rows : (end + after) * rows], noise))
    h, error = zip(*parts, strict=True)
    return torch.cat(h, 1), torch.cat(error, 1)


@cached(maxsize=16)
def block_filter(
    prior: Prior, grid: Grid, slots: int, before: bool, after: bool, spread_hz: float | None
) -> BlockFilter:
    """The filter of the gains of a block of slots.

    Args:
        prior: long-term statistics.
        grid: the numerology.
        slots: of the block.
        before: whether the pilots of the slot before it are used, too.
        after: whether those of the slot after it are.
        spread_hz: standard deviation of what tracking left of the offset; ``None``: not tracked.

    >>> flat = block_filter(Prior(), Grid(), 1, False, False, None)
    >>> flat(torch.ones(1, 2, 300) + 0j, torch.tensor([0.1]).double())[1].mean().item()
    0.0001666...
    """
    given = pilot_rows(grid, SYMBOLS_PER_SLOT * (before + slots + after))
    given = given - SYMBOLS_PER_SLOT * before
    wanted = torch.arange(SYMBOLS_PER_SLOT * slots)
    unknown = _without_a_known_offset(prior.residual)

    def covariance(spectrum: Spectrum, first: Tensor, second: Tensor) -> Tensor:
        lag_s = (first[:, None] - second).double() * grid.symbol_period_s
        if spread_hz is None:
            return correlation(spectrum, lag_s) * turning(unknown, lag_s)
        return off_centre(spectrum, lag_s) * gaussian_turning(spread_hz, lag_s)

    frequency_hz = grid.frequencies_hz(torch.device("cpu")).double()
    groups = []
    for spectrum, delays_s, powers in by_spectrum(prior):
        rows, time_scale = _modes(covariance(spectrum, given, given))
        time = covariance(spectrum, wanted, given) @ rows / time_scale
        phase = -2 * math.pi * frequency_hz[:, None] * torch.tensor(delays_s).double()
        atoms = torch.polar(torch.tensor(powers).double().sqrt().expand_as(phase), phase)
        comb, scale, right = _decomposed(atoms[:: grid.pilot_comb])
        groups.append(
            _Group(rows, time_scale, time, comb, scale, atoms @ right.mH, math.fsum(powers))
        )
    return BlockFilter(groups)


def _without_a_known_offset(residual: Residual) -> Residual:
    """A law under which a fixed offset is not known but in size: Gaussian, of the same power."""
    deviation_hz = math.hypot(residual.offset_hz, residual.deviation_hz)
    return replace(residual, offset_hz=0.0, deviation_hz=min(deviation_hz, LIMIT_HZ))


@cached(maxsize=64)
def block_slots(prior: Prior, grid: Grid) -> int:
    """Slots of a block.

    >>> block_slots(Prior(), Grid())
    16
    """
    spectra, slots = len(by_spectrum(prior)), BLOCK_SLOTS
    gains = SYMBOLS_PER_SLOT * grid.num_subcarriers
    while spectra > 1 and slots > 1:
        modes = spectra * (slots + 2) * len(grid.pilot_symbols)
        if modes <= MOST_MODES and modes * slots * gains <= MOST_SHAPES:
            break
        slots //= 2
    return slots


def nearest_spread_hz(spread_hz: Tensor) -> Tensor:
    """The step of ``SPREAD_STEP`` that is nearest to each, about 0.01 Hz or more.

    >>> nearest_spread_hz(torch.tensor([0.0, 1.3])).tolist()
    [0.011..., 1.414...]
    """
    base = math.log(SPREAD_STEP)
    steps = (spread_hz.detach().double().clamp_min(1e-2).log() / base).round()
    return (steps * base).exp()


def by_spectrum(
    prior: Prior,
) -> list[tuple[Spectrum, tuple[float, ...], tuple[float, ...]]]:
    """Delays of each Doppler spectrum, with their powers."""
    found: dict[Spectrum, tuple[Spectrum, list[float], list[float]]] = {}
    for delay_s, spectrum in prior.spectra().items():
        power = math.fsum(part for part, _, _ in spectrum)
        shares = tuple((round(part / power, 9), hertz, shift) for part, hertz, shift in spectrum)
        _, delays_s, powers = found.setdefault(shares, (spectrum, [], []))
        delays_s.append(delay_s)
        powers.append(power)
    return [(one, tuple(delays_s), tuple(powers)) for one, delays_s, powers in found.values()]


def _modes(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal modes of a covariance and their amplitudes, without those of no power."""
    powers, modes = torch.linalg.eigh(covariance)
    kept = powers > LEAST_MODE * powers[-1]
    return modes[:, kept], powers[kept].sqrt()


def _kron(first: Tensor, second: Tensor) -> Tensor:
    return torch.kron(first.contiguous(), second.contiguous())


def _decomposed(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Singular value decomposition; by QR iteration where LAPACK's divide and conquer fails."""
    try:
        left, scale, right = torch.linalg.svd(matrix, full_matrices=False)
    except RuntimeError:
        from scipy import linalg

        parts = linalg.svd(matrix.cpu().numpy(), full_matrices=False, lapack_driver="gesvd")
        left, scale, right = (torch.from_numpy(part) for part in parts)
    kept = scale > LEAST_MODE**0.5 * scale[0]
    return left[:, kept], scale[kept], right[kept]
