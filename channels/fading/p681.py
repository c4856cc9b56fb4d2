"""ITU-R P.681, section 6.2: parameters and the walk between a good and a bad state."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor

from channels.errors import InputError, check_name, check_number
from channels.fading.envelope import Array, EnvelopeLaw
from channels.randomness import generator

ELEVATION_DEG = (15.0, 75.0)
NODES = 12
"""Gauss–Legendre nodes over the mean direct level of a state."""


@dataclass(frozen=True)
class State:
    """One of the two states; its visits differ in length and in the Loo parameters they draw.

    Args:
        mu_duration: mean of the natural logarithm of a visit's length in metres.
        sigma_duration: its standard deviation.
        min_duration_m: shortest visit in metres.
        mu_direct_db: mean over visits of the mean direct level M_A, in dB.
        sigma_direct_db: its standard deviation in dB.
        h1: slope of the multipath power MP = h1·M_A + h2.
        h2: its offset in dB.
        g1: slope of the direct level's standard deviation Σ_A = max(0, g1·M_A + g2) within a visit.
        g2: its offset in dB.
        low: probability below which M_A is not drawn.
        high: probability above which M_A is not drawn.
    """

    mu_duration: float
    sigma_duration: float
    min_duration_m: float
    mu_direct_db: float
    sigma_direct_db: float
    h1: float
    h2: float
    g1: float
    g2: float
    low: float
    high: float

    @property
    def _shortest(self) -> float:
        return (math.log(self.min_duration_m) - self.mu_duration) / self.sigma_duration

    @property
    def mean_duration_m(self) -> float:
        """Mean length of a visit: of a log-normal that is at least ``min_duration_m``."""
        full = math.exp(self.mu_duration + self.sigma_duration**2 / 2)
        return float(full * ndtr(self.sigma_duration - self._shortest) / ndtr(-self._shortest))

    def draw_duration_m(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Lengths of visits in metres, float64."""
        return self._draw_duration_m(shape, device, 0.0)

    def draw_observed_duration_m(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Lengths of the visits that one finds oneself in: the longer, the likelier.

        Weighting a log-normal by its value adds sigma² to mu.
        """
        return self._draw_duration_m(shape, device, self.sigma_duration)

    def _draw_duration_m(
        self, shape: tuple[int, ...], device: torch.device, shift: float
    ) -> Tensor:
        tail = (1 - _uniform(shape, device)) * float(ndtr(shift - self._shortest))
        normal = shift - torch.special.ndtri(tail)
        return torch.exp(self.mu_duration + self.sigma_duration * normal)

    def draw_direct_db(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Mean direct levels M_A of visits in dB, float64."""
        place = self.low + (self.high - self.low) * _uniform(shape, device)
        levels: Tensor = self.mu_direct_db + self.sigma_direct_db * torch.special.ndtri(place)
        return levels

    def loo_db(self, direct_db: Tensor) -> Tensor:
        """Loo's parameters (M_A, Σ_A, MP) in dB for mean direct levels, ``[..., 3]``."""
        deviation = (self.g1 * direct_db + self.g2).clamp_min(0)
        return torch.stack([direct_db, deviation, self.h1 * direct_db + self.h2], dim=-1)

    def nodes(self, count: int) -> tuple[Array, Tensor]:
        """Quadrature over visits: weights ``[count]`` and Loo parameters ``[count, 3]``."""
        points, weights = np.polynomial.legendre.leggauss(count)
        low, high = ndtri(self.low), ndtri(self.high)
        x = (low + high + (high - low) * points) / 2
        weights = weights * np.exp(-(x**2) / 2)
        levels = torch.from_numpy(self.mu_direct_db + self.sigma_direct_db * x)
        return weights / weights.sum(), self.loo_db(levels)


def _uniform(shape: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, device=device, generator=generator(device))


@dataclass(frozen=True)
class Environment:
    """A parameter set of ITU-R P.681-11, section 6.2.

    States alternate; between two visits the Loo parameters move linearly in dB over a transition of
    f1·|ΔM_A| + f2 metres (none where that is negative), which the visits' lengths do not include.

    Args:
        name: ``"urban"``, ``"suburban"``, ``"village"``, ``"rural-wooded"`` or ``"residential"``.
        elevation_deg: elevation of the table's column.
        sources: how many public implementations agree on the numbers.
        good: the state near line of sight.
        bad: the state of heavy shadowing.
        correlation_length_m: metres over which the direct level's correlation falls by e.
        f1: slope of the transition length in m/dB.
        f2: its offset in m.
    """

    name: str
    elevation_deg: float
    sources: int
    good: State
    bad: State
    correlation_length_m: float
    f1: float
    f2: float

    def transition_length_m(self, change_db: Tensor) -> Tensor:
        """Length of a transition in metres for a change of the mean direct level in dB."""
        return (self.f1 * change_db.abs() + self.f2).clamp_min(0)

    def _transitions(self, count: int) -> tuple[Array, Array, Tensor, Tensor]:
        """Quadrature over pairs of visits: probabilities, lengths, both ends' Loo parameters."""
        (p, good), (q, bad) = self.good.nodes(count), self.bad.nodes(count)
        length = self.transition_length_m(good[:, None, 0] - bad[:, 0]).numpy()
        return np.outer(p, q), length, good, bad

    @cached_property
    def mean_transition_m(self) -> float:
        """Mean length of a transition in metres."""
        probability, length, _, _ = self._transitions(NODES)
        return float((probability * length).sum())

    @cached_property
    def shares(self) -> tuple[float, float, float]:
        """Shares of the way in the good state, the bad state and transitions."""
        lengths = (
            self.good.mean_duration_m,
            self.bad.mean_duration_m,
            2 * self.mean_transition_m,
        )
        good, bad, transition = (length / sum(lengths) for length in lengths)
        return good, bad, transition

    @cached_property
    def law(self) -> EnvelopeLaw:
        """Law of the envelope at a random place, relative to the unobstructed line of sight.

        A mixture over states, visits, places in a transition and the direct level's slow variation;
        quadrature keeps the cdf to 1e-4 (twice the nodes change it by less).
        """
        return self.law_on(NODES)

    def law_on(self, count: int) -> EnvelopeLaw:
        """The law on ``count`` nodes for a state's visits, and fewer for transitions."""
        good, bad, transition = self.shares
        probability, length, from_, to = self._transitions(count // 2)
        points, passed = np.polynomial.legendre.leggauss(count // 2)
        fraction = torch.from_numpy((points + 1) / 2)[:, None, None, None]
        between = from_[:, None] + fraction * (to - from_[:, None])
        weights = passed[:, None, None] * probability * length
        parts = [
            _loo_nodes(good, *self.good.nodes(count), 2 * count + 1),
            _loo_nodes(bad, *self.bad.nodes(count), 2 * count + 1),
            _loo_nodes(transition, weights.reshape(-1), between.reshape(-1, 3), count + 1),
        ]
        return EnvelopeLaw(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _loo_nodes(
    share: float, weights: Array, loo_db: Tensor, count: int
) -> tuple[Array, Array, Array]:
    """Nodes of a mixture of Loo laws: probabilities, direct amplitudes, scatter variances."""
    z = np.linspace(-6, 6, count)
    joint = np.outer(weights, np.exp(-(z**2) / 2))
    mean_db, deviation_db, multipath_db = loo_db.numpy().T[..., None]
    direct_db = mean_db + deviation_db * z
    variance = np.broadcast_to(10 ** (multipath_db / 10) / 2, direct_db.shape)
    columns = (share * joint / joint.sum(), 10 ** (direct_db / 20), variance)
    probability, direct, scatter = (column.reshape(-1) for column in columns)
    return probability, direct, scatter


@cache
def _tables() -> dict[str, Any]:
    text = files("channels").joinpath("data/p681.json").read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables


def parameters_for(environment: str, elevation_deg: float, carrier_hz: float) -> Environment:
    """The parameter set for an environment, at the tabulated elevation next to the one given.

    ITU-R P.681-11, Annex 2 lists 20, 30, 45, 60 and 70° (residential: no 45°), for 1.5…3 GHz and
    3…5 GHz, and no rule in between; midway, the lower column is taken. The numbers come from public
    implementations, not from the text: two agree on urban, suburban and rural-wooded at 1.5…3 GHz,
    the others rest on one (:attr:`Environment.sources`).

    Args:
        environment: ``"urban"``, ``"suburban"``, ``"village"``, ``"rural-wooded"`` or
            ``"residential"``.
        elevation_deg: elevation in degrees, 15…75.
        carrier_hz: carrier frequency in Hz, 1.5…5 GHz.

    Raises:
        InputError: on an unknown environment, or an elevation or carrier out of range.

    >>> found = parameters_for("urban", 40.0, 2.2e9)
    >>> found.elevation_deg, [round(share, 2) for share in found.shares]
    (45, [0.7, 0.26, 0.03])
    """
    known = {row["environment"] for row in _tables()["sets"]}
    check_name("environment", environment, known)
    elevation_deg = check_number("elevation_deg", elevation_deg, *ELEVATION_DEG)
    carrier_hz = check_number("carrier_hz", carrier_hz, 0, 1e15)
    if not 1.5e9 <= carrier_hz <= 5e9:
        raise InputError(
            f"carrier_hz must lie in 1.5…5 GHz, where P.681 has these tables, got "
            f"{carrier_hz / 1e9:g} GHz: choose such a carrier or another model"
        )
    rows = {
        index: abs(row["elevation_deg"] - elevation_deg)
        for index, row in enumerate(_tables()["sets"])
        if row["environment"] == environment and (row["band_hz"][0] == 3e9) == (carrier_hz >= 3e9)
    }
    return _parameters(min(rows, key=lambda index: rows[index]))


@cache
def _parameters(index: int) -> Environment:
    row, limits = _tables()["sets"][index], _tables()["limits"]
    good, bad = (State(*row[state], *limits[state]) for state in ("good", "bad"))
    place = (row["environment"], row["elevation_deg"], row["sources"])
    return Environment(*place, good, bad, *row["shared"])


@dataclass(frozen=True, eq=False)
class Walk:
    """States along a stretch of way, from a random place of an endless one.

    Args:
        knots_m: float64 ``[batch, 2V - 1]``, ends of visit 0, transition 1, visit 1, …, in metres.
        loo_db: float64 ``[batch, V, 3]``, Loo's parameters of each visit.
        starts_good: bool ``[batch]``, whether visit 0 is in the good state.
    """

    knots_m: Tensor
    loo_db: Tensor
    starts_good: Tensor

    def at(self, place_m: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Look up places ``[T]`` in metres, each before the last knot.

        Returns:
            Loo's parameters ``[batch, T, 3]``; bool ``[batch, T]``, whether the visit (in a
            transition: the one it comes from) is good; bool ``[batch, T]``, whether it is a
            transition.
        """
        batch, last = self.knots_m.shape[0], self.loo_db.shape[1] - 1
        if last == 0:
            shape = (batch, len(place_m))
            no = torch.zeros(shape, dtype=torch.bool, device=place_m.device)
            return self.loo_db.expand(-1, shape[1], -1), self.starts_good[:, None].expand(shape), no
        place = place_m.expand(batch, -1).contiguous()
        index = torch.searchsorted(self.knots_m, place, right=True)
        visit, moving = index // 2, index % 2 == 1
        start = self.knots_m.gather(1, (index - 1).clamp_min(0))
        end = self.knots_m.gather(1, index)
        fraction = torch.where(moving, (place - start) / (end - start), 0)[..., None]
        left, right = (
            self.loo_db.gather(1, chosen[..., None].expand(-1, -1, 3))
            for chosen in (visit, (visit + 1).clamp_max(last))
        )
        good = (visit % 2 == 0) == self.starts_good[:, None]
        return left + fraction * (right - left), good, moving


def draw_walk(env: Environment, batch: int, length_m: float, device: torch.device) -> Walk:
    """Draw independent walks from the stationary process.

    A random place lies in a state or a transition with its share of the way; a visit found so is
    longer than visits are on average, and one stands anywhere in it.

    Args:
        env: the parameter set.
        batch: number of walks.
        length_m: how far they must reach, in metres.
        device: where draws are made.

    >>> walk = draw_walk(parameters_for("urban", 45.0, 2e9), 2, 0.0, torch.device("cpu"))
    >>> bool((walk.knots_m[:, -1] > 0).all())
    True
    """
    place = _uniform((batch,), device)
    good_share, bad_share, _ = env.shares
    in_good = place < good_share
    moving = place >= good_share + bad_share
    from_good = in_good | (moving & (place > (1 + good_share + bad_share) / 2))

    direct_good = env.good.draw_direct_db((batch,), device)
    direct_bad = env.bad.draw_direct_db((batch,), device)
    elapsed = _uniform((batch,), device)
    observed = torch.where(
        in_good,
        env.good.draw_observed_duration_m((batch,), device),
        env.bad.draw_observed_duration_m((batch,), device),
    )
    end = observed * (1 - elapsed)
    if bool(moving.any()):
        direct_good, direct_bad = _draw_pair_in_transition(env, direct_good, direct_bad, moving)
        length = env.transition_length_m(direct_good - direct_bad)
        end = torch.where(moving, -length * elapsed, end)
    good, bad = env.good.loo_db(direct_good), env.bad.loo_db(direct_bad)
    first = torch.where(from_good[:, None], good, bad)
    if bool((end > length_m).all()):
        return Walk(end[:, None], first[:, None], from_good)

    second = torch.where(from_good[:, None], bad, good)
    knots, visits = [end[:, None]], [first[:, None]]
    upcoming: Tensor | None = second[:, None]
    mean_m = (env.good.mean_duration_m + env.bad.mean_duration_m) / 2 + env.mean_transition_m
    while bool((knots[-1][:, -1] <= length_m).any()):
        missing = length_m - float(knots[-1][:, -1].min())
        count = 2 * math.ceil(0.55 * min(missing / mean_m, 2e4)) + 2
        is_good = from_good[:, None] ^ (torch.arange(count, device=device) % 2 == 0)
        shape = (batch, count)
        loo = torch.where(
            is_good[..., None],
            env.good.loo_db(env.good.draw_direct_db(shape, device)),
            env.bad.loo_db(env.bad.draw_direct_db(shape, device)),
        )
        if upcoming is not None:
            loo = torch.cat([upcoming, loo[:, 1:]], dim=1)
            upcoming = None
        durations = torch.where(
            is_good,
            env.good.draw_duration_m(shape, device),
            env.bad.draw_duration_m(shape, device),
        )
        levels = torch.cat([visits[-1][:, -1:, 0], loo[..., 0]], dim=1)
        transitions = env.transition_length_m(levels.diff(dim=1))
        steps = torch.stack([transitions, durations], dim=-1).reshape(batch, -1)
        knots.append(knots[-1][:, -1:] + steps.cumsum(1))
        visits.append(loo)
    return Walk(torch.cat(knots, 1), torch.cat(visits, 1), from_good)


def _draw_pair_in_transition(
    env: Environment, good_db: Tensor, bad_db: Tensor, missing: Tensor
) -> tuple[Tensor, Tensor]:
    """Redraw both ends of the transitions one finds oneself in: the longer, the likelier."""
    size, device = good_db.shape[0], good_db.device
    ends = [
        state.mu_direct_db + state.sigma_direct_db * ndtri(limit)
        for state, limit in (
            (env.good, env.good.low),
            (env.good, env.good.high),
            (env.bad, env.bad.low),
            (env.bad, env.bad.high),
        )
    ]
    changes = [abs(a - b) for a in ends[:2] for b in ends[2:]] + [0.0]
    longest = float(env.transition_length_m(torch.tensor(changes, dtype=torch.float64)).max())
    while bool(missing.any()):
        good_new = env.good.draw_direct_db((size,), device)
        bad_new = env.bad.draw_direct_db((size,), device)
        length = env.transition_length_m(good_new - bad_new)
        accepted = missing & (_uniform((size,), device) * longest < length)
        good_db = torch.where(accepted, good_new, good_db)
        bad_db = torch.where(accepted, bad_new, bad_db)
        missing = missing & ~accepted
    return good_db, bad_db
