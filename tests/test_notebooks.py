"""Notebooks run from top to bottom, in a reduced mode: each replacement must find its text."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
REDUCED = {
    "01_first_curve.ipynb": {
        "NUM_IMAGES = 6": "NUM_IMAGES = 3",
        "SNR_DB = [0, 3, 6, 9, 12]": "SNR_DB = [3, 9]",
        "NUM_BITS = 1_200_000": "NUM_BITS = 200_000",
    },
    "02_channels.ipynb": {
        "NUM_DRAWS = 100_000": "NUM_DRAWS = 5_000",
        "NUM_SERIES = 2000": "NUM_SERIES = 100",
        "NUM_IMAGES = 16": "NUM_IMAGES = 2",
    },
    "03_masks.ipynb": {
        "SIZE = 512": "SIZE = 128",
        "NUM_IMAGES = 6": "NUM_IMAGES = 2",
        "SNR_DB = [-6, -3, 0, 3, 6, 9]": "SNR_DB = [0, 6]",
    },
    "04_medjscc.ipynb": {
        "SIZE = 256": "SIZE = 128",
        "NUM_CHEST = 6": "NUM_CHEST = 2",
        "TRUE_SNR_DB = [4, 6, 7, 8, 9, 10, 12, 14]": "TRUE_SNR_DB = [6, 12]",
        "ROI_RATIOS = [1, 1.5, 2.5, 4]": "ROI_RATIOS = [1, 2.5]",
    },
    "05_scenarios.ipynb": {
        "SIZE = 256": "SIZE = 128",
        "NUM_ANGIOGRAMS = 6": "NUM_ANGIOGRAMS = 2",
        "NUM_CHEST = 4": "NUM_CHEST = 2",
        "SNR_DB = [0, 3, 6, 9, 12]": "SNR_DB = [6, 12]",
        "TRUE_SNR_DB = [0, 4, 6, 7, 8, 10, 12]": "TRUE_SNR_DB = [4, 10]",
        "OFFSETS_HZ = [0, 200, 400, 600, 800, 1000]": "OFFSETS_HZ = [0, 400]",
        "BANDWIDTHS_HZ = [5e6, 20e6, 100e6]": "BANDWIDTHS_HZ = [5e6]",
        "RATES = [1 / 64, 1 / 32, 1 / 16]": "RATES = [1 / 16, 1 / 8]",
        "MOMENTS = 5": "MOMENTS = 2",
        "MAX_BLOCKS = 2000": "MAX_BLOCKS = 100",
    },
    "07_generative.ipynb": {
        "SIZE = 256": "SIZE = 128",
        "NUM_CHEST = 6": "NUM_CHEST = 2",
        "SNR_DB = [-3, 0, 6]": "SNR_DB = [6]",
        "CURVE_DB = [-3, 0, 3, 6, 9]": "CURVE_DB = [9]",
        "CBR = 1 / 64": "CBR = 1 / 16",
        "UPDATES = 200": "UPDATES = 2",
        "n=24": "n=2",
    },
    "08_dmic.ipynb": {
        "NUM_IMAGES = 8": "NUM_IMAGES = 2",
        "SIZE = 256": "SIZE = 128",
        "BASE_QPS = [28, 31, 34, 37, 40, 43, 46, 49]": "BASE_QPS = [28, 34, 40]",
        "UPDATES = 60": "UPDATES = 3",
        "SNR_DB = [0, 3, 6, 9, 12]": "SNR_DB = [12]",
    },
}


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_notebook_runs(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    for old, new in REDUCED[name].items():
        hits = [cell for cell in notebook.cells if old in cell.source]
        assert len(hits) == 1, f"{old!r} stands in {len(hits)} cells"
        hits[0].source = hits[0].source.replace(old, new)
    beside = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=400, kernel_name="python3", resources=beside).execute()


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_notebook_is_committed_executed_and_small(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert any(cell.outputs for cell in code)
    assert (NOTEBOOKS / name).stat().st_size < 1_500_000
