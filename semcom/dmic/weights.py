"""Policies that come with the package."""

from __future__ import annotations

from channels import InputError
from semcom.dmic.policy import Policy
from semcom.weightfile import packaged, packaged_names


def shipped(name: str = "dmic") -> Policy:
    """A policy with its shipped weights, frozen.

    Args:
        name: of its file in the package's folder of weights.

    Raises:
        InputError: if no such weights come with the package.

    >>> shipped("dmic-of-mine")
    Traceback (most recent call last):
    channels.errors.InputError: no weights of a policy 'dmic-of-mine' come with this version: ...
    """
    if name not in shipped_names():
        raise InputError(
            f"no weights of a policy {name!r} come with this version: train some with semcom train "
            "dmic, and name their file"
        )
    with packaged(name) as path:
        return Policy.load(path)


def shipped_names() -> list[str]:
    """Names of the policies that come with this version.

    >>> shipped_names()
    ['dmic', 'dmic-angiography']
    """
    return packaged_names("dmic")


def shipped_for(task: str | None) -> Policy:
    """The shipped policy that was transferred to a task or, without one, the base.

    >>> shipped_for("angiography").fingerprint == shipped("dmic-angiography").fingerprint
    True
    """
    transferred = f"dmic-{task}"
    return shipped(transferred if transferred in shipped_names() else "dmic")
