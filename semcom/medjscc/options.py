"""What of Med-JSCC can be chosen when it is used, with the weights as they are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypedDict

from channels import InputError
from channels.errors import keep_flag, keep_number
from semcom.medjscc.header import ROI_RATIOS


class OptionChanges(TypedDict, total=False):
    """Names and types of :class:`MedJSCCOptions`, for keyword arguments."""

    roi_ratio: float | Literal["auto"]
    margin_db: float
    header_margin_db: float
    equal_rates: bool
    digital_only: bool
    learned_synthesis: bool
    channel_adaptive: bool
    region_only: bool


@dataclass(frozen=True)
class MedJSCCOptions:
    """Both ends need the same.

    Args:
        roi_ratio: quantisation step outside over that inside the region of interest, 1 to 6; by
            default ``"auto"``: the smaller the region, the greater, such that finer steps there
            cost the whole image about 0.3 dB, see
            :func:`semcom.medjscc.source.steps.affordable_ratio`; 4 with ``region_only``. 1 is
            ``medjscc-uniform``.
        margin_db: by how much worse than believed a channel the digital part bears, in dB.
        header_margin_db: the same of the header.
        equal_rates: whether every block gets as many analogue symbols as any other.
        digital_only: whether the digital part takes as much of the budget as it can fill.
        learned_synthesis: whether the network corrects what the inverse wavelet shows.
        channel_adaptive: whether its features are recalibrated by SNR, rate and reliability.
        region_only: whether nothing is coded nor sent but the region of interest, in blocks of
            16 x 16, and a block around it; the rest is shown in one grey.

    Raises:
        InputError: if a value is out of range.

    >>> MedJSCCOptions(roi_ratio=1).roi_ratio
    1.0
    """

    roi_ratio: float | Literal["auto"] = "auto"
    margin_db: float = 0.0
    header_margin_db: float = 6.0
    equal_rates: bool = False
    digital_only: bool = False
    learned_synthesis: bool = True
    channel_adaptive: bool = True
    region_only: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.roi_ratio, str) and self.roi_ratio == "auto"):
            keep_number(self, "roi_ratio", 1, ROI_RATIOS[-1])
        if self.region_only and self.roi_ratio != "auto":
            raise InputError("region_only has steps of its own: leave roi_ratio out, or 'auto'")
        for name in ("margin_db", "header_margin_db"):
            keep_number(self, name, -10, 20)
        for field in fields(self):
            if field.type == "bool":
                keep_flag(self, field.name)
