"""Curves of single modulation and coding schemes beside the envelope that adaptation draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from channels import InputError
from semcom.scheme import Scheme
from semcom.separate import SeparateCodec

MCSChoice: TypeAlias = int | Literal["auto"]


def with_mcs(schemes: Mapping[str, Scheme], mcs: Sequence[MCSChoice]) -> dict[str, Scheme]:
    """Give every separate codec a curve for each MCS; others stay as they are.

    Args:
        schemes: codecs and bounds by label.
        mcs: ``"auto"`` for the codec as it adapts, and indices of its MCS table.

    Raises:
        InputError: on an index beyond the table, or an MCS without a separate codec.

    >>> from scenarios.engine.inputs import schemes
    >>> list(with_mcs(schemes(["hevc-ldpc", "hevc-capacity"]), ["auto", 4]))
    ['hevc-ldpc', 'hevc-ldpc MCS 4', 'hevc-capacity']
    """
    separate = any(isinstance(scheme, SeparateCodec) for scheme in schemes.values())
    if not separate and list(mcs) != ["auto"]:
        raise InputError("an MCS belongs to separate coding: name such a codec, e.g. hevc-ldpc")
    curves: dict[str, Scheme] = {}
    for label, scheme in schemes.items():
        if not isinstance(scheme, SeparateCodec):
            curves[label] = scheme
            continue
        for index in mcs:
            if index == "auto":
                curves[label] = scheme
            else:
                curves[f"{label} MCS {index}"] = scheme.with_mcs(index)
    return curves
