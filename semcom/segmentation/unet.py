"""The segmenter that ships: a small U-Net at half the resolution of the image."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count, shown
from channels.surroundings import undisturbed
from channels.tensorfile import store
from semcom.images import as_images
from semcom.learned import pad_to
from semcom.weightfile import complaint, digest, halved, stored

FEATURES = 16
"""Features of each pixel in front of the classifier."""


class UNet(nn.Module):
    """U-Net (Ronneberger, Fischer, Brox, MICCAI 2015) on blocks of 2 x 2 pixels.

    The image's blocks enter as channels and leave as channels again, so that no layer works at
    full resolution: a quarter of the time, and thin structures keep their edges. Group
    normalisation, because small batches of mixed images would spoil the statistics of a batch.

    Args:
        width: channels of the finest level, a multiple of 8; each of the ``depth`` coarser ones
            has twice as many, up to eight times.
        depth: how often the resolution is halved below the finest level.
        num_classes: classes, background included.

    >>> UNet().features(torch.rand(1, 1, 64, 96)).shape, UNet()(torch.rand(1, 1, 64, 96)).shape
    (torch.Size([1, 16, 64, 96]), torch.Size([1, 2, 64, 96]))
    """

    def __init__(self, width: int = 16, depth: int = 4, num_classes: int = 2) -> None:
        super().__init__()
        width = check_width(width)
        depth = check_count("depth", depth, 1, 6)
        num_classes = check_count("num_classes", num_classes, 2, 256)
        widths = [width * min(2**level, 8) for level in range(depth + 1)]
        self.width, self.depth, self.num_classes = width, depth, num_classes
        self.down = nn.ModuleList(
            [_block(4, width)] + [_block(a, b) for a, b in itertools.pairwise(widths)]
        )
        self.up = nn.ModuleList([_block(a + b, a) for a, b in itertools.pairwise(widths)][::-1])
        self.last = nn.Conv2d(width, 4 * FEATURES, 3, padding=1)
        self.classifier = nn.Conv2d(FEATURES, num_classes, 1)

    @property
    def stride(self) -> int:
        """Images' sides must be multiples of this."""
        return int(2 ** (self.depth + 1))

    def features(self, images: Tensor) -> Tensor:
        """What the classifier sees, float ``[batch, 16, H, W]``, of ``[batch, 1, H, W]``."""
        levels = self.levels(images, len(self.down))
        x = levels.pop()
        for block in self.up:
            side = levels.pop()
            x = block(torch.cat([side, F.interpolate(x, scale_factor=2.0)], 1))
        return F.relu(F.pixel_shuffle(self.last(x), 2))

    def levels(self, images: Tensor, count: int) -> list[Tensor]:
        """Features of the first levels on the way down, each before it is pooled.

        Args:
            images: ``[batch, 1, H, W]``.
            count: how many levels, at 1/2, 1/4, 1/8, … of the resolution.

        >>> [list(level.shape) for level in UNet().levels(torch.rand(1, 1, 64, 96), 2)]
        [[1, 16, 32, 48], [1, 32, 16, 24]]
        """
        mean = images.mean((2, 3), keepdim=True)
        spread = images.std((2, 3), keepdim=True).clamp_min(1e-3)
        x = F.pixel_unshuffle((images - mean) / spread, 2)
        levels: list[Tensor] = []
        for block in itertools.islice(self.down, count):
            x = block(F.max_pool2d(x, 2) if levels else x)
            levels.append(x)
        return levels

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the classes, float ``[batch, num_classes, H, W]``."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def check_width(width: object) -> int:
    """Return ``width`` if a U-Net can have it.

    >>> check_width(12)
    Traceback (most recent call last):
    channels.errors.InputError: width must be a multiple of 8, got 12
    """
    features = check_count("width", width, 8, 128)
    if features % 8:
        raise InputError(f"width must be a multiple of 8, got {features}")
    return features


def _block(entering: int, leaving: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (entering, leaving):
        layers += [
            nn.Conv2d(channels, leaving, 3, padding=1, bias=False),
            nn.GroupNorm(8, leaving),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNetSegmenter(nn.Module):
    """A U-Net as a mask source, for images of any size.

    New, it is untrained: ``semcom.segmenter("chest")`` gives the shipped one. Images whose
    longest side exceeds ``longest_side`` are shrunk to it; probabilities are enlarged again.

    Args:
        task: what it finds, e.g. ``"chest"``; a label, no more.
        longest_side: in pixels, at which the network works; 64 to 4096.
        width: of :class:`UNet`.
        depth: of :class:`UNet`.

    >>> UNetSegmenter()(torch.rand(2, 1, 100, 65)).shape
    torch.Size([2, 1, 100, 65])
    """

    def __init__(
        self, task: str = "chest", longest_side: int = 256, width: int = 16, depth: int = 4
    ) -> None:
        super().__init__()
        if not isinstance(task, str) or not re.fullmatch(r"[\w-]+", task):
            raise InputError(f"task must be a word, e.g. chest, got {shown(task)}")
        self.task, self.longest_side = task, check_count("longest_side", longest_side, 64, 4096)
        self.network = UNet(width, depth)

    def config(self) -> dict[str, Any]:
        """Constructor arguments that rebuild the segmenter; stored with the weights."""
        network = self.network
        return {
            "task": self.task,
            "longest_side": self.longest_side,
            "width": network.width,
            "depth": network.depth,
        }

    @property
    def fingerprint(self) -> str:
        """What it finds, at which size, and twelve digits that change with any weight."""
        return f"{self.task} at {self.longest_side}, {digest(self.state_dict())}"

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities of the region of interest, see :class:`Segmenter`.

        Raises:
            InputError: unless ``images`` are grey, in [0, 1] and at least 32 x 32.
        """
        with undisturbed(training=self.training):
            return self._probabilities(as_images(images))

    def _probabilities(self, images: Tensor) -> Tensor:
        small = shrunk(images, self.longest_side)
        logits = self.network(pad_to(small, self.network.stride))
        probabilities: Tensor = logits.softmax(1)[:, 1:, : small.shape[2], : small.shape[3]]
        if small.shape != images.shape:
            size = images.shape[2:]
            probabilities = F.interpolate(
                probabilities, size, mode="bilinear", align_corners=False
            ).clamp(0, 1)
        return probabilities

    @undisturbed()
    def early_features(self, images: Tensor) -> Tensor:
        """Features before the second pooling, where the network still sees texture alone.

        Args:
            images: float ``[batch, 1, H, W]`` in [0, 1].

        Returns:
            float32 ``[batch, features, h / 4, w / 4]`` rounded up, ``h`` and ``w`` after images are
            shrunk to ``longest_side``.

        Raises:
            InputError: unless ``images`` are grey, in [0, 1] and at least 32 x 32.

        >>> UNetSegmenter().early_features(torch.rand(2, 1, 100, 65)).shape
        torch.Size([2, 32, 25, 17])
        """
        small = shrunk(as_images(images), self.longest_side)
        padded = pad_to(small, self.network.stride)
        features: Tensor = self.network.levels(padded, 2)[1]
        height, width = (-(-side // 4) for side in small.shape[2:])
        return features[..., :height, :width]

    def save(self, path: str | Path) -> None:
        """Write weights and configuration to a safetensors file, in half precision."""
        metadata = {"segmenter": "unet", "config": json.dumps(self.config())}
        store(halved(self.state_dict()), path, metadata)

    @classmethod
    @undisturbed()
    def load(cls, path: str | Path) -> Self:
        """Rebuild a segmenter from a file that :meth:`save` wrote, frozen, in evaluation mode.

        Raises:
            InputError: if the file is missing, damaged, or holds something else.
        """
        state, metadata = stored(path)
        try:
            if metadata.get("segmenter") != "unet":
                raise InputError(f"{Path(path).name} holds no weights of a segmenter")
            if not all(value.is_floating_point() for value in state.values()):
                raise InputError(f"{Path(path).name} is damaged: weights are not floating-point")
            with torch.random.fork_rng(devices=[]):
                segmenter = cls(**json.loads(metadata["config"]))
            segmenter.load_state_dict(state)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            told = complaint(error)
            raise InputError(f"{path} does not hold weights of a segmenter: {told}") from error
        return segmenter.eval().requires_grad_(False)


def shrunk(images: Tensor, longest_side: int) -> Tensor:
    """Images ``[batch, C, H, W]`` shrunk until no side is longer; never enlarged.

    >>> shrunk(torch.rand(1, 1, 300, 200), 150).shape
    torch.Size([1, 1, 150, 100])
    """
    height, width = images.shape[2:]
    scale = longest_side / max(height, width)
    if scale >= 1:
        return images
    size = [max(round(side * scale), 1) for side in (height, width)]
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
