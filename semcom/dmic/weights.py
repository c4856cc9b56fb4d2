"""Policies that come with the package."""

from __future__ import annotations

from importlib.resources import as_file, files

from channels import InputError
from semcom.dmic.policy import Policy


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
    resource = files("semcom").joinpath(f"weights/{name}.safetensors")
    if not resource.is_file():
        raise InputError(
            f"no weights of a policy {name!r} come with this version: train some with semcom train "
            "dmic, and name their file"
        )
    with as_file(resource) as path:
        return Policy.load(path)
