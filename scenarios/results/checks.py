"""Whole numbers, refused where they are none."""

from __future__ import annotations

from channels import InputError


def check_whole(name: str, value: int, least: int) -> None:
    """Refuse what is not a whole number from ``least`` on.

    >>> check_whole("trials", 3, least=1)
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} must be a whole number from {least} on, got {value!r}")
