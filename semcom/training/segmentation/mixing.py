"""What a student is shown of labelled and unlabelled images: whole ones, or pasted ones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from semcom.training.segmentation.method import Batch


class Mixed(NamedTuple):
    """What the student is shown in a step, and what it is to answer.

    Args:
        images: float32 ``[batch, 1, S, S]``.
        wanted: int64 ``[batch, S, S]``, the class of each pixel, true or the teacher's.
        true: bool ``[batch, S, S]``, pixels whose class is true.
        believed: bool ``[batch, S, S]``, pixels whose class is the teacher's and counts.
    """

    images: Tensor
    wanted: Tensor
    true: Tensor
    believed: Tensor


def whole(batch: Batch, pseudo: Tensor, sure: Tensor, draws: torch.Generator) -> Mixed:
    """Labelled and unlabelled images as they are; the teacher counts where it is sure.

    Args:
        batch: the images.
        pseudo: the teacher's classes, int64 ``[n, S, S]``.
        sure: where it is sure of them, bool ``[n, S, S]``.
        draws: source of randomness.
    """
    nowhere = torch.zeros_like(sure)
    return Mixed(
        torch.cat([batch.images, batch.unlabelled]),
        torch.cat([batch.labels, pseudo]),
        torch.cat([~nowhere, nowhere]),
        torch.cat([nowhere, sure]),
    )


def copy_paste(batch: Batch, pseudo: Tensor, sure: Tensor, draws: torch.Generator) -> Mixed:
    """A box of two thirds of the sides exchanged between labelled and unlabelled images.

    Arguments are those of :func:`whole`; the teacher counts everywhere.
    """
    inside = random_box(pseudo.shape[-1], draws).to(pseudo.device)
    true = torch.cat([(~inside).expand_as(pseudo), inside.expand_as(pseudo)])
    images, other = batch.images, batch.unlabelled
    return Mixed(
        torch.cat([torch.where(inside, other, images), torch.where(inside, images, other)]),
        torch.cat(
            [torch.where(inside, pseudo, batch.labels), torch.where(inside, batch.labels, pseudo)]
        ),
        true,
        ~true,
    )


def random_box(side: int, draws: torch.Generator) -> Tensor:
    """A square of two thirds of the side somewhere in an image: bool ``[side, side]``.

    >>> random_box(60, torch.Generator()).sum()
    tensor(1600)
    """
    inner = side * 2 // 3
    top, left = torch.randint(0, side - inner + 1, (2,), generator=draws).tolist()
    box = torch.zeros(side, side, dtype=torch.bool)
    box[top : top + inner, left : left + inner] = True
    return box


MIXINGS = {"whole": whole, "copy-paste": copy_paste}
