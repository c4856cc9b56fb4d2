"""The links that learned codecs are trained through."""

from __future__ import annotations

import channels

LINKS: tuple[tuple[str, float], ...] = (
    ("awgn", 0.4),
    ("ntn-tdl-c", 0.2),
    ("leo600-s-urban", 0.2),
    ("shadowed-rician", 0.2),
)
"""Names and the share of steps that each gets, the same for all codecs that are compared."""


def training_link(name: str, estimator: str) -> channels.Link:
    """A link whose receiver estimates its channel, where there is more than Gaussian noise.

    >>> training_link("awgn", "lmmse").name
    'awgn'
    """
    return channels.link(name) if name == "awgn" else channels.link(name, estimator=estimator)
