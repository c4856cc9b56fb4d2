"""An open catalogue: links of scripts, of other packages, and of any function by its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sionna.phy.channel import ChannelModel, RayleighBlockFading

import channels
from channels import Grid, Link
from channels.registry import offered
from tests.channels.signals import qpsk
from tests.refusals import refused

MODULE = """
from sionna.phy.channel import RayleighBlockFading
from channels import Link

number = 3

def one_gain(device):
    return RayleighBlockFading(1, 1, 1, 1, device=str(device))

def block(*, gain=1.0):
    return Link("block", one_gain, (("gain", gain, "", "Sionna"),), estimator="lmmse")
"""
BROKEN = "import nothing_of_this_name\n"


def one_gain(device: torch.device) -> ChannelModel:
    return RayleighBlockFading(1, 1, 1, 1, device=str(device))


def block(*, gain: float = 1.0, carrier_hz: float = 2e9) -> Link:
    """Rayleigh fading that stands still.

    More on it.
    """
    rows = (("gain", gain, "", "Sionna"),)
    return Link("block", one_gain, rows, carrier_hz=carrier_hz, estimator="lmmse")


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    offered.cache_clear()
    yield
    offered.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with modules ``office_links`` and ``broken_links``."""
    (tmp_path / "office_links.py").write_text(MODULE)
    (tmp_path / "broken_links.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(folder: Path, package: str, points: str) -> None:
    """What pip leaves of a package that offers links."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[semcom.links]\n{points}\n")


def test_a_script_adds_a_link() -> None:
    channels.register("office", block)
    assert channels.links()["office"] == "Rayleigh fading that stands still."
    link = channels.link("office", gain=2.0)
    assert (link.name, link.estimator, link.rows[0][1]) == ("office", "lmmse", 2.0)
    assert link == channels.link("office", gain=2.0) != channels.link("office")
    assert link.propagate(qpsk(2, 50), 10.0, seed=1).symbols.shape == (2, 50)


def test_shared_options_replace_what_the_function_chose() -> None:
    channels.register("office", block, line="An office.")
    grid = Grid(num_subcarriers=12)
    link = channels.link("office", estimator="ls", grid=grid, carrier_hz=5e9)
    assert (link.estimator, link.grid, link.carrier_hz) == ("ls", grid, 5e9)
    assert channels.links()["office"] == "An office."


def test_a_function_may_take_shared_and_any_options_itself() -> None:
    def own(estimator: str = "ls", **anything: float) -> Link:
        rows = (("options", f"{estimator} {sorted(anything)}", "", ""),)
        return Link("own", one_gain, rows)

    channels.register("own", block)
    channels.register("own", own, replace=True)
    link = channels.link("own", estimator="lmmse", domain="time", carrier_hz=5e9, gain=1.0)
    assert link.rows[0][1] == "lmmse ['carrier_hz', 'gain']"
    assert (link.estimator, link.domain) == ("perfect", "time")
    assert channels.links()["own"] == ""


def test_a_function_is_found_by_its_place(folder: Path) -> None:
    link = channels.link("office_links:block", gain=3.0, estimator="ls")
    assert (link.name, link.estimator, link.rows[0][1]) == ("block", "ls", 3.0)


def test_a_package_offers_links(folder: Path) -> None:
    install(folder, "office", "office = office_links:block\nawgn = office_links:block")
    assert channels.links()["office"] == "office_links:block, of office."
    assert channels.link("office", gain=2.0).rows[0][1] == 2.0
    assert channels.link("awgn") == Link("awgn", None, channels.link("awgn").rows)


def test_links_of_the_package_are_as_before() -> None:
    before = channels.links()
    channels.register("office", block)
    assert list(before) == [name for name in channels.links() if name != "office"]
    assert channels.link("awgn", estimator=None, domain=None) == channels.link("awgn")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("awgn", block), "'awgn' is there already: take another name"),
        (("office", block), "'office' is registered already: replace=True"),
        (("off:ice", block), "name must be letters"),
        ((3, block), "name must be letters, .* got 3"),
        (("mine", "block"), "build must be a function"),
    ],
)
def test_what_cannot_be_registered(arguments: tuple[object, object], message: str) -> None:
    channels.register("office", block)
    refused(lambda: channels.register(*arguments), message)  # type: ignore[arg-type]
    refused(lambda: channels.register("mine", block, line="a\nb"), "one line of text")
    assert "mine" not in channels.links()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("offce", {}, "unknown link 'offce': did you mean 'office'"),
        ("office", {"gian": 1}, "unknown parameter of link 'office' 'gian': did you mean 'gain'"),
        ("needy", {}, "'needy' cannot be made so: missing a required argument: 'gain'"),
        ("needy", {"gain": 1, "carrier_hz": 1e9}, "unknown parameter of link 'needy' 'carrier_hz'"),
        ("needy", {"gain": 1}, "'needy' must be made as a channels.Link, got 1"),
        ("office", {"estimator": "lss"}, "did you mean 'ls'"),
        ("nowhere:block", {}, "cannot be loaded .ModuleNotFoundError: .*on PYTHONPATH"),
        ("office_links:blok", {}, "cannot be loaded .AttributeError: .*no attribute 'blok'"),
        ("broken_links:block", {}, "cannot be loaded .* named 'nothing_of_this_name'"),
        ("office_links:number", {}, "must name a function, found 3"),
        ("office_links:", {}, "a name or 'package.module:function'"),
        ("rel ative:block", {}, "a name or 'package.module:function'"),
        ("twice", {}, "more than once: write 'broken_links:block' or 'office_links:block'"),
    ],
)
def test_what_cannot_be_made(
    folder: Path, name: str, options: dict[str, object], message: str
) -> None:
    install(folder, "one", "twice = office_links:block")
    install(folder, "two", "twice = broken_links:block")
    channels.register("office", block)
    channels.register("needy", lambda gain: gain)
    refused(lambda: channels.link(name, **options), message)  # type: ignore[arg-type]
