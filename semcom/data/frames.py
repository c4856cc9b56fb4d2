"""Which image of a file that holds several."""

from __future__ import annotations

from channels import InputError


def which(frame: int | None, frames: int) -> int:
    """The number of the frame to read, where a file holds one or several.

    Args:
        frame: the one that is asked for, from 0 on; of no account where there is one alone.
        frames: how many there are.

    Raises:
        InputError: if several are there and none, or one beyond them, is named. It goes on from
            the file's name.

    >>> which(None, 1), which(2, 3)
    (0, 2)
    """
    if frames == 1:
        return 0
    if frame is None:
        raise InputError(
            f"holds several images: name one, frame=0 to {frames - 1} (--frame), or save the one "
            "to send on its own"
        )
    if frame >= frames:
        raise InputError(f"holds {frames} images and none of number {frame}: they count from 0")
    return frame
