"""Rooms of semcom: imports go one way, and no codec leans on a rival."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

from tests.imports import imported

ROOT = Path(__file__).parent.parent / "semcom"
RIVALS = {"medjscc", "ntscc", "separate", "deepjscc", "adjscc"}


def room_of(module: str) -> str:
    """The folder or file right below the package."""
    return module.split(".")[1] if "." in module else ""


def arrows() -> dict[str, set[str]]:
    """Which rooms each room imports, within functions too."""
    found: dict[str, set[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        here = room_of(".".join(parts))
        modules = imported(path)
        assert not any(module.split(".")[0] == "scenarios" for module in modules), path
        rooms = {room_of(module) for module in modules if module.startswith("semcom.")}
        found.setdefault(here, set()).update(rooms - {here})
    return found


def test_no_circle() -> None:
    found = arrows()
    assert "modem" in found["separate"]
    TopologicalSorter(found).prepare()


def test_no_codec_leans_on_a_rival() -> None:
    """But ADJSCC, which is DeepJSCC with attention."""
    found = arrows()
    for room in RIVALS - {"adjscc"}:
        assert not found[room] & (RIVALS - {room}), room
