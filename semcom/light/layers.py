"""Layers of a network that can be replaced, and a copy in which they are."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TypeGuard

from torch import nn

from channels import InputError
from channels.errors import shown
from channels.surroundings import undisturbed


def plain(layer: nn.Module) -> TypeGuard[nn.Linear | nn.Conv2d]:
    """Whether a layer is ``nn.Linear`` or an ``nn.Conv2d`` that pads with zeros.

    Classes derived from them are not: what they compute is their own.

    >>> plain(nn.Linear(2, 2)), plain(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    (True, False)
    """
    if type(layer) is nn.Conv2d:
        return layer.padding_mode == "zeros"
    return type(layer) is nn.Linear


def check_rule(name: str, rule: object) -> None:
    """Refuse what cannot choose layers; ``name`` is for the error.

    >>> check_rule("keep", "head")
    Traceback (most recent call last):
    channels.errors.InputError: keep must be a function of a layer's name and the layer, got 'head'
    """
    if not callable(rule):
        raise InputError(
            f"{name} must be a function of a layer's name and the layer, got {shown(rule)}"
        )


@undisturbed()
def swapped(module: nn.Module, swap: Callable[[str, nn.Module], nn.Module]) -> nn.Module:
    """A deep copy of a network with other layers.

    Args:
        module: the network; it stays as it is.
        swap: called with the name and the copy of each layer, the network itself being ``""``;
            what it returns takes the layer's place. A layer that stands in several places is
            asked for once, by its first name.

    Raises:
        InputError: if it is no network.

    >>> swapped(nn.Sequential(nn.ReLU()), lambda name, layer: nn.Tanh() if name else layer)
    Sequential(
      (0): Tanh()
    )
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"a network must be an nn.Module, got {shown(module)}")
    copy = deepcopy(module)
    swaps: dict[nn.Module, nn.Module] = {}
    for name, layer in list(copy.named_modules(remove_duplicate=False)):
        if layer not in swaps:
            swaps[layer] = swap(name, layer)
        if swaps[layer] is layer:
            continue
        if not name:
            return swaps[layer]
        copy.set_submodule(name, swaps[layer])
    return copy
