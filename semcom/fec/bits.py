"""Bits in Tensors, and the arrays that compiled functions read them from."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from channels.errors import shown

Rows: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]


def not_bits() -> InputError:
    """The error for values that are neither 0 nor 1.

    >>> print(not_bits())
    bits must be 0 or 1: decide soft bits with llr > 0 first
    """
    return InputError("bits must be 0 or 1: decide soft bits with llr > 0 first")


def rows_of(bits: Tensor, width: int | None = None) -> Rows:
    """Bits as rows that compiled functions read, without a copy where that is possible.

    Values are checked to be 0 or 1 here, except those that are uint8 or float32 already: compiled
    functions check them as they read them.

    Args:
        bits: ``[..., width]``, any dtype that is not complex.
        width: bits of a row; ``None`` takes any number but 0.

    Returns:
        uint8 or float32 ``[rows, width]``.

    Raises:
        InputError: on another width, or on values that are not 0 or 1.

    >>> rows_of(torch.ones(2, 3, 4, dtype=torch.int64)).shape
    (6, 4)
    """
    if not isinstance(bits, Tensor):
        raise InputError(f"bits must be a Tensor, got {shown(bits)}")
    if bits.is_complex():
        raise InputError(f"bits must be real, got {bits.dtype}: decide them from symbols first")
    got = bits.shape[-1] if bits.ndim else 0
    if got != (width or got) or not got:
        wanted = f"[..., {width}]" if width else "[..., at least 1]"
        raise InputError(f"bits must be {wanted}, got {list(bits.shape)}")
    rows = bits.detach().cpu().reshape(-1, got)
    if rows.dtype == torch.bool:
        rows = rows.view(torch.uint8)
    elif rows.dtype not in (torch.uint8, torch.float32):
        if not bool(((rows == 0) | (rows == 1)).all()):
            raise not_bits()
        rows = rows.to(torch.uint8)
    return rows.contiguous().numpy()


def like(rows: Rows, bits: Tensor) -> Tensor:
    """Rows as a Tensor with the leading dimensions, dtype and device of ``bits``.

    >>> like(np.ones((6, 4), np.uint8), torch.zeros(2, 3, 9)).shape
    torch.Size([2, 3, 4])
    """
    shaped = torch.from_numpy(rows).reshape(*bits.shape[:-1], rows.shape[1])
    return shaped.to(bits.device, bits.dtype)


def unpacked(data: bytes, count: int) -> Tensor:
    r"""The bits of bytes, the highest of each first: float32 ``[count]``, zero where they end.

    >>> unpacked(b"\x81", 10).tolist()
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8)).astype(np.float32)
    return torch.from_numpy(np.pad(bits, (0, count - len(bits))))


def packed(bits: Tensor) -> bytes:
    r"""Undo :func:`unpacked`: the whole bytes in bits ``[n]`` of 0 and 1.

    >>> packed(unpacked(b"\x81", 10))
    b'\x81'
    """
    return np.packbits(bits[: len(bits) // 8 * 8].numpy().astype(np.uint8)).tobytes()
