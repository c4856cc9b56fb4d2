"""Links by name: those of the package, of scripts and of other packages."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace as with_changes
from numbers import Number
from typing import Any

from channels.entries import ENTRIES
from channels.errors import InputError, check_number, plain, real_number, shown, unknown_name
from channels.link import Link
from channels.ofdm.amplifier import Rapp, Saleh, SoftLimiter
from channels.ofdm.grid import Grid
from channels.orbit.doppler import Residual
from channels.power import AveragePower, PeakPower
from channels.registry import Registry, check_own_name

GROUP = "semcom.links"
"""Entry points by which a package offers links."""

COMMON = ("estimator", "domain", "carrier_hz", "grid", "residual", "power", "amplifier")
_others = Registry("link", "channels.Link", "function", "package.module:function", GROUP, ENTRIES)


def register(
    name: str, build: Callable[..., Link], *, line: str | None = None, replace: bool = False
) -> None:
    """Add a link to :func:`links`, so that :func:`link` and all scenarios know it by name.

    ::

        def one_gain(device):
            return sionna.phy.channel.RayleighBlockFading(1, 1, 1, 1, device=str(device))

        def office():
            "Rayleigh fading that stands still."
            return channels.Link("office", one_gain)

        channels.register("office", office)
        channels.link("office", estimator="ls")

    An installed package needs no call; it names the function among its entry points::

        [project.entry-points."semcom.links"]
        office = "mypackage.links:office"

    Args:
        name: letters, digits, ``.``, ``_`` and ``-``; the link is called so in tables, too.
        build: makes the :class:`~channels.Link`; its parameters are the link's own. Options that
            all links share (``estimator``, ``grid``, ...) go to ``build`` if it has them, else they
            replace what it chose; ``carrier_hz`` is one only if ``build`` has it.
        line: what it is; by default the first line of ``build``'s docstring.
        replace: take the place of a link that was registered before.

    Raises:
        InputError: on a name that is taken or cannot be one, or a ``build`` that is no function.
    """
    _others.register(name, build, line, replace=replace)


def links() -> dict[str, str]:
    """Every link by name, with one line on what it is.

    >>> links()["ntn-tdl-c"]
    '3GPP TR 38.811 NTN-TDL-C, line of sight.'
    """
    return {name: entry.line for name, entry in ENTRIES.items()} | _others.lines()


def link(
    name: str,
    *,
    estimator: str | None = None,
    domain: str | None = None,
    carrier_hz: float | None = None,
    grid: Grid | None = None,
    residual: Residual | None = None,
    power: AveragePower | PeakPower | None = None,
    amplifier: SoftLimiter | Rapp | Saleh | None = None,
    **parameters: Any,
) -> Link:
    """Build a link by name.

    Args:
        name: one of :func:`links`, or ``"package.module:function"``, a function such as
            :func:`register` takes; the link is then called as the function calls it.
        estimator: ``"perfect"`` (default), ``"ls"`` or ``"lmmse"``.
        domain: ``"frequency"`` (default, fast) or ``"time"`` (every sample of the waveform).
        carrier_hz: carrier frequency in Hz; by default 2 GHz (S band) or 20 GHz (Ka band).
        grid: OFDM numerology and pilots; by default 300 subcarriers of 15 kHz, in Ka band 384 of
            120 kHz.
        residual: carrier offset left by Doppler pre-compensation; by default none, for
            ``"leo…"`` that of a :class:`~channels.Precompensation`.
        power: power constraint, by default unit mean power.
        amplifier: amplifier model, by default linear.
        **parameters: the link's own, for those that come with the package:

            - ``speed_mps`` in m/s: all but ``"awgn"``; by default 0 for Rayleigh, Rician, shadowed
              Rician and Loo, 3 km/h for the others;
            - ``k_factor_db`` in dB: ``"rician"``, ``"ntn-tdl-c"``, ``"ntn-tdl-d"``;
            - ``elevation_deg`` in degrees: ``"shadowed-rician"`` (default 45), ``"lms-…"`` (30, the
              nearest column of the table), ``"ntn-cdl-…"`` (50), ``"leo…"`` (30), ``"ntn-tdl-…"``
              with an ``environment`` (50);
            - ``normalize``: ``"shadowed-rician…"``, ``"loo-…"``, ``"lms-…"``;
            - ``delay_spread_s`` in s (100 ns), or ``environment`` for the median delay spread of
              TR 38.811 at an elevation: ``"ntn-…"``;
            - ``line_of_sight``, ``shadowing``, ``precompensation``: ``"leo…"``.

    A link that :func:`register` or another package added has the defaults that its function gives;
    what is given here takes their place.

    Raises:
        InputError: on an unknown name, a function that cannot be loaded or makes no link, an
            unknown parameter or a value out of range.

    >>> link("ntn-tdl-c", delay_spread_s=30e-9, speed_mps=0.0).name
    'ntn-tdl-c'
    """
    common = (estimator, domain, carrier_hz, grid, residual, power, amplifier)
    given = {key: _plain(key, v) for key, v in zip(COMMON, common, strict=True) if v is not None}
    parameters = {key: _plain(key, value) for key, value in parameters.items()}
    if isinstance(name, str) and name in ENTRIES:
        return _packaged(name, given, parameters)
    build = _others.find(name)
    if build is None:
        raise unknown_name("link", name, links())
    built = _built(name, build, given, parameters)
    if ":" not in name:
        return with_changes(built, name=name)
    check_own_name("link", built.name, ENTRIES)
    return built


def _plain(name: str, value: object) -> Any:
    """A parameter whose numbers are Python's own: models are kept by it."""
    value = plain(value)
    if not isinstance(value, Number) or isinstance(value, int | float):
        return value
    number = real_number(value)
    if number is None:
        raise InputError(f"{name} must be a number, got {shown(value)}")
    return number


def _packaged(name: str, given: dict[str, Any], parameters: dict[str, Any]) -> Link:
    """A link that comes with the package."""
    entry = ENTRIES[name]
    own = set(inspect.signature(entry.build).parameters) - {"carrier_hz"}
    _check_parameters(name, parameters, own, COMMON)
    chosen_hz = given.get("carrier_hz", entry.carrier_hz)
    chosen_hz = check_number("carrier_hz", chosen_hz, 1e6, 1e12)
    model = entry.build(chosen_hz, **parameters)
    rows = model.rows if "residual" in given else (*model.rows, *model.residual_rows)
    parts: dict[str, Any] = {
        "grid": model.grid,
        "residual": model.residual,
        "carrier_hz": chosen_hz,
    } | given
    return Link(name, model.propagation, rows, snr_reference=model.snr_reference, **parts)


def _built(
    name: str, build: Callable[..., Link], given: dict[str, Any], parameters: dict[str, Any]
) -> Link:
    """What a function of a script's or another package's makes, with what is given instead."""
    signature = inspect.signature(build)
    own = signature.parameters
    handed = {key: given[key] for key in given if key in own or key == "carrier_hz"}
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own.values()):
        shared = [key for key in COMMON if key != "carrier_hz"]
        _check_parameters(name, parameters | handed, set(own), shared)
    try:
        signature.bind(**parameters, **handed)
    except TypeError as error:
        raise InputError(f"link {name!r} cannot be made so: {error}") from error
    built = build(**parameters, **handed)
    if not isinstance(built, Link):
        raise InputError(f"link {name!r} must be made as a channels.Link, got {shown(built)}")
    return with_changes(built, **{key: given[key] for key in given if key not in handed})


def _check_parameters(
    name: str, parameters: Iterable[str], own: set[str], shared: Iterable[str]
) -> None:
    for key in parameters:
        if key not in own:
            raise unknown_name(f"parameter of link {name!r}", key, {*own, *shared})
