"""Sionna's name for a dtype: its blocks cast silently unless they are built for the right one."""

from __future__ import annotations

import torch


def precision_of(dtype: torch.dtype) -> str:
    """``"single"`` or ``"double"``.

    >>> precision_of(torch.complex128)
    'double'
    """
    return "double" if dtype in (torch.complex128, torch.float64) else "single"
