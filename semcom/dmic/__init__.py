"""DMIC: HEVC's bits where a diagnosis needs them, by a policy that chooses QPs block by block."""

from semcom.dmic.policy import Policy
from semcom.dmic.rules import RULES

__all__ = ["RULES", "Policy"]
