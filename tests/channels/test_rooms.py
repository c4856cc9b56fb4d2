"""The rooms of the package: imports go one way, and a folder is seen at a glance."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import channels
from tests.imports import imported

ROOT = Path(channels.__file__).parent
FILES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
MOST_FILES = 16


def room(module: str) -> str:
    """The folder of a module, or the module itself on top."""
    return ".".join(module.split(".")[:2])


def test_modules_and_rooms_import_one_way() -> None:
    arrows = {module: imported(path) & FILES.keys() for module, path in FILES.items()}
    rooms: dict[str, set[str]] = {}
    for module, targets in arrows.items():
        rooms.setdefault(room(module), set()).update(
            {room(one) for one in targets} - {room(module)}
        )
    for graph in (arrows, rooms):
        TopologicalSorter(graph).prepare()  # raises a CycleError that names the circle


def test_the_package_knows_nothing_of_images_and_scenarios() -> None:
    for module, path in FILES.items():
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"semcom", "scenarios"}, module


def test_a_folder_holds_few_files_and_says_what_they_are() -> None:
    for folder in {path.parent for path in FILES.values()}:
        assert len(list(folder.glob("*.py"))) <= MOST_FILES, folder
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
