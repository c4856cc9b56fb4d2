"""How many bits and blocks arrive wrong."""

from __future__ import annotations

from torch import Tensor

from channels import InputError
from channels.surroundings import undisturbed
from semcom.images import check_tensor
from semcom.metrics.checks import check_alike, described


@undisturbed()
def ber(bits: Tensor, bits_hat: Tensor) -> Tensor:
    """Bit error rate of each row.

    Args:
        bits: sent bits 0 and 1, bool, integer or float, ``[batch, n]``.
        bits_hat: received bits (hard decisions), of the same shape.

    Returns:
        float32 ``[batch]``.

    Raises:
        InputError: if the shapes do not fit or a value is neither 0 nor 1.

    >>> import torch
    >>> ber(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    tensor([0.2500])
    """
    return _wrong(bits, bits_hat).float().mean(dim=-1)


@undisturbed()
def bler(bits: Tensor, bits_hat: Tensor) -> Tensor:
    """Block error rate: the share of blocks with at least one wrong bit.

    Args:
        bits: sent bits 0 and 1, ``[blocks, n]``, or ``[batch, blocks, n]`` for a rate per image.
        bits_hat: received bits (hard decisions), of the same shape.

    Returns:
        float32, a scalar or ``[batch]``.

    Raises:
        InputError: if the shapes do not fit or a value is neither 0 nor 1.

    >>> import torch
    >>> bler(torch.tensor([[0, 1], [1, 0]]), torch.tensor([[0, 1], [1, 1]]))
    tensor(0.5000)
    """
    return _wrong(bits, bits_hat).any(dim=-1).float().mean(dim=-1)


def _wrong(bits: Tensor, bits_hat: Tensor) -> Tensor:
    for row in (bits, bits_hat):
        if check_tensor("bits", row).ndim < 2 or row.numel() == 0:
            raise InputError(f"bits must be a tensor [rows, n], not empty, got {described(row)}")
        if not bool(((row == 0) | (row == 1)).all()):
            raise InputError("bits must be 0 or 1: decide first, e.g. llr > 0")
    check_alike("bits", bits, bits_hat)
    return bits.bool() != bits_hat.bool()
