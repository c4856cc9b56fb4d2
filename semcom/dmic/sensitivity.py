"""Bit allocation by sensitivity: finer where small errors change what a segmenter finds."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from channels import InputError
from channels.errors import check_count, check_seed
from channels.surroundings import undisturbed
from semcom.dmic.units import OFFSETS, Map, summed
from semcom.segmentation.segmenter import Segmenter, probabilities

PROBES = 8
_SLOPE = 1.5
_REACH = (OFFSETS[-1] - OFFSETS[0]) / _SLOPE
_SENSITIVE = 0.9
_SURE = 1e-12


class Sensitivity:
    """QPs by the segmenter's Fisher sensitivity to each pixel.

    ::

        s_i = E (d/dx_i sum_j v_j 2 asin sqrt p_j)^2,   v_j = +1 or -1
        QP_u = base - 1.5 log2(s_u / 90th percentile of s),   s_u the mean of s_i over unit u

    The sum over j is the Fisher information of the segmenter's answer, one Bernoulli variable a
    pixel, about pixel i; random signs estimate it without its Jacobian (Hutchinson, *Comm. Stat.
    Simul.* 19(2), 1990). A slope of 3 would make s times the squared error the same everywhere
    where steps are fine; half of it is less bold where they are not. What is most sensitive has
    about the base QP, so that qualities are those of the rule "two levels". QPs are whole, and
    offsets no further from 0 than those of :data:`semcom.dmic.units.OFFSETS`.

    Args:
        segmenter: frozen, and one that lets gradients through to the image; its own answer is
            used, not what a rule is told was found.
        probes: backward passes for each image, 1 to 1000.
        seed: of the signs.

    Raises:
        InputError: on other numbers; when it is asked, if the segmenter gives no gradients.

    >>> image = np.full((64, 64), 0.9, np.float32)
    >>> image[:32, :32] = 0.5
    >>> rule = Sensitivity(lambda images: torch.sigmoid(10 * (images - 0.5)))
    >>> rule(image, image, 37).tolist()
    [[-2, 4], [4, 4]]
    """

    def __init__(self, segmenter: Segmenter, probes: int = PROBES, seed: int = 0) -> None:
        self.segmenter = segmenter
        self.probes, self.seed = check_count("probes", probes, 1, 1000), check_seed(seed)
        self._last: tuple[NDArray[np.float32], NDArray[np.float64]] | None = None

    def __call__(
        self, image: NDArray[np.float32], found: NDArray[np.floating], base_qp: float
    ) -> Map:
        """Offsets of units; the sensitivities of the last image are kept for other base QPs."""
        if self._last is None or not np.array_equal(self._last[0], image):
            self._last = image.copy(), self.sensitivities(image)
        octaves = np.log2(np.maximum(self._last[1], np.finfo(np.float64).tiny))
        octaves = np.maximum(octaves, octaves.max() - _REACH)
        lacking = np.quantile(octaves, _SENSITIVE) - octaves
        offsets: Map = np.rint(_SLOPE * lacking).astype(np.int64)
        return np.clip(offsets, OFFSETS[0], OFFSETS[-1])

    def sensitivities(self, image: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean sensitivity of the pixels of each unit, ``[rows, columns]``.

        Args:
            image: float32 ``[H, W]`` in [0, 1].
        """
        draws = torch.Generator().manual_seed(self.seed)
        with undisturbed(), torch.enable_grad():
            total = torch.zeros(image.shape, dtype=torch.float64)
            x = torch.from_numpy(image.copy())[None, None].requires_grad_()
            p = probabilities(self.segmenter, x)
            if not p.requires_grad:
                raise InputError(
                    "the sensitivity rule needs a segmenter that lets gradients through to the "
                    "image: this one gives none"
                )
            per_angle = (p * (1 - p)).detach().clamp_min(_SURE).rsqrt()
            for _ in range(self.probes):
                signs = torch.randint(2, p.shape, generator=draws) * 2.0 - 1
                (slope,) = torch.autograd.grad(p, x, signs * per_angle, retain_graph=True)
                total += slope[0, 0].double().square()
        pixels = summed(np.ones(image.shape))
        return summed((total / self.probes).numpy()) / pixels
