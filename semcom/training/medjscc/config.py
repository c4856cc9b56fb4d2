"""What ``semcom train medjscc --config`` reads: the codec's size and its stages, as TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import fields
from importlib.resources import files
from inspect import signature
from pathlib import Path
from typing import Any

from channels import InputError
from channels.errors import check_name, shown
from semcom.medjscc import MedJSCC
from semcom.training.medjscc import MedJSCCPlan
from semcom.training.schedule import Schedule

SHIPPED = ("base", "small")
_PARTS = ("codec", "stages")


def read_config(name: str | Path, seed: int = 0) -> tuple[MedJSCC, list[MedJSCCPlan]]:
    """An untrained codec and the stages of its training.

    Args:
        name: ``"base"`` or ``"small"``, the configurations behind the shipped weights, or the
            path of a TOML file with a table ``codec`` (arguments of
            :class:`~semcom.medjscc.MedJSCC`) and an array of tables ``stages`` (fields of
            :class:`~semcom.training.medjscc.MedJSCCPlan`).
        seed: seed of every stage; initial weights are drawn from torch's global generator.

    Raises:
        InputError: if there is no such file, or it says something that does not fit.

    >>> codec, stages = read_config("small")
    >>> [stage.stage for stage in stages]
    ['source', 'receiver', 'end-to-end']
    """
    if not isinstance(name, str | Path):
        raise InputError(f"a configuration is a name or a path, got {shown(name)}")
    text = _text(name)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not TOML: {str(error)[:200]}") from error
    _check_keys(f"part of {name}", document, _PARTS)
    stages, sizes = document.get("stages"), document.get("codec", {})
    if not isinstance(stages, list) or not stages or not isinstance(sizes, dict):
        raise InputError(f"{name} must hold a table [codec] and at least one table [[stages]]")
    _check_keys(f"key of [codec] in {name}", sizes, signature(MedJSCC).parameters)
    for stage in stages:
        if not isinstance(stage, dict):
            raise InputError(f"each stage in {name} must be a table [[stages]], got {shown(stage)}")
        known = [field.name for field in fields(MedJSCCPlan)]
        _check_keys(f"key of [[stages]] in {name}", stage, known)
        schedule = stage.get("schedule", {})
        if not isinstance(schedule, dict):
            raise InputError(
                f'schedule in {name} must be a table such as {{ shape = "constant" }}, '
                f"got {shown(schedule)}"
            )
        _check_keys(f"key of schedule in {name}", schedule, [f.name for f in fields(Schedule)])
    try:
        codec = MedJSCC(**_tuples(sizes))
        plans = [_plan({"seed": seed} | stage) for stage in stages]
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} does not fit: {' '.join(str(error).split())[:200]}") from error
    return codec, plans


def _plan(stage: dict[str, Any]) -> MedJSCCPlan:
    schedule = Schedule(**stage.get("schedule", {}))
    return MedJSCCPlan(**_tuples(stage) | {"schedule": schedule})


def _check_keys(kind: str, keys: Iterable[str], known: Iterable[str]) -> None:
    for key in keys:
        check_name(kind, key, known)


def _text(name: str | Path) -> str:
    if str(name) in SHIPPED:
        return files("semcom.medjscc").joinpath(f"configs/{name}.toml").read_text()
    path = Path(name)
    if not path.is_file():
        known = " or ".join(SHIPPED)
        raise InputError(f"the configuration {shown(str(name))} is no file; or name {known}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text") from error


def _tuples(value: Any) -> Any:
    """Tables as they are, arrays as tuples."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value
