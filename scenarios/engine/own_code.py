"""The code of codecs, links and segmenters that a user wrote, which their results depend on."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType

import channels
import semcom

_LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")
_INSTALLED = tuple(
    Path(folder).resolve()
    for folder in (
        *(sysconfig.get_path(name) for name in _LIBRARIES),
        *channels.__path__,
        *semcom.__path__,
    )
)
_PLAIN = (str, bytes, int, float, complex, tuple)
_WRAPPED = (staticmethod, classmethod)


def own_code(thing: object) -> str:
    """Hash of a user's code that a thing is made of; empty for what installed packages hold.

    Of a class in a file the whole file counts, of one in a notebook or the main script the class
    and the functions, classes and plain constants there that it names; arrays and other objects
    that it reads there do not.

    >>> own_code([1]), len(own_code(lambda images: images))
    ('', 12)
    """
    digest, parts = hashlib.sha256(), 0
    for part in _parts(thing, set()):
        digest.update(part)
        parts += 1
    return digest.hexdigest()[:12] if parts else ""


def _parts(thing: object, seen: set[int]) -> Iterator[bytes]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, MethodType):
        thing = thing.__func__
    if not isinstance(thing, type | FunctionType):
        yield from _parts(type(thing), seen)
        return
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    if file is not None and thing.__module__ != "__main__" and "<locals>" not in thing.__qualname__:
        path = Path(file).resolve()
        if not any(folder in path.parents for folder in _INSTALLED) and path.is_file():
            yield path.read_bytes()
    elif module is not None and (file is not None or thing.__module__ == "__main__"):
        yield from _by_value(thing, module, seen)
    if isinstance(thing, type):
        for base in thing.__bases__:
            yield from _parts(base, seen)


def _by_value(thing: type | FunctionType, module: ModuleType, seen: set[int]) -> Iterator[bytes]:
    yield thing.__qualname__.encode()
    if isinstance(thing, FunctionType):
        yield from _code(thing.__code__)
        for name in sorted(set(_names(thing.__code__))):
            other = vars(module).get(name)
            if isinstance(other, type | FunctionType) and other.__module__ == thing.__module__:
                yield from _parts(other, seen)
            elif isinstance(other, _PLAIN):
                yield f"{name}={other!r}".encode()
        return
    for name, value in sorted(vars(thing).items()):
        held = value.__func__ if isinstance(value, _WRAPPED) else value
        held = held.fget if isinstance(held, property) else held
        if isinstance(held, FunctionType):
            yield from _by_value(held, module, seen)
        elif isinstance(held, _PLAIN) and not name.startswith("__"):
            yield f"{name}={held!r}".encode()


def _code(code: CodeType) -> Iterator[bytes]:
    """What a function does, wherever it stands."""
    yield code.co_code
    yield repr(code.co_names).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(constant).encode()


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
