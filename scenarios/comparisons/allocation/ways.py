"""Ways to allocate the bits of HEVC, by name: rules, policies, and curves above them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from channels import InputError
from channels.errors import check_name, shown
from channels.registry import READS_AS_OTHER
from semcom.dmic.policy import Policy
from semcom.dmic.weights import shipped, shipped_names

ANCHOR = "anchor"
LOW_PASS = "low-pass"
UPPER = ("best uniform", "search")
"""No codec could do it: each picture is coded many times, and the segmenter asked each time."""

PICTURE_QP = "picture QP"
"""Beside the map, a QP for each picture: of every policy, and of the low-pass."""

EXTENSION = "(extension)"
EXTENSIONS = (
    "Extensions are no map that is coded once: low-pass codes another picture, picture QP codes "
    "each at several base QPs."
)
_PLAIN = "two levels"
_NAMES = (ANCHOR, _PLAIN, "sensitivity", LOW_PASS, *UPPER)


@dataclass(frozen=True, eq=False)
class Way:
    """A way to allocate bits.

    Args:
        name: one of the known ones; of a policy, its label.
        policy: chooses, where it is one.
        picture_qp: whether it is extended by a QP for each picture as well.

    >>> Way("low-pass").label, Way("mine", Policy()).extended
    ('low-pass (extension)', 'mine, picture QP (extension)')
    """

    name: str
    policy: Policy | None = None
    picture_qp: bool = False

    @property
    def label(self) -> str:
        """What tables call it."""
        extends = self.policy is None and self.name == LOW_PASS
        return self.name + f" {EXTENSION}" * extends

    @property
    def extended(self) -> str:
        """What tables call it with a QP for each picture."""
        return f"{self.name}, {PICTURE_QP} {EXTENSION}"

    @property
    def is_upper(self) -> bool:
        """Whether it asks the segmenter of each of many trials."""
        return self.policy is None and self.name in UPPER

    @property
    def identity(self) -> str:
        """What results depend on: the name of a rule, the weights of a policy."""
        return self.name if self.policy is None else f"policy {self.policy.fingerprint}"


def ways_of(
    names: str | Sequence[str], policies: Mapping[str, Policy | str | Path] | None
) -> list[Way]:
    """The anchor, the rules that are named, policies, and the upper curves last.

    Args:
        names: of rules and upper curves, or one; :data:`PICTURE_QP` extends every policy, and the
            low-pass if it is named; "two levels" where there is neither.
        policies: by label, or files of their weights; ``None``: those that come with the package.

    Raises:
        InputError: on an unknown name, a label that is taken or cannot be one, or weights that
            cannot be read.

    >>> [way.label for way in ways_of(["search", "two levels"], {"mine": Policy()})]
    ['anchor', 'two levels', 'mine', 'search']
    """
    if not isinstance(names, str | Sequence):
        raise InputError(f"ways must be names, or one, got {shown(names)}")
    named = [names] if isinstance(names, str) else list(names)
    for name in named:
        check_name("way", name, (*_NAMES, PICTURE_QP))
    rules = [Way(name) for name in _NAMES if name in named or name == ANCHOR]
    if policies is None:
        chosen = [Way(name, shipped(name)) for name in shipped_names()]
    else:
        if not isinstance(policies, Mapping):
            raise InputError(f"policies must be a mapping, label to policy, got {shown(policies)}")
        taken = {*_NAMES, PICTURE_QP}
        chosen = [
            Way(check_label("policy", label, taken), _policy(label, given))
            for label, given in policies.items()
        ]
    ways = [way for way in rules if not way.is_upper] + chosen
    if PICTURE_QP in named:
        able = [way.name for way in ways if way.policy is not None or way.name == LOW_PASS]
        if not able:
            able = [_PLAIN]
            ways += [Way(_PLAIN)] * (_PLAIN not in named)
        ways = [replace(way, picture_qp=way.name in able) for way in ways]
    return [*ways, *(way for way in rules if way.is_upper)]


def check_label(kind: str, label: object, taken: set[str]) -> str:
    """Return a label that files can hold, and nobody else has.

    >>> check_label("observer", "control", {"control"})
    Traceback (most recent call last):
    channels.errors.InputError: observer 'control': the label is taken, choose another
    """
    if not isinstance(label, str) or not label.isprintable() or label != label.strip():
        raise InputError(f"the label of a {kind} must be text on one line, got {shown(label)}")
    if READS_AS_OTHER.fullmatch(label):
        raise InputError(
            f"{kind} {label!r} would be read from a CSV as a number, a truth value or nothing: "
            "take another label"
        )
    if label in taken or label.endswith(EXTENSION):
        raise InputError(f"{kind} {label!r}: the label is taken, choose another")
    return label


def _policy(label: str, given: object) -> Policy:
    if isinstance(given, str | Path):
        return Policy.load(given)
    if not isinstance(given, Policy):
        raise InputError(
            f"policies[{label!r}] must be a policy or a file of its weights, got {shown(given)}"
        )
    return given
