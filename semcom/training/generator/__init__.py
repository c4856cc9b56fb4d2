"""How the generator of pictures around a key region learns."""

from semcom.training.generator.plan import GeneratorPlan
from semcom.training.generator.task import GeneratorTask
from semcom.training.generator.teach import train_generator

__all__ = ["GeneratorPlan", "GeneratorTask", "train_generator"]
