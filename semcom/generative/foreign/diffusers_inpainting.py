"""Painting by an inpainting pipeline of ``diffusers``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from channels import InputError
from channels.errors import check_count, check_name, check_number, check_seed, shown
from channels.surroundings import check_device, undisturbed
from semcom.generative.foreign.folder import check_folder, folder_digest, library, loading
from semcom.generative.generator import MOST_STEPS
from semcom.generative.painter import check_scene
from semcom.learned import pad_to

PIPELINE = "StableDiffusionInpaintPipeline"
_WITHOUT = ("safety_checker", "feature_extractor", "image_encoder")
_HIDDEN = 0.5


class DiffusersInpainting:
    """Paints all but the key region, as :class:`~semcom.generative.generator.Generator` does.

    The pipeline sees grey in place of what it is to paint, and every picture's noise is drawn from
    the seed alone. What a caption says beyond the tokens of its text encoder is not read.

    Args:
        folder: of a ``StableDiffusionInpaintPipeline``.
        guidance: how far a picture follows its caption; 1 does without the second pass.
        device: that the pipeline works on.

    Raises:
        InputError: if the folder holds no such pipeline in safetensors, or ``diffusers`` is not
            installed.

    >>> DiffusersInpainting("someone/some-model")
    Traceback (most recent call last):
    channels.errors.InputError: someone/some-model is no folder here: models are read from disk, ...
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        guidance: float = 7.5,
        device: str | torch.device = "cpu",
    ) -> None:
        self._guidance = check_number("guidance", guidance, 1, 100)
        self._device = check_device(device)
        path, described = check_folder(folder, "model_index.json")
        check_name("pipeline", described.get("_class_name"), [PIPELINE])
        _check_parts(described)
        diffusers = library("diffusers")
        library("transformers")
        with undisturbed(), loading(path):
            pipeline = diffusers.StableDiffusionInpaintPipeline.from_pretrained(
                path,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                low_cpu_mem_usage=False,
                requires_safety_checker=False,
                **dict.fromkeys(_WITHOUT),
            )
            self._pipeline = pipeline.to(self._device)
        self._pipeline.set_progress_bar_config(disable=True)
        self._fingerprint = f"diffusers {diffusers.__version__}, {folder_digest(path)}"

    @property
    def fingerprint(self) -> str:
        """What changes with anything that decides its pictures."""
        return f"{self._fingerprint}, {self._guidance}"

    @torch.no_grad()
    def paint(
        self,
        key: Tensor,
        key_mask: Tensor,
        text: Sequence[str | None],
        seed: int,
        steps: int = 30,
    ) -> Tensor:
        """Pictures whose key region is as given, and the rest painted.

        Args:
            key: float32 ``[batch, 1, H, W]`` in [0, 1]; nothing but the key region is looked at.
            key_mask: bool, of the same shape.
            text: a caption for each, ``None`` where there is none.
            seed: of each picture's noise.
            steps: of the pipeline's scheduler.

        Returns:
            float32 ``[batch, 1, H, W]`` in [0, 1]; in the key region ``key``, to the bit.

        Raises:
            InputError: if shapes do not fit, or an argument is out of range.
        """
        check_scene(key, key_mask, text)
        steps, seed = check_count("steps", steps, 1, MOST_STEPS), check_seed(seed)
        with undisturbed():
            stride = self._pipeline.vae_scale_factor
            seen = pad_to(key.masked_fill(~key_mask, _HIDDEN), stride).to(self._device)
            free = pad_to((~key_mask).float(), stride).to(self._device)
            rgb = self._pipeline(
                prompt=["" if one is None else one for one in text],
                image=seen.expand(-1, 3, -1, -1),
                mask_image=free,
                height=seen.shape[-2],
                width=seen.shape[-1],
                strength=1.0,
                num_inference_steps=steps,
                guidance_scale=self._guidance,
                generator=[torch.Generator().manual_seed(seed) for _ in text],
                output_type="pt",
            ).images
            grey = rgb.float().mean(1, keepdim=True).clamp(0, 1).to(key.device)
            return torch.where(key_mask, key, grey[..., : key.shape[-2], : key.shape[-1]])


def _check_parts(described: dict[str, Any]) -> None:
    """Refuse parts that are not of the two libraries: their code would be run."""
    for name, part in described.items():
        if name.startswith("_") or name in _WITHOUT or not isinstance(part, list):
            continue
        if part[:1] not in (["diffusers"], ["transformers"]):
            raise InputError(
                f"the pipeline's {shown(name)} is {shown(part)}: only parts of diffusers and "
                "transformers are loaded"
            )
