"""How a bit allocation policy is learned: A2C over real streams, with credits for every unit."""

from semcom.training.dmic.plan import PolicyPlan

__all__ = ["PolicyPlan"]
