"""What an import costs: libraries that much can be done without are loaded when first needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import semcom

HEAVY = (
    "sionna",
    "openntn",
    "numba",
    "llvmlite",
    "pandas",
    "matplotlib",
    "av",
    "imagecodecs",
    "pydicom",
    "torchmetrics",
    "pyarrow",
    "scipy",
    "PIL",
    "gymnasium",
    "piq",
    "torchvision",
)


def ran(code: str, *, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a new process does, whose modules lie beside this one's or first in a folder."""
    root = str(Path(semcom.__file__).parents[1])
    path = [root] if folder is None else [str(folder), root]
    code = f"import sys; sys.path[:0] = {path!r}\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["channels", "semcom", "semcom.fec", "scenarios"])
def test_nothing_heavy_at_import(name: str) -> None:
    done = ran(f"import {name}; print(*[heavy for heavy in {HEAVY!r} if heavy in sys.modules])")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_lists_and_fec_do_without_sionna() -> None:
    done = ran(
        "import torch, channels, semcom, scenarios\n"
        "channels.links(), semcom.codecs(), semcom.bounds(), semcom.segmenters()\n"
        "from semcom.fec import LDPCEncoder\n"
        "LDPCEncoder(512, 1024)(torch.ones(1, 512))\n"
        "print('numba' in sys.modules, 'sionna' in sys.modules)"
    )
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_bit_allocation_does_without_gymnasium_until_its_environment_is_asked_for() -> None:
    done = ran(
        "import sys, semcom.dmic\n"
        "print('gymnasium' in sys.modules)\n"
        "sys.modules['gymnasium'] = None\n"
        "from semcom.dmic import BitAllocation"
    )
    assert done.stdout.split() == ["False"]
    said = done.stderr.strip().splitlines()[-1]
    assert said.endswith('InputError: the environment needs gymnasium: pip install "semcom[dmic]"')


def test_names_are_there_before_they_are_loaded() -> None:
    done = ran(
        "import semcom, semcom.fec, scenarios\n"
        "assert {'data', 'metrics', 'codec', '__version__'} <= set(dir(semcom))\n"
        "assert set(semcom.fec.__all__) <= set(dir(semcom.fec))\n"
        "assert {'snr', 'ber', 'satellite_pass', 'send', 'Table'} <= set(dir(scenarios))\n"
        "from semcom import *\n"
        "assert data is semcom.data and metrics.psnr is semcom.metrics.psnr\n"
        "assert callable(semcom.codec) and callable(scenarios.snr)\n"
        "print(semcom.__version__)"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == semcom.__version__


@pytest.mark.parametrize("place", ["channels.py", "channels/__init__.py"])
def test_another_package_of_the_name_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("raise SystemExit('run')\n")
    for code in ("import semcom", "import semcom.fec", "from semcom import codec"):
        done = ran(code, folder=tmp_path)
        said = done.stderr.strip().splitlines()[-1]
        assert said.startswith("ImportError: semcom brings a package channels of its own")
        assert str(tmp_path / place) in said


def test_another_scenarios_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "scenarios.py").write_text("")
    done = ran("import semcom; print(semcom.codec('hevc-ldpc').name)", folder=tmp_path)
    assert done.stdout.strip() == "hevc-ldpc"
    assert f"scenarios of its own, but {tmp_path / 'scenarios.py'} is in its way" in done.stderr
