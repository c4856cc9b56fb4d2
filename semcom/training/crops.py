"""Random crops of images and masks: the food of every training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from channels import InputError

Sample = tuple[Tensor, Tensor | None]


def random_ellipse(size: int, generator: torch.Generator) -> Tensor:
    """A filled ellipse somewhere in a square: float32 ``[1, size, size]``, 0 or 1.

    >>> random_ellipse(64, torch.Generator().manual_seed(0)).shape
    torch.Size([1, 64, 64])
    """
    centre_y, centre_x, radius_y, radius_x = torch.rand(4, generator=generator).tolist()
    place = (torch.arange(size) + 0.5) / size
    y = (place - centre_y) / (0.1 + 0.3 * radius_y)
    x = (place - centre_x) / (0.1 + 0.3 * radius_x)
    inside: Tensor = y[:, None] ** 2 + x[None] ** 2 < 1
    return inside.float()[None]


def random_crop(sample: Sample, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scale, crop, flip and re-expose one image at random.

    An image without a mask gets a random ellipse or none, so that a codec learns to serve any
    region; one image in four with a mask is shown without.

    Args:
        sample: image float32 ``[1, H, W]`` and its mask of the same shape, or ``None``.
        size: side of the crop.
        generator: source of randomness.

    Returns:
        image and mask, float32 ``[1, size, size]``.
    """
    image, mask = sample
    draw = torch.rand(8, generator=generator).tolist()
    smallest = min(1.0, max(size / min(image.shape[1:]), 0.45))
    scale = smallest + (1 - smallest) * draw[0]
    if draw[1] < (0.25 if mask is not None else 0.5):
        mask = torch.zeros_like(image)
    elif mask is None:
        mask = F.interpolate(random_ellipse(size, generator)[None], image.shape[1:])[0]
    both = torch.stack([image, mask.float()], dim=1)
    if scale < 0.98:
        shape = [max(size, round(side * scale)) for side in image.shape[1:]]
        both = F.interpolate(both, shape, mode="bilinear", antialias=True, align_corners=False)
    top = int(draw[2] * (both.shape[2] - size + 1))
    left = int(draw[3] * (both.shape[3] - size + 1))
    both = both[..., top : top + size, left : left + size]
    if draw[4] < 0.5:
        both = both.flip(-1)
    exposed = (0.85 + 0.3 * draw[5]) * (both[:, 0] - 0.5) + 0.5 + 0.1 * (draw[6] - 0.5)
    return exposed.clamp(0, 1), (both[:, 1] > 0.5).float()


def random_batch(
    samples: list[Sample], batch: int, size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw a batch of crops: two float32 ``[batch, 1, size, size]``.

    Raises:
        InputError: if there is no sample.
    """
    if not samples:
        raise InputError("nothing to train on: give a folder of images or phantoms")
    chosen = torch.randint(len(samples), (batch,), generator=generator).tolist()
    crops = [random_crop(samples[i], size, generator) for i in chosen]
    return torch.stack([image for image, _ in crops]), torch.stack([mask for _, mask in crops])


def check_sizes(samples: Sequence[Sample], crop: int) -> None:
    """Refuse images that are smaller than a crop."""
    for image, _ in samples:
        height, width = image.shape[1:]
        if min(height, width) < crop:
            raise InputError(
                f"an image is {height} x {width}, smaller than a crop of {crop}: leave it out, "
                "or lower the crop (--crop; for medjscc, crop of each stage in its TOML file)"
            )
