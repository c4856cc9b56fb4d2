"""Flow matching around key regions, in the one training loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from semcom.generative.generator import SQUARE, STRIDE, Generator, Known, in_squares, known_of
from semcom.learned import pad_to
from semcom.light import has_adapters, save_adapter
from semcom.training.generator.plan import GeneratorPlan
from semcom.training.generator.scenes import KeyScene
from semcom.training.loop import digest

_LATEST = 0.98
_TIMES = (0.0, 0.25, 0.5, 0.75)
"""At which validation looks: the first is what one step from the noise is worth."""


class GeneratorTask:
    """What :func:`semcom.training.loop.run` trains.

    ::

        loss = mean over squares outside the key of  m^2 |D(x_t, t) - x1|^2 / (1 - t)^2

    with ``m`` of :class:`~semcom.generative.generator.Generator`: what the network itself misses.
    ``t`` is uniform in [0, 0.98].

    Args:
        generator: changed in place.
        scenes: pictures to learn from.
        validation: pictures kept apart.
        plan: what to do.
    """

    name, loss_column, score_column = "generator", "squared_error", "validation_minus_squared_error"

    def __init__(
        self,
        generator: Generator,
        scenes: Sequence[KeyScene],
        validation: Sequence[KeyScene],
        plan: GeneratorPlan,
    ) -> None:
        self.plan, self.generator = plan, generator
        self.module: nn.Module = generator
        self._scenes, self._validation = scenes, validation
        self.fed_with = digest(scene.image for scene in [*scenes, *validation])

    def loss(self, step: int) -> Tensor:
        """Of one batch of random parts."""
        plan = self.plan
        draws = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        chosen = torch.randint(len(self._scenes), (plan.batch,), generator=draws).tolist()
        parts = [self._part(self._scenes[place], draws) for place in chosen]
        time = _LATEST * torch.rand(plan.batch, generator=draws)
        return self._error(parts, time, draws)

    def _part(self, scene: KeyScene, draws: torch.Generator) -> tuple[Tensor, Known]:
        """A random part of a picture in squares, and what is known of it."""
        wordless, *place = torch.rand(3, generator=draws).tolist()
        said = None if wordless < self.plan.wordless else scene.choices
        return self._cut(scene, said, place)

    def _cut(
        self, scene: KeyScene, said: Sequence[int] | None, place: Sequence[float]
    ) -> tuple[Tensor, Known]:
        known = known_of(scene.image[None], scene.key_mask[None], [said])
        squares = in_squares(pad_to(scene.image[None], STRIDE))
        side = self.plan.crop // SQUARE
        rows, columns = (
            slice(start, start + side)
            for start in (
                int(share * (max(length - side, 0) + 1))
                for share, length in zip(place, squares.shape[-2:], strict=True)
            )
        )
        return squares[..., rows, columns], Known(known.maps[..., rows, columns], known.words)

    def _error(
        self, parts: Sequence[tuple[Tensor, Known]], time: Tensor, draws: torch.Generator
    ) -> Tensor:
        device = next(self.generator.parameters()).device
        picture = torch.cat([squares for squares, _ in parts])
        noise = torch.randn(picture.shape, generator=draws)
        at = time[:, None, None, None]
        x = ((1 - at) * noise + at * picture).to(device)
        known = Known(
            torch.cat([known.maps for _, known in parts]).to(device),
            torch.cat([known.words for _, known in parts]).to(device),
        )
        expected = self.generator(x, time.to(device), known)
        free = 1 - known.maps[:, SQUARE**2 : 2 * SQUARE**2]
        weight = ((at / (1 - at)).square() + 1).to(device)
        missed = weight * (expected - picture.to(device)).square() * free
        error: Tensor = missed.sum() / free.sum().clamp_min(1)
        return error

    def stepped(self, step: int) -> None:
        """Nothing to do."""

    def score(self) -> float:
        """Minus the mean loss of the middles of pictures kept apart."""
        errors = []
        for index, scene in enumerate(self._validation):
            draws = torch.Generator().manual_seed(index)
            part = self._cut(scene, scene.choices, (0.5, 0.5))
            time = torch.tensor([_TIMES[index % len(_TIMES)]])
            errors.append(float(self._error([part], time, draws)))
        return -sum(errors) / len(errors) if errors else math.nan

    def save(self, path: Path) -> None:
        """Write the weights, or what adapters add to them."""
        if has_adapters(self.generator):
            save_adapter(self.generator, path)
        else:
            self.generator.save(path)
