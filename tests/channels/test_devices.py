"""A device that this machine lacks is refused in one line, wherever one is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from channels.fading.flat import FlatFading, ShadowedRician
from channels.fading.jakes import jakes_process
from channels.fading.lms import Loo, TwoState
from channels.fading.ntn import NTNCDL, NTNTDL
from channels.fading.system_level import SystemLevel
from channels.randomness import generator, seeded
from channels.surroundings import check_device
from tests.refusals import refused


def entered(device: str) -> None:
    with seeded(1, device):
        pass


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "meta", 3.5])
@pytest.mark.parametrize(
    "build",
    [
        check_device,
        generator,
        entered,
        lambda device: FlatFading(None, device),
        lambda device: ShadowedRician.preset("light", device),
        lambda device: Loo.preset("light", device),
        lambda device: TwoState("urban", 30.0, 2e9, 1.0, device),
        lambda device: NTNTDL("A", 1e-7, 2e9, 1.0, device),
        lambda device: NTNCDL("A", 1e-7, 2e9, 1.0, 50.0, device),
        lambda device: SystemLevel("urban", 30, 600e3, 2e9, 1.0, device=device),
        lambda device: jakes_process(1, 14, 15e3, 10.0, device),
    ],
)
def test_devices(build: Callable[[object], object], device: object) -> None:
    refused(lambda: build(device), "device")


@pytest.mark.parametrize("device", ["cpu:5", b"cpu", "meta", "xpu", 0, True, None, ""])
def test_what_names_no_device_is_told_the_kinds(device: object) -> None:
    refused(lambda: check_device(device), "device must be 'cpu', 'cuda' or.* 'cuda:1', got")


def test_the_processor_is_there() -> None:
    assert str(check_device("cpu:0")) == str(check_device(torch.device("cpu", 0))) == "cpu"
    assert check_device("cpu") == check_device(torch.device("cpu")) == torch.device("cpu")
