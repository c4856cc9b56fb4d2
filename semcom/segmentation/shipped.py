"""Segmenters that come with the package."""

from __future__ import annotations

from channels.errors import check_name
from semcom.segmentation.unet import UNetSegmenter
from semcom.weightfile import packaged, packaged_names

_BEGINS = "segmenter-"


def shipped(task: str) -> UNetSegmenter:
    """A segmenter with its shipped weights, frozen.

    Args:
        task: what it finds.

    Raises:
        InputError: on a task that no shipped one has.

    >>> shipped("chest").task
    'chest'
    """
    check_name("segmenter", task, [name.removeprefix(_BEGINS) for name in packaged_names(_BEGINS)])
    with packaged(f"{_BEGINS}{task}") as path:
        return UNetSegmenter.load(path)
