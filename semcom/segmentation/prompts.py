"""What a promptable network is told to look for in each image: boxes and points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from channels import InputError
from channels.errors import shown

SMALLEST_SHARE = 0.005


@dataclass(frozen=True)
class Prompt:
    """What to look for in one image.

    Args:
        boxes: float32 ``[n, 4]``, left, top, right, bottom in pixels; an object each. ``None``
            without any.
        points: float32 ``[n, 2]``, x and y in pixels, all of one object. ``None`` without any.
        labels: int32 ``[n]``, 1 for a point inside the object and 0 for one outside.
    """

    boxes: np.ndarray | None
    points: np.ndarray | None
    labels: np.ndarray | None


Each = Sequence[Tensor] | Tensor | None
"""One tensor for each image, or none at all."""


def prompts_of(shape: torch.Size, boxes: Each, points: Each, labels: Each) -> list[Prompt]:
    """Check prompts and sort them by image.

    Args:
        shape: of the images, ``[batch, 1, H, W]``.
        boxes: for each image ``[n, 4]``.
        points: for each image ``[n, 2]``.
        labels: for each image ``[n]``; ``None``: all points lie inside.

    Raises:
        InputError: if counts or shapes differ, or something lies outside of its image.

    >>> prompts_of(torch.Size([1, 1, 64, 64]), torch.tensor([[[8, 8, 4, 20]]]), None, None)
    Traceback (most recent call last):
    channels.errors.InputError: a box must be left < right, top < bottom, got [8.0, 8.0, 4.0, 20.0]
    """
    batch, _, height, width = shape
    if labels is not None and points is None:
        raise InputError("point_labels are given without points: give both")
    every_box, every_point = _given("boxes", boxes, batch), _given("points", points, batch)
    every_mark = _given("point_labels", labels, batch)
    prompts = []
    for i in range(batch):
        box = point = mark = None
        if every_box is not None:
            box = _array("boxes", every_box[i], 4)
            _check_boxes(box, height, width)
        if every_point is not None:
            point = _array("points", every_point[i], 2)
            if not len(point):
                raise InputError("points of an image need a point at least: leave points out")
            _check_inside("points", point, height, width)
            inside = np.ones(len(point), np.int32)
            mark = inside if every_mark is None else _marks(every_mark[i], point)
        if box is not None and point is not None and len(box) != 1:
            raise InputError(f"points go with one box an image, got {len(box)} boxes: give one")
        prompts.append(Prompt(box, point, mark))
    return prompts


def boxes_around(masks: Tensor, margin: float = 0.05) -> list[Tensor]:
    """Boxes around the connected regions of masks, a little wider than these.

    Args:
        masks: bool ``[batch, 1, H, W]``; regions below half a percent of the image are left out.
        margin: added on each side, in the box's own width and height.

    Returns:
        For each image float32 ``[n, 4]``, left, top, right, bottom in pixels.

    >>> masks = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    >>> masks[..., 10:30, 20:40] = True
    >>> boxes_around(masks)
    [tensor([[19.,  9., 41., 31.]])]
    """
    from scipy import ndimage

    height, width = masks.shape[2:]
    boxes = []
    for mask in masks[:, 0].cpu().numpy():
        labels, _ = ndimage.label(mask)
        areas = np.bincount(labels.ravel())[1:]
        corners = []
        for area, place in zip(areas, ndimage.find_objects(labels), strict=True):
            if area >= SMALLEST_SHARE * mask.size:
                rows, columns = place
                up = margin * (rows.stop - rows.start)
                aside = margin * (columns.stop - columns.start)
                corners.append(
                    [
                        max(columns.start - aside, 0),
                        max(rows.start - up, 0),
                        min(columns.stop + aside, width),
                        min(rows.stop + up, height),
                    ]
                )
        boxes.append(torch.tensor(corners, dtype=torch.float32).reshape(-1, 4))
    return boxes


def _given(what: str, given: Each, batch: int) -> list[Tensor] | None:
    """One tensor of finite numbers for each image."""
    if given is None:
        return None
    try:
        values = [torch.as_tensor(value) for value in given]
        numbers = all(not value.is_complex() for value in values)
        finite = numbers and all(bool(torch.isfinite(value).all()) for value in values)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        finite = False
    if not finite:
        raise InputError(f"{what} must be a tensor of finite numbers for each image")
    if len(values) != batch:
        raise InputError(f"{what} are given for {len(values)} images of {batch}: give all")
    return values


def _array(what: str, value: Tensor, columns: int) -> np.ndarray:
    if value.ndim != 2 or value.shape[1] != columns:
        raise InputError(f"{what} of an image must be [n, {columns}], got {list(value.shape)}")
    return value.detach().cpu().numpy().astype(np.float32)


def _marks(value: Tensor, points: np.ndarray) -> np.ndarray:
    marks = value.detach().cpu().numpy()
    if marks.shape != points.shape[:1] or not np.isin(marks, (0, 1)).all():
        raise InputError(
            f"point_labels must be 0 or 1 for each of {len(points)} points, got {shown(marks)}"
        )
    return marks.astype(np.int32)


def _check_boxes(boxes: np.ndarray, height: int, width: int) -> None:
    _check_inside("boxes", boxes.reshape(-1, 2), height, width)
    for box in boxes:
        if not (box[0] < box[2] and box[1] < box[3]):
            raise InputError(f"a box must be left < right, top < bottom, got {shown(box.tolist())}")


def _check_inside(what: str, corners: np.ndarray, height: int, width: int) -> None:
    if not ((corners >= 0) & (corners <= (width, height))).all():
        raise InputError(
            f"{what} must lie in the image of {width} x {height} pixels (x first, then y)"
        )
