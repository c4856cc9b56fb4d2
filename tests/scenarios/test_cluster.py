"""Sweeps on a real Dask cluster of two workers, one of which is killed on the way."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from distributed import LocalCluster

import scenarios
from channels import InputError
from scenarios.command.cli import main
from scenarios.engine.workers.cluster import cluster

PICTURES = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(1))
GRID = {"codecs": "jpeg2000-ldpc", "links": "rayleigh", "snr_db": [6, 12], "cbr": 1 / 4}
GRID |= {"metrics": ["gmsd"]}


@pytest.fixture(scope="module")
def workers() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as started:
        yield started


def pids(workers: LocalCluster) -> list[int]:
    return [worker.process.pid for worker in workers.workers.values()]


@pytest.mark.parametrize("large", [2**16, 1], ids=["small arguments", "all sent once"])
def test_a_cluster_gives_the_same_table_though_a_worker_dies(
    workers: LocalCluster, tmp_path: Path, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenarios.engine.workers.cluster._LARGE", large)
    alone = scenarios.snr(PICTURES, **GRID, trials=3)  # type: ignore[arg-type]
    victim = pids(workers)[0]
    journal = tmp_path / "journal.jsonl"
    killed = threading.Event()

    def kill() -> None:
        """Once three tasks are done, and while others are under way."""
        while not (journal.exists() and len(journal.read_bytes().splitlines()) >= 3):
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        killed.set()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with cluster(workers.scheduler_address) as executor:
        found = scenarios.snr(  # type: ignore[call-overload]
            PICTURES, **GRID, trials=3, executor=executor, out=tmp_path
        )
    killer.join(timeout=60)
    assert killed.is_set()
    pd.testing.assert_frame_equal(found.frame, alone.frame)
    keys = [line.split(b'"')[3] for line in journal.read_bytes().splitlines()]
    assert len(keys) == len(set(keys)) == 18
    found.save(tmp_path / "a.parquet")
    alone.save(tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_semcom_run_works_on_a_cluster(
    workers: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--mcs", "4", "--uncoded", "none", "--snr", "0", "--channel-uses", "200"]
    options += ["--max-blocks", "50", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        main(["run", "ber", *options, "--scheduler", workers.scheduler_address])
    assert ended.value.code == 0
    assert "MCS 4" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_scheduler_that_does_not_answer_is_one_line(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenarios.engine.workers.cluster._PATIENCE_S", 1)
    with pytest.raises(InputError, match="no Dask scheduler answers at"), cluster(address):
        pass
