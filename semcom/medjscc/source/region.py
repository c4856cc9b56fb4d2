"""A region alone: coefficients that do not touch it are neither coded nor sent."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from semcom.learned import pad_to
from semcom.medjscc.header import LOG_STEP, ROI_RATIOS, Header
from semcom.medjscc.source.steps import block_pixels, log_steps, mask_blocks
from semcom.medjscc.source.wavelet import BLOCK, LEVELS, Bands, Wavelet

IN_REGION = 0.5
"""What a soft mask must exceed, pixel by pixel: beside a region alone there is no grey zone."""

LIKELY_SHARE = 1 / 3
"""Of a picture's pixels, in regions that are sent alone and around them; a layout reckons with it
before a region is known: lungs 63 %, teeth 53 %, coronary arteries 25 %."""

_COARSER = 2.0
"""Octaves from the step in a region that is sent alone to that around it."""

GREYS = len(ROI_RATIOS)
"""Grey levels that a region alone can be centred on: the header tells one in place of a ratio."""

_ROUNDS = 10


def covered(blocks: Tensor) -> list[Tensor]:
    """Which coefficients of each level's bands are coded for a region, the coarsest level first.

    Those whose squares touch a block of it, or a neighbour of one: filters reach out of the region.

    Args:
        blocks: of the region, bool ``[batch, 1, H/16, W/16]``.

    Returns:
        bool ``[batch, 1, h, w]``, of :data:`~semcom.medjscc.source.wavelet.LEVELS` levels.

    >>> some = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    >>> some[..., 4, 4] = True
    >>> [int(level.sum()) for level in covered(some)]
    [4, 4, 9, 36, 144, 576]
    """
    inside = around(blocks).float()
    levels = [inside]
    for _ in range(2):
        levels.insert(0, F.max_pool2d(levels[0], 2, ceil_mode=True))
    for _ in range(LEVELS - 3):
        levels.append(F.interpolate(levels[-1], scale_factor=2, mode="nearest"))
    return [level > 0 for level in levels]


def around(blocks: Tensor) -> Tensor:
    """Blocks of a region and their neighbours, bool ``[batch, 1, H/16, W/16]``."""
    return F.max_pool2d(blocks.float(), 3, 1, 1) > 0


def region_blocks(roi: Tensor) -> Tensor:
    """Blocks whose neighbours and they hold all of a region, bool ``[batch, 1, H/16, W/16]``.

    Those that :func:`~semcom.medjscc.source.steps.mask_blocks` says, and those that hold any of it
    and have no such neighbour.

    Args:
        roi: bool ``[batch, 1, H, W]``, sides multiples of 16.

    >>> some = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    >>> some[..., 0, 0] = some[..., 40:50, 33:63] = True
    >>> region_blocks(some)[0, 0].int().tolist()
    [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    """
    mask = roi.float()
    most = mask_blocks(mask)
    return most | (mask_blocks(mask, 0.0) & ~around(most))


def region_pixels(roi: Tensor) -> Tensor:
    """Pixels of the blocks that a region alone is sent in, bool ``[batch, 1, H, W]``.

    Args:
        roi: bool ``[batch, 1, H, W]``, of any sides.

    >>> mask = torch.zeros(1, 1, 40, 40) > 0
    >>> mask[..., 20, 20] = True
    >>> int(region_pixels(mask).sum())
    256
    """
    height, width = roi.shape[-2:]
    blocks = region_blocks(pad_to(roi.float(), BLOCK) > IN_REGION)
    return block_pixels(blocks)[..., :height, :width] > 0


def region_log_steps(inside: float | Tensor, blocks: Tensor) -> Tensor:
    """log2 of the step of each block where a region is sent alone: four times as large around it.

    Args:
        inside: log2 of the step in the region, one or ``[batch, 1, 1, 1]``.
        blocks: of the region, bool ``[batch, 1, H/16, W/16]``.

    >>> region_log_steps(-1.0, torch.tensor([[[[True, False]]]])).flatten().tolist()
    [-1.0, 1.0]
    """
    inside = torch.as_tensor(inside, dtype=torch.float32, device=blocks.device)
    return torch.where(blocks, inside, (inside + _COARSER).clamp_max(LOG_STEP[1]))


def told_log_steps(header: Header, blocks: Tensor, alone: bool) -> Tensor:
    """log2 of the step of each block, as a header tells it.

    Args:
        header: of the image.
        blocks: of the region, bool ``[batch, 1, H/16, W/16]``.
        alone: whether it is sent alone; the step is then that inside.

    >>> told_log_steps(Header(40, 3, 0, 0), torch.ones(1, 1, 1, 1) > 0, alone=True).item()
    -1.0
    """
    if alone:
        return region_log_steps(header.log_step, blocks)
    return log_steps(header.step, blocks, header.roi)


def grey_around(index: int) -> float:
    """The grey value that a region alone is centred on.

    >>> grey_around(0), grey_around(GREYS - 1)
    (0.0625, 0.9375)
    """
    return (index + 0.5) / GREYS


def nearest_grey(image: Tensor, blocks: Tensor) -> int:
    """Index of the grey level next to what is around a region, so that little changes beyond.

    Args:
        image: float32 ``[1, 1, H, W]`` in [0, 1], sides multiples of 16.
        blocks: of the region, bool ``[1, 1, H/16, W/16]``, some of them.

    >>> image, blocks = torch.full((1, 1, 48, 48), 0.2), torch.zeros(1, 1, 3, 3) > 0
    >>> blocks[..., 1, 1] = True
    >>> grey_around(nearest_grey(image, blocks))
    0.1875
    """
    ring = around(blocks) & ~blocks
    mean = float(image[block_pixels(ring if bool(ring.any()) else blocks) > 0].mean())
    return min(max(int(mean * GREYS), 0), GREYS - 1)


def within(bands: Bands, coded: list[Tensor]) -> Bands:
    """Bands with zeros where nothing is coded; the approximation goes with the coarsest details."""
    return [band * mask for band, mask in zip(bands, [coded[0], *coded], strict=True)]


@torch.no_grad()
def region_bands(wavelet: Wavelet, image: Tensor, blocks: Tensor) -> Bands:
    """Bands of images that are what they like to be outside a region.

    They are continued such that as good as nothing is missing in the region where coefficients away
    from it are zero: by turns what is not coded is taken away and the region put back
    (projections onto convex sets; Youla and Webb, IEEE Trans. Medical Imaging 1982).

    Args:
        wavelet: the codec's.
        image: float32 ``[batch, 1, H, W]``, centred on zero, sides multiples of 16.
        blocks: of the region, bool ``[batch, 1, H/16, W/16]``, some in each.

    >>> image, blocks = torch.rand(1, 1, 128, 128) - 0.5, torch.zeros(1, 1, 8, 8) > 0
    >>> blocks[..., 2:5, 3:6] = True
    >>> shown = Wavelet().synthesise(region_bands(Wavelet(), image, blocks))
    >>> bool((shown - image)[..., 32:80, 48:96].abs().max() < 0.02)
    True
    """
    key = block_pixels(around(blocks)) > 0
    coded = covered(blocks.cpu())
    coded = [mask.to(image.device) for mask in coded]
    mean = (image * key).sum((1, 2, 3), keepdim=True) / key.sum((1, 2, 3), keepdim=True)
    current = torch.where(key, image, mean)
    bands = within(wavelet.analyse(current), coded)
    for _ in range(_ROUNDS):
        current = torch.where(key, image, wavelet.synthesise(bands))
        bands = within(wavelet.analyse(current), coded)
    return bands
