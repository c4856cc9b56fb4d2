"""Med-JSCC in the common loop, stage by stage: what a stage does, and the file that lists them."""

from semcom.training.medjscc.plan import MedJSCCPlan
from semcom.training.medjscc.stages import train_medjscc

__all__ = ["MedJSCCPlan", "train_medjscc"]
