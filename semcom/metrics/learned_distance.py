"""LPIPS: how far apart images are to a network that was trained on photographs.

The linear weights of LPIPS come with torchmetrics, the network's own do not: they are read from a
file that is already there, and nothing is ever downloaded. Needs the extra ``perceptual``.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_name, check_path
from channels.surroundings import undisturbed
from semcom.checkpointfile import read_checkpoint
from semcom.metrics.checks import library, seen_pair

Backbone: TypeAlias = Literal["alex", "vgg", "squeeze"]
FILES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
"""Backbones, and the files of their weights by the names that torchvision gives them."""
_LEAST_SIDE = 31
_FEATURES = "features."


@undisturbed()
def lpips(
    out: Tensor,
    images: Tensor,
    *,
    backbone: Backbone = "alex",
    weights: str | Path | None = None,
) -> Tensor:
    """Learned perceptual image patch similarity: a distance, the lower the better.

    Zhang, Isola, Efros, Shechtman, Wang, "The unreasonable effectiveness of deep features as a
    perceptual metric", CVPR 2018, version 0.1: squared differences of unit features of a network,
    weighted, averaged over positions and summed over layers. The network knows photographs, not
    X-rays. A grey image is taken as three equal channels.

    Args:
        out: received images in [0, 1], ``[batch, C, H, W]``, C 1 or 3.
        images: sent images, of the same shape, both sides at least 31.
        backbone: ``"alex"``, that of most papers' tables, ``"vgg"`` or ``"squeeze"``.
        weights: file of the backbone's weights on ImageNet, as torchvision names its tensors;
            ``None``: the one of torchvision's name in the cache of torch.hub, which the variable
            ``TORCH_HOME`` moves.

    Returns:
        float32 ``[batch]``, 0 where the two are equal.

    Raises:
        InputError: if there is no such file, it holds something else, torchvision is missing, or
            shapes or dtypes do not fit.

    >>> lpips(torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64), weights="nowhere.pth")
    Traceback (most recent call last):
    channels.errors.InputError: lpips downloads nothing, and nowhere.pth is not there: put ...
    """
    seen, images, lost = seen_pair("lpips", out, images, _LEAST_SIDE)
    path = weights_file(backbone, weights)
    network = _network(backbone, path, path.stat().st_mtime_ns).to(images.device)
    values = network(
        seen.expand(-1, 3, -1, -1), images.expand(-1, 3, -1, -1), normalize=True
    ).reshape(-1)
    return torch.where(lost, torch.nan, values)


def weights_file(backbone: Backbone = "alex", weights: str | Path | None = None) -> Path:
    """The file of a backbone's weights, which is there.

    Args:
        backbone: as of :func:`lpips`.
        weights: as of :func:`lpips`.

    Raises:
        InputError: if it is not there, or on another backbone.
    """
    name = FILES[check_name("backbone", backbone, FILES)]
    if weights is None:
        path = Path(torch.hub.get_dir()) / "checkpoints" / name
    else:
        path = check_path("weights are loaded from a file", weights)
    if not path.is_file():
        elsewhere = " (the variable TORCH_HOME moves that folder)" if weights is None else ""
        raise InputError(
            f"lpips downloads nothing, and {path} is not there: put torchvision's file {name} "
            f"there{elsewhere}"
        )
    return path


def fingerprint(backbone: Backbone = "alex", weights: str | Path | None = None) -> str:
    """Name of the file of weights, and twelve digits that change with its contents.

    Args:
        backbone: as of :func:`lpips`.
        weights: as of :func:`lpips`.

    Raises:
        InputError: where :func:`lpips` would.
    """
    path = weights_file(backbone, weights)
    _network(backbone, path, path.stat().st_mtime_ns)
    with path.open("rb") as file:
        return f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"


@lru_cache(maxsize=4)
def _network(backbone: Backbone, path: Path, changed_ns: int) -> nn.Module:
    """LPIPS with the weights of a file, frozen; read again where the file has changed."""
    layers = _layers(path)
    with undisturbed(), torch.random.fork_rng(devices=[]):
        network = _untrained(backbone)
    held = network.net.state_dict()
    places = {name: _FEATURES + name.partition(".")[2] for name in held}
    if backbone == "squeeze":  # slices.0.0.weight
        places = {name: _FEATURES + name.split(".", 2)[2] for name in held}
    for name, place in places.items():
        if place not in layers or layers[place].shape != held[name].shape:
            raise InputError(
                f"{path.name} holds no weights of {FILES[backbone].partition('-')[0]}: {place} is "
                "missing or of another shape"
            )
    network.net.load_state_dict({name: layers[place] for name, place in places.items()})
    frozen: nn.Module = network.eval().requires_grad_(False)
    return frozen


def _untrained(backbone: Backbone) -> Any:
    """LPIPS with its linear weights and an untrained backbone.

    Raises:
        InputError: if torchvision is missing.
    """
    library("torchvision", "lpips needs")
    from torchmetrics.functional.image.lpips import _LPIPS

    return _LPIPS(net=backbone, pnet_rand=True)


def _layers(path: Path) -> dict[str, Tensor]:
    """The convolutions of a file; the classifier behind them is not needed."""
    state = read_checkpoint(path)
    return {name: value for name, value in state.items() if name.startswith(_FEATURES)}
