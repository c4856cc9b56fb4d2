"""The generator: what lies around the key region, painted from words and the key itself.

Conditional flow matching (Lipman, Chen, Ben-Hamu, Nickel, Le, ICLR 2023) on squares of 4 x 4 pixels
as channels, so that no layer works at more than a quarter of the resolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count, check_seed, shown
from channels.surroundings import undisturbed
from semcom.generative.kept import KeptNetwork
from semcom.generative.painter import check_scene
from semcom.generative.words import NOTHING, SLOTS, choices, grey_places, said
from semcom.learned import pad_to
from semcom.light import load_adapter, quantised
from semcom.weightfile import packaged, packaged_names

SQUARE = 4
"""Side in pixels of the squares whose pixels are channels."""

STRIDE = 8 * SQUARE
MOST_STEPS = 64
_PIXELS = SQUARE**2
_TIMES = 32
BASE = "chest"
"""The kind whose weights are shipped whole."""

BASE_BITS = 4
"""Of the shipped generator's weights under the adapters of other kinds."""

_HEADS = 4
_SCALE = 4.0
"""Grey values around 1/2 times this have about the deviation of the noise."""


class Generator(KeptNetwork):
    """Paints all but the key region.

    ::

        noise x0 ─┐
        key, mask ┼─ squares as channels ─ U-Net, attention at 1/32 ─▶ D ─▶ x + (D - x) dt / (1 - t)
        layout    │                          ▲
        place ────┘          words, time ────┘ scale and shift of every block

    On the way ``x_t = (1 - t) x0 + t x1`` from noise ``x0`` to a picture ``x1`` the velocity is
    ``(D - x_t) / (1 - t)``, ``D`` the mean of all pictures that would fit ``x_t``. The network
    ``N`` says what a linear estimate of it leaves (preconditioning: Karras, Aittala, Aila, Laine,
    NeurIPS 2022)::

        D = t x_t / m^2 + (1 - t) N(x_t / m, t) / m,    m^2 = t^2 + (1 - t)^2

    One step from the noise shows the mean, with the least squared error; more steps one picture.

    Args:
        widths: features at 1/4, 1/8, 1/16 and 1/32 of the resolution, multiples of 8.

    >>> generator = Generator((8, 8, 8, 8)).eval()
    >>> key, mask = torch.rand(1, 1, 64, 64), torch.zeros(1, 1, 64, 64) > 0
    >>> mask[..., 16:48, 16:48] = True
    >>> painted = generator.paint(key, mask, ["other picture"], seed=1, steps=2)
    >>> painted.shape, bool((painted == key)[mask].all())
    (torch.Size([1, 1, 64, 64]), True)
    """

    noun = "generator"

    def __init__(self, widths: tuple[int, ...] = (40, 80, 112, 128)) -> None:
        widths = _widths(widths)
        super().__init__(widths=list(widths))
        size = 2 * widths[-1]
        self.words = nn.ModuleList(nn.Embedding(len(slot.phrases) + 1, size) for slot in SLOTS)
        self.time = nn.Sequential(nn.Linear(2 * _TIMES, size), nn.SiLU(), nn.Linear(size, size))
        self.first = nn.Conv2d(3 * _PIXELS + 3, widths[0], 3, padding=1)
        inner = [widths[0], *widths]
        self.down = nn.ModuleList(_Block(a, b, size) for a, b in zip(inner, widths, strict=False))
        self.attention = _Attention(widths[-1])
        self.middle = _Block(widths[-1], widths[-1], size)
        above = [*widths[1:], widths[-1]]
        self.up = nn.ModuleList(_Block(a + b, b, size) for a, b in zip(above, widths, strict=True))[
            ::-1
        ]
        self.last = nn.Sequential(
            nn.GroupNorm(8, widths[0]), nn.SiLU(), nn.Conv2d(widths[0], _PIXELS, 3, padding=1)
        )
        for table in self.words:
            assert isinstance(table, nn.Embedding)
            nn.init.normal_(table.weight, std=0.1)
        final = self.last[-1]
        assert isinstance(final, nn.Conv2d)
        nn.init.zeros_(final.weight)

    def forward(self, x: Tensor, time: Tensor, known: Known) -> Tensor:
        """The picture that is expected, in squares, ``[batch, 16, h, w]``.

        Args:
            x: between noise and picture, ``[batch, 16, h, w]``.
            time: 0 at the noise, 1 at the picture, ``[batch]``.
            known: what the receiver knows.
        """
        told = self.time(_waves(time))
        for slot, table in enumerate(self.words.parameters()):
            spoken = known.words[:, slot, : len(SLOTS[slot].phrases)]
            told = told + torch.cat([spoken, known.words[:, slot, NOTHING:]], 1) @ table
        at = time[:, None, None, None]
        spread = (at.square() + (1 - at).square()).sqrt()
        linear, x = at / spread.square() * x, x / spread
        x = self.first(torch.cat([x, known.maps], dim=1))
        sides = []
        for number, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if number else x, told)
            sides.append(x)
        x = self.middle(self.attention(x), told)
        for number, block in enumerate(self.up):
            x = block(
                torch.cat([F.interpolate(x, scale_factor=2.0) if number else x, sides.pop()], 1),
                told,
            )
        expected: Tensor = linear + (1 - at) / spread * self.last(x)
        return expected

    @torch.no_grad()
    def paint(
        self,
        key: Tensor,
        key_mask: Tensor,
        text: Sequence[str | None],
        seed: int,
        steps: int = 8,
    ) -> Tensor:
        """Pictures whose key region is as given, and the rest painted.

        Args:
            key: float32 ``[batch, 1, H, W]`` in [0, 1]; nothing but the key region is looked at.
            key_mask: bool, of the same shape.
            text: a caption for each; what is not of the vocabulary, or ``None``, says nothing.
            seed: of the noise; the same picture on any machine, but for rounding.
            steps: of Euler's method; one for the least squared error, more to look real.

        Returns:
            float32 ``[batch, 1, H, W]`` in [0, 1]; in the key region ``key``, to the bit.

        Raises:
            InputError: if shapes do not fit, or an argument is out of range.
        """
        check_scene(key, key_mask, text)
        key = key.float()
        steps, seed = check_count("steps", steps, 1, MOST_STEPS), check_seed(seed)
        with undisturbed():
            known = known_of(key, key_mask, said([_choices(one) for one in text]))
            draws = torch.Generator().manual_seed(seed)
            x = torch.randn(len(key), _PIXELS, *known.maps.shape[-2:], generator=draws)
            x = x.to(key.device)
            for step in range(steps):
                time = torch.full((len(key),), step / steps, device=key.device)
                x = x + (self(x, time, known) - x) / (steps - step)
            shown_images = in_pixels(x)[..., : key.shape[-2], : key.shape[-1]].clamp(0, 1)
            return torch.where(key_mask, key, shown_images)


def shipped(kind: str = "chest") -> Generator:
    """A generator with its shipped weights, frozen.

    Of other kinds than chest X-rays, theirs in four bits with adapters.

    Args:
        kind: of the pictures that it has learned.

    Raises:
        InputError: if no such weights come with the package.

    >>> shipped("hands")
    Traceback (most recent call last):
    channels.errors.InputError: no weights of a generator of 'hands' come with this version: ...
    """
    known = packaged_names("generator-")
    if f"generator-{kind}" not in known:
        raise InputError(
            f"no weights of a generator of {shown(kind)} come with this version: train some with "
            "semcom train generator, and name their file"
        )
    with packaged(f"generator-{kind}") as path:
        if kind == BASE:
            return Generator.load(path)
        adapted = load_adapter(_base_in_bits(), path)
    assert isinstance(adapted, Generator)
    return adapted.eval().requires_grad_(False)


@cache
def _base_in_bits() -> nn.Module:
    """What adapters of all kinds go with."""
    return quantised(shipped(BASE), BASE_BITS)


class Known:
    """What a receiver knows of a batch before it paints.

    Args:
        maps: key, mask, layout and place in squares, ``[batch, 35, h, w]``.
        words: shares of phrases, see :func:`semcom.generative.words.shares.said`.
    """

    def __init__(self, maps: Tensor, words: Tensor) -> None:
        self.maps, self.words = maps, words


def known_of(key: Tensor, key_mask: Tensor, words: Tensor) -> Known:
    """What is known of pictures of one size.

    Args:
        key: float32 ``[batch, 1, H, W]``.
        key_mask: bool, of the same shape.
        words: of each caption, see :func:`semcom.generative.words.shares.said`.

    >>> known = known_of(torch.rand(2, 1, 40, 64), torch.zeros(2, 1, 40, 64) > 0, said([None] * 2))
    >>> known.maps.shape, known.words.shape
    (torch.Size([2, 35, 16, 16]), torch.Size([2, 22, 6]))
    """
    height, width = key.shape[-2:]
    mask = pad_to(key_mask.float(), STRIDE)
    key = torch.where(key_mask, key, 0.5)
    shown_key = in_squares(pad_to(key, STRIDE)) * F.pixel_unshuffle(mask, SQUARE)
    rows, columns = (-(-side // STRIDE) * STRIDE for side in (height, width))
    words = words.to(key.device)
    layout = (grey_places(words)[:, None] - 0.5) * _SCALE
    layout = F.interpolate(layout, (height, width), mode="bilinear", align_corners=False)
    layout = F.avg_pool2d(pad_to(layout, STRIDE), SQUARE)
    down = (torch.arange(rows // SQUARE, device=key.device) + 0.5) * (2 * SQUARE / height) - 1
    across = (torch.arange(columns // SQUARE, device=key.device) + 0.5) * (2 * SQUARE / width) - 1
    place = torch.stack(torch.meshgrid(down, across, indexing="ij"))
    maps = [
        shown_key,
        F.pixel_unshuffle(mask, SQUARE),
        layout,
        place.expand(len(key), -1, -1, -1),
    ]
    return Known(torch.cat(maps, dim=1), words)


def in_squares(images: Tensor) -> Tensor:
    """Grey values as the network knows them: ``[batch, 1, 4 h, 4 w]`` to ``[batch, 16, h, w]``.

    >>> images = torch.rand(1, 1, 8, 12)
    >>> bool(torch.allclose(in_pixels(in_squares(images)), images))
    True
    """
    return F.pixel_unshuffle(images - 0.5, SQUARE) * _SCALE


def in_pixels(squares: Tensor) -> Tensor:
    """Undo :func:`in_squares`."""
    return F.pixel_shuffle(squares / _SCALE, SQUARE) + 0.5


class _Block(nn.Module):
    """Two convolutions beside an identity; words and time scale and shift what is between them."""

    def __init__(self, inputs: int, outputs: int, told: int) -> None:
        super().__init__()
        self.before = nn.GroupNorm(8, inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.told = nn.Linear(told, 2 * outputs)
        self.between = nn.GroupNorm(8, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.beside = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        inner = self.first(F.silu(self.before(x)))
        scale, shift = self.told(F.silu(told))[..., None, None].chunk(2, 1)
        inner = self.second(F.silu(self.between(inner) * (1 + scale) + shift))
        added: Tensor = self.beside(x) + inner
        return added


class _Attention(nn.Module):
    """Every place looks at every other, beside an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = nn.GroupNorm(8, width)
        self.into = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        batch, width, rows, columns = x.shape
        places = self.before(x).flatten(2).transpose(1, 2)
        parts = self.into(places).unflatten(-1, (3, _HEADS, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(*parts)
        out = self.out(seen.transpose(1, 2).flatten(2))
        added: Tensor = x + out.transpose(1, 2).reshape(batch, width, rows, columns)
        return added


def _choices(text: str | None) -> list[int] | None:
    return None if text is None else choices(text)


def _waves(time: Tensor) -> Tensor:
    """Sines and cosines of a time in [0, 1], ``[batch, 64]``."""
    rates = torch.exp(torch.linspace(0, math.log(1000.0), _TIMES, device=time.device))
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _widths(widths: object) -> tuple[int, ...]:
    if not isinstance(widths, list | tuple) or len(widths) != 4:
        raise InputError(f"widths must be four numbers of features, got {shown(widths)}")
    checked = tuple(check_count("widths", width, 8, 1024) for width in widths)
    if any(width % 8 for width in checked):
        raise InputError(f"widths must be multiples of 8, got {shown(list(checked))}")
    return checked
