"""What goes on the air, what comes off it, and what both ends agreed on before."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from channels.errors import InputError, check_number, keep_number, shown, whole_number
from channels.real import real_tensor
from channels.tensorfile import store

SNR_DB = (-100.0, 100.0)
COMPLEX = (torch.complex64, torch.complex128)


@dataclass(frozen=True)
class Session:
    """The record that both ends hold before the first symbol.

    It is the same for every image of a session: nothing in it may depend on an image's content.

    Args:
        codec: name of the codec, as ``semcom.codec`` knows it.
        image_shape: ``(C, H, W)`` of the images.
        channel_uses: complex channel uses that one image may spend.
        snr_db: average E_s/N_0 that the receiver reported and the transmitter believes, in dB.
        mcs: index of the modulation and coding scheme agreed on, for codecs that have one
            (in 5G the control channel carries it).

    Raises:
        InputError: if a field is of another kind or out of range.

    >>> Session("deepjscc", (1, 256, 256), 4096, 6.0).channel_uses
    4096
    """

    codec: str
    image_shape: tuple[int, int, int]
    channel_uses: int
    snr_db: float
    mcs: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.codec, str):
            raise InputError(f"session codec must be a name, got {shown(self.codec)}")
        keep_number(self, "snr_db", *SNR_DB, called="session snr_db")
        sides = self.image_shape
        numbers = tuple(map(_count, sides)) if isinstance(sides, tuple) else ()
        if len(numbers) != 3 or not all(numbers):
            raise InputError(
                f"session image_shape must be (C, H, W) of positive ints, got {shown(sides)}"
            )
        uses, mcs = _count(self.channel_uses), _count(self.mcs)
        if not uses:
            raise InputError(
                f"session channel_uses must be a positive int, got {shown(self.channel_uses)}"
            )
        if self.mcs is not None and mcs is None:
            raise InputError(f"session mcs must be None or an index, got {shown(self.mcs)}")
        for name, value in (("image_shape", numbers), ("channel_uses", uses), ("mcs", mcs)):
            object.__setattr__(self, name, value)


def _count(value: object) -> int | None:
    number = whole_number(value)
    return number if number is not None and 0 <= number < 2**31 else None


@dataclass(frozen=True, eq=False)
class Transmission:
    """A batch of images as complex baseband symbols.

    Args:
        symbols: complex64 ``[batch, K]`` (complex128 for gradient checks in double precision);
            entries from ``used`` on are zero and never sent.
        used: int64 ``[batch]``, the number of channel uses that each row spends.
        session: what both ends agreed on before.

    Raises:
        InputError: if shapes or dtypes do not fit, or ``used`` exceeds K.

    >>> tx = Transmission(torch.ones(2, 8, dtype=torch.complex64), torch.tensor([8, 8]),
    ...                   Session("deepjscc", (1, 32, 32), 8, 6.0))
    >>> tx.symbols.shape
    torch.Size([2, 8])
    """

    symbols: Tensor
    used: Tensor
    session: Session

    def __post_init__(self) -> None:
        if not isinstance(self.symbols, Tensor) or not isinstance(self.used, Tensor):
            raise InputError("symbols and used must be tensors")
        check_symbols(self.symbols)
        if not isinstance(self.session, Session):
            raise InputError(f"session must be a channels.Session, got {shown(self.session)}")
        _check_used(self.symbols, self.used)

    @property
    def sent(self) -> Tensor:
        """Bool ``[batch, K]``: true where a symbol is really sent."""
        return _leading(self.symbols, self.used)


def check_symbols(symbols: object) -> None:
    """Refuse what are no symbols to send.

    Raises:
        InputError: unless it is a complex tensor ``[batch, K]`` that holds at least one symbol.

    >>> check_symbols(torch.ones(2, 8, dtype=torch.complex64))
    """
    if not isinstance(symbols, Tensor) or symbols.ndim != 2 or symbols.dtype not in COMPLEX:
        what = shown(symbols)
        if isinstance(symbols, Tensor):
            what = f"{symbols.dtype} {list(symbols.shape)}"
        raise InputError(f"symbols must be complex64 [batch, K], got {what}")
    if not symbols.numel():
        raise InputError(f"symbols must hold at least one symbol, got {list(symbols.shape)}")


def sent_mask(symbols: Tensor, used: Tensor | None) -> Tensor:
    """Bool ``[batch, K]``: true for the first ``used`` symbols of each row; for ``None`` for all.

    Raises:
        InputError: if ``used`` is not int64 ``[batch]`` within 1…K.

    >>> sent_mask(torch.ones(2, 2, dtype=torch.complex64), torch.tensor([1, 2])).tolist()
    [[True, False], [True, True]]
    """
    if used is None:
        return torch.ones(symbols.shape, dtype=torch.bool, device=symbols.device)
    _check_used(symbols, used)
    return _leading(symbols, used)


def _check_used(symbols: Tensor, used: object) -> None:
    batch, uses = symbols.shape
    if not isinstance(used, Tensor):
        raise InputError(f"used must be int64 [{batch}], got {shown(used)}")
    if used.shape != (batch,) or used.dtype != torch.int64:
        raise InputError(f"used must be int64 [{batch}], got {used.dtype} {list(used.shape)}")
    if not 1 <= int(used.min()) <= int(used.max()) <= uses:
        raise InputError(f"used must lie in 1..{uses}, got {used.tolist()}")


def _leading(symbols: Tensor, used: Tensor) -> Tensor:
    place = torch.arange(symbols.shape[1], device=symbols.device)
    return place < used.to(symbols.device)[:, None]


def _all_finite(values: Tensor) -> bool:
    """In one pass and without a mask: a sum is finite only if every entry is."""
    return bool(torch.isfinite(values.detach().sum()))


@dataclass(frozen=True, eq=False)
class Received:
    """What the receiver holds of symbols after equalisation; :meth:`~channels.Link.propagate`'s.

    Args:
        symbols: complex64 ``[batch, K]`` (all in double precision for gradient checks), received
            symbols over the gain that the receiver believes: unbiased where it knows the channel,
            to first order where it estimates it.
        noise_var: float32 ``[batch, K]``, the error variance of each estimate that a max-log
            demapper or a channel adaptive unit should believe.
        snr_db: float32 ``[batch]``, the receiver's own estimate of this image's E_s/N_0: mean
            ratio of signal to noise, interference and estimation error over its symbols.

    Raises:
        InputError: if shapes, dtypes or values do not fit.

    >>> got = Received(torch.ones(1, 4, dtype=torch.complex64), torch.full((1, 4), 0.1),
    ...                torch.tensor([10.0]))
    >>> got.noise_var.shape
    torch.Size([1, 4])
    """

    symbols: Tensor
    noise_var: Tensor
    snr_db: Tensor

    def __post_init__(self) -> None:
        tensors = (self.symbols, self.noise_var, self.snr_db)
        if not all(isinstance(tensor, Tensor) for tensor in tensors):
            raise InputError("symbols, noise_var and snr_db must be tensors")
        shape = self.symbols.shape
        if self.symbols.dtype not in COMPLEX or len(shape) != 2 or 0 in shape:
            raise InputError(
                f"symbols must be complex64 [batch, K], got {self.symbols.dtype} {list(shape)}"
            )
        if self.noise_var.shape != shape or self.snr_db.shape != shape[:1]:
            raise InputError(
                f"noise_var must be {list(shape)} and snr_db {list(shape[:1])} like symbols, got "
                f"{list(self.noise_var.shape)} and {list(self.snr_db.shape)}"
            )
        if not {self.noise_var.dtype, self.snr_db.dtype} <= {torch.float32, torch.float64}:
            raise InputError(
                f"noise_var and snr_db must be float32, got {self.noise_var.dtype} and "
                f"{self.snr_db.dtype}: convert them"
            )
        object.__setattr__(self, "symbols", self.symbols.resolve_conj())
        if not _all_finite(torch.view_as_real(self.symbols)) or not _all_finite(self.snr_db):
            raise InputError("symbols and snr_db must be finite: the link or the file is at fault")
        if not _all_finite(self.noise_var) or not bool(self.noise_var.min() > 0):
            raise InputError("noise_var must be finite and positive")


@dataclass(frozen=True, eq=False)
class Reception(Received):
    """What was :class:`Received` in a session: all that a decoder may look at.

    The number of used symbols is not part of it; a decoder that needs it must have it sent.

    Args:
        symbols: complex64 ``[batch, K]``.
        noise_var: float32 ``[batch, K]``.
        snr_db: float32 ``[batch]``.
        session: the transmission's session, handed through untouched.

    Raises:
        InputError: if shapes, dtypes or values do not fit.

    >>> rx = Reception(torch.ones(1, 4, dtype=torch.complex64), torch.full((1, 4), 0.1),
    ...                torch.tensor([10.0]), Session("deepjscc", (1, 32, 32), 4, 6.0))
    >>> rx.noise_var.shape
    torch.Size([1, 4])
    """

    session: Session

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.session, Session):
            raise InputError(f"session must be a channels.Session, got {shown(self.session)}")

    def save(self, path: str | Path) -> None:
        """Write to a safetensors file.

        Raises:
            InputError: if the path is none, or no file can be written there.
        """
        tensors = {
            "symbols": torch.view_as_real(self.symbols),
            "noise_var": self.noise_var,
            "snr_db": self.snr_db,
        }
        store(tensors, path, {"session": json.dumps(asdict(self.session))})

    @classmethod
    def load(cls, path: str | Path) -> Reception:
        """Read a file that :meth:`save` wrote.

        Raises:
            InputError: if the file is missing or is not a saved reception.
        """
        if not isinstance(path, str | Path):
            raise InputError(f"a reception is loaded from a file, got {shown(path)}")
        try:
            with safe_open(str(path), framework="pt") as file:
                session = json.loads((file.metadata() or {})["session"])
                symbols, noise_var, snr_db = (
                    file.get_tensor(name) for name in ("symbols", "noise_var", "snr_db")
                )
            session["image_shape"] = tuple(session["image_shape"])
            return cls(torch.view_as_complex(symbols), noise_var, snr_db, Session(**session))
        except (
            OSError,
            LookupError,
            TypeError,
            ValueError,
            RuntimeError,
            SafetensorError,
        ) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{Path(path).name} is not a saved Reception: {reason}") from error


def checked_snr(snr_db: object, batch: int) -> Tensor:
    """An SNR in dB for each image, float64 ``[batch]``, of one number or of as many.

    Raises:
        InputError: if it is neither, or outside -100…100 dB.

    >>> checked_snr(3, 2)
    tensor([3., 3.], dtype=torch.float64)
    """
    if isinstance(snr_db, np.ndarray) and snr_db.size != 1:
        snr_db = real_tensor("snr_db", snr_db)
    if not isinstance(snr_db, Tensor):
        snr_db = torch.tensor(check_number("snr_db", snr_db, *SNR_DB), dtype=torch.float32)
    if snr_db.numel() == 1:
        snr_db = snr_db.reshape(())
    if (
        snr_db.is_complex()
        or snr_db.dtype == torch.bool
        or snr_db.shape not in ((), (batch,))
        or not bool((snr_db.abs() <= SNR_DB[1]).all())
    ):
        raise InputError(
            f"snr_db must be one number or real [{batch}], finite and in -100…100 dB, got "
            f"{list(snr_db.shape)} {shown(snr_db.tolist())}"
        )
    return snr_db.double().expand(batch)
