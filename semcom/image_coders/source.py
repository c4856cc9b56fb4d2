"""The image coders of the separate baseline: what of an image is sent in a byte budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from channels import InputError
from channels.errors import check_count, check_name
from semcom.image_coders.formats import FORMATS
from semcom.image_coders.image_format import ImageFormat, Mask
from semcom.image_coders.planes import check_bit_depth
from semcom.image_coders.rate import FILLED, BudgetTooSmall, Ladder, fit
from semcom.image_coders.regions import any_in_blocks
from semcom.image_coders.scale import BLURS, SOFTENINGS, ImageArray, blur, resize, soften

HEADERS = ("billed", "external")
_ROUGHLY = 0.98
_SMALL_SCALES = (2, 4, 8)
_SMALLEST_SIDE = 32


@dataclass(frozen=True)
class SourceCoder:
    """An image coder that fills a byte budget.

    A payload of ``header="billed"`` is a plain stream of the format: its headers are sent and
    count. With ``"external"`` the headers that the image's size decides are known from the
    session and not sent; one byte tells which of them it is (bits 2 to 7) and log2 of the scale
    at which the image was coded (bits 0 and 1).

    Args:
        name: its name in :func:`source_coder`.
        format: the format and its settings.
        header: ``"billed"`` or ``"external"``.
    """

    name: str
    format: ImageFormat
    header: str

    @property
    def settings(self) -> str:
        """What decides its results, in words.

        >>> source_coder("hevc", bit_depth=8).settings
        'external header, Hevc(bit_depth=8, roi_qp_offset=0)'
        """
        return f"{self.header} header, {self.format}"

    def fit(
        self, image: ImageArray, budget: int, roi: NDArray[np.floating | np.bool_] | None = None
    ) -> bytes:
        """The payload of at most ``budget`` bytes with the least squared error.

        At low rates shrunk versions of the image compete. The coarsest 16 steps of each are ever
        more blurred, so that every budget that holds a flat image holds some version of this one.
        Between two steps of a coder the image is softened by some per cent, or coded in another
        layout.

        Args:
            image: float32 ``[H, W]`` or RGB ``[3, H, W]`` in [0, 1], both sides at least 32.
            budget: bytes that the payload may take; it takes 99 % of them at least, unless that is
                more than the finest quality needs (less of few images: JPEG XL's below 128 x 128,
                any coder's at some 150 bytes).
            roi: bool or float ``[H, W]``, above 0.5 in the region of interest; of use to
                ``"hevc-roi"`` alone, which also counts errors there four times.

        Raises:
            BudgetTooSmall: if the coarsest payload is larger than the budget.
            InputError: if the coder takes no image of this size.

        >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
        >>> len(source_coder("jpeg2000", header="billed").fit(ramp, 190)) <= 190
        True
        """
        height, width = image.shape[-2:]
        mask = None if roi is None else np.asarray(roi) > 0.5
        weights = self.format.weights(image, mask)

        def error(payload: bytes) -> float:
            decoded = self.decode(payload, height, width, _channels(image))
            return float(np.mean(weights * (decoded - image) ** 2, dtype=np.float64))

        scales = self._scales(height, width, budget)
        ladders = [self._ladder(image, mask, scale, 0, budget) for scale in scales]
        best, least = 0, math.inf
        for index, ladder in enumerate(ladders) if len(ladders) > 1 else ():
            try:
                reached = error(fit(replace(ladder, nudges=1), budget, error, _ROUGHLY))
            except BudgetTooSmall:
                continue
            if reached < least:
                best, least = index, reached
        payloads = [fit(ladders[best], budget, error)]
        for layout in range(1, self.format.layouts):
            if len(payloads[-1]) >= FILLED * budget:
                return payloads[-1]
            ladder = self._ladder(image, mask, scales[best], layout, budget)
            payloads.append(fit(ladder, budget, error))
        return min(payloads, key=error)

    def _scales(self, height: int, width: int, budget: int) -> tuple[int, ...]:
        enough = 8 * budget >= self.format.scaling_bits_per_pixel * height * width
        return (1,) if enough else _scales(height, width)

    def _ladder(
        self, image: ImageArray, mask: Mask | None, scale: int, layout: int, budget: int
    ) -> Ladder:
        """One scale of an image at all steps."""
        shape = _scaled(image.shape[-2], scale), _scaled(image.shape[-1], scale)
        if scale > 1:
            image = resize(image, *shape)
            mask = None if mask is None else any_in_blocks(mask, scale)

        @cache
        def coded(step: int, number: int) -> bytes:
            seen = blur(image, step) if step < BLURS else soften(image, number)
            stream = self.format.encode(seen, max(step - BLURS, 0), layout, mask)
            if self.header == "billed":
                return stream
            known = self.format.headers(*shape, _channels(image))
            for index, header in enumerate(known):
                if stream.startswith(header):
                    mark = index << 2 | scale.bit_length() - 1
                    return bytes([mark]) + stream[len(header) :]
            raise RuntimeError(f"this {self.name} encoder's headers depend on the image")

        def encode(step: int, number: int) -> bytes:
            return coded(step, 0 if step < BLURS else number)

        octaves = math.log2(8 * max(budget, 1) / math.prod(shape))
        start = self.format.step_of_one_bit + round(self.format.steps_per_octave * octaves)
        return Ladder(
            encode,
            BLURS + self.format.finest,
            SOFTENINGS if self.format.layouts == 1 else 1,
            BLURS + max(start, 0),
            self.format.steps_per_octave,
        )

    def decode(self, payload: bytes, height: int, width: int, channels: int = 1) -> ImageArray:
        """Decode a payload of :meth:`fit`; trailing zero bytes are harmless.

        Returns:
            float32 ``[height, width]``, or ``[3, height, width]`` for 3 channels, in [0, 1].

        Raises:
            InputError: if it holds no image of that shape.

        >>> flat = np.full((64, 65), 0.25, dtype=np.float32)
        >>> coder = source_coder("hevc")
        >>> float(np.abs(coder.decode(coder.fit(flat, 200) + bytes(9), 64, 65) - flat).max()) < 0.01
        True
        """
        if not payload:
            raise InputError(f"the {self.name} payload is empty: send it again")
        scales = _scales(height, width)
        shapes = [(_scaled(height, scale), _scaled(width, scale)) for scale in scales]
        if self.header == "external":
            index, log_scale = payload[0] >> 2, payload[0] & 3
            known = self.format.headers(*shapes[min(log_scale, len(scales) - 1)], channels)
            if index >= len(known) or log_scale >= len(scales):
                raise InputError(f"not a {self.name} payload (unknown header): send it again")
            payload = known[index] + payload[1:]
        image = self.format.decode(payload, (height, width))
        if image.shape[-2:] not in shapes or _channels(image) != channels:
            raise InputError(
                f"not a {self.name} payload (an image {list(image.shape)}): send it again"
            )
        same = image.shape[-2:] == (height, width)
        return image if same else resize(image, height, width)

    def smallest(self, height: int, width: int, channels: int = 1) -> int:
        """Bytes that hold the coarsest payload of any X-ray of a size, shrunk if that takes less.

        >>> source_coder("hevc").smallest(256, 256), source_coder("jpeg2000").smallest(256, 256)
        (25, 49)
        """
        header = self.header_bytes(height, width, channels)
        sizes = []
        for scale in _scales(height, width):
            if scale > self.format.smallest_scale:
                continue
            shape = _scaled(height, scale), _scaled(width, scale)
            size = header + self.format.smallest(*shape, channels)
            if scale in self._scales(height, width, size):
                sizes.append(size)
        return min(sizes)

    def header_bytes(self, height: int, width: int, channels: int = 1) -> int:
        """Bytes of a payload, at most, that do not depend on what an image of a size shows.

        >>> source_coder("hevc").header_bytes(256, 256)
        1
        >>> source_coder("hevc", header="billed").header_bytes(256, 256)
        79
        """
        if self.header == "external":
            return 1
        return max(map(len, self.format.headers(height, width, channels)))


def source_coder(
    name: str, header: str = "external", bit_depth: int = 10, roi_qp_offset: int = -6
) -> SourceCoder:
    """Look an image coder up.

    Args:
        name: one of :data:`semcom.image_coders.formats.FORMATS`: ``"hevc"`` (x265), ``"hevc-roi"``
            (the region of interest finer), ``"jpeg2000"`` (OpenJPEG), ``"jpegxl"`` (libjxl) or
            ``"avif"`` (SVT-AV1).
        header: ``"external"``: parameter sets and main headers are known from the session;
            ``"billed"``: they are sent and count.
        bit_depth: bits a sample of ``"hevc"`` and ``"hevc-roi"`` is coded with: 8, 10 or 12.
        roi_qp_offset: QPs that ``"hevc-roi"`` adds in the region of interest, -24 to -1.

    Raises:
        InputError: on an unknown name or an option out of range.

    >>> source_coder("hevc").name
    'hevc'
    """
    check_name("header", header, HEADERS)
    bits = check_bit_depth(bit_depth)
    roi_qp_offset = check_count("roi_qp_offset", roi_qp_offset, -24, -1)
    check_name("source coder", name, FORMATS)
    return SourceCoder(name, FORMATS[name].make(bits, roi_qp_offset), header)


def _channels(image: ImageArray) -> int:
    return 1 if image.ndim == 2 else image.shape[0]


def _scales(height: int, width: int) -> tuple[int, ...]:
    """By what the sides of an image may be divided: 1, and 2 to 8 where 32 pixels are left."""
    sides = min(height, width)
    return (1, *(scale for scale in _SMALL_SCALES if sides // scale >= _SMALLEST_SIDE))


def _scaled(side: int, scale: int) -> int:
    return math.ceil(side / scale)
