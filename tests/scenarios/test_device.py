"""Where scenarios compute: another device is reached by copies; results say which it was."""

from __future__ import annotations

import pytest
import torch

import channels
import scenarios
import semcom
from channels import InputError
from scenarios.engine.experiment import lay_out, table_of
from scenarios.engine.inputs import Sample
from scenarios.engine.sweep import _adapted

PICTURES = torch.rand(1, 1, 64, 64)
GRID = {"codecs": "deepjscc", "links": "awgn", "snr_db": 6, "cbr": 1 / 16}


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="device 'cuda:99' is not there: use 'cpu'"):
        scenarios.snr(PICTURES, **GRID, device="cuda:99")  # type: ignore[arg-type]


def test_a_picture_is_sent_on_a_device() -> None:
    ways = {"codecs": "jpeg2000-ldpc", "link": "awgn", "snr_db": 12.0, "cbr": 1}
    sent = [scenarios.send(PICTURES, **ways, device=device) for device in ("cpu", "cpu:0")]  # type: ignore[arg-type]
    assert sent[0].lines() == sent[1].lines()
    with pytest.raises(InputError, match="device 'cuda:99' is not there: use 'cpu'"):
        scenarios.send(PICTURES, **ways, device="cuda:99")  # type: ignore[arg-type]


def test_the_processor_has_one_name() -> None:
    grids = [lay_out("snr", PICTURES, None, **GRID, device=d) for d in ("cpu", "cpu:0")]  # type: ignore[arg-type]
    assert grids[0].keys(grids[0].tasks()) == grids[1].keys(grids[1].tasks())


def test_networks_reach_the_device_as_copies() -> None:
    codec, segmenter = semcom.codec("deepjscc"), semcom.segmenter("chest")
    assert isinstance(codec, torch.nn.Module)
    ready = _adapted(codec, channels.link("awgn"), (segmenter,), "meta")
    for moved in (ready.codec, *ready.diagnosis):
        assert isinstance(moved, torch.nn.Module)
        assert {weight.device.type for weight in moved.parameters()} == {"meta"}
    assert {weight.device.type for weight in codec.parameters()} == {"cpu"}
    sample = Sample(PICTURES[0], PICTURES[0] > 0).to("meta")
    assert sample.mask is not None
    assert sample.image.device.type == sample.mask.device.type == "meta"


def test_networks_inside_a_codec_reach_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """``meta`` stands for a device that any machine has."""
    monkeypatch.setattr("semcom.generative.codec.check_device", torch.device)
    codec = semcom.codec("generative")
    moved = _adapted(codec, channels.link("awgn"), (), "meta").codec
    for one, device in ((moved, "meta"), (codec, "cpu")):
        networks = [part for part in vars(one).values() if isinstance(part, torch.nn.Module)]
        weights = [weight for network in networks for weight in network.parameters()]
        assert len(networks) >= 2 and {weight.device.type for weight in weights} == {device}


def test_results_of_devices_are_told_apart() -> None:
    grids = [lay_out("snr", PICTURES, None, **GRID, device="cpu") for _ in range(2)]  # type: ignore[arg-type]
    object.__setattr__(grids[1], "device", "cuda:0")
    first, second = (grid.keys(grid.tasks()) for grid in grids)
    assert first != second
    rows = scenarios.snr(PICTURES, **GRID).frame.to_dict("records")  # type: ignore[arg-type]
    assert table_of(grids[1], rows).metadata["parameters"]["device"] == "cuda:0"
