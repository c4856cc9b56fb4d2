"""How the outline model of regions learns, from maps alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count, check_seed
from semcom.medjscc.source.outline import FEATURES, UNIT, Blocks, OutlineModel, features

_LEARNING_RATE = 4e-3
_BLOCKS = 4096
_LARGEST = 2**15 - 1


def train_outline(
    maps: Sequence[Blocks], *, steps: int = 20000, hidden: int = 32, seed: int = 0
) -> OutlineModel:
    """Fit an outline model to maps of regions and to their mirror images.

    Adam on the cross-entropy of 4096 blocks an update, decaying from 4e-3; then the weights are
    rounded to 64ths.

    Args:
        maps: bool ``[rows, columns]``, blocks of 16 x 16 pixels.
        steps: updates.
        hidden: features of both hidden layers.
        seed: of initial weights and draws.

    Raises:
        InputError: if there is no map, or a number is out of range.

    >>> some = np.zeros((8, 8), dtype=bool)
    >>> some[2:6, 2:6] = True
    >>> model = train_outline([some], steps=200, hidden=8)
    >>> model.bits(some) < 30
    True
    """
    steps, hidden = check_count("steps", steps, 1, 10**7), check_count("hidden", hidden, 1, 256)
    if not maps:
        raise InputError("no map of a region to learn from: give one at least")
    known, blocks = (torch.cat(parts) for parts in zip(*_seen(maps), strict=True))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(check_seed(seed))
        first, second = nn.Linear(FEATURES, hidden), nn.Linear(hidden, hidden)
        last = nn.Linear(hidden, 1)
        network = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
        optimizer = torch.optim.Adam(network.parameters(), _LEARNING_RATE)
        decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
        for _ in range(steps):
            drawn = torch.randint(len(known), (_BLOCKS,))
            logits = network(known[drawn].float() / UNIT)[:, 0]
            loss = F.binary_cross_entropy_with_logits(logits, blocks[drawn].float())
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            decay.step()
    layers = {"first": first, "second": second, "last": last}
    return OutlineModel(
        {
            f"{name}{end}": _rounded(parameter)
            for name, layer in layers.items()
            for end, parameter in (("", layer.weight), ("_bias", layer.bias))
        }
    )


def _seen(maps: Sequence[Blocks]) -> Iterator[tuple[Tensor, Tensor]]:
    """Features, int8, and blocks of each map and its mirror image."""
    for blocks in maps:
        for one in (blocks, np.flip(blocks, 1)):
            known = features(one).astype(np.int8)
            yield torch.from_numpy(known), torch.from_numpy(one.ravel().copy())


def _rounded(parameter: Tensor) -> np.ndarray:
    whole = torch.round(parameter.detach() * UNIT).clamp(-_LARGEST, _LARGEST)
    return whole.to(torch.int16).numpy()
