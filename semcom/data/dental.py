"""A panoramic dental X-ray, drawn from geometry."""

from __future__ import annotations

import numpy as np

from semcom.data.film import Array, Exposure, Film, Pose, smooth, texture

_EXPOSURE = Exposure(contrast=(2.8, 3.8), middle=(0.46, 0.58), white=1.25, blur=0.0035)
_WIDTHS = np.array([0.073, 0.064, 0.07, 0.066, 0.066, 0.1, 0.097, 0.086])
"""Crown widths from the middle to the wisdom tooth, in body units."""
_LENGTHS = np.array([0.37, 0.35, 0.41, 0.36, 0.36, 0.35, 0.33, 0.29])
"""From cusp to root tip."""
_FIRST_MOLAR = 5


def dental(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Draw one pair of jaws.

    Args:
        rng: source of all variation between patients and exposures.
        size: side in pixels.

    Returns:
        ``(image, teeth)``: float64 in [0, 1] and coverage in [0, 1], both ``[size, size]``.

    >>> [part.shape for part in dental(np.random.default_rng(0), 64)]
    [(64, 64), (64, 64)]
    """
    film = Film(
        size,
        Pose(
            scale=(rng.uniform(1.0, 1.14), rng.uniform(1.0, 1.16)),
            shift=(rng.normal(0, 0.03), rng.normal(-0.02, 0.04)),
            tilt=rng.normal(0, 0.025),
        ),
    )
    smile = rng.uniform(0.1, 0.24)
    occlusion = 0.02 + smile * (0.5 - film.x**2 * 1.3)
    mandible = _mandible(film, smile)
    teeth, cover, sockets = _teeth(film, rng, smile)
    maxilla = _maxilla(film, occlusion)
    bone = np.clip(mandible + maxilla, 0, 1)
    open_bone = bone * (1 - cover)
    depth = (
        0.32 * np.exp(-((film.x / 1.15) ** 6) - ((film.y - 0.05) / 1.0) ** 8)
        + 0.25 * bone
        + open_bone * (0.035 * texture(rng, size, 0.7, low=16, high=90) + 0.04 * sockets)
        + _cortex(film, rng, smile)
        + _midface(film, rng)
        + teeth
        + rng.uniform(0.06, 0.14) * np.exp(-((film.x / 0.16) ** 2))
    )
    depth = depth + 0.025 * texture(rng, size, 1.7, low=2)
    return _EXPOSURE.expose(film, depth, rng), cover


def _lower_border(smile: float) -> Array:
    """Lower edge of one half of the mandible, from the chin up to the joint."""
    chin = 0.74 + 0.4 * smile
    return smooth(
        [
            (0.0, chin),
            (0.26, chin - 0.02),
            (0.6, chin - 0.17),
            (0.8, chin - 0.42),
            (0.87, 0.05),
            (0.92, -0.45),
            (0.95, -0.62),
        ],
        48,
    )


def _mandible(film: Film, smile: float) -> Array:
    """Coverage of body, rami, joints and coronoid processes."""
    outer = _lower_border(smile)
    inner = smooth(
        [
            (0.95, -0.62),
            (0.87, -0.66),
            (0.82, -0.55),
            (0.76, -0.42),
            (0.68, -0.5),
            (0.64, -0.4),
            (0.66, -0.12),
            (0.63, 0.04),
        ],
        32,
    )
    x = np.linspace(0.62, 0, 16)
    crest = np.stack([x, 0.14 + smile * (0.5 - 1.3 * x**2)], -1)
    half = np.concatenate([outer, inner[1:], crest])
    outline = np.concatenate([half, (half * (-1, 1))[::-1]])
    return film.polygon(outline, soft=0.006)


def _maxilla(film: Film, occlusion: Array) -> Array:
    """Coverage of the upper jaw's bone, fading upwards."""
    side = 1 / (1 + np.exp((np.abs(film.x) - 0.7) / 0.015))
    below = 1 / (1 + np.exp((film.y - (occlusion - 0.12)) / 0.008))
    above = 1 / (1 + np.exp(-(film.y - (occlusion - 0.6)) / 0.06))
    return 0.9 * side * below * above


def _cortex(film: Film, rng: np.random.Generator, smile: float) -> Array:
    """The dense lower rim of the mandible, and the nerve's canal inside it."""
    rim = _lower_border(smile)
    total = np.zeros_like(film.x)
    for side in (-1.0, 1.0):
        inward = rim * (0.98, 1) - (0, 0.022)
        total += 4.5 * film.tubes([inward * (side, 1)], 0.015)
        canal = smooth([(0.78, -0.12), (0.68, 0.28), (0.52, 0.46), (0.36, 0.5)], 32)
        canal = canal + rng.normal(0, 0.008, 2)
        total += 2.2 * film.tubes([canal * (side, 1)], 0.024, core=2.0, lumen=0.85)
        end = canal[-1] * (side, 1)
        total -= 0.07 * film.ellipsoid((float(end[0]), float(end[1])), (0.03, 0.025))
        joint = 0.12 * film.ellipsoid((side * 0.92, -0.62), (0.07, 0.06))
        socket = smooth([(0.72, -0.62), (0.82, -0.72), (0.92, -0.76), (1.05, -0.68)], 32)
        total += joint + 4.0 * film.tubes([socket * (side, 1)], 0.014)
    return total


def _midface(film: Film, rng: np.random.Generator) -> Array:
    """Sinuses, nose, palate and cheekbones."""
    total = np.zeros_like(film.x)
    for side in (-1.0, 1.0):
        floor = -0.38 + rng.normal(0, 0.02)
        sinus = smooth(
            [(0.24, -1.2), (0.17, -0.8), (0.2, -0.55), (0.3, floor - 0.01), (0.46, floor),
             (0.6, -0.55), (0.6, -0.8), (0.5, -1.2)], 64,
        ) * (side, 1)  # fmt: skip
        total -= 0.13 * film.polygon(sinus, soft=0.02)
        total += 6 * film.tubes([sinus], 0.01)
        cheek = smooth([(0.5, -0.5), (0.62, -0.62), (0.8, -0.66), (1.05, -0.6)], 32)
        total += 2.4 * film.tubes([cheek * (side, 1)], 0.035, core=0.5)
        nostril = film.ellipsoid((side * 0.075, -0.78), (0.065, 0.26))
        total -= 0.14 * film.blurred(nostril, 0.015)
    septum = np.stack([np.full(8, rng.normal(0, 0.008)), np.linspace(-1.05, -0.52, 8)], -1)
    palate = smooth([(-0.7, -0.5), (-0.3, -0.47), (0.3, -0.47), (0.7, -0.5)], 32)
    return total + 4.0 * film.tubes([septum], 0.014) + 3.5 * film.tubes([palate], 0.016)


def _teeth(film: Film, rng: np.random.Generator, smile: float) -> tuple[Array, Array, Array]:
    """All teeth: what they add to the depth, their coverage, and the bone's rim around roots."""
    total, cover, sockets = (np.zeros_like(film.x) for _ in range(3))
    missing = rng.uniform(0.0, 0.12)
    repaired = rng.uniform(0.0, 0.35)
    for upper in (True, False):
        for side in (-1.0, 1.0):
            gap = 0.003
            reach = gap / 2
            for place in range(8):
                width = _WIDTHS[place] * (1.0 if upper or place > 2 else 0.84)
                width *= rng.uniform(0.95, 1.05)
                x = reach + width / 2
                reach += width + gap
                if rng.random() < (0.45 if place == 7 else missing):
                    continue
                level = 0.02 + smile * (0.5 - 1.3 * x**2)
                lean = 0.5 * smile * x + rng.normal(0, 0.03) - 0.08 * (place > 5)
                tooth = _Tooth(film, rng, place, upper, (side * x, level), width, side * lean)
                tooth.draw(total, cover, sockets, rng.random() < repaired)
    return total, np.clip(cover, 0, 1), sockets


class _Tooth:
    """One tooth in its own coordinates: v from cusp (0) to root tip (1), u across."""

    def __init__(
        self,
        film: Film,
        rng: np.random.Generator,
        place: int,
        upper: bool,
        cusp: tuple[float, float],
        width: float,
        lean: float,
    ) -> None:
        self.rng, self.place, self.upper = rng, place, upper
        self.length = float(_LENGTHS[place] * rng.uniform(0.93, 1.07))
        self.width, self.pixel = width, film.pixel
        up = -1.0 if upper else 1.0
        origin = (cusp[0], cusp[1] + up * 0.006)
        axis = np.array([np.sin(lean), up * np.cos(lean)])
        dx, dy = film.x - origin[0], film.y - origin[1]
        along = dx * axis[0] + dy * axis[1]
        across = dx * axis[1] - dy * axis[0]
        near = (along > -0.05) & (along < self.length + 0.05) & (np.abs(across) < width)
        rows, columns = np.nonzero(near.any(1))[0], np.nonzero(near.any(0))[0]
        self.seen = rows.size > 0
        if self.seen:
            self.window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            self.v = along[self.window] / self.length
            self.u = across[self.window]

    def draw(self, total: Array, cover: Array, sockets: Array, repaired: bool) -> None:
        if not self.seen:
            return
        crown, roots, neck = self._depths()
        inside = np.maximum(crown, roots)
        solid = np.clip(inside / self.pixel + 0.5, 0, 1)
        half = self.width / 2
        dentine = np.sqrt(np.clip(1 - (1 - np.clip(inside / half, 0, 1)) ** 2, 0, 1))
        enamel = np.clip(crown / self.pixel + 0.5, 0, 1) * (self.v < neck)
        shell = enamel * np.exp(-np.clip(crown, 0, None) / (0.16 * half + 0.2 * self.pixel))
        cap = enamel * np.clip(1 - self.v / (0.55 * neck), 0, 1)
        value = solid * (0.24 + 0.28 * dentine) + 0.1 * shell + 0.14 * cap + 0.02 * enamel
        value -= solid * self._pulp(neck) * 0.17
        value = self._worn(value, solid, neck, repaired)
        ligament = np.exp(-(((inside + 0.006) / 0.006) ** 2)) * (self.v > neck + 0.05)
        rim = np.exp(-(((inside + 0.017) / 0.006) ** 2)) * (self.v > neck + 0.05)
        total[self.window] += value + (0.06 * rim - 0.08 * ligament) * (1 - solid)
        total[self.window] -= 0.25 * solid * np.clip((self.v - neck - 0.02) / 0.08, 0, 1)
        cover[self.window] = np.maximum(cover[self.window], solid)
        sockets[self.window] = np.maximum(sockets[self.window], rim)

    def _depths(self) -> tuple[Array, Array, float]:
        """Signed depth inside crown and roots (body units), and where the neck is."""
        half, v, u = self.width / 2, self.v, self.u
        molar = self.place >= _FIRST_MOLAR
        neck = 0.3 if not molar else 0.36
        bulge = np.interp(v, [-0.05, 0.0, 0.1, 0.2, neck, neck + 0.08],
                          [0.55, 0.78, 0.97, 1.0, 0.8, 0.74])  # fmt: skip
        cusps = 0.012 * np.cos(u / half * (6 if molar else 4)) if self.place > 2 else 0 * u
        top = v * self.length + cusps + 0.004
        crown = np.minimum(
            half * bulge - np.abs(u), np.minimum(top, (neck + 0.06 - v) * self.length)
        )
        if not molar:
            root = half * 0.78 * np.sqrt(np.clip((1 - v) / (1 - neck), 0, 1)) - np.abs(u)
            return crown, np.minimum(root, (v - neck) * self.length), neck
        trunk = half * 0.8 - np.abs(u)
        trunk = np.minimum(trunk, (0.58 - v + 0.1 * np.abs(u) / half) * self.length)
        roots = trunk
        spread = 0.46 * half
        for side in (-1.0, 1.0):
            middle = side * spread * (1 + 0.25 * np.clip(v - 0.5, 0, 1))
            thick = 0.36 * half * np.sqrt(np.clip((1 - v) / 0.5, 0, 1))
            roots = np.maximum(roots, thick - np.abs(u - middle))
        if self.upper:
            thick = 0.3 * half * np.sqrt(np.clip((1.04 - v) / 0.5, 0, 1))
            roots = np.maximum(roots, thick - np.abs(u))
        return crown, np.minimum(roots, (v - neck) * self.length), neck

    def _pulp(self, neck: float) -> Array:
        half, v, u = self.width / 2, self.v, self.u
        molar = self.place >= _FIRST_MOLAR
        canals: Array = np.exp(
            -((u / (half * (0.42 if molar else 0.2))) ** 4)
            - ((v - neck) / (0.09 if molar else 0.13)) ** 4
        )
        fade = (v > neck) * np.clip((0.97 - v) / 0.3, 0, 1)
        for middle in (-0.46, 0.46) if molar else (0.0,):
            line = u - middle * half * (1 + 0.25 * np.clip(v - 0.5, 0, 1))
            canals = np.maximum(canals, fade * np.exp(-((line / (0.11 * half)) ** 2)))
        return canals

    def _worn(self, value: Array, solid: Array, neck: float, repaired: bool) -> Array:
        """Fillings, crowned and root-filled teeth, and caries."""
        half, v, u, rng = self.width / 2, self.v, self.u, self.rng
        if repaired and self.place > 2:
            kind = rng.random()
            wide, deep = half * rng.uniform(0.35, 0.7), neck * rng.uniform(0.3, 0.55)
            if kind < 0.2:
                block = solid * (v < neck * 0.95)
            else:
                block = solid * (v < deep) * (np.abs(u - rng.normal(0, 0.2 * half)) < wide)
            value = np.where(block > 0.3, np.maximum(value, 0.85), value)
            if kind < 0.3:
                filled = self._pulp(neck) * (v > neck)
                value = value + 0.4 * filled * solid
        elif rng.random() < 0.12:
            edge = rng.choice((-1.0, 1.0)) * half * 0.85
            hole = ((u - edge) / (0.4 * half)) ** 2 + ((v - rng.uniform(0.12, 0.3)) / 0.07) ** 2
            value = value - 0.22 * solid * np.exp(-hole)
        return value
