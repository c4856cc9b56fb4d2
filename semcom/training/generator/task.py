"""Flow matching around key regions, and the words for it, in the one training loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from semcom.generative.generator import SQUARE, STRIDE, Generator, Known, in_squares, known_of
from semcom.generative.learned_captioner import LearnedCaptioner
from semcom.generative.words import NOTHING, SLOTS, said
from semcom.learned import pad_to
from semcom.light import has_adapters, save_adapter
from semcom.training.generator.plan import GeneratorPlan
from semcom.training.generator.scenes import KeyScene
from semcom.training.loop import digest
from semcom.weightfile import digest as fingerprint

CAPTIONER_FILE = "captioner.safetensors"

_LATEST = 0.98
_TIMES = (0.0, 0.25, 0.5, 0.75)
"""At which validation looks: the first is what one step from the noise is worth."""


class GeneratorTask:
    """What :func:`semcom.training.loop.run` trains.

    ::

        loss = mean over squares outside the key of  m^2 |D(x_t, t) - x1|^2 / (1 - t)^2

    with ``m`` of :class:`~semcom.generative.generator.Generator`: what the network itself misses.
    ``t`` is uniform in [0, 0.98]. The captioner draws the words, and learns from the same loss.

    Args:
        generator: changed in place.
        captioner: changed in place.
        scenes: pictures to learn from.
        validation: pictures kept apart.
        plan: what to do.
    """

    name, loss_column, score_column = "generator", "squared_error", "validation_minus_squared_error"

    def __init__(
        self,
        generator: Generator,
        captioner: LearnedCaptioner,
        scenes: Sequence[KeyScene],
        validation: Sequence[KeyScene],
        plan: GeneratorPlan,
    ) -> None:
        self.plan, self.generator, self.captioner = plan, generator, captioner
        self.module: nn.Module = nn.ModuleDict({"generator": generator, "captioner": captioner})
        self._scenes, self._validation = scenes, validation
        fed = [*scenes, *validation]
        self.fed_with = "-".join(
            [
                digest(scene.image for scene in fed),
                digest(scene.key_mask.float() for scene in fed),
                digest(torch.tensor(scene.choices).float() for scene in fed),
                fingerprint({n: torch.tensor(p.shape) for n, p in self.module.named_parameters()}),
            ]
        )

    def loss(self, step: int) -> Tensor:
        """Of one batch of random parts."""
        plan = self.plan
        draws = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        chosen = torch.randint(len(self._scenes), (plan.batch,), generator=draws).tolist()
        scenes = [self._scenes[place] for place in chosen]
        uniform = torch.rand(plan.batch, len(SLOTS), NOTHING, generator=draws)
        words = self._words(scenes, -torch.log(-torch.log(uniform.clamp(1e-6, 1 - 1e-6))))
        silent = torch.rand(plan.batch, generator=draws) < plan.wordless
        words = torch.where(silent[:, None, None].to(words.device), said([None]).to(words), words)
        places = torch.rand(plan.batch, 2, generator=draws).tolist()
        time = _LATEST * torch.rand(plan.batch, generator=draws)
        return self._error(self._cut(scenes, words, places), time, draws)

    def _words(self, scenes: Sequence[KeyScene], noise: Tensor) -> Tensor:
        device = next(self.generator.parameters()).device
        glimpses = torch.stack([scene.glimpse for scene in scenes]).to(device)
        return self.captioner.drawn(glimpses, [scene.choices for scene in scenes], noise.to(device))

    def _cut(
        self, scenes: Sequence[KeyScene], words: Tensor, places: Sequence[Sequence[float]]
    ) -> tuple[Tensor, Known]:
        """Parts of pictures in squares, and what is known of them."""
        side, squares, maps = self.plan.crop // SQUARE, [], []
        for row, (scene, place) in enumerate(zip(scenes, places, strict=True)):
            known = known_of(scene.image[None], scene.key_mask[None], words[row : row + 1])
            whole = in_squares(pad_to(scene.image[None], STRIDE))
            rows, columns = (
                slice(start, start + side)
                for start in (
                    int(share * (max(length - side, 0) + 1))
                    for share, length in zip(place, whole.shape[-2:], strict=True)
                )
            )
            squares.append(whole[..., rows, columns])
            maps.append(known.maps[..., rows, columns])
        return torch.cat(squares), Known(torch.cat(maps), words)

    def _error(self, parts: tuple[Tensor, Known], time: Tensor, draws: torch.Generator) -> Tensor:
        picture, known = parts
        device = known.words.device
        noise = torch.randn(picture.shape, generator=draws)
        at = time[:, None, None, None]
        x = ((1 - at) * noise + at * picture).to(device)
        known = Known(known.maps.to(device), known.words)
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
            words = self._words([scene], torch.zeros(1, len(SLOTS), NOTHING))
            time = torch.tensor([_TIMES[index % len(_TIMES)]])
            part = self._cut([scene], words, [(0.5, 0.5)])
            errors.append(float(self._error(part, time, draws)))
        return -sum(errors) / len(errors) if errors else math.nan

    def save(self, path: Path) -> None:
        """Write the weights, or what adapters add to them; the captioner's beside them."""
        self.captioner.save(path.with_name(CAPTIONER_FILE))
        if has_adapters(self.generator):
            save_adapter(self.generator, path)
        else:
            self.generator.save(path)
