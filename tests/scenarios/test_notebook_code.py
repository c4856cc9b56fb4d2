"""What a notebook defines reaches processes and clusters, and is told apart by its code."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
import torch
from nbclient import NotebookClient

import scenarios
from scenarios.engine.own_code import own_code
from scenarios.engine.provenance import identity
from semcom.codec import Codec

CELL = """
import channels, scenarios, semcom, torch
from semcom.codec import Codec
from semcom.deepjscc import DeepJSCC

SCALE = 1.0
shipped = semcom.codec("deepjscc")

def halved(images):
    return images / 2

class Mine(Codec):
    name = "mine"
    def _encode(self, images, roi, session):
        return shipped._encode(halved(images) * SCALE, roi, session)
    def _decode(self, rx):
        images, lost = shipped._decode(rx)
        return (2 * images).clamp(0, 1), lost

class Steady(torch.nn.Module):
    def forward(self, *args):
        return None

def louder(device):
    from sionna.phy.channel import RayleighBlockFading
    return RayleighBlockFading(1, 1, 1, 1, device=str(device))

images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
link = channels.Link("mine", lambda device: louder(device))
grid = dict(codecs=[Mine(), "deepjscc"], links=[link], snr_db=[0, 12], cbr=1 / 16)
"""
RUN = """
alone = scenarios.snr(images, **grid, workers=1)
two = scenarios.snr(images, **grid, workers=2)
assert two.frame.equals(alone.frame), (two.frame, alone.frame)
print("processes", len(two))
"""
CLUSTER = """
from distributed import LocalCluster
from scenarios.engine.workers.cluster import cluster
with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as c:
    with cluster(c.scheduler_address) as executor:
        there = scenarios.snr(images, **grid, executor=executor)
assert there.frame.equals(alone.frame)
print("cluster", len(there))
"""


def test_a_codec_and_a_link_of_a_notebook_on_processes_and_a_cluster(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(dedent(part)) for part in (CELL, RUN, CLUSTER)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    printed = "".join(out.get("text", "") for cell in notebook.cells for out in cell.outputs)
    assert "processes 8" in printed and "cluster 8" in printed


def defined(body: str, helper: str = "return x") -> type[Codec]:
    """A class as a notebook's cell defines it."""
    import __main__

    code = f"""
    from semcom.codec import Codec

    def helper(x):
        {helper}

    class Mine(Codec):
        name = "mine"

        def _encode(self, images, roi, session):
            return helper({body})

        def _decode(self, rx):
            return None
    """
    names: dict[str, object] = vars(__main__)
    exec(compile(dedent(code), f"<cell {body}>", "exec"), names)
    found = names.pop("Mine")
    assert isinstance(found, type) and found.__module__ == "__main__"
    return found


@pytest.fixture
def clean_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the main module as it was."""
    import __main__

    for name in ("Mine", "helper", "Codec"):
        monkeypatch.setitem(vars(__main__), name, None)


@pytest.mark.usefixtures("clean_main")
def test_code_tells_definitions_apart() -> None:
    first, again = own_code(defined("images")), own_code(defined("images"))
    assert first == again != ""
    assert own_code(defined("images + 1")) != first
    assert own_code(defined("images", helper="return 2 * x")) != first


@pytest.mark.usefixtures("clean_main")
def test_a_constant_that_it_reads_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    import __main__

    monkeypatch.setitem(vars(__main__), "SCALE", 1.0)
    codec = defined("images * SCALE")
    before = own_code(codec)
    monkeypatch.setitem(vars(__main__), "SCALE", 2.0)
    assert own_code(codec) != before


def test_code_of_packages_is_not_looked_at() -> None:
    assert own_code(torch.nn.Linear(1, 1)) == own_code(scenarios.snr.__class__) == ""


def test_code_in_a_file_counts_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "own_segmenter_of_a_test.py"
    file.write_text("def bright(images):\n    return images\n")
    module = importlib.import_module(file.stem)
    before = identity(module.bright)
    file.write_text("def bright(images):\n    return images / 2\n")
    assert identity(module.bright) != before
