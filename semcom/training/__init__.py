"""Training: one loop for every learned part, and what each of them does in a step."""

from semcom.training.codecs import Plan, default_plan, train, weighted_distortion_db

__all__ = ["Plan", "default_plan", "train", "weighted_distortion_db"]
