"""What two tables say of themselves, put together."""

from __future__ import annotations

from typing import Any

from channels import InputError


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The metadata of tables that are put together.

    Raises:
        InputError: if they disagree in more than codecs, links and rates.

    >>> merged({"codecs": {"a": "1"}}, {"codecs": {"b": "2"}})
    {'codecs': {'a': '1', 'b': '2'}}
    """
    metadata = dict(first)
    for name in sorted(first.keys() | second.keys()):
        ours, theirs = first.get(name), second.get(name)
        if (
            name in ("codecs", "families", "links", "settings")
            and isinstance(ours, dict)
            and isinstance(theirs, dict)
        ):
            clash = [key for key in ours.keys() & theirs.keys() if ours[key] != theirs[key]]
            if clash:
                raise InputError(f"the tables disagree about {name[:-1]} {min(clash)!r}")
            metadata[name] = ours | theirs
        elif name == "parameters":
            metadata[name] = _of_all_rates(ours, theirs)
        elif ours != theirs:
            raise _disagreement(name)
    return metadata


def _of_all_rates(ours: Any, theirs: Any) -> Any:
    """Parameters of tables that may have been measured at different rates."""
    if ours == theirs:
        return ours
    if not ours or not theirs or ours | {"cbr": None} != theirs | {"cbr": None}:
        raise _disagreement("parameters")
    held = [side["cbr"] for side in (ours, theirs)]
    rates = {r for cbr in held for r in (cbr if isinstance(cbr, list) else [cbr])}
    return ours | {"cbr": sorted(rates)}


def _disagreement(name: str) -> InputError:
    return InputError(f"the tables disagree about {name!r}: they cannot be merged")
