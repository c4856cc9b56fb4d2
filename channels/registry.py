"""Names that others give to things of their own: scripts, installed packages, any module."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, TypeAlias

from channels.errors import InputError, shown

Build: TypeAlias = Callable[..., Any]
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, partial)
_PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
READS_AS_OTHER = re.compile(
    r"|[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?%?|[-+]?(inf|infinity)|true|false"
    r"|nan|-nan|na|<na>|n/a|#n/a( n/a)?|#na|null|none|nil|1\.#ind|-1\.#ind|1\.#qnan|-1\.#qnan",
    re.IGNORECASE,
)
"""Names that readers of CSV files, pandas among them, take for something else."""


@dataclass(frozen=True)
class Registered:
    """What a script added: the function that makes it, and one line on what it is."""

    build: Build
    line: str


@dataclass(frozen=True)
class Registry:
    """Things of one kind that do not come with the package.

    Args:
        kind: what they are, for errors: ``"link"``.
        made: the class that each is made as: ``"channels.Link"``.
        maker: what makes one: ``"function"``.
        place: how to name one that no catalogue knows: ``"package.module:function"``.
        group: entry points by which a package offers some: ``"semcom.links"``.
        taken: names that nobody else can have.

    >>> place = "package.module:function"
    >>> known = Registry("link", "channels.Link", "function", place, "semcom.links", ["awgn"])
    >>> known.register("office", print, "An office.", replace=False)
    >>> known.find("office") is print, known.find("offce")
    (True, None)
    """

    kind: str
    made: str
    maker: str
    place: str
    group: str
    taken: Collection[str]
    registered: dict[str, Registered] = field(default_factory=dict)

    def register(self, name: str, build: Build, line: str | None, *, replace: bool) -> None:
        """Add one, by default with the first line of ``build``'s docstring.

        Raises:
            InputError: on a name that is taken or cannot be one, or a ``build`` that is no
                function.
        """
        check_own_name(self.kind, name)
        if not inspect.isclass(build) and not isinstance(build, _FUNCTIONS):
            raise InputError(
                f"build must be a {self.maker} that makes a {self.made}, got {shown(build)}"
            )
        if name in self.registered:
            if not replace:
                raise InputError(
                    f"{self.kind} {name!r} is registered already: replace=True takes its place"
                )
        elif name in self.taken or name in self.lines():
            raise InputError(f"{self.kind} {name!r} is there already: take another name")
        if line is None:
            line = (inspect.getdoc(build) or "").partition("\n")[0]
        if not isinstance(line, str) or not line.isprintable():
            raise InputError(f"line must be one line of text, got {shown(line)}")
        self.registered[name] = Registered(build, line)

    def lines(self) -> dict[str, str]:
        """All by name, with one line on what each is."""
        offered = {point.name: f"{point.value}, of {_package(point)}." for point in self._offered()}
        return offered | {name: entry.line for name, entry in self.registered.items()}

    def find(self, name: object) -> Build | None:
        """What makes the one of that name, or at that place; ``None`` if the name is unknown.

        Raises:
            InputError: if it cannot be loaded, or the name is no name.
        """
        if not isinstance(name, str):
            return None
        if name in self.registered:
            return self.registered[name].build
        if is_place(name):
            return self._loaded(name, EntryPoint(name, name, self.group))
        points = [point for point in self._offered() if point.name == name]
        if len(values := {point.value for point in points}) > 1:
            places = " or ".join(map(repr, sorted(values)))
            raise InputError(f"{self.kind} {name!r} is offered more than once: write {places}")
        if points:
            return self._loaded(name, points[0])
        if ":" in name:
            raise InputError(f"{self.kind} must be a name or {self.place!r}, got {shown(name)}")
        return None

    def _offered(self) -> list[EntryPoint]:
        """What installed packages offer; none takes the name of one that comes with this one."""
        return [point for point in offered(self.group) if point.name not in self.taken]

    def _loaded(self, name: str, point: EntryPoint) -> Build:
        try:
            build = point.load()
        except (Exception, SystemExit) as error:
            raise InputError(
                f"{self.kind} {shown(name)} cannot be loaded ({reason(error)}): "
                f"{_cure(name, error)}"
            ) from error
        if not callable(build):
            raise InputError(
                f"{self.kind} {shown(name)} must name a {self.maker}, found {shown(build)}"
            )
        return build  # type: ignore[no-any-return]


def check_own_name(kind: str, name: object, taken: Collection[str] = ()) -> None:
    """Refuse what something cannot be called in tables.

    >>> check_own_name("codec", "a,b")
    Traceback (most recent call last):
    channels.errors.InputError: a codec's name must be letters, digits, '.', '_', '-', got 'a,b'
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"a {kind}'s name must be letters, digits, '.', '_', '-', got {shown(name)}"
        )
    if READS_AS_OTHER.fullmatch(name):
        raise InputError(
            f"a {kind} cannot be called {name!r}, which files of results would be read with as a "
            f"number, a truth value or nothing: take another name, such as {kind}-{name}"
        )
    if name in taken:
        raise InputError(f"this {kind} calls itself {name!r}, which is another's name: rename it")


def is_place(name: str) -> bool:
    """Whether a name says where a thing stands, as in ``"package.module:Class"``.

    >>> is_place("package.module:Class"), is_place("chest")
    (True, False)
    """
    return _PLACE.fullmatch(name) is not None


@contextmanager
def not_ending(who: str) -> Iterator[None]:
    """Refuse code of others that ends Python, which would look as if all had gone well.

    Args:
        who: whose code runs inside, for the error.

    >>> with not_ending("codec 'mine'"):
    ...     raise SystemExit(0)
    Traceback (most recent call last):
    channels.errors.InputError: codec 'mine' ends Python (SystemExit: 0): take sys.exit out of ...
    """
    try:
        yield
    except SystemExit as end:
        raise InputError(
            f"{who} ends Python ({reason(end)}): take sys.exit out of its code, or raise an error"
        ) from end


def reason(error: BaseException) -> str:
    """Kind and message of an error, on one line.

    >>> reason(OSError("disk full")), reason(SystemExit())
    ('OSError: disk full', 'SystemExit')
    """
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")


@cache
def offered(group: str) -> tuple[EntryPoint, ...]:
    """Entry points of installed packages, looked up once.

    >>> offered("semcom.nothing")
    ()
    """
    return tuple(entry_points(group=group))


def _cure(name: str, error: BaseException) -> str:
    """What to do where something cannot be loaded."""
    module, _, attribute = name.partition(":")
    if isinstance(error, SystemExit):
        return "put what ends Python in its module under if __name__ == '__main__'"
    if module.endswith(".py"):
        return f"a module is named without .py, {module.removesuffix('.py') + ':' + attribute!r}"
    return "check its spelling, and that its package is installed or on PYTHONPATH"


def _package(point: EntryPoint) -> str:
    return "an unnamed package" if point.dist is None else point.dist.name
