"""One door for numbers: NumPy's and PyTorch's are Python's own, wherever one is taken."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import channels
import scenarios
import semcom
from channels import Grid, InputError, Link, Reception, Session
from channels.errors import check_count, check_number, check_whole, plain
from channels.fading.flat import FlatFading
from channels.fading.lms import TwoState
from channels.fading.ntn import NTNCDL, NTNTDL
from channels.orbit.geometry import slant_range_m
from scenarios.comparisons.goodput import moments_of
from scenarios.comparisons.swept_links import channels_of, varied_links
from scenarios.engine.experiment import lay_out
from scenarios.engine.stopping import Stop
from semcom.deepjscc import DeepJSCC
from semcom.fec import LDPCDecoder, LDPCEncoder, Segmentation, TransportBlock, largest_payload
from semcom.medjscc import MedJSCC
from semcom.medjscc.options import MedJSCCOptions
from semcom.modem.mcs import MCS, mcs_table
from semcom.ntscc import NTSCC
from semcom.segmentation import UNet, UNetSegmenter, corrupt, few_labels
from semcom.separate import LayeredCodec, ModulatedBlock, SeparateCodec
from semcom.separate.layers import layers_code
from semcom.training import Plan
from semcom.training.conduct import Conduct
from semcom.training.medjscc import MedJSCCPlan
from semcom.training.schedule import Schedule
from semcom.training.segmentation import SegmenterPlan
from semcom.training.soap import SOAP
from tests.refusals import refused

WHOLE: list[Callable[[int], object]] = [
    np.int64,
    np.int16,
    np.array,
    lambda number: np.array([[number]]),
    torch.tensor,
    lambda number: torch.tensor([number], dtype=torch.int32),
]
REAL: list[Callable[[float], object]] = [
    np.float64,
    np.float32,
    np.array,
    lambda number: np.array([number]),
    torch.tensor,
    lambda number: torch.tensor([[number]], dtype=torch.float64),
    lambda number: Fraction(number),
]
IMAGES = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(3))
MASKS = IMAGES > 0.5
SAMPLES = [(IMAGES[0], MASKS[0])] * 10
AWGN = channels.link("awgn")
FADING = channels.link("rayleigh")
CODEC = SeparateCodec("jpeg2000")
SMALL = semcom.codec("deepjscc")
BOUND = semcom.bound("jpeg2000-capacity")
SYMBOLS = torch.ones(1, 8, dtype=torch.complex64)
WEIGHTS = [torch.nn.Parameter(torch.ones(2, 2))]
PASS = "leo600", "s", "urban", "downlink"
AT: dict[str, Any] = {"cbr": 1 / 4, "snr_db": 9.0}
WAYS: dict[str, Any] = {"codecs": "jpeg2000-ldpc", "links": "awgn"}


def laid_out(**changes: Any) -> object:
    given: dict[str, Any] = {**WAYS, "snr_db": 6, "cbr": 1 / 4} | changes
    grid = lay_out("snr", IMAGES, None, **given)
    tasks = grid.tasks()
    return tasks, grid.keys(tasks), grid.stop, json.dumps(dataclasses.astuple(tasks[0]))


def seen(value: Any) -> object:
    """Something that compares by value and tells one kind of number from another."""
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [seen(one) for one in value]
    if isinstance(value, Reception):
        return seen((value.symbols, value.noise_var, value.snr_db))
    if isinstance(value, torch.nn.Module):
        return value.config() if hasattr(value, "config") else [*value.state_dict()]
    return repr(value)


def drawn(seed: Any) -> object:
    return AWGN.propagate(SYMBOLS, 6.0, seed).symbols


def snr(**run: Any) -> scenarios.Table:
    return scenarios.snr(IMAGES, None, **WAYS, snr_db=9, cbr=1 / 4, **run)


def bits(**given: Any) -> str:
    few: dict[str, Any] = {"mcs": [4], "uncoded": [], "channel_uses": 50, "max_blocks": 2}
    return scenarios.ber(**few | {"snr_db": 20} | given).frame.to_csv()


@cache
def two_rates() -> scenarios.Table:
    codecs = ["jpeg2000-ldpc", "hevc-ldpc"]
    return scenarios.snr(IMAGES, None, codecs=codecs, links="awgn", snr_db=9, cbr=[1 / 8, 1 / 4])


def saving(**given: Any) -> str:
    return scenarios.rate_saving(two_rates(), "hevc-ldpc", "psnr", **given).frame.to_csv()


def loaded(**given: Any) -> list[Tensor]:
    with TemporaryDirectory() as folder:
        for name in ("a", "b"):
            Image.new("L", (64, 48), 99).save(f"{folder}/{name}.png")
        return list(semcom.data.load_folder(folder, **given)[0])


# What is called, and a whole number that it takes.
WHOLE_NUMBERS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "channel_uses": (lambda n: Session("a", (1, 64, 64), n, 6.0), 9),
    "image_shape": (lambda n: Session("a", (n, n, n), 9, 6.0), 64),
    "session mcs": (lambda n: Session("a", (1, 64, 64), 9, 6.0, n), 3),
    "seed of a link": (drawn, 3),
    "seed of deliver": (
        lambda n: CODEC.deliver(IMAGES, AWGN, cbr=1 / 4, snr_db=9.0, seed=n).images,
        3,
    ),
    "seed of a bound": (lambda n: BOUND.deliver(IMAGES, FADING, **AT, seed=n).images, 3),
    "subcarriers": (lambda n: Grid(num_subcarriers=n), 24),
    "pilot symbols": (lambda n: Grid(pilot_symbols=(n, 11)), 2),
    "pilot comb": (lambda n: Grid(pilot_comb=n), 2),
    "phase tracking": (lambda n: Grid(phase_tracking_every=n), 24),
    "parameter set": (
        lambda n: channels.link_budget("geo", band="s", direction="uplink", parameter_set=n),
        1,
    ),
    "draws of a model": (lambda n: FlatFading(None)(n, n, 15e3)[0].shape, 2),
    "phantoms": (lambda n: semcom.data.phantoms("chest", n=n, size=32)[0], 2),
    "size of phantoms": (lambda n: semcom.data.phantoms("chest", n=1, size=n)[0], 33),
    "seed of phantoms": (lambda n: semcom.data.phantoms("chest", 1, 32, seed=n)[0], 5),
    "mcs of a codec": (lambda n: SeparateCodec("hevc", mcs=n).fingerprint, 4),
    "mcs by the catalogue": (lambda n: semcom.codec("hevc-ldpc", mcs=n).fingerprint, 4),
    "with_mcs": (lambda n: SeparateCodec().with_mcs(n).fingerprint, 4),
    "mcs of two layers": (lambda n: LayeredCodec(n).fingerprint, layers_code(2, 9, 4, table=1)),
    "mcs table of a codec": (lambda n: SeparateCodec("hevc", mcs_table=n).fingerprint, 2),
    "mcs table": (mcs_table, 2),
    "bit depth": (lambda n: SeparateCodec("hevc", bit_depth=n).fingerprint, 8),
    "quantiser offset": (lambda n: SeparateCodec("hevc-roi", roi_qp_offset=n).fingerprint, -3),
    "block": (lambda n: ModulatedBlock(n, MCS(4, 2, 308 / 1024)), 256),
    "k": (lambda n: LDPCEncoder(n, 1024).matching, 128),
    "n": (lambda n: LDPCEncoder(128, n).matching, 512),
    "iterations": (lambda n: LDPCDecoder(128, 256, num_iter=n).num_iter, 5),
    "threads": (lambda n: LDPCDecoder(128, 256, num_threads=n).num_threads, 2),
    "redundancy version": (lambda n: LDPCDecoder(128, 256, rv=n).matching, 2),
    "coded bits": (lambda n: TransportBlock(200, n, 0.5, 2).segmentation, 1000),
    "bits of a symbol": (lambda n: TransportBlock(200, 1000, 0.5, n).segmentation, 2),
    "payload bits": (lambda n: Segmentation(n, 1000, 0.5, 2), 200),
    "largest payload": (lambda n: largest_payload(n, 0.5, 2), 1000),
    "depth": (lambda n: UNet(8, n), 2),
    "classes": (lambda n: UNet(8, 1, n), 3),
    "longest side": (lambda n: UNetSegmenter("chest", n, 8, 1), 128),
    "width": (lambda n: UNetSegmenter("chest", 128, n, 1), 16),
    "widths of Med-JSCC": (lambda n: MedJSCC((n,) * 3, (n,) * 6), 8),
    "widths of NTSCC": (lambda n: NTSCC((n,) * 4, n, n), 8),
    "maps of DeepJSCC": (lambda n: DeepJSCC((n,), n), 4),
    "seed of corrupt": (lambda n: corrupt(MASKS, drop=0.5, seed=n), 3),
    "shift": (lambda n: corrupt(MASKS, shift=(n, n)), 3),
    "seed of few labels": (lambda n: few_labels(SAMPLES, labelled=0.5, seed=n)[0], 3),
    "steps": (lambda n: Plan(steps=n, batch=n, seed=n), 3),
    "crop": (lambda n: Plan(crop=n), 32),
    "steps of Med-JSCC": (lambda n: MedJSCCPlan(steps=n, batch=n, accumulate=n, seed=n), 3),
    "crop of Med-JSCC": (lambda n: MedJSCCPlan(crop=n), 64),
    "steps of a segmenter": (lambda n: SegmenterPlan(steps=n, batch=n, seed=n), 3),
    "sides of a segmenter": (lambda n: SegmenterPlan(longest_side=n, width=n), 64),
    "SOAP": (lambda n: SOAP(WEIGHTS, every=n, limit=n).defaults, 3),
    "seed of scenarios": (lambda n: laid_out(seed=n), 3),
    "trials": (lambda n: laid_out(trials=n), 2),
    "most trials": (lambda n: laid_out(ci_db=0.5, max_trials=n), 7),
    "workers": (lambda n: snr(workers=n).frame.to_csv(), 1),
    "mcs of bits": (lambda n: bits(mcs=[n], channel_uses=400), 2),
    "uncoded bits": (lambda n: bits(mcs=[], uncoded=[n]), 2),
    "sizes of bits": (lambda n: bits(channel_uses=n, max_blocks=n, min_block_errors=n), 50),
    "table of bits": (lambda n: bits(table=n, seed=n), 2),
    "moments": (lambda n: moments_of(*PASS, 60.0, n, "ls"), 2),
    "resamples": (lambda n: saving(resamples=n, seed=n), 3),
    "limit of a folder": (lambda n: loaded(limit=n), 1),
    "size of a folder": (lambda n: loaded(size=n), 44),
}


@pytest.mark.parametrize("name", WHOLE_NUMBERS)
def test_whole_numbers(name: str) -> None:
    call, number = WHOLE_NUMBERS[name]
    wanted = seen(call(number))
    for kind in WHOLE:
        assert seen(call(kind(number))) == wanted


@pytest.mark.parametrize("name", WHOLE_NUMBERS)
def test_what_is_no_whole_number_is_refused(name: str) -> None:
    call, number = WHOLE_NUMBERS[name]
    array = np.array([number, number])
    for bad in (float(number), np.float64(number), True, np.bool_(True), str(number), 2j, array):
        refused(lambda bad=bad: call(bad), ".")  # type: ignore[misc]


# What is called, and a real number that float32 holds.
REAL_NUMBERS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "snr_db of a session": (lambda x: Session("a", (1, 64, 64), 9, x), 6.5),
    "snr_db of a link": (lambda x: AWGN.propagate(SYMBOLS, x, 1).symbols, 6.5),
    "snr_db of a codec": (lambda x: CODEC.encode(IMAGES, cbr=1 / 4, snr_db=x).session, 6.5),
    "cbr of a codec": (lambda x: CODEC.encode(IMAGES, cbr=x, snr_db=9.0).session, 0.25),
    "snr_db of a learned codec": (lambda x: SMALL.encode(IMAGES, cbr=1 / 4, snr_db=x).symbols, 6.5),
    "snr_db of deliver": (
        lambda x: CODEC.deliver(IMAGES, AWGN, cbr=1 / 4, snr_db=x, seed=1).images,
        9.5,
    ),
    "believed snr_db of deliver": (
        lambda x: CODEC.deliver(IMAGES, AWGN, **AT, seed=1, believed_snr_db=x).images,
        7.5,
    ),
    "snr_db of a bound": (lambda x: BOUND.budget(IMAGES, cbr=1 / 4, snr_db=x), 6.5),
    "cbr of a bound": (lambda x: BOUND.budget(IMAGES, cbr=x, snr_db=6.5), 0.25),
    "carrier_hz": (lambda x: channels.link("awgn", carrier_hz=x).identity, 2.5e9),
    "carrier_hz of a link": (lambda x: Link("a", None, carrier_hz=x).identity, 2.5e9),
    "speed_mps": (lambda x: channels.link("rayleigh", speed_mps=x).identity, 3.5),
    "k_factor_db": (lambda x: channels.link("rician", k_factor_db=x).identity, 3.5),
    "delay_spread_s": (lambda x: channels.link("ntn-tdl-a", delay_spread_s=x).identity, 2**-22),
    "elevation_deg": (lambda x: channels.link("ntn-cdl-a", elevation_deg=x).identity, 40.5),
    "elevation_deg of LMS": (lambda x: channels.link("lms-urban", elevation_deg=x).identity, 40.5),
    "Residual": (lambda x: channels.Residual(x, x, x, x), 2.5),
    "Precompensation": (lambda x: channels.Precompensation(x, x, x, x, x), 2.5),
    "PeakPower": (lambda x: channels.PeakPower(x), 2.5),
    "SoftLimiter": (lambda x: channels.SoftLimiter(x), 2.5),
    "Rapp": (lambda x: channels.Rapp(x, x), 2.5),
    "Saleh": (lambda x: channels.Saleh(x, x, x, x, x), 2.5),
    "spacing": (lambda x: Grid(subcarrier_spacing_hz=x), 30e3),
    "bandwidth": (lambda x: Grid.nr(x), 5e6),
    "Pass": (lambda x: channels.Pass(600e3, x, 2e9), 60.5),
    "times": (lambda x: channels.Pass(600e3, 60, 2e9).times_s(x), 100.5),
    "LinkBudget": (lambda x: channels.LinkBudget(600e3, 2e9, 30e6, x, x, 0.0, x), 1.5),
    "bandwidth of a budget": (
        lambda x: channels.link_budget("geo", band="s", direction="uplink", bandwidth_hz=x),
        2.5e5,
    ),
    "FlatFading": (lambda x: FlatFading(x, doppler_hz=x).law.mean_power, 2.5),
    "NTNTDL": (lambda x: NTNTDL("C", 1e-7, 2e9, x, k_factor_db=x)._taps, 2.5),
    "NTNCDL": (lambda x: NTNCDL("C", 1e-7, 2e9, 1.0, x)._table, 50.5),
    "TwoState": (lambda x: TwoState("urban", 30.0, 2e9, x).doppler_hz, 2.5),
    "code rate": (lambda x: TransportBlock(200, 1000, x, 2).segmentation, 0.5),
    "target_bler": (lambda x: SeparateCodec(target_bler=x).fingerprint, 0.125),
    "options": (lambda x: MedJSCCOptions(x, x, x), 2.5),
    "ci_db": (lambda x: Stop(x, 7), 0.5),
    "corrupt": (lambda x: corrupt(MASKS, dilate=x, erode=x, drop=x), 0.5),
    "few labels": (lambda x: few_labels(SAMPLES, x, x)[0], 0.5),
    "learning rate": (lambda x: Plan(learning_rate=x), 0.125),
    "roi_weight": (lambda x: Plan(roi_weight=x), 2.5),
    "rate of Med-JSCC": (lambda x: MedJSCCPlan(learning_rate=x, links=(("awgn", x),)), 0.0625),
    "ranges of Med-JSCC": (lambda x: MedJSCCPlan(snr_db=(x, x), lagrange=(x, x)), 0.5),
    "plan of a segmenter": (
        lambda x: SegmenterPlan(learning_rate=x, turn_deg=x, zoom=x, bend=x, stretch=x),
        0.5,
    ),
    "Schedule": (lambda x: Schedule(averaging=x), 0.5),
    "Conduct": (lambda x: Conduct(seconds=x, log_seconds=x).seconds, 2.5),
    "SOAP": (lambda x: SOAP(WEIGHTS, lr=x, betas=(x, x)).defaults, 0.5),
    "snr_db of scenarios": (lambda x: laid_out(snr_db=x), 6.5),
    "list of snr_db": (lambda x: laid_out(snr_db=[x, 9]), 6.5),
    "cbr of scenarios": (lambda x: laid_out(cbr=x), 0.25),
    "list of cbr": (lambda x: laid_out(cbr=[x, 1 / 2]), 0.25),
    "ci_db of scenarios": (lambda x: laid_out(ci_db=x), 0.5),
    "believed snr_db": (lambda x: laid_out(believed_snr_db=x), 6.5),
    "swept": (lambda x: varied_links("awgn", "offset_hz", [x], "ls")[1], 150.5),
    "bandwidths_hz": (lambda x: channels_of("awgn", [x])[1], 5e6),
    "highest elevation": (lambda x: moments_of(*PASS, x, 2, "ls"), 60.5),
    "min_overlap": (lambda x: saving(min_overlap=x), 0.25),
    "min_overlap of BD-rate": (
        lambda x: semcom.metrics.bd_rate([1, 2, 4], [1, 2, 3], [1, 2, 4], [1, 2, 3], min_overlap=x),
        0.5,
    ),
    "range of a satellite": (
        lambda x: float(slant_range_m(altitude_m=600e3, elevation_deg=x)),  # a tensor of a tensor
        30.5,
    ),
}


@pytest.mark.parametrize("name", REAL_NUMBERS)
def test_real_numbers(name: str) -> None:
    call, number = REAL_NUMBERS[name]
    wanted = seen(call(number))
    for kind in REAL:
        assert seen(call(kind(number))) == wanted


@pytest.mark.parametrize("name", REAL_NUMBERS)
def test_what_is_no_real_number_is_refused(name: str) -> None:
    call, number = REAL_NUMBERS[name]
    for bad in (True, np.bool_(True), str(number), number + 0j, torch.tensor(number + 0j), "x"):
        refused(lambda bad=bad: call(bad), ".")  # type: ignore[misc]
    for bad in (np.nan, np.inf, torch.tensor(-torch.inf), np.array(["6"]), np.timedelta64(6)):
        refused(lambda bad=bad: call(bad), ".")  # type: ignore[misc]


def test_a_session_of_numpy_is_saved_and_hashed_like_any_other(tmp_path: Path) -> None:
    shape = tuple(np.array([1, 32, 32]))
    session = Session("deepjscc", shape, np.int64(4), np.float64(6.0), torch.tensor(2))  # type: ignore[arg-type]
    assert session == Session("deepjscc", (1, 32, 32), 4, 6.0, 2)
    assert json.dumps(dataclasses.asdict(session))
    rx = Reception(
        torch.ones(1, 4, dtype=torch.complex64), torch.ones(1, 4), torch.zeros(1), session
    )
    rx.save(tmp_path / "a.rx")
    assert Reception.load(tmp_path / "a.rx").session == session


def test_weights_of_numpy_sizes_are_saved(tmp_path: Path) -> None:
    codec = DeepJSCC(tuple(np.array([2, 4, 8])), np.int64(8))
    codec.save(tmp_path / "a.safetensors")
    assert DeepJSCC.load(tmp_path / "a.safetensors").config() == codec.config()
    segmenter = UNetSegmenter("chest", np.int64(64), np.int64(8), np.int64(1))  # type: ignore[arg-type]
    segmenter.save(tmp_path / "b.safetensors")
    assert UNetSegmenter.load(tmp_path / "b.safetensors").config() == segmenter.config()


def test_rows_are_chosen_by_any_number() -> None:
    table = snr()
    for kind in REAL:
        assert len(table.select(snr_db=kind(9.0))) == 1
    with pytest.raises(InputError, match="snr_db"):
        table.select(snr_db=True)


def test_the_door() -> None:
    assert plain(np.ma.masked) is np.ma.masked
    without = torch.empty(1, device="meta")
    for bad in (np.ma.masked, np.datetime64("2020"), np.array([1, 2]), without):
        refused(lambda bad=bad: check_number("x", bad, -9, 9), "x must be")  # type: ignore[misc]
        refused(lambda bad=bad: check_count("x", bad, -9, 9), "x must be")  # type: ignore[misc]
        refused(lambda bad=bad: check_whole("x", bad, -9), "x must be")  # type: ignore[misc]
    refused(lambda: check_number("x", 10**400, 0, np.inf), "x must be")
    assert type(check_number("x", np.longdouble(2), 0, 9)) is float
    assert type(check_count("x", np.uint64(2), 0, 9)) is int
