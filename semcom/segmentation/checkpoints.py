"""Checkpoints of SAM 2 and its medical descendants: of which network they are."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from channels import InputError

SIZES = {(96, 12): "t", (96, 16): "s", (112, 24): "b+", (144, 48): "l"}
"""Hiera variants by channels of the first stage and number of blocks (SAM 2, table 12)."""
_STEM = "image_encoder.trunk.patch_embed.proj.weight"
_BLOCK = "image_encoder.trunk.blocks."


def recognised(state: Mapping[str, Tensor]) -> str:
    """Which of SAM 2's configurations a checkpoint was trained with.

    Raises:
        InputError: if it is none of them.

    >>> import torch
    >>> state = {_STEM: torch.zeros(96, 3, 7, 7), "obj_ptr_tpos_proj.weight": torch.zeros(64, 256)}
    >>> state |= {f"{_BLOCK}{number}.norm1.weight": torch.zeros(96) for number in range(12)}
    >>> recognised(state)
    'sam2.1_hiera_t'
    """
    stem = state.get(_STEM)
    blocks = {name.split(".")[3] for name in state if name.startswith(_BLOCK)}
    size = None if stem is None or not stem.ndim else SIZES.get((len(stem), len(blocks)))
    if size is None:
        raise InputError("the checkpoint is of no SAM 2 network with a Hiera encoder: give config")
    version = "sam2.1" if "obj_ptr_tpos_proj.weight" in state else "sam2"
    return f"{version}_hiera_{size}"


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Put a checkpoint into a network, all of it or nothing.

    Args:
        network: to be filled.
        state: tensors by name.
        source: name of the file, for messages.

    Raises:
        InputError: if names or shapes differ.

    >>> import torch
    >>> fill(nn.Linear(2, 1), {"weight": torch.zeros(1, 3), "bias": torch.zeros(1)}, "a.pt")
    Traceback (most recent call last):
    channels.errors.InputError: a.pt does not fit the configuration: weight is [1, 3], not [1, 2]
    """
    wanted = network.state_dict()
    problems = [f"{name} is missing" for name in wanted.keys() - state.keys()]
    problems += [f"{name} is not expected" for name in state.keys() - wanted.keys()]
    problems += [
        f"{name} is {list(state[name].shape)}, not {list(value.shape)}"
        for name, value in wanted.items()
        if name in state and state[name].shape != value.shape
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"{source} does not fit the configuration: {min(problems)}{more}")
    network.load_state_dict(dict(state))
