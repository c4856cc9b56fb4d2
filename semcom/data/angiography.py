"""An X-ray angiogram of one coronary artery, drawn from geometry."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from semcom.data.film import Array, Film, Pose, smooth, texture

Point = tuple[float, float]


class Branch(NamedTuple):
    """An artery on its way.

    Args:
        course: points that it passes near.
        parent: number of the artery that it leaves; ``None`` for the first.
        at: where it leaves that one, as a share of its length.
    """

    course: list[Point]
    parent: int | None = None
    at: float = 1.0


_LEFT = [
    Branch([(-0.42, -0.42), (-0.3, -0.44), (-0.16, -0.4)]),
    Branch(
        [(-0.16, -0.4), (0.1, -0.36), (0.36, -0.16), (0.52, 0.16), (0.56, 0.5), (0.46, 0.74)], 0
    ),
    Branch([(-0.16, -0.4), (-0.14, -0.22), (-0.06, 0.1), (0.04, 0.36), (0.12, 0.62)], 0),
    Branch([(0.2, -0.31), (0.42, -0.24), (0.64, 0.0), (0.74, 0.26)], 1, 0.3),
    Branch([(-0.12, -0.12), (0.08, 0.06), (0.24, 0.28), (0.34, 0.54)], 2, 0.3),
]
"""Main stem, anterior descending, circumflex, diagonal and marginal branch."""
_RIGHT = [
    Branch([(0.0, -0.52), (-0.24, -0.5), (-0.44, -0.22), (-0.46, 0.1), (-0.32, 0.36), (0.0, 0.46)]),
    Branch([(0.0, 0.46), (0.16, 0.52), (0.34, 0.66), (0.56, 0.72)], 0),
    Branch([(0.0, 0.46), (0.14, 0.36), (0.34, 0.3), (0.56, 0.36)], 0),
]
"""Right coronary, posterior descending and posterolateral branch."""


def angiography(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Draw one angiogram: contrast medium is dark, as cardiologists look at it.

    Args:
        rng: source of all variation between patients, views and exposures.
        size: side in pixels.

    Returns:
        ``(image, arteries)``: float64 in [0, 1] and coverage 0 or 1, both ``[size, size]``. The
        arteries are the named ones; thin side branches and the catheter do not belong to them.

    >>> [part.shape for part in angiography(np.random.default_rng(0), 64)]
    [(64, 64), (64, 64)]
    """
    turn = rng.uniform(-0.5, 0.5)
    film = Film(
        size,
        Pose(
            scale=(rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.2)),
            shift=(rng.normal(0, 0.08), rng.normal(0, 0.08)),
            tilt=turn,
        ),
    )
    arteries: list[Array] = []
    for branch in (_LEFT, _RIGHT)[rng.random() < 0.4]:
        path = _winding(branch.course, rng)
        if branch.parent is not None:
            leaving = arteries[branch.parent]
            path = path + leaving[int(branch.at * (len(leaving) - 1))] - path[0]
        arteries.append(path)
    trunk = rng.uniform(0.018, 0.042)
    radii = [_taper(trunk, i, rng) for i in range(len(arteries))]
    depth = np.zeros((size, size))
    region = np.zeros((size, size))
    for artery, radius in zip(arteries, radii, strict=True):
        thickness = film.tubes([artery], radius)
        region = np.maximum(region, thickness > 0.4 * radius.min())
        depth = np.maximum(depth, thickness)
    depth = depth + _side_branches(film, arteries, radii, rng)
    depth = np.maximum(depth, _catheter(film, arteries[0][0], turn, rng))
    dark = 1 - np.exp(-depth * rng.uniform(16, 40))
    grey = _background(rng, size) * (1 - rng.uniform(0.5, 0.75) * film.blurred(dark, 0.004))
    opening = _opening(size, rng)
    grey = grey * opening + rng.uniform(0.05, 0.3) * (1 - opening)
    grain = rng.uniform(0.01, 0.025) * (size / 256) ** 0.5
    image: Array = np.clip(grey + grain * texture(rng, size, 0.3), 0, 1)
    return image, region * (opening > 0.5)


def _winding(course: list[Point], rng: np.random.Generator) -> Array:
    """A course between random knots that winds more and more towards its end, ``[m, 2]``."""
    knots = np.array(course) + np.concatenate(
        [np.zeros((1, 2)), rng.normal(0, 0.05, (len(course) - 1, 2))]
    )
    path = smooth(knots, 160)
    along = np.linspace(0, 1, len(path))
    side = np.gradient(path, axis=0)[:, ::-1] * (1, -1)
    side = side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    bends = rng.uniform(2, 9)
    sway = rng.uniform(0, 0.025) * along**1.5 * np.sin(2 * np.pi * (bends * along + rng.random()))
    slow = rng.normal(0, 0.03) * np.sin(np.pi * along)
    winding: Array = path + (sway * np.minimum(along * 4, 1) + slow)[:, None] * side
    return winding


def _taper(trunk: float, number: int, rng: np.random.Generator) -> Array:
    """Radii along a branch, with a narrowing here and there."""
    along = np.linspace(0, 1, 160)
    first = trunk * (1.0 if number == 0 else rng.uniform(0.5, 0.85))
    radius = first * (1 - rng.uniform(0.3, 0.65) * along)
    if rng.random() < 0.4:
        where, wide = rng.uniform(0.15, 0.85), rng.uniform(0.02, 0.05)
        radius = radius * (1 - rng.uniform(0.3, 0.7) * np.exp(-(((along - where) / wide) ** 2)))
    tapered: Array = radius
    return tapered


def _side_branches(
    film: Film, arteries: list[Array], radii: list[Array], rng: np.random.Generator
) -> Array:
    """Thin branches that leave the arteries and fork once."""
    total = np.zeros((film.size, film.size))
    for _ in range(rng.integers(6, 26)):
        chosen = rng.integers(len(arteries))
        at = rng.integers(20, 150)
        artery = arteries[chosen]
        heading = np.arctan2(*(artery[at] - artery[at - 5])[::-1])
        heading = heading + rng.choice((-1.0, 1.0)) * rng.uniform(0.4, 1.2)
        radius = radii[chosen][at] * rng.uniform(0.2, 0.5)
        start = artery[at]
        for fork in (0.0, rng.uniform(-0.8, 0.8)):
            length = rng.uniform(0.15, 0.5)
            bends = heading + fork + np.cumsum(rng.normal(0, 0.35, 5))
            steps = length / 5 * np.stack([np.cos(bends), np.sin(bends)], 1)
            course = smooth(np.concatenate([start[None], start + steps.cumsum(0)]), 60)
            total = np.maximum(total, film.tubes([course], radius * np.linspace(1, 0.4, 60)))
            start = course[30]
    return total


def _catheter(film: Film, ostium: Array, turn: float, rng: np.random.Generator) -> Array:
    """A tube of constant width from above to the artery's mouth."""
    up = np.array([-np.sin(turn), -np.cos(turn)])
    across = np.array([-up[1], up[0]])
    bow = rng.uniform(-0.35, 0.35)
    knots = [ostium + up * 2 + across * rng.uniform(-0.3, 0.3)]
    knots += [ostium + up * 0.6 + across * bow, ostium + up * 0.15 + across * bow * 0.5, ostium]
    return film.tubes([smooth(knots, 120)], rng.uniform(0.009, 0.014), core=rng.uniform(0, 0.4))


def _background(rng: np.random.Generator, size: int) -> Array:
    """Lungs, heart, spine and diaphragm, out of focus behind the arteries."""
    centres = (np.arange(size) + 0.5) * 2 / size - 1
    x, y = np.meshgrid(centres, centres)
    grey = rng.uniform(0.45, 0.75) + rng.uniform(0.03, 0.09) * texture(rng, size, 1.8, high=40)
    grey = grey + rng.uniform(-0.15, 0.15) * x + rng.uniform(-0.15, 0.15) * y
    grey = grey + rng.uniform(0.01, 0.03) * texture(rng, size, 1.2, low=6, high=60)
    lean, place = rng.uniform(-0.4, 0.4), rng.uniform(-1.2, 1.2)
    spine = np.abs(x - place - lean * y)
    grey = grey - rng.uniform(0, 0.18) / (1 + np.exp((spine - 0.22) / 0.03))
    plates = np.sin(2 * np.pi * (y * rng.uniform(1.5, 2.5) + rng.random())) ** 8
    grey = grey - rng.uniform(0, 0.07) * plates / (1 + np.exp((spine - 0.2) / 0.02))
    dome = rng.uniform(0.2, 1.2) + rng.uniform(0.1, 0.6) * (x - rng.uniform(-1, 1)) ** 2
    grey = grey - rng.uniform(0, 0.25) / (1 + np.exp(-(y - dome) / 0.03))
    border = rng.uniform(0.2, 1.3) + 0.4 * y + 0.2 * y**2
    side = rng.choice((-1.0, 1.0))
    grey = grey + rng.uniform(0, 0.3) / (1 + np.exp(-(side * x - border) / 0.05))
    for _ in range(rng.integers(0, 5)):
        rib = y - rng.uniform(-1, 1) - rng.uniform(-0.6, 0.6) * x - rng.uniform(-0.3, 0.3) * x**2
        grey = grey - rng.uniform(0, 0.06) * np.exp(-((rib / rng.uniform(0.03, 0.06)) ** 2))
    kept: Array = np.clip(grey, 0.12, 0.98)
    return kept


def _opening(size: int, rng: np.random.Generator) -> Array:
    """The collimator's opening, 1 inside: in four of ten images smaller than the image."""
    edge = rng.uniform(0.8, 0.95) if rng.random() < 0.4 else 2.0
    centres = np.abs((np.arange(size) + 0.5) * 2 / size - 1)
    inside = np.minimum.outer(edge - centres, edge - centres)
    opening: Array = 1 / (1 + np.exp(-inside / 0.008))
    return opening
