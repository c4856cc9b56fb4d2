"""Captions by a vision-to-text model of ``transformers``."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from channels import InputError
from channels.errors import check_count, check_name
from channels.surroundings import check_device, undisturbed
from semcom.generative.foreign.folder import check_folder, folder_digest, library, loading

MODELS = ("blip", "vision-encoder-decoder")
"""``model_type`` of what describes a picture without being asked."""

_HIDDEN = 0.5
_UNUSED = ".pooler."
"""Part of encoders that no captioner asks, and that many files lack."""


class TransformersCaptioner:
    """Describes pictures outside their key regions, which are hidden by grey.

    Greedy decoding, one picture at a time: a caption depends on nothing but its picture. What does
    not fit the block of the words is cut there, see
    :func:`~semcom.generative.captioner.cut`.

    Args:
        folder: of a BLIP or vision-encoder-decoder model with its tokenizer and image processor.
        most_tokens: of a caption.
        device: that the model works on.

    Raises:
        InputError: if the folder holds no such model in safetensors, or ``transformers`` is not
            installed.

    >>> TransformersCaptioner("someone/some-model")
    Traceback (most recent call last):
    channels.errors.InputError: someone/some-model is no folder here: models are read from disk, ...
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        most_tokens: int = 12,
        device: str | torch.device = "cpu",
    ) -> None:
        self._most = check_count("most_tokens", most_tokens, 1, 512)
        self._device = check_device(device)
        path, described = check_folder(folder, "config.json")
        check_name("model_type", described.get("model_type"), MODELS)
        transformers = library("transformers")
        local = {"local_files_only": True, "trust_remote_code": False}
        with undisturbed(), loading(path):
            self._shapes = transformers.AutoImageProcessor.from_pretrained(path, **local)
            self._tokens = transformers.AutoTokenizer.from_pretrained(path, **local)
            model, told = transformers.AutoModelForImageTextToText.from_pretrained(
                path,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                **local,
            )
            missing = sorted(name for name in told["missing_keys"] if _UNUSED not in name)
            if missing:
                raise InputError(f"{path} lacks weights, {missing[0]} first")
            self._model = model.to(self._device).eval().requires_grad_(False)
        self._fingerprint = f"transformers {transformers.__version__}, {folder_digest(path)}"

    @property
    def fingerprint(self) -> str:
        """What changes with anything that decides its captions."""
        return f"{self._fingerprint}, {self._most}"

    @torch.no_grad()
    def __call__(self, images: Tensor, masks: Tensor) -> list[str]:
        """A caption of each picture.

        Raises:
            InputError: if images and masks differ in shape.
        """
        if images.shape != masks.shape:
            raise InputError(
                f"images {list(images.shape)} and masks {list(masks.shape)} differ in shape"
            )
        with undisturbed():
            hidden = images.masked_fill(masks, _HIDDEN).clamp(0, 1).mul(255).round().byte().cpu()
            return [self._said(one) for one in hidden]

    def _said(self, image: Tensor) -> str:
        rgb = image.permute(1, 2, 0).expand(-1, -1, 3).contiguous().numpy()
        pixels = self._shapes(images=rgb, return_tensors="pt")["pixel_values"].to(self._device)
        tokens = self._model.generate(
            pixel_values=pixels, do_sample=False, num_beams=1, max_new_tokens=self._most
        )
        return " ".join(self._tokens.decode(tokens[0], skip_special_tokens=True).split())
