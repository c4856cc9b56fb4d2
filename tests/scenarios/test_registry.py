"""A scenario is a file and a line: the command line and the package find it by that line."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import pytest
import typer

import scenarios
from scenarios.command import run
from scenarios.command.cli import main
from scenarios.registry import SCENARIOS
from scenarios.results import line_styles

LISTS = """
import sys, scenarios.command.cli
from scenarios.command.run import runs
from typer.main import get_command
assert not any(name.startswith("scenarios.comparisons") for name in sys.modules)
assert all(command.params for command in get_command(runs).commands.values())
sys.exit(any(name in sys.modules for name in ("torch", "pandas", "matplotlib")))
"""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_module_holds_its_function_and_its_command(name: str) -> None:
    module = import_module(SCENARIOS[name])
    assert getattr(scenarios, name) is getattr(module, name)
    assert callable(module.command) and module.command.__doc__


def test_options_are_listed_without_what_takes_seconds_to_load() -> None:
    assert subprocess.run([sys.executable, "-c", LISTS], check=False).returncode == 0


def test_a_line_more_is_a_command_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(depth: Annotated[int, typer.Option(help="How deep.")] = 1) -> None:
        """Dig."""
        print(f"dug {depth} deep")

    own = ModuleType("own")
    own.command = command  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own", own)
    monkeypatch.setitem(run.MODULES, "dig", "own")
    for arguments, told in ((["--depth", "3"], "dug 3 deep"), (["--help"], "How deep.")):
        with pytest.raises(SystemExit) as ended:
            main(["run", "dig", *arguments])
        assert ended.value.code == 0 and told in capsys.readouterr().out


def test_names_of_before_say_what_they_are_now() -> None:
    with pytest.warns(DeprecationWarning, match="line_styles"):
        assert line_styles.looks is line_styles.line_styles


def test_modules_lie_where_the_command_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An installed command has its own folder on sys.path, not the one where it is typed."""
    (tmp_path / "lying_here.py").write_text("Nothing = None\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    with pytest.raises(SystemExit) as ended:
        main(["run", "snr", "--limit", "1", "--size", "64", "--codecs", "lying_here:Nothing"])
    assert ended.value.code == 2
    assert "No module" not in capsys.readouterr().err
