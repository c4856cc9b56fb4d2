"""Who looks at decoded pictures in the scenario ``dmic``."""

from __future__ import annotations

from collections.abc import Mapping

from channels import InputError
from channels.errors import shown
from scenarios.comparisons.allocation.ways import check_label
from scenarios.engine import inputs
from scenarios.engine.provenance import identity
from semcom import catalogue
from semcom.dmic.observers import Turned
from semcom.entries import SECOND
from semcom.segmentation import Segmenter

SEGMENTER, MIRRORED, CONTROL, OTHER = "segmenter", "mirrored", "control", "second"
ALL = "any"
"""In the place of an observer, of what none is asked for."""


def observers_of(
    segmenter: str | Segmenter,
    control: str | Segmenter | None,
    others: Mapping[str, str | Segmenter] | None,
) -> dict[str, Segmenter]:
    """Observers by label: the segmenter, itself on mirrored pictures, control, second, others.

    The second one is the catalogue's, of other size and seed, where it has one for the task.

    Args:
        segmenter: whose diagnosis is kept.
        control: another of the same task; ``None``: the catalogue's, where it has one.
        others: further ones by label.

    Raises:
        InputError: on an unknown name, something else, or a label that is taken.

    >>> list(observers_of("angiography", None, {"bright": lambda images: images}))
    ['segmenter', 'mirrored', 'control', 'second', 'bright']
    """
    first, *known = inputs.observers(segmenter) or (None,)
    if first is None:
        raise InputError("segmenter must be a segmenter or the name of one, got None")
    found: dict[str, Segmenter] = {SEGMENTER: first, MIRRORED: Turned(first, mirrored=True)}
    second = inputs.finder("control", control)
    if second is None and known:
        second = known[0]
    if second is not None:
        found[CONTROL] = second
    independent = catalogue.companion(first, SECOND)
    if independent is not None:
        found[OTHER] = independent
    if others is not None and not isinstance(others, Mapping):
        raise InputError(f"observers must be a mapping, label to segmenter, got {shown(others)}")
    for label, given in (others or {}).items():
        check_label("observer", label, {*found, ALL})
        other = inputs.finder(f"observers[{label!r}]", given)
        if other is None:
            raise InputError(f"observers[{label!r}] must be a segmenter, got None")
        found[label] = other
    return found


def identity_of(observer: Segmenter) -> str:
    """What an observer's answers depend on.

    >>> class Fixed:
    ...     fingerprint = "fixed"
    ...     def __call__(self, images):
    ...         return images
    >>> identity_of(Turned(Fixed(), mirrored=True))[:24]
    'turned 0, mirrored: True'
    """
    if isinstance(observer, Turned):
        inner = identity_of(observer.segmenter)
        return f"turned {observer.quarters}, mirrored: {observer.mirrored}, {inner}"
    return identity(observer)
