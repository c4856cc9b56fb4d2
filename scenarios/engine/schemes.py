"""Curves of single modulation and coding schemes beside the envelope that adaptation draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from channels import InputError
from scenarios.engine.inputs import Contender
from semcom.separate import SeparateCodec

Scheme: TypeAlias = int | Literal["auto"]


def with_schemes(
    contenders: Mapping[str, Contender], schemes: Sequence[Scheme]
) -> dict[str, Contender]:
    """Give every separate codec a curve for each scheme; others stay as they are.

    Args:
        contenders: by label.
        schemes: ``"auto"`` for the codec as it adapts, and indices of its MCS table.

    Raises:
        InputError: on an index beyond the table, or schemes without a separate codec.

    >>> from scenarios.engine.inputs import contenders
    >>> list(with_schemes(contenders(["hevc-ldpc", "hevc-capacity"]), ["auto", 4]))
    ['hevc-ldpc', 'hevc-ldpc MCS 4', 'hevc-capacity']
    """
    separate = any(isinstance(contender, SeparateCodec) for contender in contenders.values())
    if not separate and list(schemes) != ["auto"]:
        raise InputError("an MCS belongs to separate coding: name such a codec, e.g. hevc-ldpc")
    found: dict[str, Contender] = {}
    for label, contender in contenders.items():
        if not isinstance(contender, SeparateCodec):
            found[label] = contender
            continue
        for scheme in schemes:
            if scheme == "auto":
                found[label] = contender
            else:
                found[f"{label} MCS {scheme}"] = contender.with_mcs(scheme)
    return found
