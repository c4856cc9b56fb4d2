"""The OFDM resource grid: numerology, pilots, and the way of symbols onto it and off it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from sionna.phy.ofdm import LSChannelEstimator, ResourceGrid, ResourceGridMapper
from torch import Tensor

from channels.errors import InputError

SYMBOLS_PER_SLOT = 14


@dataclass(frozen=True)
class Grid:
    """5G NR numerology with pilots on whole OFDM symbols, in slots of 14 symbols.

    Args:
        subcarrier_spacing_hz: 15e3, 30e3, 60e3 or 120e3 (TS 38.211 table 4.2-1).
        num_subcarriers: width of the grid, 12 per resource block (25 blocks = 5 MHz at 15 kHz).
        pilot_symbols: OFDM symbols of each slot that carry pilots on every subcarrier.

    Raises:
        InputError: on a numerology that NR does not have or pilots outside the slot.

    >>> Grid().num_slots(4096), round(Grid().overhead, 3)
    (2, 0.2)
    """

    subcarrier_spacing_hz: float = 15e3
    num_subcarriers: int = 300
    pilot_symbols: tuple[int, ...] = (2, 11)

    def __post_init__(self) -> None:
        if self.subcarrier_spacing_hz not in (15e3, 30e3, 60e3, 120e3):
            raise InputError(
                "subcarrier_spacing_hz must be 15e3, 30e3, 60e3 or 120e3, "
                f"got {self.subcarrier_spacing_hz}"
            )
        count = self.num_subcarriers
        if type(count) is not int or not 1 <= count <= 3300:
            raise InputError(f"num_subcarriers must be an int in 1..3300, got {count!r}")
        places = self.pilot_symbols
        if not isinstance(places, tuple) or not (
            0 < len(places) == len(set(places)) < SYMBOLS_PER_SLOT
            and all(type(place) is int and 0 <= place < SYMBOLS_PER_SLOT for place in places)
        ):
            raise InputError(
                f"pilot_symbols must be a tuple of 1 to 13 different ints in 0..13, got {places!r}"
            )

    @property
    def bandwidth_hz(self) -> float:
        """Occupied bandwidth in Hz."""
        return self.num_subcarriers * self.subcarrier_spacing_hz

    @property
    def cyclic_prefix_fraction(self) -> float:
        """Normal cyclic prefix over useful symbol length, mean over a slot (TS 38.211 5.3.1)."""
        return 1 / SYMBOLS_PER_SLOT

    @property
    def cyclic_prefix_s(self) -> float:
        """Shorter of the normal cyclic prefixes of a slot, 144 samples of 2048 per symbol, in s."""
        return 144 / 2048 / self.subcarrier_spacing_hz

    @property
    def symbol_rate_hz(self) -> float:
        """OFDM symbols per second, cyclic prefix included."""
        return self.subcarrier_spacing_hz / (1 + self.cyclic_prefix_fraction)

    @property
    def overhead(self) -> float:
        """Share of time-frequency resource that carries no data: pilots and cyclic prefix."""
        data = (SYMBOLS_PER_SLOT - len(self.pilot_symbols)) / SYMBOLS_PER_SLOT
        return round(1 - data / (1 + self.cyclic_prefix_fraction), 6)

    def num_slots(self, num_symbols: int) -> int:
        """Slots that ``num_symbols`` data symbols fill."""
        per_slot = (SYMBOLS_PER_SLOT - len(self.pilot_symbols)) * self.num_subcarriers
        return math.ceil(num_symbols / per_slot)

    def frequencies_hz(self, device: torch.device) -> Tensor:
        """Subcarrier frequencies around the carrier, float32 ``[num_subcarriers]``, in Hz."""
        place = torch.arange(self.num_subcarriers, dtype=torch.float32, device=device)
        return (place - self.num_subcarriers // 2) * self.subcarrier_spacing_hz


@cache
def _resource_grid(grid: Grid, slots: int, device: str) -> ResourceGrid:
    pilots = [
        slot * SYMBOLS_PER_SLOT + place for slot in range(slots) for place in grid.pilot_symbols
    ]
    return ResourceGrid(
        num_ofdm_symbols=slots * SYMBOLS_PER_SLOT,
        fft_size=grid.num_subcarriers,
        subcarrier_spacing=grid.subcarrier_spacing_hz,
        pilot_pattern="kronecker",
        pilot_ofdm_symbol_indices=pilots,
        precision="single",
        device=device,
    )


@cache
def _mapper(grid: Grid, slots: int, device: str) -> ResourceGridMapper:
    return ResourceGridMapper(
        _resource_grid(grid, slots, device), precision="single", device=device
    )


@cache
def _ls_estimator(grid: Grid, slots: int, device: str) -> LSChannelEstimator:
    return LSChannelEstimator(
        _resource_grid(grid, slots, device),
        interpolation_type="lin",
        precision="single",
        device=device,
    )


def to_grid(symbols: Tensor, grid: Grid) -> Tensor:
    """Place symbols on as many slots as they need, pilots included.

    Args:
        symbols: complex64 ``[batch, K]``.
        grid: the numerology.

    Returns:
        complex64 ``[batch, 14 * slots, num_subcarriers]``; the last slot is padded with zeros.

    >>> to_grid(torch.ones(2, 4096, dtype=torch.complex64), Grid()).shape
    torch.Size([2, 28, 300])
    """
    slots = grid.num_slots(symbols.shape[1])
    mapper = _mapper(grid, slots, str(symbols.device))
    room = _resource_grid(grid, slots, str(symbols.device)).num_data_symbols
    padded = torch.nn.functional.pad(symbols, (0, int(room) - symbols.shape[1]))
    frame: Tensor = mapper(padded[:, None, None, :])
    return frame[:, 0, 0]


def from_grid(frame: Tensor, num_symbols: int, grid: Grid) -> Tensor:
    """Read the first data entries off a grid: ``[batch, T, F]`` to ``[batch, num_symbols]``."""
    place = torch.arange(frame.shape[1], device=frame.device) % SYMBOLS_PER_SLOT
    data = ~torch.isin(place, torch.tensor(grid.pilot_symbols, device=frame.device))
    return frame[:, data].flatten(1)[:, :num_symbols]


def estimate_ls(frame: Tensor, noise_var: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Least-squares channel estimate at the pilots, linear in between.

    Args:
        frame: complex64 ``[batch, T, F]``, the received grid.
        noise_var: float32 ``[batch]``, noise variance per resource element.
        grid: the numerology.

    Returns:
        The estimate, complex64 ``[batch, T, F]``, and its error variance, float32, same shape.
    """
    slots = frame.shape[1] // SYMBOLS_PER_SLOT
    estimator = _ls_estimator(grid, slots, str(frame.device))
    h, error_var = estimator(frame.detach()[:, None, None], noise_var)
    error_var = torch.broadcast_to(error_var, h.shape)
    return h[:, 0, 0, 0, 0], error_var[:, 0, 0, 0, 0].real
