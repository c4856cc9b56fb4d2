"""Bit allocation as an environment of gymnasium, for other libraries of reinforcement learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from channels import InputError
from channels.errors import check_count, unknown_name
from semcom.dmic.episode import Exchange, Scene, exchanges
from semcom.dmic.policy import CONTEXT, contexts, offsets_of, planes
from semcom.dmic.rules import two_levels
from semcom.dmic.units import BASE_QPS, OFFSETS, UNIT
from semcom.image_coders import hevc

try:
    import gymnasium
    from gymnasium import spaces
except ImportError as error:
    raise InputError('the environment needs gymnasium: pip install "semcom[dmic]"') from error

Observation: TypeAlias = dict[str, NDArray[np.float32]]

VIEW = 2 * UNIT
"""Side in pixels of what is seen of a unit, with half a unit around it on each side."""

_AROUND = (VIEW - UNIT) // 2


class BitAllocation(gymnasium.Env[dict[str, Any], np.int64]):
    """One episode is one image at one base QP; one step gives one unit its offset.

    Units come in raster order. Actions are indices of :data:`semcom.dmic.units.OFFSETS`.
    Observations are float32, of the unit that is next (after the last step, of the last one):

    - ``"unit"``: what :func:`semcom.dmic.policy.planes` shows of it and of its surroundings,
      ``[3, 64, 64]``, the edge repeated around the image;
    - ``"context"``: offsets of units before it, what remains and the base QP, ``[15]``, see
      :func:`semcom.dmic.policy.contexts`;
    - ``"global"``: means of the planes over the image, ``[3]``.

    What is gained is known when the image has been coded: every step but the last is rewarded with
    0, the last with the mean credit of the U units, in anchors::

        reward = 1 / U sum over u of credit_u
               = ((B0 - B) + slope (S0 - S)) / mean(B0)

    with the bits B of the stream and its losses S, and B0 and S0 of the anchor, see
    :meth:`semcom.dmic.episode.Exchange.credits`. The last step's ``info`` says more:
    ``"credits"`` of each unit ``[rows, columns]``, the QP ``"offsets"`` chosen, and ``"num_bytes"``
    of the stream.

    ``reset(seed=…)`` seeds the draw of scene and base QP, and ``reset(options={"scene": 0,
    "base_qp": 37})`` chooses either; ``info`` says which these are.

    Args:
        scenes: images of one kind under their observers.
        rates: what bits and losses are worth at each base QP that episodes are played at; by
            default reckoned from the anchors of these scenes, which are all coded for it.
        base_qps: where they are then reckoned, rising, three at least.

    Raises:
        InputError: if there is no scene or no base QP; if an action or option is none, or a step is
            asked for outside an episode.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> scene = Scene(ramp, [lambda images: images], "ultrafast")
    >>> environment = BitAllocation([scene], {37: Exchange(bits=1e3, slope=0.0)})
    >>> seen, info = environment.reset(seed=0)
    >>> seen["unit"].shape, info
    ((3, 64, 64), {'scene': 0, 'base_qp': 37})
    >>> steps = [environment.step(2) for _ in range(4)]
    >>> [reward for _, reward, _, _, _ in steps], steps[-1][2]
    ([0.0, 0.0, 0.0, 0.0], True)
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        scenes: Sequence[Scene],
        rates: Mapping[int, Exchange] | None = None,
        *,
        base_qps: Sequence[int] = BASE_QPS,
    ) -> None:
        if not scenes:
            raise InputError("no scene to play: give one at least")
        self.scenes = list(scenes)
        self.rates = dict(exchanges(self.scenes, base_qps, two_levels) if rates is None else rates)
        if not self.rates:
            raise InputError("no base QP to play at: give its exchange rate")
        self.action_space = spaces.Discrete(len(OFFSETS))
        self.observation_space = spaces.Dict(
            {
                "unit": spaces.Box(-0.5, 1, (3, VIEW, VIEW)),
                "context": spaces.Box(-4, 4, (CONTEXT,)),
                "global": spaces.Box(-0.5, 1, (3,)),
            }
        )
        self._actions: NDArray[np.int64] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: ``(observation, info)``."""
        super().reset(seed=seed)
        asked = {} if options is None else options
        for name in asked:
            if name not in ("scene", "base_qp"):
                raise unknown_name("option of an episode", name, ("scene", "base_qp"))
        levels = sorted(self.rates)
        drawn = self.np_random.integers((len(self.scenes), len(levels)))
        self._scene = check_count("scene", asked.get("scene", drawn[0]), 0, len(self.scenes) - 1)
        self._base_qp = check_count(
            "base_qp", asked.get("base_qp", levels[drawn[1]]), 0, hevc.QP_MAX
        )
        if self._base_qp not in self.rates:
            known = ", ".join(map(str, levels))
            raise InputError(f"base_qp must be one of {known}, got {self._base_qp}")
        scene = self.scenes[self._scene]
        around = ((0, 0), (_AROUND, _AROUND), (_AROUND, _AROUND))
        seen = planes(scene.image, scene.found[0])[0].numpy()
        self._seen, self._mean = np.pad(seen, around, mode="edge"), seen.mean((1, 2))
        self._rows, self._columns = (side // UNIT for side in seen.shape[1:])
        self._actions = np.zeros((1, self._rows, self._columns), np.int64)
        self._unit, self._ended = 0, False
        return self._observation(), {"scene": self._scene, "base_qp": self._base_qp}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Give the next unit its offset: ``(observation, reward, terminated, False, info)``."""
        if self._actions is None or self._ended:
            raise InputError("no episode is under way: call reset first")
        taken = check_count("action", action, 0, len(OFFSETS) - 1)
        row, column = divmod(self._unit, self._columns)
        self._actions[0, row, column] = taken
        self._ended = self._unit == self._rows * self._columns - 1
        if not self._ended:
            self._unit += 1
            return self._observation(), 0.0, False, False, {}
        scene, level = self.scenes[self._scene], self._base_qp
        offsets = offsets_of(self._actions[0])
        coded = scene.coded(level, offsets)
        credits = self.rates[level].credits(coded, scene.anchor(level))
        info = {"credits": credits, "offsets": offsets, "num_bytes": coded.num_bytes}
        return self._observation(), float(credits.mean()), True, False, info

    def _observation(self) -> Observation:
        """What is seen of the unit that is next."""
        assert self._actions is not None
        row, column = divmod(self._unit, self._columns)
        level = torch.tensor([float(self._base_qp)])
        top, left = row * UNIT, column * UNIT
        return {
            "unit": self._seen[:, top : top + VIEW, left : left + VIEW].copy(),
            "context": contexts(self._actions, level)[0, row, column].numpy(),
            "global": self._mean.copy(),
        }
