"""Rooms of semcom: imports go one way, no codec leans on a rival, a folder is seen at a glance."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import semcom
from tests.imports import imported

ROOT = Path(semcom.__file__).parent
FILES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
RIVALS = {"medjscc", "ntscc", "separate", "deepjscc", "adjscc"}
ON_DEMAND = ("segmentation", "training")
"""Names of training that are public in segmentation too, and looked up when asked for."""

MOST_FILES = {"fec": 20}


def room_of(module: str) -> str:
    """The folder or file right below the package."""
    return module.split(".")[1] if "." in module else ""


def arrows() -> dict[str, set[str]]:
    """Which rooms each room imports, within functions too."""
    found: dict[str, set[str]] = {}
    for name, path in FILES.items():
        here, modules = room_of(name), imported(path)
        assert not any(module.split(".")[0] == "scenarios" for module in modules), path
        rooms = {room_of(module) for module in modules if module.startswith("semcom.")} - {here}
        if path == ROOT / ON_DEMAND[0] / "__init__.py":
            rooms.remove(ON_DEMAND[1])
        found.setdefault(here, set()).update(rooms)
    return found


def test_no_circle() -> None:
    found = arrows()
    assert "modem" in found["separate"] and "segmentation" in found["training"]
    TopologicalSorter(found).prepare()


def test_nobody_but_the_command_asks_for_training() -> None:
    assert {room for room, rooms in arrows().items() if "training" in rooms} == set()


def test_no_codec_leans_on_a_rival() -> None:
    """But ADJSCC, which is DeepJSCC with attention."""
    found = arrows()
    for room in RIVALS - {"adjscc"}:
        assert not found[room] & (RIVALS - {room}), room


def test_what_makes_any_network_small_knows_none() -> None:
    assert arrows()["light"] == {"weightfile"}


def test_the_generative_system_stands_on_the_codecs() -> None:
    """It sends its key region by one of them, and describes the rest; none knows of it."""
    knowing = {room for room, rooms in arrows().items() if "generative" in rooms}
    assert knowing <= {"catalogue", "entries", "training"}


def test_a_folder_holds_few_files_and_says_what_they_are() -> None:
    for folder in {path.parent for path in FILES.values()}:
        assert len(list(folder.glob("*.py"))) <= MOST_FILES.get(folder.name, 16), folder
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
