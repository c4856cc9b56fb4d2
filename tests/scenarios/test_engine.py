"""The sweep engine: same bytes whoever computes them, and nothing lost to an interruption."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import channels
import scenarios
import semcom
from channels import InputError, Reception, Session, Transmission
from channels.power import normalize_power
from scenarios.engine.inputs import Sample, points, routes, samples, schemes
from scenarios.engine.journal import Journal
from scenarios.engine.task import Outcome, draw_seed
from scenarios.engine.workers.pool import _next_kind, executor_for, finished
from scenarios.results.curves import caption
from semcom.codec import Codec
from tests.refusals import refused

PILOTS = 8


class BlockMean(Codec):
    """Sends the means of square blocks, two to a symbol, behind a few reference symbols."""

    def __init__(self, block: int = 8, name: str = "block-mean") -> None:
        self.block, self.name = block, name

    @property
    def fingerprint(self) -> str:
        return f"block {self.block}"

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        time.sleep(float(os.environ.get("BLOCK_MEAN_PAUSE", "0")))
        means = F.avg_pool2d(images, self.block).flatten(1) - 0.5
        pairs = torch.view_as_complex(means.reshape(len(means), -1, 2).contiguous())
        if pairs.shape[1] + PILOTS > session.channel_uses:
            raise InputError(f"{self.name} needs {pairs.shape[1] + PILOTS} channel uses: raise cbr")
        known = torch.full((len(means), PILOTS), 0.5 + 0j)
        symbols = normalize_power(torch.cat([known, pairs], 1))
        return Transmission(symbols, torch.full((len(means),), symbols.shape[1]), session)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        _, height, width = rx.session.image_shape
        gain = rx.symbols[:, :PILOTS].real.mean(1, keepdim=True).clamp_min(0.1) / 0.5
        means = torch.view_as_real(rx.symbols[:, PILOTS:] / gain) + 0.5
        grid = means.reshape(-1, 1, height // self.block, width // self.block)
        images = F.interpolate(grid, size=(height, width)).clamp(0, 1)
        lost = rx.snr_db < -3
        images[lost] = 0.5
        return images, lost


def waves(n: int = 3, side: int = 64) -> tuple[Tensor, Tensor]:
    """Smooth pictures ``[n, 1, side, side]`` and a round region."""
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    images = [0.5 + 0.4 * torch.sin(5 * (k + 1) * x) * torch.cos(7 * y) for k in range(n)]
    region = (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.06
    return torch.stack(images)[:, None], region.expand(n, 1, side, side)


class Brighter:
    """A segmenter that finds what is brighter than a threshold."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def __call__(self, images: Tensor) -> Tensor:
        return (images > self.threshold).float()


def sweep(**changes: Any) -> scenarios.Table:
    images, masks = waves()
    arguments: dict[str, Any] = {
        "codecs": {"fine": BlockMean(8), "coarse": BlockMean(16)},
        "links": ["awgn", "ntn-tdl-c"],
        "snr_db": [0, 6],
        "trials": 2,
        "cbr": 1 / 16,
    }
    return scenarios.snr(images, masks, **(arguments | changes))


def bytes_of(table: scenarios.Table, folder: Path) -> tuple[bytes, bytes]:
    table.save(folder / "t.parquet")
    table.save(folder / "t.csv")
    return (folder / "t.parquet").read_bytes(), (folder / "t.csv").read_bytes()


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        yield executor


def test_same_seed_same_bytes_another_seed_others(tmp_path: Path) -> None:
    first = bytes_of(sweep(), tmp_path)
    assert first == bytes_of(sweep(), tmp_path)
    assert first != bytes_of(sweep(seed=1), tmp_path)


def test_executors_give_the_same_bytes(tmp_path: Path, processes: Executor) -> None:
    alone = bytes_of(sweep(), tmp_path)
    with ThreadPoolExecutor(3) as threads:
        assert bytes_of(sweep(executor=threads), tmp_path) == alone
    assert bytes_of(sweep(executor=processes), tmp_path) == alone


def test_worker_processes_give_the_same_bytes(tmp_path: Path) -> None:
    assert bytes_of(sweep(workers=2), tmp_path) == bytes_of(sweep(), tmp_path)


def test_a_process_keeps_to_its_picture_then_takes_a_free_one_then_helps() -> None:
    """Who is at what, and what is left, decide the next: here of processes 1 and 2."""
    left = {"a": deque([0]), "b": deque([1, 2]), "c": deque([3])}
    assert _next_kind(left, {}, 1) == "a"  # type: ignore[arg-type]
    assert _next_kind(left, {1: "a"}, 2) == "b"  # type: ignore[dict-item, arg-type]
    assert _next_kind(left, {1: "a", 2: "b"}, 1) == "a"  # type: ignore[dict-item, arg-type]
    left["a"].clear()
    assert _next_kind(left, {1: "a", 2: "b"}, 1) == "c"  # type: ignore[dict-item, arg-type]
    left["c"].clear()
    assert _next_kind(left, {1: "c", 2: "b"}, 1) == "b"  # type: ignore[dict-item, arg-type]


@pytest.mark.parametrize("kinds", [None, [0, 0, 0, 1, 1], [0, 1, 2, 3, 4]])
def test_every_job_is_done_once_whatever_its_kind(kinds: list[int] | None) -> None:
    jobs = [(2, n) for n in range(5)]
    with executor_for(None, 2) as pool:
        assert sorted(finished(pool, pow, jobs, kinds)) == [(n, 2**n) for n in range(5)]
        assert pool is None or pool.submit(pow, 2, 5).result() == 32
        assert pool is None or pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"


def test_threads_of_the_caller_are_restored() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        sweep(links=["awgn"], snr_db=[6])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_every_codec_meets_the_same_draws() -> None:
    frame = sweep(codecs={"one": BlockMean(), "other": BlockMean()}).frame
    rows = {label: group.drop(columns="codec") for label, group in frame.groupby("codec")}
    assert rows["one"].reset_index(drop=True).equals(rows["other"].reset_index(drop=True))


def test_draws_differ_between_points_pictures_and_trials() -> None:
    seeds = {
        draw_seed("snr", 0, link, image, trial, snr_db)
        for link in ("awgn", "rayleigh")
        for snr_db in (None, 0.0, 6.0)
        for image in range(3)
        for trial in range(2)
    }
    assert len(seeds) == 36
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(("draws", "is_common"), [("common", True), ("independent", False)])
def test_a_curve_meets_the_same_fading_at_every_snr(draws: str, is_common: bool) -> None:
    table = sweep(links=["rayleigh"], snr_db=range(0, 16, 3), draws=draws)
    frame = table.frame.assign(fade_db=table.frame["rx_snr_db"] - table.frame["snr_db"])
    spread_db = frame.groupby(["codec", "image", "trial"])["fade_db"].agg(
        lambda v: v.max() - v.min()
    )
    assert float(frame.groupby("snr_db")["fade_db"].std().min()) > 1
    assert bool((spread_db < 1).all()) is is_common
    assert ("at every SNR" in caption(table, "psnr")) is is_common
    assert table.metadata["parameters"]["draws"] == draws


@pytest.mark.parametrize("name", ["awgn", "ntn-tdl-c", "rician"])
def test_noise_keeps_its_direction_along_a_curve(name: str) -> None:
    """What common draws rest on: equal seeds give the same noise, scaled by the SNR."""
    link = channels.link(name, **({} if name == "awgn" else {"estimator": "perfect"}))
    silence = torch.ones(1, 512, dtype=torch.complex64)
    errors = [link.propagate(silence, snr_db, seed=3).symbols - 1 for snr_db in (20.0, 40.0)]
    torch.testing.assert_close(errors[0] / 10, errors[1], rtol=5e-3, atol=5e-4)


def test_other_draws_are_refused_by_their_names() -> None:
    refused(lambda: sweep(draws="paired"), "unknown draws 'paired': Known: common, independent")


def test_rows_are_complete_and_keep_their_promises() -> None:
    frame = sweep().frame
    assert len(frame) == 2 * 2 * 2 * 3 * 2
    assert (frame["cbr_used"] <= frame["cbr"]).all()
    assert (frame["cpp"] == frame["cbr_used"]).all()
    assert frame["mcs"].isna().all()
    assert frame["ms_ssim"].isna().all()
    assert frame[["psnr", "roi_psnr", "ssim"]].notna().all().all()


def test_rates_meet_one_another_and_what_they_give_alone() -> None:
    both = sweep(cbr=[1 / 8, 1 / 16]).frame
    assert list(dict.fromkeys(both["cbr"])) == [1 / 16, 1 / 8]
    for cbr in (1 / 16, 1 / 8):
        alone = sweep(cbr=cbr).frame
        assert both[both["cbr"] == cbr].reset_index(drop=True).equals(alone)


def test_dice_is_the_overlap_of_what_is_found_in_received_and_sent() -> None:
    frame = sweep(diagnosis=Brighter(0.5), snr_db=[0, 40], links=["awgn"]).frame
    assert frame["dice"].between(0, 1).all()
    mean = frame.groupby(["codec", "snr_db"])["dice"].mean()
    assert mean["fine", 40] > max(mean["fine", 0], mean["coarse", 40])
    images, _ = waves()
    blocks = F.interpolate(F.avg_pool2d(images, 8), scale_factor=8.0)
    a, b = ((pictures > 0.5).flatten(1) for pictures in (blocks, images))
    expected = 2 * (a & b).sum(1) / (a.sum(1) + b.sum(1))
    found = sweep(diagnosis=Brighter(0.5), snr_db=[100], links=["awgn"], trials=1).frame
    assert found["dice"][:3].tolist() == pytest.approx(expected.tolist(), abs=0.01)
    assert sweep(links=["awgn"]).frame["dice"].isna().all()


def test_results_say_which_segmenter_diagnosed_and_do_not_mix(tmp_path: Path) -> None:
    small: dict[str, Any] = {"links": ["awgn"], "snr_db": [6], "trials": 1, "out": tmp_path}
    table = sweep(**small, diagnosis="chest")
    own, control = semcom.segmenter("chest"), semcom.segmenter("chest-control")
    told = f"UNetSegmenter {own.fingerprint}; control UNetSegmenter {control.fingerprint}"
    assert table.metadata["parameters"]["diagnosis"] == told
    assert table.frame["dice_control"].between(0, 1).all()
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert sweep(**small, diagnosis=own).frame.equals(table.frame)
    assert (tmp_path / "journal.jsonl").read_text().splitlines() == lines
    sweep(**small, diagnosis="dental")
    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) == 2 * len(lines)


def test_second_run_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bytes_of(sweep(out=tmp_path), tmp_path)
    monkeypatch.setattr(BlockMean, "_encode", lambda *_: pytest.fail("sent again"))
    monkeypatch.setattr(BlockMean, "adapted", lambda *_: pytest.fail("adapted again"))
    assert bytes_of(sweep(out=tmp_path), tmp_path) == first


def test_wider_grid_finds_its_old_points(tmp_path: Path) -> None:
    sweep(out=tmp_path)
    journal = tmp_path / "journal.jsonl"
    before = len(journal.read_text().splitlines())
    wide = sweep(out=tmp_path, snr_db=[0, 3, 6])
    assert len(journal.read_text().splitlines()) == before * 3 // 2
    assert wide.frame.equals(sweep(snr_db=[0, 3, 6]).frame)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"cbr": 1 / 8},
        {"codecs": {"fine": BlockMean(16)}},
        {"snr_db": [1]},
        {"diagnosis": Brighter(0.5)},
    ],
)
def test_other_definitions_do_not_mix(tmp_path: Path, changes: dict[str, Any]) -> None:
    sweep(out=tmp_path, links=["awgn"])
    mixed = sweep(**({"out": tmp_path, "links": ["awgn"]} | changes))
    assert mixed.frame.equals(sweep(**({"links": ["awgn"]} | changes)).frame)


def test_torn_line_is_computed_again(tmp_path: Path) -> None:
    whole = sweep(out=tmp_path)
    journal = tmp_path / "journal.jsonl"
    content = journal.read_bytes()
    journal.write_bytes(content[:-20])
    assert sweep(out=tmp_path).frame.equals(whole.frame)
    lines = journal.read_bytes().splitlines()
    assert len(lines) == len(content.splitlines()) + 1
    assert json.loads(lines[-1])["key"] == json.loads(content.splitlines()[-1])["key"]


MEASURED: dict[str, Any] = {
    "cbr_used": 0.06, "cpp": 0.06, "psnr": math.inf, "roi_psnr": None, "ssim": 1.0,
    "ms_ssim": None, "dice": None, "dice_control": None, "outage": False, "rx_snr_db": 6.0,
    "mcs": None,
}  # fmt: skip


def test_journal_survives_garbage(tmp_path: Path) -> None:
    garbage = '[1]\n{"key": "a"}\n\x00\n{"key": "b", "measured": 3}\n' + "[" * 200_000 + "\n"
    (tmp_path / "journal.jsonl").write_text(garbage)
    with Journal(tmp_path) as journal:
        journal.write("c", Outcome(MEASURED, 0, 0))
    assert Journal(tmp_path).read() == {"c": MEASURED}


@pytest.mark.parametrize(
    "change", [{"psnr": "30"}, {"outage": 1}, {"outage": None}, {"mcs": 1.5}, {"codec": "other"}]
)
def test_journal_line_of_other_columns_or_types_is_not_finished(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    with Journal(tmp_path) as journal:
        journal.write("c", Outcome(MEASURED | change, 0, 0))
    assert Journal(tmp_path).read() == {}


_RUN = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_engine import sweep
sweep(out=Path(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RUN, str(Path(__file__).parent), str(tmp_path)]
    run = subprocess.Popen(command, env={**os.environ, "BLOCK_MEAN_PAUSE": "0.05"})
    journal = tmp_path / "journal.jsonl"
    deadline = time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
        assert run.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    kept = len(Journal(tmp_path).read())
    assert 5 <= kept < 48
    resumed = bytes_of(sweep(out=tmp_path), tmp_path)
    assert resumed == bytes_of(sweep(), tmp_path)
    keys = [json.loads(line)["key"] for line in journal.read_bytes().splitlines()[:kept]]
    assert len(keys) == len(set(keys)) == kept
    assert len(Journal(tmp_path).read()) == 48


def test_budget_too_small_leaves_nothing_behind(tmp_path: Path, processes: Executor) -> None:
    out = tmp_path / "results"
    for executor in (None, processes):
        with pytest.raises(InputError, match="needs 40 channel uses: raise cbr"):
            sweep(out=out, cbr=1 / 128, executor=executor)
        assert not out.exists()


def test_unpicklable_codec_is_refused_by_executors_only() -> None:
    codec = BlockMean()
    codec.trick = (bit for bit in "01")  # type: ignore[attr-defined]
    small: dict[str, Any] = {"codecs": [codec], "links": ["awgn"], "snr_db": [6]}
    assert len(sweep(**small)) == 6
    with ThreadPoolExecutor(1) as threads, pytest.raises(InputError, match="use workers=1"):
        sweep(**small, executor=threads)


def test_pictures_of_several_sizes() -> None:
    images = [waves(1, 64)[0][0], waves(1, 96)[0][0]]
    table = scenarios.snr(images, codecs=[BlockMean()], links=["awgn"], snr_db=[6])
    assert table.frame["psnr"].notna().all()
    assert table.frame["roi_psnr"].isna().all()


def test_an_option_that_no_scenario_has_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="'trails'"):
        sweep(trails=2)


def test_scenario_is_a_function_whatever_is_imported_first() -> None:
    import scenarios.comparisons.snr

    assert callable(scenarios.snr)
    assert scenarios.Table.__name__ == "Table"
    with pytest.raises(AttributeError, match="nothing"):
        _ = scenarios.nothing


def test_picture_digest_sees_pixels_and_mask() -> None:
    image, mask = (part[0] for part in waves(1))
    digests = {Sample(image, mask).digest, Sample(image, None).digest}
    digests |= {Sample(image.flip(-1), mask).digest, Sample(image, ~mask).digest}
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codecs": []}, "no codec to compare"),
        ({"codecs": ["medjsc"]}, "did you mean 'medjscc'"),
        ({"codecs": [BlockMean(), BlockMean(16)]}, "'block-mean' appears twice"),
        ({"links": []}, "no link to compare"),
        ({"links": ["awng"]}, "did you mean 'awgn'"),
        ({"links": ["awgn", channels.link("awgn")]}, "'awgn' appears twice"),
        ({"snr_db": []}, "no point"),
        ({"snr_db": [math.nan]}, "snr_db must be a finite number"),
        ({"snr_db": [101]}, r"in \[-100, 100\]"),
        ({"snr_db": None}, "snr_db must be a number or a list"),
        ({"snr_db": ["6"]}, "snr_db must be a finite number"),
        ({"codecs": None}, "codecs must be a list of str or Scheme, got None"),
        ({"codecs": [None]}, r"codecs\[0\] must be str or Scheme, got None"),
        ({"codecs": {"a": None}}, "codecs\\['a'\\] must be str or Scheme"),
        ({"links": 3}, "links must be a list of str or Link"),
        ({"links": [None]}, r"links\[0\] must be"),
        ({"cbr": "1/16"}, "cbr must be a number or a list of numbers, got"),
        ({"cbr": []}, "cbr holds no rate"),
        ({"cbr": [1 / 16, 9]}, "cbr must lie in"),
        ({"diagnosis": "lungs"}, "unknown segmenter 'lungs'"),
        ({"diagnosis": 3}, "diagnosis must be a segmenter or the name of one"),
        ({"executor": "dask"}, "executor must be a concurrent.futures.Executor"),
        ({"out": ""}, "out is empty: name a folder"),
        ({"out": 3}, "out must be str or Path"),
        ({"cbr": -1 / 16}, "cbr must lie in"),
        ({"cbr": math.nan}, "cbr must lie in"),
        ({"trials": 0}, "trials must be a whole number from 1 on"),
        ({"seed": -1}, "seed must be a whole number from 0 on"),
        ({"workers": 0}, "workers must be a whole number from 1 on"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sweep(**changes)


def test_bad_pictures_are_named() -> None:
    images, masks = waves(2)
    bad = images.clone()
    bad[1, 0, 3, 3] = math.nan
    with pytest.raises(InputError, match="picture 1: images hold NaN"):
        samples(bad, masks)
    with pytest.raises(InputError, match="1 masks do not fit 2 images"):
        samples(images, masks[:1])
    with pytest.raises(InputError, match="picture 0: roi must have"):
        samples(images, masks[..., :32])
    with pytest.raises(InputError, match="no picture"):
        samples([], None)
    for wrong in (None, "images"):
        with pytest.raises(InputError, match="images must be a list of Tensor"):
            samples(wrong, None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"images\[0\] must be a tensor"):
        samples([None], None)  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"images must be \[n, C, H, W\]"):
        samples(images[0], None)


def test_inputs_in_their_order() -> None:
    assert list(schemes({"b": BlockMean(), "a": BlockMean()})) == ["b", "a"]
    assert list(routes(["rayleigh", "awgn"])) == ["rayleigh", "awgn"]
    assert points([6, -0.0, 6.0]) == (0.0, 6.0)


def test_lone_inputs_are_wrapped() -> None:
    assert list(schemes(BlockMean())) == ["block-mean"]
    assert list(routes("awgn")) == list(routes(channels.link("awgn"))) == ["awgn"]
    assert points(6) == (6.0,)
    assert points(torch.tensor([6.0])) == (6.0,)  # type: ignore[arg-type]
