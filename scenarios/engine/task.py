"""One task of a sweep: an image sent once with a codec over a link at an SNR, and measured."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from channels import InputError, Link
from channels.randomness import seeded_meanwhile
from channels.registry import not_ending
from channels.surroundings import undisturbed
from scenarios.engine.inputs import Sample
from scenarios.results import columns
from scenarios.results.measures import Delivery
from semcom.scheme import MadeUp, Scheme, check_delivered
from semcom.segmentation import Segmenter

Measured: TypeAlias = dict[str, columns.Value]
TURN = threading.Lock()
"""Sionna has one random generator per process: threads take turns."""

_STREAM = 7
"""What codecs draw for a seed, apart from a link's fading and noise."""


@dataclass(frozen=True)
class Task:
    """What is sent over what.

    Args:
        codec: label of the codec or bound.
        link: name of the link.
        snr_db: average E_s/N_0 of the channel in dB.
        cbr: complex channel uses per image sample.
        image: index of the image.
        trial: index of the repetition.
        draw: seeds fading and noise.
        believed_snr_db: the E_s/N_0 in dB that the transmitter goes by; ``None``: the channel's.
    """

    codec: str
    link: str
    snr_db: float
    cbr: float
    image: int
    trial: int
    draw: int
    believed_snr_db: float | None = None

    @property
    def told_snr_db(self) -> float:
        """What the transmitter is told."""
        return self.snr_db if self.believed_snr_db is None else self.believed_snr_db

    @property
    def place(self) -> str:
        """Where it is sent, in words."""
        point = f"{self.snr_db:g} dB and cbr {self.cbr:g}"
        return f"over {self.link} at {point}, picture {self.image + 1}"


@dataclass(frozen=True)
class Outcome:
    """What came of a task: the table's values, and wall times that only the journal keeps.

    Args:
        measured: values by column.
        encode_s: time to encode, in seconds; all the time of a bound.
        decode_s: time to decode, in seconds.
    """

    measured: Measured
    encode_s: float
    decode_s: float


class Arrived(NamedTuple):
    """What comes of a transmission.

    Args:
        image: float32 ``[C, H, W]``.
        outcome: what was measured of it.
        made_up: what of it nobody sent; ``None``: nothing.
    """

    image: Tensor
    outcome: Outcome
    made_up: MadeUp | None


def draw_seed(
    scenario: str, seed: int, link: str, image: int, trial: int, snr_db: float | None = None
) -> int:
    """Seed of the fading and noise of one transmission, the same for every codec.

    Without ``snr_db`` it is the same at every point of a curve as well: the same fading, and noise
    of the same direction, larger or smaller (common random numbers). With it, points are
    independent draws.

    Returns:
        An integer in 0..2^63 - 1 that does not depend on platform or process.

    >>> draw_seed("snr", 0, "awgn", image=0, trial=0, snr_db=6.0)
    3351000559197320270
    """
    point = [] if snr_db is None else [float(snr_db)]
    text = json.dumps([scenario, seed, link, *point, image, trial])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def schemes_turn(name: str, place: str, draw: int, device: str = "cpu") -> Iterator[None]:
    """Run the code of a scheme, whoever wrote it.

    What it draws from global generators depends on ``draw`` alone, and they are put back. An
    ``InputError`` is told on one line with the scheme's name, and so is the end of Python; any
    other error keeps its traceback and gets a note.

    Args:
        name: of the scheme.
        place: where it is at work, in words.
        draw: seeds what it draws.
        device: where it is computed.

    Raises:
        InputError: if the code inside raises one, or ends Python.

    >>> with schemes_turn("mine", "over awgn at 6 dB", draw=1):
    ...     raise SystemExit(0)
    Traceback (most recent call last):
    channels.errors.InputError: mine: its code over awgn at 6 dB ends Python (SystemExit: 0): ...
    """
    drawn_on = device if device.startswith("cuda") else "cpu"
    try:
        with not_ending(f"its code {place}"), seeded_meanwhile(draw, drawn_on, _STREAM):
            yield
    except InputError as error:
        line = " ".join(str(error).split())
        raise InputError(line if line.startswith(f"{name}: ") else f"{name}: {line}") from error
    except Exception as error:
        error.add_note(f"This is an error in the code of {name}, {place}.")
        raise


def dry_run(scheme: Scheme, sample: Sample, task: Task) -> None:
    """Let a codec encode a sample, or a bound tell its budget; nothing is sent.

    Raises:
        InputError: naming it, if it cannot serve this rate.

    >>> from semcom.separate import SeparateCodec
    >>> task = Task("jpeg2000-ldpc", "awgn", 12.0, 1 / 4096, image=0, trial=0, draw=1)
    >>> dry_run(SeparateCodec("jpeg2000"), Sample(torch.rand(1, 64, 64), None), task)
    Traceback (most recent call last):
    channels.errors.InputError: jpeg2000-ldpc: 1 channel uses hold less than the 164 bytes ...
    """
    with undisturbed(), torch.no_grad(), _turn(sample, task):
        images, masks = _copied(sample)
        scheme.dry_run(images, cbr=task.cbr, snr_db=task.told_snr_db, roi=masks)


def transmit(
    scheme: Scheme,
    link: Link,
    sample: Sample,
    task: Task,
    diagnosis: tuple[Segmenter, ...] = (),
    requested: Collection[str] = (),
) -> Arrived:
    """Send one sample, or see what a bound delivers of it.

    Args:
        scheme: a codec or bound, adapted to the link.
        link: the link.
        sample: the image and its mask.
        task: point, rate and seed.
        diagnosis: the segmenter of the diagnostic Dice, and its control; empty leaves both empty.
        requested: metrics that are measured on request.

    Returns:
        The received sample, what was measured, and what is made up.

    Raises:
        InputError: if the codec cannot serve this rate.

    >>> import channels
    >>> from semcom.separate import SeparateCodec
    >>> task = Task("jpeg2000-ldpc", "awgn", 12.0, 1 / 4, image=0, trial=0, draw=1)
    >>> codec, sample = SeparateCodec("jpeg2000"), Sample(torch.rand(1, 64, 64), None)
    >>> transmit(codec, channels.link("awgn"), sample, task).outcome.measured["outage"]
    False
    """
    with undisturbed(), torch.no_grad():
        images, masks = _copied(sample)
        with _turn(sample, task):
            delivered = scheme.deliver(
                images,
                link,
                cbr=task.cbr,
                snr_db=task.snr_db,
                believed_snr_db=task.believed_snr_db,
                seed=task.draw,
                roi=masks,
            )
        sent, region = _batched(sample)
        got = check_delivered(task.codec, delivered, sent, task.cbr)
        delivery = Delivery(
            sent,
            got.images,
            int(got.used[0]),
            bool(got.outage[0]),
            region,
            got.session.mcs,
            got.rx_snr_db,
            diagnosis,
            got.made_up,
        )
        measured = {
            name: column.of(delivery) for name, column in columns.measured(requested).items()
        }
    return Arrived(got.images[0], Outcome(measured, got.encode_s, got.decode_s), got.made_up)


def _turn(sample: Sample, task: Task) -> AbstractContextManager[None]:
    return schemes_turn(task.codec, task.place, task.draw, str(sample.image.device))


def _batched(sample: Sample) -> tuple[Tensor, Tensor | None]:
    return sample.image[None], None if sample.mask is None else sample.mask[None]


def _copied(sample: Sample) -> tuple[Tensor, Tensor | None]:
    """What a scheme gets, which cannot change what others are sent and compared with."""
    images, masks = _batched(sample)
    return images.clone(), None if masks is None else masks.clone()
