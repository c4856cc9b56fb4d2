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
from sionna.phy.ofdm import ResourceGrid, ResourceGridDemapper, ResourceGridMapper

import channels
from channels import Session, Transmission

IMAGES, SYMBOLS, SNR_DB = 16, 4096, 10.0
SINGLE = {"precision": "single", "device": "cpu"}
torch.set_num_threads(1)


def symbols() -> torch.Tensor:
    bits = 2 * torch.randint(0, 2, (IMAGES, SYMBOLS, 2)) - 1.0
    return torch.complex(bits[..., 0], bits[..., 1]) / math.sqrt(2)


class Bare:
    """Sionna's blocks in a row, on the grid of a link."""

    def __init__(self, grid: channels.Grid, model: Callable[[], ChannelModel] | None) -> None:
        slots = grid.num_slots(SYMBOLS)
        self.frame = ResourceGrid(
            num_ofdm_symbols=14 * slots,
            fft_size=grid.num_subcarriers,
            subcarrier_spacing=grid.subcarrier_spacing_hz,
            pilot_pattern="kronecker",
            pilot_ofdm_symbol_indices=[14 * s + p for s in range(slots) for p in grid.pilot_symbols],
            **SINGLE,
        )
        self.mapper = ResourceGridMapper(self.frame, **SINGLE)
        self.demapper = ResourceGridDemapper(
            self.frame, StreamManagement(np.array([[1]]), 1), **SINGLE
        )
        self.model = model
        if model is None:
            self.awgn = AWGN(**SINGLE)

    def __call__(self, sent: torch.Tensor) -> torch.Tensor:
        room = int(self.frame.num_data_symbols)
        frame = self.mapper(
            torch.nn.functional.pad(sent, (0, room - SYMBOLS))[:, None, None]
        )
        no = torch.tensor(10 ** (-SNR_DB / 10))
        if self.model is None:
            received = self.awgn(frame, no)
        else:
            channel = OFDMChannel(self.model(), self.frame, return_channel=True, **SINGLE)
            received, h = channel(frame, no)
            received = received / h[:, :, :, 0, 0]
        return self.demapper(received)[:, 0, 0, :SYMBOLS]


def antenna() -> AntennaArray:
    return AntennaArray(1, 1, "single", "V", "omni", 2e9, **SINGLE)


def tdl(carrier_hz: float = 2e9) -> ChannelModel:
    return TDL("A", 100e-9, carrier_hz, max_speed=0.8, **SINGLE)


def cdl() -> ChannelModel:
    return CDL("A", 100e-9, 2e9, antenna(), antenna(), "downlink", min_speed=0.8, **SINGLE)


class OpenNTN:
    """openntn as its documentation uses it: a new topology for every batch."""

    def __init__(self, model: type, scenario: str, carrier_hz: float) -> None:
        array = [
            openntn.Antenna("single", "V", "omni", carrier_hz) for _ in range(2)
        ]
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


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("side", ["ours", "bare"])
def test_link(benchmark: Callable[..., object], name: str, side: str) -> None:
    benchmark.group = name  # type: ignore[attr-defined]
    link = channels.link(name)
    sent = symbols()
    if side == "ours":
        tx = Transmission(
            sent, torch.full((IMAGES,), SYMBOLS), Session("bench", (1, 64, 64), SYMBOLS, SNR_DB)
        )
        link(tx, SNR_DB)
        benchmark(link, tx, SNR_DB)
    else:
        build = CASES[name]
        bare = Bare(link.grid, None if build is None else build())
        bare(sent)
        benchmark(bare, sent)
