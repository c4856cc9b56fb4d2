"""Checks that metrics of images, masks and bits share."""

from __future__ import annotations

from torch import Tensor

from channels import InputError


def check_alike(what: str, a: Tensor, b: Tensor) -> None:
    """Refuse two tensors of different shapes; ``what`` is for the error.

    >>> import torch
    >>> check_alike("masks", torch.ones(1), torch.ones(1))
    """
    if a.shape != b.shape:
        raise InputError(
            f"{what} have different shapes, {list(a.shape)} and {list(b.shape)}: "
            "compare like with like"
        )


def described(value: object) -> str:
    """What something is, for an error.

    >>> described([1])
    'list'
    """
    if isinstance(value, Tensor):
        return f"{value.dtype} {list(value.shape)}"
    return type(value).__name__
