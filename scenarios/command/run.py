"""``semcom run``: the scenarios, each with the options that its own file declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from scenarios.options.shared import Renamed
from scenarios.registry import SCENARIOS

MODULES = {name.replace("_", "-"): module for name, module in SCENARIOS.items()}


class _Commands(Mapping[str, Any]):
    """Commands by name; one that is asked for imports its scenario."""

    def __getitem__(self, name: str) -> Any:
        app = typer.Typer(add_completion=False)
        app.command(name, cls=Renamed)(import_module(MODULES[name]).command)
        return get_command(app)

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


class _Scenarios(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: Any = _Commands()


runs = typer.Typer(cls=_Scenarios, help="Run a scenario: who is compared with whom, over what.")
"""The commands of ``semcom run``."""


@runs.callback()
def _scenarios() -> None:
    """Run a scenario: who is compared with whom, over what."""
