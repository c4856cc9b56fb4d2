"""SAM 2's network from a configuration, and nothing else from it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import nn

from channels import InputError
from channels.errors import check_count, check_name, shown
from semcom.segmentation.checkpoints import SIZES

CONFIGS = {
    f"{version}_hiera_{size}": f"configs/{version}/{version}_hiera_{size}.yaml"
    for version in ("sam2.1", "sam2")
    for size in SIZES.values()
}
_LOOKING_TWICE = {  # what sam2.build_sam.build_sam2 adds: another mask where the first is unstable
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


def build_network(config: str | os.PathLike[str], image_size: int | None = None) -> nn.Module:
    """SAM 2's network, untrained.

    Args:
        config: see :class:`semcom.segmentation.MedSAM2`.
        image_size: see :class:`semcom.segmentation.MedSAM2`.

    Raises:
        InputError: if the configuration cannot be used, or ``sam2`` is not installed.

    >>> build_network("sam3")
    Traceback (most recent call last):
    channels.errors.InputError: unknown config 'sam3': did you mean 'sam2_hiera_s'? Known: ...
    """
    try:
        import sam2
        from hydra.utils import instantiate
        from omegaconf import OmegaConf
        from sam2.sam2_image_predictor import SAM2ImagePredictor  # noqa: F401
    except (ImportError, RuntimeError) as error:  # a torchvision of another torch is the second
        reason = str(error).splitlines()[0]
        raise InputError(
            f"SAM 2 cannot be imported ({reason}): pip install 'semcom[sam2]', with the "
            "torchvision that matches torch"
        ) from error
    if not isinstance(config, str | os.PathLike):
        raise InputError(f"config must be a name or the path of a YAML file, got {shown(config)}")
    path = Path(config)
    if path.suffix not in (".yaml", ".yml"):
        path = Path(str(files(sam2))) / CONFIGS[check_name("config", str(config), CONFIGS)]
    try:
        model = OmegaConf.load(path).model
        OmegaConf.resolve(model)
        _check_targets(model, path)
        if image_size is not None:
            image_size = check_count("image_size", image_size, 64, 8192)
            if image_size % 64:
                raise InputError(f"image_size must be a multiple of 64, got {image_size}")
            model.image_size = image_size
        extra = model.get("sam_mask_decoder_extra_args", _LOOKING_TWICE)
        model.sam_mask_decoder_extra_args = extra
        network = instantiate(model)
    except InputError:
        raise
    except Exception as error:  # whatever a foreign file makes of the YAML reader and of SAM 2
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is no configuration of SAM 2: {reason}") from error
    if not isinstance(network, nn.Module) or not hasattr(network, "sam_mask_decoder"):
        raise InputError(f"{path} is no configuration of SAM 2: it builds something else")
    return network


def _check_targets(node: Any, path: Path) -> None:
    """Refuse to build anything but SAM 2; Medical-SAM2 calls its copy of it ``sam2_train``."""
    if isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            _check_targets(value, path)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if str(key).startswith("_"):
                if key != "_target_":
                    raise InputError(f"{path} holds {key}, which SAM 2's configurations do not")
                node[key] = _part_of_sam2(str(value), path)  # type: ignore[index]
            else:
                _check_targets(value, path)


def _part_of_sam2(target: str, path: Path) -> str:
    target = target.replace("sam2_train.", "sam2.", 1)
    module, _, name = target.rpartition(".")
    part = None
    if module.startswith("sam2.modeling.") and find_spec(module) is not None:
        part = getattr(import_module(module), name, None)
    if not isinstance(part, type) or not issubclass(part, nn.Module):
        raise InputError(f"{path} would build {target!r}, which is no part of SAM 2")
    return target
