"""The OFDM resource grid: numerology, pilots, and the way of symbols onto it and off it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from channels.cached import cached
from channels.describe import Row
from channels.errors import (
    InputError,
    check_name,
    check_number,
    keep_count,
    keep_flag,
    keep_number,
    shown,
    whole_number,
)

SYMBOLS_PER_SLOT = 14
SPACINGS_HZ = (15e3, 30e3, 60e3, 120e3)

# Resource blocks by bandwidth in MHz: TS 38.101-5 (NTN bands) takes them from TS 38.101-1
# table 5.3.2-1 (FR1) and TS 38.101-2 table 5.3.2-1 (FR2).
RESOURCE_BLOCKS: dict[tuple[str, float], dict[int, int]] = {
    ("fr1", 15e3): {5: 25, 10: 52, 15: 79, 20: 106, 25: 133, 30: 160, 40: 216, 50: 270},
    ("fr1", 30e3): {5: 11, 10: 24, 15: 38, 20: 51, 25: 65, 30: 78, 40: 106, 50: 133}
    | {60: 162, 70: 189, 80: 217, 90: 245, 100: 273},
    ("fr1", 60e3): {10: 11, 15: 18, 20: 24, 25: 31, 30: 38, 40: 51, 50: 65}
    | {60: 79, 70: 93, 80: 107, 90: 121, 100: 135},
    ("fr2", 60e3): {50: 66, 100: 132, 200: 264},
    ("fr2", 120e3): {50: 32, 100: 66, 200: 132, 400: 264},
}


@dataclass(frozen=True)
class Grid:
    """5G NR numerology with pilots, in slots of 14 OFDM symbols.

    Every cyclic prefix has the normal length of 144/2048 symbol; the slightly longer one that NR
    gives one symbol of each half millisecond counts in ``overhead`` only.

    Args:
        subcarrier_spacing_hz: 15e3, 30e3, 60e3 or 120e3 (TS 38.211 table 4.2-1).
        num_subcarriers: width of the grid, 12 per resource block (25 blocks = 5 MHz at 15 kHz).
        pilot_symbols: OFDM symbols of each slot that carry demodulation pilots.
        pilot_comb: pilots stand on every ``pilot_comb``-th subcarrier of those symbols
            (2 is DM-RS type 1, TS 38.211 clause 7.4.1.1); data on the others.
        phase_tracking_every: if given, every so many subcarriers carry a pilot on all symbols
            (PT-RS, TS 38.211 clause 7.4.1.2: 24 or 48), by which a receiver that estimates the
            channel measures and removes the residual carrier offset first.
        spread: the symbols of an image stand in pseudo-random order on the resource elements that
            they fill, turned by pseudo-random multiples of 90°; both ends know how. A codec's
            strong or similar symbols then do not meet as neighbours, and ICI is as good as noise
            (NR scrambles its bits and interleaves resource blocks to this end, TS 38.211 clauses
            7.3.1.1 and 7.3.1.6). ``False`` fills subcarriers first, then OFDM symbols.

    Raises:
        InputError: on a numerology that NR does not have or pilots outside the slot.

    >>> Grid().num_slots(4096), round(Grid().overhead, 3)
    (2, 0.2)
    """

    subcarrier_spacing_hz: float = 15e3
    num_subcarriers: int = 300
    pilot_symbols: tuple[int, ...] = (2, 11)
    pilot_comb: int = 1
    phase_tracking_every: int | None = None
    spread: bool = True

    def __post_init__(self) -> None:
        keep_number(self, "subcarrier_spacing_hz", 15e3, 120e3)
        if self.subcarrier_spacing_hz not in SPACINGS_HZ:
            raise InputError(
                "subcarrier_spacing_hz must be 15e3, 30e3, 60e3 or 120e3, got "
                f"{self.subcarrier_spacing_hz:g}"
            )
        keep_count(self, "num_subcarriers", 1, 3300)
        object.__setattr__(self, "pilot_symbols", _pilot_symbols(self.pilot_symbols))
        keep_count(self, "pilot_comb", 1, 12)
        if self.phase_tracking_every is not None:
            keep_count(self, "phase_tracking_every", 2, 3300)
            if self.phase_tracking_every % self.pilot_comb:
                raise InputError(
                    f"phase_tracking_every must be a multiple of pilot_comb ({self.pilot_comb}), "
                    f"got {self.phase_tracking_every}"
                )
        keep_flag(self, "spread")
        if self.pilots.all():
            raise InputError(
                "pilots fill the whole grid: take more subcarriers, fewer pilot_symbols or a wider "
                "phase_tracking_every"
            )

    @classmethod
    def nr(
        cls,
        bandwidth_hz: float,
        subcarrier_spacing_hz: float = 15e3,
        frequency_range: str = "fr1",
        **pattern: Any,
    ) -> Grid:
        """Grid that fills an NR channel bandwidth.

        Args:
            bandwidth_hz: channel bandwidth in Hz, 5e6 to 400e6.
            subcarrier_spacing_hz: spacing in Hz.
            frequency_range: ``"fr1"`` (S band) or ``"fr2"`` (Ka band).
            **pattern: pilots and order of symbols, as :class:`Grid` takes them.

        Raises:
            InputError: on a bandwidth that NR does not have at this spacing.

        >>> Grid.nr(400e6, 120e3, "fr2").num_subcarriers
        3168
        """
        check_name("frequency_range", frequency_range, ["fr1", "fr2"])
        spacing_hz = check_number("subcarrier_spacing_hz", subcarrier_spacing_hz, 0, 1e6)
        key = (frequency_range, spacing_hz)
        if key not in RESOURCE_BLOCKS:
            known = ", ".join(f"{name} {hz / 1e3:g} kHz" for name, hz in RESOURCE_BLOCKS)
            raise InputError(
                f"NR has no {frequency_range} at a spacing of {spacing_hz:g} Hz; known: {known}"
            )
        blocks = RESOURCE_BLOCKS[key]
        megahertz = check_number("bandwidth_hz", bandwidth_hz, 0, 1e12) / 1e6
        if megahertz not in blocks:
            raise InputError(
                f"NR has no channel of {megahertz:g} MHz in {frequency_range} at "
                f"{spacing_hz / 1e3:g} kHz; known: {', '.join(map(str, blocks))} MHz"
            )
        return cls(spacing_hz, 12 * blocks[int(megahertz)], **pattern)

    @property
    def bandwidth_hz(self) -> float:
        """Occupied bandwidth in Hz."""
        return self.num_subcarriers * self.subcarrier_spacing_hz

    @property
    def fft_size(self) -> int:
        """Smallest power of two that leaves at least an eighth of guard subcarriers."""
        return max(16, 1 << math.ceil(math.log2(self.num_subcarriers * 9 / 8)))

    @property
    def sample_rate_hz(self) -> float:
        """Rate of the time-domain waveform in samples per second."""
        return self.fft_size * self.subcarrier_spacing_hz

    @property
    def cyclic_prefix_samples(self) -> int:
        """Normal cyclic prefix, 144 samples of 2048 (TS 38.211 clause 5.3.1), on this grid."""
        return max(1, round(self.fft_size * 144 / 2048))

    @property
    def cyclic_prefix_s(self) -> float:
        """Length of the cyclic prefix in seconds."""
        return self.cyclic_prefix_samples / self.sample_rate_hz

    @property
    def symbol_period_s(self) -> float:
        """OFDM symbol with its cyclic prefix, in seconds."""
        return 1 / self.subcarrier_spacing_hz + self.cyclic_prefix_s

    @property
    def pilots(self) -> np.ndarray:
        """Bool ``[14, num_subcarriers]``: where one slot carries pilots of either kind."""
        mask = np.zeros((SYMBOLS_PER_SLOT, self.num_subcarriers), dtype=bool)
        if self.phase_tracking_every is not None:
            mask[:, :: self.phase_tracking_every] = True
        for place in self.pilot_symbols:
            mask[place, :: self.pilot_comb] = True
        return mask

    @property
    def overhead(self) -> float:
        """Share of time-frequency resource that carries no data: pilots and cyclic prefix."""
        data = 1 - self.pilots.mean()
        return round(float(1 - data / (1 + 1 / SYMBOLS_PER_SLOT)), 6)

    def num_slots(self, num_symbols: int) -> int:
        """Slots that ``num_symbols`` data symbols fill."""
        return math.ceil(num_symbols / self._symbols_per_slot)

    @property
    def symbols_per_s(self) -> float:
        """Data symbols per second on air, pilots and cyclic prefix taken off.

        >>> round(Grid().symbols_per_s)
        3603754
        """
        return self._symbols_per_slot / (SYMBOLS_PER_SLOT * self.symbol_period_s)

    @property
    def _symbols_per_slot(self) -> int:
        return SYMBOLS_PER_SLOT * self.num_subcarriers - int(self.pilots.sum())

    def duration_s(self, num_symbols: int) -> float:
        """Time on air of as many slots as ``num_symbols`` data symbols fill, in seconds.

        >>> round(Grid().duration_s(4096), 6)
        0.001998
        """
        return self.num_slots(num_symbols) * SYMBOLS_PER_SLOT * self.symbol_period_s

    def frequencies_hz(self, device: torch.device) -> Tensor:
        """Subcarrier frequencies around the carrier, float32 ``[num_subcarriers]``, in Hz."""
        place = torch.arange(self.num_subcarriers, dtype=torch.float32, device=device)
        return (place - self.num_subcarriers // 2) * self.subcarrier_spacing_hz

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        tracking = self.phase_tracking_every
        comb = "subcarrier" if self.pilot_comb == 1 else f"{self.pilot_comb} subcarriers"
        rows: list[Row] = [
            ("bandwidth", self.bandwidth_hz / 1e6, "MHz", "occupied"),
            ("subcarriers", self.num_subcarriers, "", ""),
            ("subcarrier spacing", self.subcarrier_spacing_hz / 1e3, "kHz", "TS 38.211 4.2"),
            ("cyclic prefix", self.cyclic_prefix_s * 1e6, "us", "TS 38.211 5.3.1"),
            (
                "pilots",
                f"symbols {list(self.pilot_symbols)} of 14, every {comb}",
                "",
                "TS 38.211 7.4.1.1",
            ),
        ]
        if tracking is not None:
            rows.append(
                ("phase tracking", f"every {tracking} subcarriers", "", "TS 38.211 7.4.1.2")
            )
        order = "pseudo-random" if self.spread else "subcarriers first"
        rows.append(("order of symbols", order, "", "known to both ends"))
        rows.append(("overhead", 100 * self.overhead, "%", "pilots and prefix, not in cbr"))
        return rows


def _pilot_symbols(places: object) -> tuple[int, ...]:
    numbers = tuple(map(whole_number, places)) if isinstance(places, tuple) else ()
    if not (
        0 < len(numbers) == len(set(numbers)) < SYMBOLS_PER_SLOT
        and all(number is not None and 0 <= number < SYMBOLS_PER_SLOT for number in numbers)
    ):
        raise InputError(
            f"pilot_symbols must be a tuple of 1 to 13 different ints in 0..13, got {shown(places)}"
        )
    return numbers  # type: ignore[return-value]


@cached()
def pilot_values(grid: Grid, slots: int) -> Tensor:
    """Known QPSK pilots, complex128 ``[14 * slots, num_subcarriers]``, zero where data stand.

    >>> int((pilot_values(Grid(), 1) != 0).sum())
    600
    """
    draw = np.random.default_rng(2024).integers(0, 4, (SYMBOLS_PER_SLOT, grid.num_subcarriers))
    values = np.exp(1j * np.pi / 4 * (2 * draw + 1)) * grid.pilots
    return torch.from_numpy(np.tile(values, (slots, 1)))


@cached()
def _spread(grid: Grid, num_symbols: int, device: str) -> tuple[Tensor, Tensor]:
    """Where each symbol stands on the flattened frame, and its quarter turn, complex64."""
    free = np.flatnonzero(~np.tile(grid.pilots, (grid.num_slots(num_symbols), 1)))[:num_symbols]
    draws = np.random.default_rng(2025)
    places = torch.from_numpy(draws.permutation(free) if grid.spread else free)
    quarters = torch.from_numpy(draws.integers(0, 4, num_symbols) * int(grid.spread))
    turns = torch.tensor([1, 1j, -1, -1j], dtype=torch.complex64)[quarters]
    return places.to(device), turns.to(device)


def place(symbols: Tensor, grid: Grid, onto: Tensor | None = None) -> Tensor:
    """Place symbols on as many slots as they need.

    Args:
        symbols: complex ``[batch, K]``.
        grid: the numerology.
        onto: complex ``[batch, 14 * slots, num_subcarriers]``, what stands elsewhere; ``None``
            means zeros.

    Returns:
        complex ``[batch, 14 * slots, num_subcarriers]``.

    >>> place(torch.ones(2, 4096, dtype=torch.complex64), Grid()).shape
    torch.Size([2, 28, 300])
    """
    batch, count = symbols.shape
    num_times = SYMBOLS_PER_SLOT * grid.num_slots(count)
    places, turns = _spread(grid, count, str(symbols.device))
    if onto is None:
        onto = symbols.new_zeros(batch, num_times, grid.num_subcarriers)
    return onto.flatten(1).index_copy(1, places, symbols * turns).reshape(onto.shape)


@cached()
def _fixed(grid: Grid, num_symbols: int, device: str) -> Tensor:
    slots = grid.num_slots(num_symbols)
    draw = np.random.default_rng(2026).integers(
        0, 4, (SYMBOLS_PER_SLOT * slots, grid.num_subcarriers)
    )
    others = torch.from_numpy(np.exp(1j * np.pi / 4 * (2 * draw + 1)))
    pilots = pilot_values(grid, slots)
    return torch.where(pilots != 0, pilots, others).to(device)


def filler(grid: Grid, num_symbols: int, device: torch.device) -> Tensor:
    """What stands on a frame besides an image's symbols, complex128 ``[1, T, F]``.

    Pilots, and on the other resource elements QPSK symbols of other users.

    >>> filler(Grid(), 100, torch.device("cpu")).abs().mean().item()
    1.0
    """
    return _fixed(grid, num_symbols, str(device))[None]


def to_grid(symbols: Tensor, grid: Grid) -> Tensor:
    """Place symbols onto :func:`filler`; arguments and shapes are those of :func:`place`.

    >>> bool(to_grid(torch.ones(1, 300, dtype=torch.complex64), Grid())[0, 2].abs().min() > 0.99)
    True
    """
    around = filler(grid, symbols.shape[1], symbols.device).to(symbols.dtype)
    return place(symbols, grid, onto=around.expand(len(symbols), -1, -1))


def from_grid(frame: Tensor, num_symbols: int, grid: Grid) -> Tensor:
    """Read symbols off a frame, in the order in which they were sent: inverse of :func:`place`.

    Args:
        frame: complex ``[batch, T, F]``.
        num_symbols: how many were sent.
        grid: the numerology.

    Returns:
        complex ``[batch, num_symbols]``.

    >>> symbols = torch.randn(2, 100, dtype=torch.complex64)
    >>> bool((from_grid(place(symbols, Grid()), 100, Grid()) == symbols).all())
    True
    """
    _, turns = _spread(grid, num_symbols, str(frame.device))
    return at_symbols(frame, num_symbols, grid) * turns.conj()


def at_symbols(values: Tensor, num_symbols: int, grid: Grid) -> Tensor:
    """Values of the resource elements on which symbols stand; no turn is undone.

    Args:
        values: ``[batch, T or 1, F or 1]``.
        num_symbols: how many symbols were sent.
        grid: the numerology.

    Returns:
        ``[batch, num_symbols]``, or ``[batch, 1]`` where one value holds for all.

    >>> at_symbols(torch.ones(2, 14, 1), 100, Grid()).shape
    torch.Size([2, 100])
    """
    places, _ = _spread(grid, num_symbols, str(values.device))
    if values.shape[1] == values.shape[2] == 1:
        return values[:, 0]
    if values.shape[2] == 1:
        return values[:, places // grid.num_subcarriers, 0]
    if values.shape[1] == 1:
        return values[:, 0, places % grid.num_subcarriers]
    return values.flatten(1)[:, places]
