"""PyTorch as it is when nothing was set: results shall not depend on what a caller has chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import RLock, local
from types import TracebackType

import torch

from channels.errors import InputError, shown

_AUTOCAST = ("cpu", "cuda", "mps", "xpu")
_DEVICES = ("cpu", "cuda", "mps")
_of_thread = local()


@contextmanager
def undisturbed(training: bool = False) -> Iterator[None]:
    """Compute inside as if the caller had set nothing: the same bits for everyone.

    Tensors are float32 by default and made on the CPU, sums run in one thread and so in one order,
    there is no autocast and no reduced precision of matrix products. What is made inside
    ``torch.inference_mode`` is an ordinary tensor without gradient, so that nothing that is kept
    spoils a later training. Gradients flow as they do outside.

    Args:
        training: leave the number of threads and autocast to the caller, whose mixed precision is.

    >>> torch.set_default_dtype(torch.float64)
    >>> with torch.autocast("cpu", torch.bfloat16), undisturbed():
    ...     torch.get_default_dtype(), (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    (torch.float32, torch.float32)
    >>> torch.set_default_dtype(torch.float32)
    """
    with ExitStack() as open_ones:
        open_ones.enter_context(single_precision())
        if torch.get_default_device().type != "cpu":
            open_ones.enter_context(torch.device("cpu"))
        if torch.is_inference_mode_enabled():
            open_ones.enter_context(torch.inference_mode(False))
            open_ones.enter_context(torch.no_grad())
        if not training:
            open_ones.enter_context(one_thread())
            for kind in _AUTOCAST:
                if torch.is_autocast_enabled(kind):
                    open_ones.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute in one thread, the same sums in the same order everywhere.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    outermost = not hasattr(_of_thread, "allowed")
    if outermost:
        _of_thread.allowed = before
    if before != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if outermost:
            del _of_thread.allowed
        if before != 1:
            torch.set_num_threads(before)


def check_device(device: object) -> torch.device:
    """Return a device if this machine has it, for whatever asks for one.

    Raises:
        InputError: if it is none, or not there.

    >>> check_device("cpu"), check_device("cpu:0")
    (device(type='cpu'), device(type='cpu'))
    >>> check_device("cuda:99")
    Traceback (most recent call last):
    channels.errors.InputError: device 'cuda:99' is not there: use 'cpu'
    """
    kinds = "device must be 'cpu', 'cuda' or, of several, 'cuda:1'"
    if not isinstance(device, str | torch.device):
        raise InputError(f"{kinds}, got {shown(device)}")
    try:
        found = torch.device(device)
    except RuntimeError:
        raise InputError(f"{kinds}, got {shown(device)}") from None
    if found.type not in _DEVICES or (found.type == "cpu" and found.index):
        raise InputError(f"{kinds}, got {str(found)!r}")
    if not _is_there(found):
        raise InputError(f"device {str(found)!r} is not there: use 'cpu'")
    return torch.device("cpu") if found.type == "cpu" else found


def _is_there(device: torch.device) -> bool:
    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    return device.type == "cpu" or torch.backends.mps.is_available()


def allowed_threads() -> int:
    """Threads that the caller lets PyTorch have, for work whose results do not depend on them.

    >>> before = torch.get_num_threads()
    >>> with one_thread():
    ...     allowed_threads() == before
    True
    """
    allowed: int = getattr(_of_thread, "allowed", 0) or torch.get_num_threads()
    return allowed


class single_precision:
    """Inside, new tensors are float32 by default; Sionna's constructors count on it.

    Matrix products are in float32 throughout, too. Both settings are the process's: threads that
    are inside at a time share them, and the last one out puts back what was.

    >>> with single_precision():
    ...     torch.get_default_dtype()
    torch.float32
    """

    _lock = RLock()
    _inside = 0
    _before = (torch.float32, "highest")

    def __enter__(self) -> None:
        cls = single_precision
        with cls._lock:
            now = torch.get_default_dtype(), torch.get_float32_matmul_precision()
            if not cls._inside:
                cls._before = now
            cls._inside += 1
            _set(now, (torch.float32, "highest"))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        cls = single_precision
        with cls._lock:
            cls._inside -= 1
            if not cls._inside:
                _set((torch.get_default_dtype(), torch.get_float32_matmul_precision()), cls._before)


def _set(now: tuple[torch.dtype, str], wanted: tuple[torch.dtype, str]) -> None:
    if now[0] != wanted[0]:
        torch.set_default_dtype(wanted[0])
    if now[1] != wanted[1]:
        torch.set_float32_matmul_precision(wanted[1])
