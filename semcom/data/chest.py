"""A frontal chest X-ray, drawn from geometry."""

from __future__ import annotations

import numpy as np

from semcom.data.film import Array, Exposure, Film, Pose, smooth, texture

_EXPOSURE = Exposure(contrast=(2.6, 3.6), middle=(0.62, 0.78), white=1.45, blur=0.0025)
_SIDES = (-1.0, 1.0)
"""The patient's right lies on the left of the film; the heart leans to the other side."""


def chest(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Draw one chest.

    Args:
        rng: source of all variation between patients and exposures.
        size: side in pixels.

    Returns:
        ``(image, lungs)``: float64 in [0, 1] and coverage in [0, 1], both ``[size, size]``.

    >>> [part.shape for part in chest(np.random.default_rng(0), 64)]
    [(64, 64), (64, 64)]
    """
    film = Film(
        size,
        Pose(
            scale=(rng.uniform(1.08, 1.28), rng.uniform(1.1, 1.28)),
            shift=(rng.normal(0, 0.03), rng.normal(0.1, 0.04)),
            tilt=rng.normal(0, 0.025),
        ),
    )
    fat = rng.uniform(0, 1)
    body = _body(film, rng, fat)
    outlines = [_lung(side, rng) for side in _SIDES]
    covers = [film.polygon(outline, soft=0.006) for outline in outlines]
    lungs = np.clip(sum(covers), 0, 1)
    air = sum(
        cover * (1 - np.exp(-(film.inside(cover) + 0.012) / rng.uniform(0.07, 0.1)))
        for cover in covers
    )
    heart = _heart(film, rng)
    depth = (
        (0.85 + 0.25 * fat) * body
        - (0.6 + 0.1 * fat) * air * (1 - 0.5 * heart)
        + 0.26 * heart
        + 0.22 * body * _below_diaphragm(film, outlines)
        + _spine(film, rng)
        + _rib_cage(film, rng)
        + _shoulders(film, rng)
        - _airways(film)
        + lungs * (_vessels(film, rng) + _nodules(film, rng))
        + lungs * (0.03 * air + 0.005) * texture(rng, size, 0.9, low=8)
        - _stomach_bubble(film, rng)
    )
    depth = depth + 0.02 * body * texture(rng, size, 1.6, low=2)
    return _EXPOSURE.expose(film, depth, rng), lungs


def _lung(side: float, rng: np.random.Generator) -> Array:
    """Outline of one lung: chest wall down, dome of the diaphragm inwards, mediastinum up."""
    left = side > 0
    apex = (0.27, -0.74 + rng.normal(0, 0.015))
    base = 0.5 + rng.normal(0, 0.03) + (0.03 if left else 0)
    wall = smooth(
        [
            apex,
            (0.42, -0.63),
            (0.53, -0.4),
            (0.6, -0.08),
            (0.65 + rng.normal(0, 0.012), 0.25),
            (0.67, base),
        ]
    )
    dome = base - rng.uniform(0.16, 0.24)
    bulge = rng.uniform(-0.03, 0.06)
    medial = 0.36 + bulge if left else 0.16
    floor = smooth(
        [
            (0.67, base),
            (0.635, base - 0.09),
            (0.55, dome + 0.035),
            (0.4, dome),
            (medial, dome + 0.03),
        ],
        32,
    )
    if left:
        inner = [
            (0.33 + bulge, 0.14),
            (0.22 + bulge / 2, -0.06),
            (0.15, -0.17),
            (0.165, -0.29),
            (0.12, -0.42),
        ]
    else:
        inner = [(0.175, 0.14), (0.12, -0.02), (0.105, -0.3)]
    border = smooth([tuple(floor[-1]), *inner, (0.135, -0.6), (0.19, -0.71), apex], 64)
    outline = np.concatenate([wall, floor[1:], border[1:-1]])
    return outline * (side, 1.0)


def _body(film: Film, rng: np.random.Generator, fat: float) -> Array:
    """Thickness of neck, trunk and arms: 1 where it is full."""
    wide = 0.82 + 0.1 * fat
    neck = rng.uniform(0.2, 0.26)
    half = np.concatenate(
        [
            smooth([(neck, -1.5), (neck, -0.98), (neck + 0.1, -0.86), (0.72, -0.78)], 24),
            smooth([(0.78, -0.77), (1.0, -0.62), (1.1, -0.3), (1.13, 1.5)], 24),
            [(wide + 0.16, 1.5), (wide + 0.05, 0.2)],
            smooth([(wide, -0.02), (wide - 0.01, 0.3), (wide + 0.02, 1.5)], 16),
        ]
    )
    outline = np.concatenate([half, (half * (-1, 1))[::-1]])
    cover = film.polygon(outline, soft=0.008)
    depth = film.inside(cover)
    full = cover * (1 - 0.75 * np.exp(-depth / 0.1) - 0.25 * np.exp(-depth / 0.4))
    breast = rng.uniform(0, 0.16) * (rng.random() < 0.5)
    for side in _SIDES:
        full += breast * film.ellipsoid((side * 0.42, 0.3), (0.3, 0.27))
    return full


def _heart(film: Film, rng: np.random.Generator) -> Array:
    """Heart, great vessels and mediastinum, about 1 where they are thickest."""
    grown = rng.uniform(0.92, 1.12)
    chambers = film.ellipsoid((0.1, 0.22), (0.32 * grown, 0.24 * grown), 0.6)
    atrium = film.ellipsoid((-0.05, 0.2), (0.14, 0.22))
    knob = film.ellipsoid((0.09, -0.28), (0.09, 0.1))
    band = np.exp(-((film.x / 0.12) ** 4)) / (1 + np.exp(-(film.y + 0.75) / 0.06))
    shadow = np.maximum.reduce([chambers, 0.8 * atrium, 0.55 * knob, 0.6 * band])
    return film.blurred(shadow, 0.012)


def _below_diaphragm(film: Film, outlines: list[Array]) -> Array:
    """1 below the domes, 0 above: the abdomen's organs."""
    right, left = (
        outline[np.argmin(np.abs(np.abs(outline[:, 0]) - 0.4) - outline[:, 1] / 9)]
        for outline in outlines
    )
    level = np.where(film.x < 0, right[1], left[1])
    level = level + 0.55 * np.maximum(np.abs(film.x) - 0.45, 0) - 0.03
    below: Array = 1 / (1 + np.exp(-(film.y - level - 0.05) / 0.04))
    return below


def _spine(film: Film, rng: np.random.Generator) -> Array:
    """Vertebrae with end plates, pedicles and spinous processes."""
    bend = rng.normal(0, 0.012)
    x = film.x - bend * np.sin(2.2 * film.y)
    height = 0.105 + 0.03 * (film.y + 1) / 2
    phase = film.y / height + rng.random()
    within = phase - np.floor(phase) - 0.5
    waist = 0.085 + 0.018 * (film.y + 1) / 2 - 0.012 * (1 - 4 * within**2)
    column = 1 / (1 + np.exp((np.abs(x) - waist) / 0.006))
    plates = np.exp(-(((np.abs(within) - 0.42) / 0.045) ** 2))
    disc = np.exp(-(((np.abs(within) - 0.5) / 0.1) ** 2))
    pedicle = np.exp(-(((np.abs(x) - 0.055) / 0.014) ** 2) - ((within + 0.15) / 0.16) ** 2)
    process = np.exp(-((x / 0.014) ** 2) - ((within - 0.2) / 0.16) ** 2)
    return column * (0.09 + 0.07 * plates - 0.06 * disc) + 0.08 * pedicle + 0.08 * process


def _rib_cage(film: Film, rng: np.random.Generator) -> Array:
    """Ten pairs of ribs: behind, around the side, and forward down to the cartilage."""
    number = np.arange(10)
    turn = np.linspace(0, 1, 72)
    stretch = rng.uniform(0.97, 1.03)
    curves = []
    for side in _SIDES:
        start = -0.75 + 0.112 * stretch * number + rng.normal(0, 0.005, 10)
        level = start + 0.16
        widest = np.interp(level, [-0.7, -0.5, -0.2, 0.2, 0.6], [0.38, 0.52, 0.61, 0.67, 0.7])
        drop = np.interp(number, [0, 3, 9], [0.2, 0.46, 0.6]) * rng.uniform(0.92, 1.08)
        last = np.interp(number, [0, 2, 6, 9], [0.86, 0.82, 0.72, 0.55]) * np.pi
        angle = last[:, None] * turn
        x = 0.05 + (widest[:, None] - 0.05) * np.sin(angle) ** 0.9
        y = start[:, None] + drop[:, None] * (1 - np.cos(angle)) / 2 - 0.025 * np.sin(2 * angle)
        z = 0.42 * np.cos(angle)
        curves.append(np.stack([side * x, y, z], -1))
    radius = np.interp(turn, [0, 0.1, 0.5, 0.9, 1], [0.02, 0.024, 0.024, 0.027, 0.012])
    bone = film.tubes(np.concatenate(curves), radius, core=0.75, lumen=0.8)
    return rng.uniform(2.4, 3.6) * bone


def _shoulders(film: Film, rng: np.random.Generator) -> Array:
    """Clavicles, shoulder blades and upper arms."""
    total = np.zeros_like(film.x)
    for side in _SIDES:
        lift = rng.normal(0, 0.02)
        clavicle = smooth(
            [(0.06, -0.55), (0.24, -0.6 + lift), (0.5, -0.72 + lift), (0.76, -0.7 + lift)], 40
        )
        thick = np.interp(np.linspace(0, 1, 40), [0, 0.12, 0.5, 1], [0.042, 0.03, 0.025, 0.03])
        total += 3.6 * film.tubes([clavicle * (side, 1)], thick, core=0.6)
        out = 0.9 + rng.normal(0, 0.015)
        total += 0.2 * film.ellipsoid((side * out, -0.57), (0.085, 0.085))
        arm = smooth([(out + 0.01, -0.52), (out + 0.06, -0.1), (out + 0.09, 1.4)], 24)
        total += 3.2 * film.tubes([arm * (side, 1)], 0.05, core=0.7)
        blade = [(0.8, -0.5), (0.76, -0.3), (0.72, -0.1), (0.62, 0.1), (0.56, 0.08), (0.5, -0.3)]
        total += 0.08 * film.polygon(np.array(blade) * (side, 1), soft=0.012)
        edge = smooth(blade[:4], 24)
        total += 2.6 * film.tubes([edge * (side, 1)], 0.011)
        crest = smooth([(0.52, -0.5), (0.68, -0.6), (0.84, -0.7)], 24)
        total += 2.2 * film.tubes([crest * (side, 1)], 0.022, core=0.7)
    return total


def _airways(film: Film) -> Array:
    """Air in the windpipe and the two main bronchi."""
    windpipe = smooth([(0, -1.5), (0.0, -0.6), (0.015, -0.2)], 40)
    right = smooth([(0.0, -0.22), (-0.06, -0.14), (-0.12, -0.04)], 40)
    left = smooth([(0.02, -0.22), (0.1, -0.14), (0.19, -0.09)], 40)
    return 2.0 * film.tubes([windpipe], 0.036) + 1.3 * film.tubes([right, left], 0.022)


def _vessels(film: Film, rng: np.random.Generator) -> Array:
    """Two branching trees that leave the hila and thin out towards the chest wall."""
    total = np.zeros_like(film.x)
    strength = rng.uniform(2.2, 3.6)
    for side in _SIDES:
        hilum = np.array([0.17 if side > 0 else 0.13, -0.03 if side > 0 else 0.02])
        heading = np.array([-1.35, -0.9, -0.4, 0.1, 0.5, 0.9, 1.2, 1.45])
        heading = heading + rng.normal(0, 0.12, heading.size)
        start = hilum + rng.normal(0, 0.02, (heading.size, 2))
        radius = rng.uniform(0.011, 0.017, heading.size)
        for generation in range(7):
            length = 0.15 * 0.87**generation * rng.uniform(0.6, 1.3, heading.size)
            bend = heading + rng.normal(0, 0.25, heading.size)
            half = start + (length / 2)[:, None] * np.stack([np.cos(bend), np.sin(bend)], -1)
            end = half + (length / 2)[:, None] * np.stack([np.cos(heading), np.sin(heading)], -1)
            taper = radius[:, None] * (1, 0.92, 0.84)
            total += film.tubes(np.stack([start, half, end], 1) * (side, 1), taper)
            fork = rng.uniform(0.2, 0.75, heading.size)
            uneven = rng.uniform(0.3, 0.7, heading.size)
            kept = rng.random((2, heading.size)) < (1.0, 0.8)[generation > 2]
            heading = np.concatenate([heading - fork * uneven, heading + fork * (1 - uneven)])
            start = np.concatenate([end, end])
            radius = np.concatenate(
                [radius * 0.84 * (1.3 - uneven), radius * 0.84 * (0.3 + uneven)]
            )
            keep = kept.ravel()
            heading, start, radius = heading[keep], start[keep], radius[keep]
        total += 0.02 * film.ellipsoid((side * hilum[0], hilum[1]), (0.07, 0.11))
    return strength * total


def _nodules(film: Film, rng: np.random.Generator) -> Array:
    """None to five round opacities."""
    total = np.zeros_like(film.x)
    for _ in range(min(5, rng.poisson(1.4))):
        side = rng.choice(_SIDES)
        centre = (float(side * rng.uniform(0.27, 0.5)), float(rng.uniform(-0.5, 0.2)))
        radius = 0.02 + 0.05 * rng.random() ** 2
        shape = (radius * rng.uniform(0.8, 1.2), radius)
        nodule = film.ellipsoid(centre, shape, rng.uniform(0, np.pi))
        total += rng.uniform(0.1, 0.2) * film.blurred(nodule, 0.1 * radius)
    return total


def _stomach_bubble(film: Film, rng: np.random.Generator) -> Array:
    """Air under the left dome, in most patients."""
    strength = rng.uniform(0, 0.16)
    centre = (rng.uniform(0.3, 0.45), rng.uniform(0.52, 0.58))
    bubble = film.ellipsoid(centre, (rng.uniform(0.08, 0.15), rng.uniform(0.05, 0.09)), 0.1)
    return strength * film.blurred(bubble, 0.01)
