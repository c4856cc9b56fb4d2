"""MedSAM-2 as a mask source: a large promptable network whose weights the user downloads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count, check_name, check_number, shown
from channels.surroundings import undisturbed
from semcom.checkpointfile import read_checkpoint
from semcom.images import as_images
from semcom.segmentation.checkpoints import fill, recognised
from semcom.segmentation.prompts import Each, Prompt, boxes_around, prompts_of
from semcom.segmentation.sam2_network import build_network
from semcom.segmentation.segmenter import Segmenter, probabilities

WHERE_TO_GET = (
    "MedSAM2 needs a checkpoint: MedSAM2_latest.pt of huggingface.co/wanglab/MedSAM2, "
    "MedSAM2_pretrain.pth of huggingface.co/jiayuanz3/MedSAM2_pretrain, or one of SAM 2.1, "
    "github.com/facebookresearch/sam2"
)
LARGEST_SHARE = 0.6


class MedSAM2(nn.Module):
    """SAM 2 (Ravi et al., 2024) with the weights of MedSAM-2, of MedSAM2 or its own.

    "MedSAM-2" is Medical SAM 2 (Zhu et al., arXiv 2408.00874), "MedSAM2" is another work (Ma et
    al., arXiv 2504.03600); both are SAM 2 with other weights, and checkpoints of both load. Needs
    ``pip install semcom[sam2]``.

    What to look for is said by boxes or points at the call, or by ``prompt`` where there are none.

    Args:
        checkpoint: file of weights, see :func:`semcom.checkpointfile.read_checkpoint`.
        config: a name such as ``"sam2.1_hiera_t"``, or a YAML file of SAM 2's kind; ``None``:
            recognised from the checkpoint.
        prompt: ``"automatic"``: points on a grid, of whose masks those count that the network is
            sure of and that cover at most 60 % of the image. Another segmenter: a box around
            each region that it finds, so that a small network says where to look.
        image_size: side in pixels of the square that images are resized to, a multiple of 64;
            ``None``: the configuration's (SAM 2's is 1024; MedSAM2 was trained at 512).
        points_per_side: of the grid of the automatic prompt.
        min_quality: overlap (IoU) that the network predicts for a mask of the automatic prompt.
        min_stability: IoU of such a mask at thresholds of its logits one above and one below 0.
        batch: images that are encoded at once.

    Raises:
        InputError: if there is no checkpoint, it or the configuration cannot be used, or the
            ``sam2`` package is not installed.

    >>> MedSAM2()
    Traceback (most recent call last):
    channels.errors.InputError: MedSAM2 needs a checkpoint: ...
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike[str] | None = None,
        config: str | os.PathLike[str] | None = None,
        prompt: str | Segmenter = "automatic",
        *,
        image_size: int | None = None,
        points_per_side: int = 16,
        min_quality: float = 0.8,
        min_stability: float = 0.95,
        batch: int = 4,
    ) -> None:
        super().__init__()
        if checkpoint is None:
            raise InputError(WHERE_TO_GET)
        if isinstance(prompt, str):
            check_name("prompt", prompt, ("automatic",))
        elif not callable(prompt):
            raise InputError(f"prompt must be 'automatic' or a segmenter, got {shown(prompt)}")
        self.prompt = prompt
        self.points_per_side = check_count("points_per_side", points_per_side, 1, 256)
        self.min_quality = check_number("min_quality", min_quality, 0, 1)
        self.min_stability = check_number("min_stability", min_stability, 0, 1)
        self.batch = check_count("batch", batch, 1, 4096)
        state = read_checkpoint(checkpoint)
        self.network = build_network(recognised(state) if config is None else config, image_size)
        fill(self.network, state, Path(checkpoint).name)
        self.eval().requires_grad_(False)

    @torch.no_grad()
    @undisturbed()
    def forward(
        self, images: Tensor, *, boxes: Each = None, points: Each = None, point_labels: Each = None
    ) -> Tensor:
        """Find the region of interest.

        Args:
            images: ``[batch, 1, H, W]``, float in [0, 1], or uint8 or uint16 over their whole
                range; sides at least 32.
            boxes: for each image ``[n, 4]``, left, top, right, bottom in pixels; each box is an
                object of its own, and their union comes out.
            points: for each image ``[n, 2]``, x and y in pixels; all belong to one object.
            point_labels: for each image ``[n]``, 1 inside and 0 outside of the object; all 1 by
                default.

        Returns:
            float32 ``[batch, 1, H, W]`` in [0, 1], where the network is. With the automatic prompt
            the pixels of a mask have the overlap (IoU) that the network predicts for it.

        Raises:
            InputError: if images or prompts do not fit.
        """
        images = as_images(_in_unit_range(images))
        if boxes is None and points is None:
            if point_labels is not None:
                raise InputError("point_labels are given without points: give both")
            if isinstance(self.prompt, str):
                return self._automatic(images)
            boxes = boxes_around(probabilities(self.prompt, images) > 0.5)
        prompts = prompts_of(images.shape, boxes, points, point_labels)
        output = torch.zeros(images.shape, device=self.device)
        wanted = [
            i for i, prompt in enumerate(prompts) if prompt.boxes is None or len(prompt.boxes)
        ]
        several = boxes is None and all(
            p.points is not None and len(p.points) == 1 for p in prompts
        )
        for start in range(0, len(wanted), self.batch):
            places = wanted[start : start + self.batch]
            output[places] = self._prompted(images[places], [prompts[i] for i in places], several)
        return output

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def _prompted(self, images: Tensor, prompts: list[Prompt], several: bool) -> Tensor:
        """Probabilities of a batch; of ``several`` masks for each image the best one's."""
        predictor = self._predictor()
        predictor.set_image_batch([_coloured(image) for image in images])
        logits, quality, _ = predictor.predict_batch(
            [p.points for p in prompts] if prompts[0].points is not None else None,
            [p.labels for p in prompts] if prompts[0].points is not None else None,
            [p.boxes for p in prompts] if prompts[0].boxes is not None else None,
            multimask_output=several,
            return_logits=True,
        )
        best = [
            z[[int(q.argmax())]] if several else z for z, q in zip(logits, quality, strict=True)
        ]
        union = [torch.as_tensor(z).reshape(-1, *images.shape[1:]).amax(0) for z in best]
        return torch.stack(union).sigmoid().to(self.device)

    def _automatic(self, images: Tensor) -> Tensor:
        from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator

        generator = SAM2AutomaticMaskGenerator(
            self.network,
            self.points_per_side,
            pred_iou_thresh=self.min_quality,
            stability_score_thresh=self.min_stability,
        )
        generator.predictor = self._predictor()
        output = torch.zeros(images.shape)
        for image, union in zip(images, output, strict=True):
            for mask in generator.generate(np.round(255 * _coloured(image)).astype(np.uint8)):
                if mask["area"] <= LARGEST_SHARE * image.numel():
                    sure = mask["predicted_iou"] * torch.as_tensor(mask["segmentation"])
                    union.copy_(torch.maximum(union, sure.clamp(0, 1)))
        return output.to(self.device)

    def _predictor(self) -> Any:
        from sam2.sam2_image_predictor import SAM2ImagePredictor

        predictor = SAM2ImagePredictor(self.network)
        side: Any = self.network.image_size
        predictor._bb_feat_sizes = [(side // by, side // by) for by in (4, 8, 16)]
        return predictor


def _in_unit_range(images: object) -> object:
    whole = {torch.uint8: 255, torch.uint16: 65535}
    if isinstance(images, Tensor) and images.dtype in whole:
        return images.float() / whole[images.dtype]
    return images


def _coloured(image: Tensor) -> np.ndarray:
    """Float32 ``[H, W, 3]`` of ``[1, H, W]``."""
    grey: np.ndarray = image.expand(3, -1, -1).movedim(0, -1).cpu().numpy()
    return grey
