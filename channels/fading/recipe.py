"""How a link's fading model is made: for a device, once, from a recipe that compares by value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from channels.cached import cached
from channels.errors import InputError, plain
from channels.randomness import seeded

if TYPE_CHECKING:
    from sionna.phy.channel import ChannelModel

Build = Callable[[torch.device], "ChannelModel"]


def recipe(make: Callable[..., Any], *arguments: Any, **options: Any) -> Recipe:
    """A :class:`Recipe` as one would call the class itself, without the device.

    >>> from channels.fading.flat import FlatFading
    >>> recipe(FlatFading, None, doppler_hz=5.0) == recipe(FlatFading, None, doppler_hz=5.0)
    True
    """
    return Recipe(make, *_plain(arguments, options))


def sionna_block(make: Callable[..., ChannelModel], *arguments: Any, **options: Any) -> SionnaBlock:
    """A Sionna channel model as a :class:`channels.Link` takes it, as one would call its class.

    It says which class and arguments it is made of, so links of it compare by value and reach other
    processes, which functions inside functions do not.

    >>> from sionna.phy.channel.tr38901 import TDL
    >>> street = sionna_block(TDL, "A", 300e-9, 2e9, max_speed=1.0)
    >>> type(street(torch.device("cpu"))).__name__
    'TDL'
    """
    return SionnaBlock(make, *_plain(arguments, options))


def _plain(
    arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], tuple[tuple[str, Any], ...]]:
    return tuple(map(plain, arguments)), tuple((key, plain(options[key])) for key in options)


@dataclass(frozen=True)
class Recipe:
    """A model class with its arguments: makes the model for a device, compares by value.

    Args:
        make: called as ``make(*arguments, device, **options)``.
        arguments: all that comes before the device.
        options: pairs of keyword and value.

    >>> from channels.fading.flat import FlatFading
    >>> Recipe(FlatFading, (10.0,))(torch.device("cpu")).doppler_hz
    0.0
    """

    make: Callable[..., ChannelModel]
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    def __call__(self, device: torch.device) -> ChannelModel:
        """Make the model."""
        return self.make(*self.arguments, device, **dict(self.options))


class SionnaBlock(Recipe):
    """A recipe of a Sionna block, which takes its device as a string and by keyword.

    >>> from sionna.phy.channel import RayleighBlockFading
    >>> block = SionnaBlock(RayleighBlockFading, (1, 1, 1, 1))
    >>> type(block(torch.device("cpu"))).__name__
    'RayleighBlockFading'
    """

    def __call__(self, device: torch.device) -> ChannelModel:
        """Make the block."""
        return self.make(*self.arguments, device=str(device), **dict(self.options))


@cached(maxsize=64)
def model_for(build: Build, device: torch.device) -> ChannelModel:
    """The model that ``build`` makes for a device, kept: some read tables when they are made.

    What it draws while it is made is the same every time.
    """
    try:
        with seeded(0, device, everywhere=True):
            model = build(device)
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"the link's propagation cannot be made ({reason})") from error
    if not callable(model):
        raise InputError(f"a link's propagation must make a Sionna ChannelModel, got {model!r}")
    return model
