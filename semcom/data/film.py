"""A film to draw radiographs on: thicknesses of simple bodies, projected along the beam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import distance_transform_edt, gaussian_filter

Array = NDArray[np.float64]
_STEP = 0.5
"""Distance of the samples of a tube, in pixels."""


@dataclass(frozen=True)
class Pose:
    """How a body lies on the film.

    Args:
        scale: film units per body unit, (x, y).
        shift: where the body's origin lies, in film units (the film is [-1, 1] on a side).
        tilt: rotation in radians.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)
    tilt: float = 0.0


class Film:
    """A square film, seen in the body's own coordinates: x to the right, y down.

    Attributes:
        x, y: body coordinates of the pixels' centres, float64 ``[size, size]``.

    >>> film = Film(64, Pose())
    >>> round(float(film.ellipsoid((0, 0), (0.5, 0.5)).max()), 2)
    1.0
    """

    def __init__(self, size: int, pose: Pose) -> None:
        self.size = size
        cos, sin = np.cos(pose.tilt), np.sin(pose.tilt)
        self._to_film = np.array([[cos, -sin], [sin, cos]]) * np.array(pose.scale)
        self._shift = np.array(pose.shift)
        centres = (np.arange(size) + 0.5) * 2 / size - 1
        on_film = np.stack(np.meshgrid(centres, centres), -1) - self._shift
        body = on_film @ np.linalg.inv(self._to_film).T
        self.x: Array = body[..., 0]
        self.y: Array = body[..., 1]
        self.pixel = 2 / size / float(np.sqrt(np.prod(pose.scale)))

    def _pixels(self, points: Array) -> Array:
        """Pixel coordinates (column, row) of body points ``[..., 2]``; 0 is a pixel's centre."""
        on_film = points @ self._to_film.T + self._shift
        pixels: Array = (on_film + 1) * (self.size / 2) - 0.5
        return pixels

    def polygon(self, points: ArrayLike, soft: float = 0.0) -> Array:
        """Coverage in [0, 1] of a polygon ``[m, 2]``, its edge blurred by ``soft`` body units."""
        zoom = 4 if self.size <= 256 else 2
        sheet = Image.new("L", (self.size * zoom, self.size * zoom))
        corners = (self._pixels(np.asarray(points, dtype=np.float64)) + 0.5) * zoom - 0.5
        ImageDraw.Draw(sheet).polygon([(float(u), float(v)) for u, v in corners], fill=255)
        cover = np.asarray(sheet.reduce(zoom), dtype=np.float64) / 255
        return self.blurred(cover, soft) if soft else cover

    def blurred(self, image: Array, sigma: float) -> Array:
        """An image behind a Gaussian blur of ``sigma`` body units."""
        soft: Array = gaussian_filter(image, sigma / self.pixel)
        return soft

    def inside(self, cover: Array) -> Array:
        """Depth inside a coverage: distance to its edge, in body units."""
        depth: Array = distance_transform_edt(cover > 0.5)
        return depth * self.pixel

    def ellipsoid(
        self, centre: tuple[float, float], radii: tuple[float, float], tilt: float = 0.0
    ) -> Array:
        """Thickness of an ellipsoid, 1 at its middle."""
        dx, dy = self.x - centre[0], self.y - centre[1]
        cos, sin = np.cos(tilt), np.sin(tilt)
        along, across = (dx * cos + dy * sin) / radii[0], (dy * cos - dx * sin) / radii[1]
        edge = self.pixel / min(radii)
        thickness: Array = np.sqrt(np.clip(1 - along**2 - across**2 + edge**2, 0, None))
        return thickness

    def tubes(
        self, curves: ArrayLike, radius: ArrayLike, core: float = 0.0, lumen: float = 0.75
    ) -> Array:
        """Thickness of tubes around curves, in body units.

        Args:
            curves: ``[n, m, 2]`` or ``[n, m, 3]``; the third axis is depth along the beam.
            radius: body units, broadcast to ``[n, m]``.
            core: share of the density that the inside lacks (1 for a pipe).
            lumen: radius of that inside, as a share of ``radius``.
        """
        path = np.asarray(curves, dtype=np.float64)
        radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), path.shape[:2])
        steps = np.linalg.norm(np.diff(self._pixels(path[..., :2]), axis=1), axis=-1)
        along = max(2, int(np.ceil(steps.sum(axis=1).max() / _STEP)))
        across = max(3, int(np.ceil(2 * radii.max() / self.pixel / _STEP)))
        place = (np.arange(along) + 0.5) / along * (path.shape[1] - 1)
        left = place.astype(int)
        part = place - left
        middle = path[:, left] * (1 - part)[:, None] + path[:, left + 1] * part[:, None]
        width = radii[:, left] * (1 - part) + radii[:, left + 1] * part
        slope = (path[:, left + 1] - path[:, left]) * ((path.shape[1] - 1) / along)
        length = np.linalg.norm(slope, axis=-1)
        flat = np.maximum(np.linalg.norm(slope[..., :2], axis=-1), 1e-9)
        normal = np.stack([-slope[..., 1], slope[..., 0]], -1) / flat[..., None]

        u = (np.arange(across) + 0.5) / across * 2 - 1
        chord = 2 * np.sqrt(1 - u**2) - 2 * core * np.sqrt(np.clip(lumen**2 - u**2, 0, None))
        spots = middle[..., None, :2] + normal[..., None, :] * (width[..., None, None] * u[:, None])
        mass = (length * width**2)[..., None] * chord * (2 / across)
        return self._splat(self._pixels(spots).reshape(-1, 2), mass.ravel() / self.pixel**2)

    def _splat(self, pixels: Array, mass: Array) -> Array:
        """Share each sample's mass among the four pixels around it."""
        margin = self.size + 2
        corner = np.floor(pixels)
        seen = ((corner >= -1) & (corner < self.size)).all(axis=1)
        pixels, corner, mass = pixels[seen], corner[seen], mass[seen]
        fx, fy = (pixels - corner).T
        first = (corner[:, 1].astype(int) + 1) * margin + corner[:, 0].astype(int) + 1
        sheet = np.zeros(margin * margin)
        for offset, share in (
            (0, (1 - fx) * (1 - fy)),
            (1, fx * (1 - fy)),
            (margin, (1 - fx) * fy),
            (margin + 1, fx * fy),
        ):
            sheet += np.bincount(first + offset, mass * share, margin * margin)
        return sheet.reshape(margin, margin)[1:-1, 1:-1]


@dataclass(frozen=True)
class Exposure:
    """How depth becomes grey: a film's S-shaped response, uneven light, blur and grain.

    Args:
        contrast: range of the response's steepness.
        middle: range of the depth that is shown as mid-grey.
        white: depth that is shown as white.
        blur: standard deviation of the blur, in body units.
    """

    contrast: tuple[float, float]
    middle: tuple[float, float]
    white: float
    blur: float

    def expose(self, film: Film, depth: Array, rng: np.random.Generator) -> Array:
        """Grey values in [0, 1] of a depth ``[size, size]``."""
        uneven = rng.normal(0, 0.035, 2)
        depth = depth * (1 + uneven[0] * film.x + uneven[1] * film.y)
        contrast, middle = rng.uniform(*self.contrast), rng.uniform(*self.middle)
        black, white = (1 / (1 + np.exp(-contrast * (end - middle))) for end in (0, self.white))
        grey = (1 / (1 + np.exp(-contrast * (depth - middle))) - black) / (white - black)
        grey = film.blurred(grey, self.blur)
        grain = rng.uniform(0.008, 0.015) * (film.size / 256) ** 0.5
        grey = grey + grain * (0.5 + np.sqrt(np.clip(grey, 0, 1))) * texture(rng, film.size, 0.2)
        low, high = rng.uniform(0, 0.05), rng.uniform(0.88, 1)
        shown: Array = np.clip(low + (high - low) * grey, 0, 1)
        return shown


def texture(
    rng: np.random.Generator, size: int, slope: float, low: float = 1.0, high: float = np.inf
) -> Array:
    """Noise of unit variance, its amplitude falling as f^-slope between two frequencies.

    Args:
        rng: source of the noise.
        size: side in pixels.
        slope: 0 is white.
        low: cycles per image below which the spectrum is empty.
        high: cycles per image above which it fades.

    Returns:
        float64 ``[size, size]``.

    >>> round(float(texture(np.random.default_rng(0), 64, 1.0).std()), 6)
    1.0
    """
    rows = np.fft.fftfreq(size, 1 / size)[:, None]
    columns = np.fft.rfftfreq(size, 1 / size)
    cycles = np.hypot(rows, columns)
    gain = np.maximum(cycles, 1) ** -slope * (cycles >= low) * np.exp(-((cycles / high) ** 2))
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * gain, (size, size))
    deviation = float(noise.std())
    return noise / deviation if deviation > 0 else noise


def smooth(points: ArrayLike, samples: int = 48) -> Array:
    """A smooth curve ``[samples, 2]`` through points ``[m, 2]``, without overshoot.

    >>> smooth([(0, 0), (1, 1), (2, 0)], 5).shape
    (5, 2)
    """
    knots = np.asarray(points, dtype=np.float64)
    reach = np.concatenate([[0.0], np.linalg.norm(np.diff(knots, axis=0), axis=1).cumsum()])
    curve: Array = PchipInterpolator(reach, knots)(np.linspace(0, reach[-1], samples))
    return curve
