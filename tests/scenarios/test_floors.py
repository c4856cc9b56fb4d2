"""The floors: imports go one way, and no folder is crowded."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("scenarios", "semcom", "channels")
FLOORS = tuple(
    f"scenarios.{name}" for name in ("command", "comparisons", "options", "engine", "results")
)
MOST_FILES = 16


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    name_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
}


def imports_of(name: str) -> set[str]:
    """Modules of this house that a module imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{name} imports relatively"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & MODULES.keys()
            found |= {node.module} if inner - MODULES.keys() else set()
    return found & MODULES.keys()


IMPORTS = {name: imports_of(name) for name in MODULES}
INSIDE = {
    name: {other for other in others if other.startswith("scenarios")}
    for name, others in IMPORTS.items()
    if name.startswith("scenarios")
}


def floor_of(name: str) -> int:
    """0 is the top, where the facade and the command stand."""
    return next((i for i, floor in enumerate(FLOORS) if f"{name}.".startswith(f"{floor}.")), 0)


def test_no_module_of_scenarios_imports_itself_by_way_of_others() -> None:
    TopologicalSorter(INSIDE).prepare()


def test_no_import_climbs() -> None:
    climbing = {
        f"{name} imports {other}"
        for name, others in INSIDE.items()
        for other in others
        if floor_of(other) < floor_of(name) or other == "scenarios"
    }
    assert not climbing


def test_nobody_below_imports_what_stands_above() -> None:
    order = {package: place for place, package in enumerate(PACKAGES)}
    climbing = {
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if order[other.partition(".")[0]] < order[name.partition(".")[0]]
    }
    assert not climbing


def test_no_folder_of_scenarios_is_crowded() -> None:
    folders = {path.parent for name, path in MODULES.items() if name.startswith("scenarios")}
    assert not {f for f in folders if len(list(f.glob("*.py"))) > MOST_FILES}
