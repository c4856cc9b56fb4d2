"""Two budgets filled by one JPEG 2000 stream: that of its first layer, and that of both."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semcom.image_coders import jpeg2000
from semcom.image_coders.jpeg2000 import Jpeg2000
from semcom.image_coders.jpeg2000_layers import LayeredJpeg2000
from semcom.image_coders.rate import FILLED, BudgetTooSmall, Ladder, fit
from semcom.image_coders.scale import BLURS, ImageArray
from semcom.image_coders.source import SourceCoder

_BASE_FILLED = 0.97
_END = b"\xff\xd9"
_LEAST_ERROR = 1e-12


@dataclass(frozen=True)
class LayeredSource(SourceCoder):
    """A coder of payloads whose first ``base_bytes`` bytes show the image too.

    Both layers have one scale and one layout of code blocks, those of the highest mean of their
    PSNRs. The base's length is not sent: a payload is cut at ``base_bytes``, wherever in the second
    layer that is, and what the cut leaves of it is not read.

    Args:
        name: its name in error messages.
        format: ``LayeredJpeg2000()``.
        header: ``"billed"`` or ``"external"``, as of :class:`SourceCoder`.
        base_bytes: bytes of the base.

    >>> grain = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    >>> coder = layered_source("billed", base_bytes=400)
    >>> payload = coder.fit(grain, 800)
    >>> images = coder.decode_base(payload[:400], 64, 64), coder.decode(payload, 64, 64)
    >>> [round(float(np.abs(image - grain).mean()), 2) for image in images]
    [0.21, 0.14]
    """

    base_bytes: int

    def fit(
        self, image: ImageArray, budget: int, roi: NDArray[np.floating | np.bool_] | None = None
    ) -> bytes:
        """The payload of at most ``budget`` bytes of which the first ``base_bytes`` stand alone.

        It fills 99 % of the budget and the first layer 97 % of the base where a layout of code
        blocks does both. Where the budget leaves no room for a second layer, that is empty.

        Args:
            image: float32 ``[H, W]`` or RGB ``[3, H, W]`` in [0, 1], both sides at least 32.
            budget: bytes of base and refinement together.
            roi: of no use here.

        Raises:
            BudgetTooSmall: if the coarsest base takes more than ``base_bytes``.

        >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
        >>> len(layered_source("billed", base_bytes=200).fit(ramp, 400)) <= 400
        True
        """
        height, width = image.shape[-2:]
        by_scale: dict[int, _Layers] = {}
        for scale in self._scales(height, width, self.base_bytes):
            try:
                by_scale[scale] = self._layers(image, scale, 0, budget)
            except BudgetTooSmall as error:
                too_small = error
        if not by_scale:
            raise too_small
        scale = min(by_scale, key=lambda scale: by_scale[scale].error)
        tried = [by_scale[scale]]
        for layout in range(1, self.format.layouts):
            if tried[-1].fills(self.base_bytes, budget):
                return tried[-1].payload
            tried.append(self._layers(image, scale, layout, budget))
        return min(tried, key=lambda layers: layers.error).payload

    def decode_base(self, base: bytes, height: int, width: int, channels: int = 1) -> ImageArray:
        """Decode the first ``base_bytes`` bytes of a payload; else like :meth:`decode`."""
        alone = replace(self, format=LayeredJpeg2000(base_only=True))
        return alone.decode(base, height, width, channels)

    def _layers(self, image: ImageArray, scale: int, layout: int, budget: int) -> _Layers:
        """One scale of an image in one layout."""
        channels, (height, width) = math.prod(image.shape[:-2]), image.shape[-2:]
        plain = SourceCoder(self.name, Jpeg2000(), self.header)
        steps: dict[bytes, int] = {}

        def error(payload: bytes) -> float:
            coder = plain if payload in steps else self
            decoded = coder.decode(payload, height, width, channels)
            return float(np.mean((decoded - image) ** 2, dtype=np.float64))

        def recorded(step: int, number: int) -> bytes:
            stream = ladder.encode(step, number)
            steps[stream] = step - BLURS
            return stream

        ladder = plain._ladder(image, None, scale, layout, self.base_bytes)
        base = fit(replace(ladder, encode=recorded), self.base_bytes, error)
        payload = base.removesuffix(_END)
        if self.header == "billed":
            payload = jpeg2000.with_layers(payload, 2)
        reached = error(base), error(base)
        finer = self._finer(image, scale, layout, budget, steps[base])
        if finer is not None:
            try:
                both = fit(finer, budget, error)
            except BudgetTooSmall:
                both = b""
            if both.startswith(payload):
                payload, reached = both, (reached[0], error(both))
        return _Layers(payload, len(base), sum(math.log(max(e, _LEAST_ERROR)) for e in reached))

    def _finer(
        self, image: ImageArray, scale: int, layout: int, budget: int, base_step: int
    ) -> Ladder | None:
        """Two layers at all steps above the base's; ``None`` where there is none."""
        lowest = BLURS + base_step + 1
        coder = replace(self, format=LayeredJpeg2000(base_step))
        ladder = coder._ladder(image, None, scale, layout, budget)
        if base_step < 0 or lowest > ladder.finest:
            return None
        return replace(
            ladder,
            encode=lambda step, number: ladder.encode(lowest + step, number),
            finest=ladder.finest - lowest,
            start=max(ladder.start - lowest, 0),
        )


@dataclass(frozen=True)
class _Layers:
    """A payload, the bytes of its base, and the sum of the logarithms of both squared errors."""

    payload: bytes
    base: int
    error: float

    def fills(self, base_bytes: int, budget: int) -> bool:
        return self.base >= _BASE_FILLED * base_bytes and len(self.payload) >= FILLED * budget


def layered_source(header: str, base_bytes: int) -> LayeredSource:
    """JPEG 2000 in two layers.

    Args:
        header: ``"billed"`` or ``"external"``.
        base_bytes: bytes of the base.

    >>> layered_source("external", 200).header_bytes(256, 256)
    1
    """
    return LayeredSource("jpeg2000-layered", LayeredJpeg2000(), header, base_bytes)
