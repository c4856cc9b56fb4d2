"""The resource grid: NR's table, overhead, and the way onto it and off it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sionna.phy.ofdm import PilotPattern, ResourceGrid, ResourceGridMapper

from channels import Grid, InputError
from channels.ofdm.grid import from_grid, pilot_values, place, to_grid

GRIDS = [
    Grid(),
    Grid(pilot_comb=2),
    Grid(120e3, 384, (3,), phase_tracking_every=24),
    Grid(30e3, 25, (0, 5, 10), pilot_comb=3, phase_tracking_every=6),
]


@pytest.mark.parametrize(
    ("bandwidth_mhz", "spacing_khz", "frequency_range", "blocks"),
    [  # TS 38.101-1 and -2, table 5.3.2-1, typed a second time
        (5, 15, "fr1", 25),
        (20, 15, "fr1", 106),
        (30, 15, "fr1", 160),
        (50, 15, "fr1", 270),
        (5, 30, "fr1", 11),
        (100, 30, "fr1", 273),
        (100, 60, "fr1", 135),
        (200, 60, "fr2", 264),
        (50, 120, "fr2", 32),
        (100, 120, "fr2", 66),
        (400, 120, "fr2", 264),
    ],
)
def test_resource_blocks(
    bandwidth_mhz: int, spacing_khz: int, frequency_range: str, blocks: int
) -> None:
    grid = Grid.nr(bandwidth_mhz * 1e6, spacing_khz * 1e3, frequency_range)
    assert grid.num_subcarriers == 12 * blocks
    assert grid.bandwidth_hz < bandwidth_mhz * 1e6
    assert grid.fft_size >= grid.num_subcarriers


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_symbols_come_back_in_order_and_pilots_stand_where_they_should(grid: Grid) -> None:
    symbols = torch.randn(3, 700, dtype=torch.complex64)
    frame = to_grid(symbols, grid)
    assert frame.shape == (3, 14 * grid.num_slots(700), grid.num_subcarriers)
    assert torch.equal(from_grid(frame, 700, grid), symbols)
    known = pilot_values(grid, grid.num_slots(700)).to(torch.complex64)
    assert torch.allclose(frame[:, known != 0], known[known != 0].expand(3, -1))
    torch.testing.assert_close(known[known != 0].abs(), torch.ones(int((known != 0).sum())))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_without_spreading_the_frame_is_sionnas(grid: Grid) -> None:
    plain = dataclasses.replace(grid, spread=False)
    slots = plain.num_slots(700)
    mask = np.tile(plain.pilots, (slots, 1))
    single = {"precision": "single", "device": "cpu"}
    values = pilot_values(plain, slots).numpy()[mask]
    frame = ResourceGrid(
        num_ofdm_symbols=14 * slots,
        fft_size=plain.num_subcarriers,
        subcarrier_spacing=plain.subcarrier_spacing_hz,
        pilot_pattern=PilotPattern(mask[None, None], values[None, None], **single),
        **single,
    )
    symbols = torch.randn(2, 700, dtype=torch.complex64)
    room = torch.nn.functional.pad(symbols, (0, int(frame.num_data_symbols) - 700))
    theirs = ResourceGridMapper(frame, **single)(room[:, None, None])[:, 0, 0]
    used = place(torch.ones_like(symbols), plain) != 0
    used |= pilot_values(plain, slots) != 0
    torch.testing.assert_close(to_grid(symbols, plain)[used], theirs[used])
    others = to_grid(symbols, plain)[~used]
    torch.testing.assert_close(others.abs(), torch.ones(len(others)))


def test_spreading_scatters_neighbours_and_turns_them() -> None:
    grid, symbols = Grid(), torch.ones(1, 3600, dtype=torch.complex64)
    frame = to_grid(symbols, grid)[0, grid.pilots[:, 0] == 0]
    correlation = (frame[:, 1:] * frame[:, :-1].conj()).mean().abs().item()
    assert correlation < 4 / 3600**0.5
    ordered = place(torch.arange(3600)[None].to(torch.complex64), grid).abs()
    assert abs(ordered.diff(dim=-1)).median() > 300


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_overhead_counts_every_pilot_and_the_prefix(grid: Grid) -> None:
    data = 14 * grid.num_subcarriers - int((pilot_values(grid, 1) != 0).sum())
    # A slot of 14 symbols lasts as long as 15 symbols without cyclic prefix (TS 38.211 5.3.1).
    assert grid.overhead == pytest.approx(1 - data / (15 * grid.num_subcarriers), abs=1e-6)
    full = grid.num_slots(10 * data)
    assert full == 10 and grid.num_slots(10 * data + 1) == 11


def test_double_precision_stays_double() -> None:
    symbols = torch.randn(1, 50, dtype=torch.complex128)
    assert torch.equal(from_grid(to_grid(symbols, Grid()), 50, Grid()), symbols)


def test_times_of_the_waveform_fit_together() -> None:
    grid = Grid()
    samples = grid.fft_size + grid.cyclic_prefix_samples
    assert samples / grid.sample_rate_hz == pytest.approx(grid.symbol_period_s)
    assert grid.cyclic_prefix_s == pytest.approx(144 / 2048 / 15e3)
    np.testing.assert_array_equal(np.diff(grid.frequencies_hz(torch.device("cpu"))), 15e3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Grid.nr(7e6), "no channel of 7 MHz in fr1 at 15 kHz; known: 5, 10"),
        (lambda: Grid.nr(400e6, 120e3, "fr1"), "NR has no fr1 at a spacing of"),
        (lambda: Grid.nr("5", 15e3), "bandwidth_hz must be"),
        (lambda: Grid(pilot_comb=0), "pilot_comb must be an int in 1..12"),
        (lambda: Grid(pilot_comb=2, phase_tracking_every=25), "multiple of pilot_comb"),
        (lambda: Grid(phase_tracking_every=1), "phase_tracking_every must be"),
        (lambda: Grid(num_subcarriers=1, phase_tracking_every=2), "pilots fill the whole grid"),
        (lambda: Grid(subcarrier_spacing_hz=np.zeros(3)), "subcarrier_spacing_hz must be"),
        (lambda: Grid.nr(5e6, 15e3, ["fr1"]), "unknown frequency_range"),
        (lambda: Grid(spread=1), "spread must be True or False"),
    ],
)
def test_bad_input_gets_one_line(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
