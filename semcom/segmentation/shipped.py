"""Segmenters that come with the package."""

from __future__ import annotations

from importlib.resources import as_file, files

from channels.errors import check_name
from semcom.segmentation.unet import UNetSegmenter

_BEGINS, _ENDS = "segmenter-", ".safetensors"


def shipped(task: str) -> UNetSegmenter:
    """A segmenter with its shipped weights, frozen.

    Args:
        task: what it finds.

    Raises:
        InputError: on a task that no shipped one has.

    >>> shipped("chest").task
    'chest'
    """
    folder = files("semcom").joinpath("weights")
    names = [file.name for file in folder.iterdir()]
    tasks = [n[len(_BEGINS) : -len(_ENDS)] for n in names if n.startswith(_BEGINS)]
    check_name("segmenter", task, [t for t in sorted(tasks) if f"{_BEGINS}{t}{_ENDS}" in names])
    with as_file(folder.joinpath(f"{_BEGINS}{task}{_ENDS}")) as path:
        return UNetSegmenter.load(path)
