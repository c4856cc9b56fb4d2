"""What is measured of an image that was sent, a function for each column.

PyTorch is imported by the first that is called: command lines list metrics without waiting for it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

    from semcom.scheme import MadeUp
    from semcom.segmentation import Segmenter

    Number: TypeAlias = Tensor | float | None


@dataclass(frozen=True, eq=False)
class Delivery:
    """An image as it was sent and as it arrived.

    Args:
        sent: float32 ``[1, C, H, W]`` in [0, 1].
        received: of the same shape.
        used: channel uses that it took.
        is_lost: whether the receiver lost it.
        roi: bool ``[1, 1, H, W]``, true in the region of interest, or ``None``.
        mcs: index of the modulation and coding scheme, if there is one.
        rx_snr_db: float32 ``[1]``, the receiver's estimate of E_s/N_0 in dB; ``None`` for bounds.
        diagnosis: the segmenter of the diagnostic Dice, and its control, as far as wanted.
        made_up: what of it nobody sent; ``None``: nothing.
    """

    sent: Tensor
    received: Tensor
    used: int
    is_lost: bool
    roi: Tensor | None = None
    mcs: int | None = None
    rx_snr_db: Tensor | None = None
    diagnosis: tuple[Segmenter, ...] = ()
    made_up: MadeUp | None = None

    @property
    def is_dropped(self) -> bool:
        """Whether nothing is shown in the place of a lost image: no segmenter can look at it."""
        return bool(self.received.isnan().any())


def cbr_used(delivery: Delivery) -> float:
    """Channel uses over picture elements."""
    return delivery.used / delivery.sent.numel()


def uses_per_pixel(delivery: Delivery) -> float:
    """Channel uses over pixels."""
    return delivery.used / (delivery.sent.shape[-2] * delivery.sent.shape[-1])


def psnr(delivery: Delivery) -> Tensor:
    """PSNR in dB."""
    from semcom import metrics

    return metrics.psnr(delivery.received, delivery.sent)


def roi_psnr(delivery: Delivery) -> Tensor | None:
    """PSNR over the region of interest in dB, where there is one."""
    from semcom import metrics

    if delivery.roi is None or not bool(delivery.roi.any()):
        return None
    return metrics.roi_psnr(delivery.received, delivery.sent, delivery.roi)


def nroi_psnr(delivery: Delivery) -> Tensor | None:
    """PSNR over the rest of the image in dB, where there is a region."""
    from semcom import metrics

    if delivery.roi is None:
        return None
    return metrics.nroi_psnr(delivery.received, delivery.sent, delivery.roi)


def roi_ssim(delivery: Delivery) -> Tensor | None:
    """SSIM over the region of interest, where there is one."""
    from semcom import metrics

    if delivery.roi is None:
        return None
    return metrics.roi_ssim(delivery.received, delivery.sent, delivery.roi)


def nroi_ssim(delivery: Delivery) -> Tensor | None:
    """SSIM over the rest of the image, where there is a region."""
    from semcom import metrics

    if delivery.roi is None:
        return None
    return metrics.nroi_ssim(delivery.received, delivery.sent, delivery.roi)


def ssim(delivery: Delivery) -> Tensor:
    """SSIM."""
    from semcom import metrics

    return metrics.ssim(delivery.received, delivery.sent)


def ms_ssim(delivery: Delivery) -> Tensor | None:
    """MS-SSIM, where the image is large enough for five scales."""
    from channels import InputError
    from semcom import metrics

    with suppress(InputError):
        return metrics.ms_ssim(delivery.received, delivery.sent)
    return None


def vsi(delivery: Delivery) -> Tensor:
    """Visual saliency-induced index."""
    from semcom import metrics

    return metrics.vsi(delivery.received, delivery.sent)


def fsim(delivery: Delivery) -> Tensor:
    """Feature similarity index."""
    from semcom import metrics

    return metrics.fsim(delivery.received, delivery.sent)


def gmsd(delivery: Delivery) -> Tensor:
    """Gradient magnitude similarity deviation."""
    from semcom import metrics

    return metrics.gmsd(delivery.received, delivery.sent)


def piq_version() -> str:
    """Which piq computes VSI, FSIM and GMSD.

    Raises:
        InputError: if it is not installed.

    >>> piq_version().startswith("piq ")
    True
    """
    from semcom.metrics.perceptual import piq

    return f"piq {piq().__version__}"


def lpips(delivery: Delivery) -> Tensor:
    """Learned perceptual image patch similarity, by AlexNet."""
    from semcom import metrics

    return metrics.lpips(delivery.received, delivery.sent)


def lpips_weights() -> str:
    """Which weights LPIPS is computed with.

    Raises:
        InputError: if they are not on disk, or torchvision is not installed.
    """
    from semcom.metrics.learned_distance import fingerprint

    return fingerprint()


def frechet(delivery: Delivery) -> Tensor | None:
    """Fréchet distance over inner features of the segmenter that diagnoses, where it has them."""
    from semcom import segmentation

    observer = next(iter(delivery.diagnosis), None)
    if not isinstance(observer, segmentation.UNetSegmenter) or delivery.is_dropped:
        return None
    return segmentation.frechet(delivery.received, delivery.sent, observer)


def dice(delivery: Delivery) -> Tensor | None:
    """Diagnostic Dice, where a segmenter diagnoses."""
    return _dice(delivery, 0)


def dice_control(delivery: Delivery) -> Tensor | None:
    """Diagnostic Dice by the control, where there is one."""
    return _dice(delivery, 1)


def _dice(delivery: Delivery, observer: int) -> Tensor | None:
    from semcom.segmentation import diagnostic_dice

    if len(delivery.diagnosis) <= observer or delivery.is_dropped:
        return None
    return diagnostic_dice(delivery.received, delivery.sent, delivery.diagnosis[observer])


def painted(delivery: Delivery) -> float:
    """Share of the image that nobody sent."""
    return 0.0 if delivery.made_up is None else delivery.made_up.shares[0]


def words_lost(delivery: Delivery) -> bool:
    """Whether words were sent and did not arrive."""
    return delivery.made_up is not None and delivery.made_up.texts[0] is None


def outage(delivery: Delivery) -> bool:
    """Whether the image was lost."""
    return delivery.is_lost


def rx_snr_db(delivery: Delivery) -> Tensor | None:
    """The receiver's estimate of the SNR in dB."""
    return delivery.rx_snr_db


def mcs(delivery: Delivery) -> int | None:
    """Index of the modulation and coding scheme."""
    return delivery.mcs
