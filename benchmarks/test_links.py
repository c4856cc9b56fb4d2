"""Each link against the same call made with bare Sionna or openntn blocks, in one run.

    pytest benchmarks/test_links.py --benchmark-only -n 0 --benchmark-json links.json
    python benchmarks/ratios.py links.json

16 images x 4096 symbols, perfect channel knowledge, one thread. The bare chain is what a Sionna
user writes for one antenna: ResourceGridMapper, OFDMChannel, division by the channel,
ResourceGridDemapper.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import openntn
import pytest
import torch
from openntn.utils import gen_single_sector_topology
from sionna.phy.channel import AWGN, ChannelModel, OFDMChannel, RayleighBlockFading
from sionna.phy.channel.tr38901 import CDL, TDL, AntennaArray
from sionna.phy.mimo import StreamManagement
from sionna.phy.ofdm import (
    OFDMDemodulator,
    OFDMModulator,
    ResourceGrid,
    ResourceGridDemapper,
    ResourceGridMapper,
)

import channels

IMAGES, SYMBOLS, SNR_DB = 16, 4096, 10.0
SINGLE = {"precision": "single", "device": "cpu"}
torch.set_num_threads(1)


def symbols() -> torch.Tensor:
    bits = 2 * torch.randint(0, 2, (IMAGES, SYMBOLS, 2)) - 1.0
    return torch.complex(bits[..., 0], bits[..., 1]) / math.sqrt(2)


class Bare:
    """Sionna's blocks in a row, on the grid of a link; with an offset, its waveform blocks too."""

    def __init__(
        self, grid: channels.Grid, model: Callable[[], ChannelModel] | None, offset: bool = False
    ) -> None:
        slots = grid.num_slots(SYMBOLS)
        self.frame = ResourceGrid(
            num_ofdm_symbols=14 * slots,
            fft_size=grid.num_subcarriers,
            subcarrier_spacing=grid.subcarrier_spacing_hz,
            pilot_pattern="kronecker",
            pilot_ofdm_symbol_indices=[
                14 * s + p for s in range(slots) for p in grid.pilot_symbols
            ],
            **SINGLE,
        )
        self.mapper = ResourceGridMapper(self.frame, **SINGLE)
        self.demapper = ResourceGridDemapper(
            self.frame, StreamManagement(np.array([[1]]), 1), **SINGLE
        )
        self.model, self.offset = model, offset
        self.grid = grid
        self.modulator = OFDMModulator(grid.cyclic_prefix_samples, **SINGLE)
        self.demodulator = OFDMDemodulator(grid.fft_size, 0, grid.cyclic_prefix_samples, **SINGLE)
        if model is None:
            self.awgn = AWGN(**SINGLE)

    def __call__(self, sent: torch.Tensor) -> torch.Tensor:
        room = int(self.frame.num_data_symbols)
        frame = self.mapper(torch.nn.functional.pad(sent, (0, room - SYMBOLS))[:, None, None])
        no = torch.tensor(10 ** (-SNR_DB / 10))
        if self.model is None:
            received = self.awgn(frame, no)
            received = self.turned(received) if self.offset else received
        else:
            channel = OFDMChannel(self.model(), self.frame, return_channel=True, **SINGLE)
            received, h = channel(frame, no)
            if self.offset:
                received = self.turned(received)
            received = received / h[:, :, :, 0, 0]
        return self.demapper(received)[:, 0, 0, :SYMBOLS]

    def turned(self, received: torch.Tensor) -> torch.Tensor:
        """Offset of 200 Hz in the time domain, on an FFT with guard subcarriers as ours."""
        count = self.grid.num_subcarriers
        left = (self.grid.fft_size - count) // 2
        right = self.grid.fft_size - count - left
        waveform = self.modulator(torch.nn.functional.pad(received, (left, right)))
        time = torch.arange(waveform.shape[-1], dtype=torch.float64) / self.grid.sample_rate_hz
        phase = 2 * math.pi * torch.remainder(200.0 * time, 1.0)
        turned = waveform * torch.polar(torch.ones_like(phase), phase).to(waveform)
        return self.demodulator(turned)[..., left : left + count]


def antenna() -> AntennaArray:
    return AntennaArray(1, 1, "single", "V", "omni", 2e9, **SINGLE)


def tdl(carrier_hz: float = 2e9) -> ChannelModel:
    return TDL("A", 100e-9, carrier_hz, max_speed=0.8, **SINGLE)


def cdl() -> ChannelModel:
    return CDL("A", 100e-9, 2e9, antenna(), antenna(), "downlink", min_speed=0.8, **SINGLE)


class OpenNTN:
    """openntn as its documentation uses it: a new topology for every batch."""

    def __init__(self, model: type, scenario: str, carrier_hz: float) -> None:
        array = [openntn.Antenna("single", "V", "omni", carrier_hz) for _ in range(2)]
        self.scenario = scenario
        self.model = model(
            carrier_frequency=carrier_hz,
            ut_array=array[0],
            bs_array=array[1],
            direction="downlink",
            elevation_angle=30.0,
            enable_pathloss=False,
            enable_shadow_fading=False,
            doppler_enabled=False,
        )

    def __call__(self) -> ChannelModel:
        self.model.set_topology(
            *gen_single_sector_topology(
                batch_size=IMAGES,
                num_ut=1,
                scenario=self.scenario,
                elevation_angle=30.0,
                bs_height=600e3,
            )
        )
        return self.model


def kept(model: ChannelModel) -> Callable[[], ChannelModel]:
    return lambda: model


STEADY = channels.Residual()
NO_TRACKING = channels.Grid()
KA = channels.Grid(120e3, 384)
CASES: dict[str, Callable[[], Callable[[], ChannelModel]] | None] = {
    "awgn": None,
    "rayleigh": lambda: kept(RayleighBlockFading(1, 1, 1, 1, **SINGLE)),
    "shadowed-rician-heavy": lambda: kept(RayleighBlockFading(1, 1, 1, 1, **SINGLE)),
    "loo-average": lambda: kept(RayleighBlockFading(1, 1, 1, 1, **SINGLE)),
    "lms-suburban": lambda: kept(RayleighBlockFading(1, 1, 1, 1, **SINGLE)),
    "ntn-tdl-a": lambda: kept(tdl()),
    "ntn-tdl-c": lambda: kept(tdl()),
    "ntn-cdl-a": lambda: kept(cdl()),
    "ntn-cdl-c": lambda: kept(cdl()),
    "leo600-s-urban": lambda: OpenNTN(openntn.Urban, "urb", 2e9),
    "leo600-ka-suburban": lambda: OpenNTN(openntn.SubUrban, "sur", 20e9),
}
OFFSET_CASES = ["awgn", "ntn-tdl-a", "leo600-s-urban"]


@pytest.mark.parametrize(
    ("name", "offset"), [(name, False) for name in CASES] + [(name, True) for name in OFFSET_CASES]
)
@pytest.mark.parametrize("side", ["ours", "bare"])
def test_link(benchmark: Callable[..., object], name: str, offset: bool, side: str) -> None:
    benchmark.group = name + (", 200 Hz offset" if offset else "")  # type: ignore[attr-defined]
    residual = channels.Residual(offset_hz=200.0) if offset else STEADY
    grid = KA if "-ka-" in name else NO_TRACKING
    link = channels.link(name, grid=grid, residual=residual)
    sent = symbols()
    if side == "ours":
        link.propagate(sent, SNR_DB)
        benchmark(link.propagate, sent, SNR_DB)
    else:
        build = CASES[name]
        bare = Bare(link.grid, None if build is None else build(), offset)
        bare(sent)
        benchmark(bare, sent)
