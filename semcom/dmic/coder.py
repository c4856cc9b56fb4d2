"""HEVC at all its qualities with a policy's QPs, so that it takes part where other coders do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semcom.dmic.observers import seen
from semcom.dmic.policy import Policy
from semcom.dmic.rules import Rule
from semcom.dmic.units import UNIT, Map, encode
from semcom.image_coders.hevc import QP_MAX, STEPS_PER_QP, Hevc
from semcom.image_coders.image_format import Mask
from semcom.image_coders.scale import ImageArray
from semcom.segmentation.segmenter import Segmenter

_MIDDLE_QP = 40


@dataclass(frozen=True, eq=False)
class PolicyHevc(Hevc):
    """HEVC intra whose units have the QPs that a policy chooses; any HEVC decoder reads it.

    The policy knows what a segmenter finds in the image, and no other mask. Grey images.

    Args:
        bit_depth: bits a sample is coded with: 8, 10 or 12.
        policy: chooses; or a rule, see :data:`semcom.dmic.rules.Rule`.
        segmenter: finds what the diagnosis is about.

    >>> coder = PolicyHevc(10, policy=Policy(), segmenter=lambda images: images)
    >>> image = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> coder.decode(coder.encode(image, 1000, 0, None), (64, 64)).shape
    (64, 64)
    """

    policy: Policy | Rule = field(kw_only=True)
    segmenter: Segmenter = field(kw_only=True)
    _last: dict[bytes, NDArray[np.floating]] = field(init=False, repr=False, default_factory=dict)

    channels = (1,)

    def __repr__(self) -> str:
        found = getattr(self.segmenter, "fingerprint", type(self.segmenter).__name__)
        chooses = getattr(self.policy, "fingerprint", getattr(self.policy, "__name__", "rule"))
        return f"PolicyHevc(bit_depth={self.bit_depth}, {chooses}, {found})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PolicyHevc) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[object, ...]:
        """What streams depend on: weights, or the very object where there are none to compare."""
        told = (getattr(part, "fingerprint", part) for part in (self.policy, self.segmenter))
        return (self.bit_depth, *told)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": {}}

    def encode(self, image: ImageArray, step: int, layout: int, roi: Mask | None) -> bytes:
        """Code an image at base QP ``51 - step / 64``."""
        qp = QP_MAX - step / STEPS_PER_QP
        offsets = self._offsets(image, qp)
        return encode(image, qp, offsets, bit_depth=self.bit_depth)

    def weights(self, image: ImageArray, roi: Mask | None) -> NDArray[np.float64]:
        """The inverse of the squared step sizes that the policy chooses at a middle base QP."""
        height, width = image.shape
        steps = np.exp2(-self._offsets(image, _MIDDLE_QP) / 3).repeat(UNIT, 0).repeat(UNIT, 1)
        return steps[:height, :width]

    def _offsets(self, image: ImageArray, qp: float) -> Map:
        choose = self.policy.offsets if isinstance(self.policy, Policy) else self.policy
        return choose(image, self._found(image), qp)

    def _found(self, image: ImageArray) -> NDArray[np.floating]:
        """What the segmenter finds; of the last image it is kept."""
        contents = image.tobytes()
        found = self._last.get(contents)
        if found is None:
            found = seen([self.segmenter], image)[0]
            self._last.clear()
            self._last[contents] = found
        return found
