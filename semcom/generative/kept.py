"""Networks of which files are kept: their weights, and what they are built with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Self

from torch import nn

from channels import InputError
from channels.surroundings import undisturbed
from channels.tensorfile import store
from semcom.light import has_adapters
from semcom.light.quantise import Quantised
from semcom.weightfile import digest, halved, rebuilt, stored


class KeptNetwork(nn.Module):
    """What generator and captioner have in common.

    Args:
        config: constructor arguments, as JSON has them.

    Attributes:
        noun: what it is, in messages and in its files.
    """

    noun: ClassVar[str]

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self._config = config

    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return dict(self._config)

    @property
    def fingerprint(self) -> str:
        """Twelve digits that change with any weight."""
        return digest(self.state_dict())

    def save(self, path: str | Path) -> None:
        """Write the weights to a safetensors file, in half precision.

        Raises:
            InputError: if its layers were replaced, by quantised ones or ones with adapters.
        """
        if has_adapters(self) or any(isinstance(part, Quantised) for part in self.modules()):
            raise InputError(
                f"a {self.noun} is saved with its own layers: of one with adapters save these "
                "(semcom.light.save_adapter), of a quantised one what it was made from"
            )
        store(halved(self.state_dict()), path, {self.noun: json.dumps(self._config)})

    @classmethod
    @undisturbed()
    def load(cls, path: str | Path) -> Self:
        """Rebuild a network from a file that :meth:`save` wrote, frozen.

        Raises:
            InputError: if the file is missing, damaged, or holds something else.
        """
        state, metadata = stored(path)
        if cls.noun not in metadata:
            raise InputError(f"{Path(path).name} holds no weights of a {cls.noun}")
        return rebuilt(lambda: cls(**json.loads(metadata[cls.noun])), state, path)
