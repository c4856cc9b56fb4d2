"""DMIC over a link: a policy's HEVC, 5G LDPC and QAM."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from channels import InputError
from channels.errors import check_name, shown
from semcom.dmic.coder import PolicyHevc
from semcom.dmic.policy import Policy
from semcom.dmic.rules import RULES, Rule
from semcom.dmic.weights import shipped_for
from semcom.image_coders.planes import check_bit_depth
from semcom.image_coders.source import HEADERS, SourceCoder
from semcom.modem.mcs import MCSTable
from semcom.segmentation.segmenter import Segmenter
from semcom.segmentation.shipped import shipped as shipped_segmenter
from semcom.separate import SeparateCodec


class DMIC(SeparateCodec):
    """The separate chain with HEVC whose bits a policy allocates, so that the diagnosis is kept.

    What a segmenter finds in the original, and nothing else, tells the policy where that is: the
    codec takes no region of interest. Any HEVC decoder reads the streams, as all QPs are in them.

    Args:
        segmenter: whose diagnosis is kept: the task of a shipped one, or one's own.
        policy: a file of ``semcom train dmic``, a policy, the name of a rule ("two levels"), any
            :data:`~semcom.dmic.rules.Rule`, or ``None`` for the shipped policy that was transferred
            to the segmenter's task; where there is none, the base.
        header: as of :class:`~semcom.separate.SeparateCodec`, like all that follows.
        bit_depth: 8, 10 or 12.

    Raises:
        InputError: on an unknown or wrong option.

    >>> DMIC().name
    'dmic-ldpc'
    """

    family = "codec"

    def __init__(
        self,
        segmenter: str | Segmenter = "angiography",
        policy: str | Path | Policy | Rule | None = None,
        mcs: int | Literal["auto"] = "auto",
        mcs_table: MCSTable = "all",
        adaptation: str = "predicted",
        target_bler: float | None = None,
        on_loss: str = "grey",
        header: str = "external",
        bit_depth: int = 10,
        fallback: str | None = None,
    ) -> None:
        finds = shipped_segmenter(segmenter) if isinstance(segmenter, str) else segmenter
        if not callable(finds):
            raise InputError(
                f"segmenter must be a task's name or can be called, got {shown(finds)}"
            )
        if policy is None:
            policy = shipped_for(getattr(finds, "task", None))
        elif isinstance(policy, str) and policy in RULES:
            policy = RULES[policy]
        elif isinstance(policy, str | Path):
            policy = Policy.load(policy)
        elif not callable(getattr(policy, "offsets", policy)):
            known = ", ".join(RULES)
            raise InputError(
                f"policy must be a policy, a file of its weights, a rule or one of {known}, "
                f"got {shown(policy)}"
            )
        coder = PolicyHevc(check_bit_depth(bit_depth), policy=policy, segmenter=finds)
        super().__init__(
            SourceCoder("dmic", coder, check_name("header", header, HEADERS)),
            mcs,
            mcs_table,
            adaptation,
            target_bler,
            on_loss,
            fallback=fallback,
        )
