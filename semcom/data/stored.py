"""What an image file stores, before white is known, as grey values, as RGB or as a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from channels import InputError
from semcom.data.white import Reading, by_bits, depth

Colours = Literal["grey", "palette", "rgb", "cmyk", "ycbcr"]
CHANNELS: dict[Colours, int] = {"grey": 1, "palette": 1, "rgb": 3, "cmyk": 4, "ycbcr": 3}


@dataclass(frozen=True, eq=False)
class Stored:
    """Samples as a file holds them.

    Args:
        name: of the file, for errors.
        samples: ``[H, W, C]``, integers or floats, upright, the channels of ``colours`` first.
        colours: what the first channels mean; ink for ``"cmyk"``.
        bits: depth of an integer sample.
        white_is_zero: whether 0 is white, of grey alone.
        palette: ``[entries, 3]``, uint8 or uint16 up to its type's largest value.
        alpha: whether the channel after the colours is opacity.
        filled: how many of ``bits`` the file says are significant; ``None`` where it does not.
    """

    name: str
    samples: NDArray[Any]
    colours: Colours
    bits: int
    white_is_zero: bool = False
    palette: NDArray[Any] | None = None
    alpha: bool = False
    filled: int | None = None

    @property
    def colour(self) -> NDArray[Any]:
        """The channels that are seen, ``[H, W, C]``."""
        return self.samples[..., : CHANNELS[self.colours]]

    def reading(self, rgb: bool = False) -> Reading:
        """Its grey values ``[H, W]``, or its colours ``[3, H, W]``; of a grey image three alike.

        Raises:
            InputError: if it is transparent, what is white cannot be known, or it is in colour and
                grey values are asked for.

        >>> Stored("a.png", np.full((2, 2, 1), 1023, np.uint16), "grey", 16).reading().white
        '1023, the least depth that holds the brightest pixel'
        """
        self._check_opaque()
        if self.colours == "palette":
            return self._looked_up().reading(rgb)
        if self.samples.dtype.kind == "f":
            return self._of_floats(rgb)
        shown = self._shown(rgb)
        if self.samples.dtype.kind == "i" and shown.size and int(shown.min()) < 0:
            raise InputError(
                f"{self.name} holds negative values, of which none is known to be black: "
                "rescale them to 0…65535 and save it as 16 bits without sign"
            )
        full, white = self._white()
        values = shown.astype(np.float32)
        if self.white_is_zero:
            values = np.float32(full) - values
        if self.colours == "cmyk":
            ink = shown.astype(np.float64) / full
            black = self.colour[..., 3] / np.float64(full)
            return Reading(((1 - ink) * (1 - black)).astype(np.float32), white)
        values /= np.float32(full)
        if self.colours == "ycbcr" and rgb:
            values = _from_ycbcr(values, self._chroma_zero() / full)
        return Reading(values, white)

    def region(self) -> NDArray[np.bool_]:
        """A mask, bool ``[H, W]``: true where it is not black, or its palette's index not 0.

        Raises:
            InputError: if it holds NaN, or 0 is white in it: some writers mark masks so.

        >>> bool(Stored("a.png", np.ones((2, 2, 1), np.uint16), "grey", 16).region().all())
        True
        """
        colour = self.colour
        if colour.dtype.kind == "f" and np.isnan(colour).any():
            raise InputError(f"{self.name} holds NaN: save the mask as zeros and ones")
        if self.white_is_zero:
            raise InputError(
                f"mask {self.name} says that 0 is white (MinIsWhite), so that its region may be "
                "what is 0 or what is not: save it as PNG, the region white"
            )
        black: NDArray[Any] | float = 0
        if self.colours == "cmyk":
            full = 2**self.bits - 1
            light: NDArray[np.bool_] = (colour[..., 3] != full) & (colour[..., :3] != full).any(-1)
            return light
        if self.colours == "ycbcr":
            black = np.array([0, self._chroma_zero(), self._chroma_zero()])
        region: NDArray[np.bool_] = (colour != black).any(axis=-1)
        return region

    def _check_opaque(self) -> None:
        spare = self.samples[..., CHANNELS[self.colours] :]
        if not spare.size:
            return
        opaque = 1.0 if spare.dtype.kind == "f" else 2**self.bits - 1
        if self.alpha and (spare[..., 0] != opaque).any():
            raise InputError(f"{self.name} is transparent in places: flatten it onto black")
        others = spare[..., 1:] if self.alpha else spare
        if others.size and (others != others[:1, :1]).any():
            raise InputError(
                f"{self.name} has a channel of which it does not say what it means: "
                "save it as grey without it"
            )

    def _shown(self, rgb: bool) -> NDArray[Any]:
        """Its one channel ``[H, W]``, or three, ``[3, H, W]``, black ink left out."""
        if not rgb:
            return self._one_channel()
        planes = np.moveaxis(self.colour[..., :3], -1, 0)
        return np.broadcast_to(planes, (3, *planes.shape[1:]))

    def _one_channel(self) -> NDArray[Any]:
        colour = self.colour
        if self.colours == "ycbcr":
            coloured = (colour[..., 1:] != self._chroma_zero()).any()
        else:
            alike = colour[..., :3]
            coloured = (alike != alike[..., :1]).any()
        if coloured:
            how = "PIL.Image.open(file).convert('L').save(file)"
            if self.bits > 8 or self.samples.dtype.kind == "f":
                how = "average its channels and save that as grey of 16 bits"
            raise InputError(
                f"{self.name} is a colour image, which separate codecs alone take (rgb=True, "
                f"--rgb): compare those, or convert it, {how}"
            )
        return colour[..., 0]

    def _chroma_zero(self) -> float:
        """The sample that is no colour: the middle, of floats 1/2."""
        return 0.5 if self.samples.dtype.kind == "f" else (self._white()[0] + 1) // 2

    def _looked_up(self) -> Stored:
        assert self.palette is not None
        index = self.samples[..., 0].astype(np.int64)
        if index.size and int(index.max()) >= len(self.palette):
            raise InputError(f"{self.name} points beyond its palette: save it as grey")
        colours = self.palette[index]
        bits = 8 * colours.dtype.itemsize
        samples = np.concatenate([colours, self.samples[..., 1:].astype(colours.dtype)], axis=-1)
        return Stored(self.name, samples, "rgb", bits, alpha=self.alpha, filled=bits)

    def _of_floats(self, rgb: bool) -> Reading:
        if not np.isfinite(self.colour).all():
            raise InputError(f"{self.name} holds NaN or infinite values: replace them")
        low, high = float(self.colour.min()), float(self.colour.max())
        if low < 0 or high > 1:
            raise InputError(
                f"{self.name} holds floats in [{low:g}, {high:g}], but they must lie in [0, 1]: "
                "rescale them and save it again"
            )
        values = self._shown(rgb).astype(np.float32)
        if self.white_is_zero:
            values = 1 - values
        if self.colours == "ycbcr" and rgb:
            values = _from_ycbcr(values, self._chroma_zero())
        if self.colours == "cmyk":
            values = (1 - values) * (1 - self.colour[..., 3].astype(np.float32))
        return Reading(values, "1, floats")

    def _white(self) -> tuple[int, str]:
        """The value at the other end than 0, and how it was found."""
        brightest = int(self.colour.max())
        if self.filled is not None:
            return self._of_significant(self.filled, brightest)
        if self.bits < 16 and self.samples.dtype.kind != "i":
            return 2**self.bits - 1, by_bits(self.bits, declared=True)
        bits = depth(brightest)
        signed = self.samples.dtype.kind == "i"
        known = bits == 16 if self.colours == "cmyk" else not (signed and bits == 16)
        if self.bits == 16 and bits is not None and known:
            return 2**bits - 1, by_bits(bits, declared=False)
        what = "signed integers" if signed else f"integers of {self.bits} bits"
        raise InputError(
            f"{self.name} holds {what}, of which white cannot be known: rescale them and "
            "save it as grey of 8 or 16 bits"
        )

    def _of_significant(self, filled: int, brightest: int) -> tuple[int, str]:
        """White where the file says how many of its bits are significant.

        They are the upper ones, the rest zeros or a repetition; some writers fill the lower ones.
        """
        spare = self.bits - filled
        low = self.colour & (2**spare - 1)
        if not spare or (brightest >= 2**filled and low.any()):
            return 2**self.bits - 1, by_bits(self.bits, declared=True)
        full = 2**filled - 1
        if not low.any():
            full <<= spare
        return full, f"{full}, the {filled} bits that the file says are significant"


def _from_ycbcr(values: NDArray[np.float32], zero: float) -> NDArray[np.float32]:
    """RGB of full-range YCbCr ``[3, H, W]`` (ITU-R BT.601, as TIFF 6.0 section 21 has it)."""
    luma, blue, red = values[0], values[1] - zero, values[2] - zero
    green = luma - 0.344136 * blue - 0.714136 * red
    rgb = np.stack([luma + 1.402 * red, green, luma + 1.772 * blue])
    clipped: NDArray[np.float32] = rgb.clip(0, 1).astype(np.float32)
    return clipped
