"""Curves of single modulation and coding schemes beside the envelope that adaptation draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from channels import InputError
from channels.errors import plain
from semcom.scheme import Scheme
from semcom.separate import SeparateCodec

MCSChoice: TypeAlias = int | tuple[int, int] | Literal["auto"]
"""``"auto"``; an index of table 1 of TS 38.214; or ``(table, index)``."""


def with_mcs(schemes: Mapping[str, Scheme], mcs: Sequence[MCSChoice]) -> dict[str, Scheme]:
    """Give every separate codec a curve for each MCS; others stay as they are.

    Args:
        schemes: codecs and bounds by label.
        mcs: ``"auto"`` for the codec as it adapts, and schemes to hold it at: an index of table 1
            of TS 38.214, whatever table the codec adapts in, or ``(table, index)``.

    Raises:
        InputError: on an index beyond its table, an MCS that the codec's table lacks, or an MCS
            without a separate codec.

    >>> from scenarios.engine.inputs import schemes
    >>> list(with_mcs(schemes(["hevc-ldpc", "hevc-capacity"]), ["auto", 4, (2, 27)]))
    ['hevc-ldpc', 'hevc-ldpc MCS 4', 'hevc-ldpc MCS 2:27', 'hevc-capacity']
    """
    separate = any(isinstance(scheme, SeparateCodec) for scheme in schemes.values())
    if not separate and list(map(plain, mcs)) != ["auto"]:
        raise InputError("an MCS belongs to separate coding: name such a codec, e.g. hevc-ldpc")
    curves: dict[str, Scheme] = {}
    for label, scheme in schemes.items():
        if not isinstance(scheme, SeparateCodec):
            curves[label] = scheme
            continue
        for choice in mcs:
            table, index = map(plain, choice if isinstance(choice, tuple) else (1, choice))
            if isinstance(index, str) and index == "auto":
                curves[label] = scheme
                continue
            name = index if table == 1 else f"{table}:{index}"
            curves[f"{label} MCS {name}"] = scheme.with_mcs(index, table)  # type: ignore[arg-type]
    return curves
