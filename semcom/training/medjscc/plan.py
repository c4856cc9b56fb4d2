"""What one stage of Med-JSCC's training does."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels import InputError
from channels.errors import check_name, check_number, keep_count, keep_number, shown
from semcom.medjscc.header import LOG_STEP
from semcom.training.links import LINKS, training_link
from semcom.training.schedule import Schedule

STAGES = ("source", "receiver", "end-to-end")


@dataclass(frozen=True)
class MedJSCCPlan:
    """What one stage of a training run does; with data, seed and first weights it fixes the rest.

    Args:
        stage: ``"source"`` trains the entropy model to few bits, and those of its heads that
            predict quantisation errors; ``"receiver"`` the synthesis to little distortion, with
            quantisation errors sent over links; ``"end-to-end"`` all of the codec, wavelet and
            steps too, to images that differ little after a link.
        steps: optimiser steps.
        batch: crops per step.
        crop: side of a crop in pixels, a multiple of 64.
        accumulate: batches whose gradients make one step.
        learning_rate: peak rate of the optimiser.
        schedule: rate from step to step, optimiser, average.
        log_step: range of log2 of the quantisation step, drawn uniformly, or for the receiver
            within an octave of what SNR and rate let expect.
        lagrange: range of the Lagrange multiplier by which integers are chosen, in squared steps
            per bit.
        snr_db: range of E_s/N_0 in dB, drawn uniformly.
        analogue_cbr: range of the analogue symbols per pixel, drawn log-uniformly; of the receiver.
        cbr: range of all channel uses per pixel, drawn log-uniformly; end to end.
        links: names of links and the share of steps that each gets.
        alone: share of the crops of which a region alone is coded; not end to end.
        estimator: how receivers know those channels that are not Gaussian noise alone.
        seed: seeds crops, steps, SNRs, fading and noise.
    """

    stage: str = "source"
    steps: int = 4000
    batch: int = 4
    crop: int = 256
    accumulate: int = 1
    learning_rate: float = 5e-4
    schedule: Schedule = field(default_factory=Schedule)
    log_step: tuple[float, float] = (-5.25, 1.75)
    lagrange: tuple[float, float] = (0.04, 0.22)
    snr_db: tuple[float, float] = (-5.0, 25.0)
    analogue_cbr: tuple[float, float] = (1 / 2048, 1 / 24)
    cbr: tuple[float, float] = (1 / 128, 1 / 8)
    links: tuple[tuple[str, float], ...] = LINKS
    alone: float = 0.25
    estimator: str = "lmmse"
    seed: int = 0

    def __post_init__(self) -> None:
        check_name("stage", self.stage, STAGES)
        for name in ("steps", "batch", "accumulate"):
            keep_count(self, name, 1, 10**7)
        keep_count(self, "seed", 0, 2**40 - 1)
        keep_count(self, "crop", 64, 4096)
        if self.crop % 64:
            raise InputError(f"crop must be a multiple of 64, got {self.crop}")
        keep_number(self, "learning_rate", 1e-8, 0.1)
        keep_number(self, "alone", 0, 1)
        ranges = {
            "log_step": LOG_STEP,
            "lagrange": (0, 1),
            "snr_db": (-100, 100),
            "analogue_cbr": (1e-4, 1),
            "cbr": (1e-3, 1),
        }
        for name, (least, most) in ranges.items():
            object.__setattr__(self, name, _range(name, getattr(self, name), least, most))
        if not isinstance(self.links, tuple) or not self.links:
            raise InputError("links must be pairs of a link's name and its share of the steps")
        links: list[tuple[str, float]] = []
        for pair in self.links:
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise InputError("links must be pairs of a link's name and its share of the steps")
            links.append((pair[0], check_number("share of a link", pair[1], 1e-6, 1e6)))
            training_link(pair[0], self.estimator)
        object.__setattr__(self, "links", tuple(links))


def _range(name: str, value: object, least: float, most: float) -> tuple[float, float]:
    if not isinstance(value, tuple) or len(value) != 2:
        raise InputError(f"{name} must be a pair, the least and the largest, got {shown(value)}")
    low = check_number(f"least {name}", value[0], least, most)
    return low, check_number(f"largest {name}", value[1], low, most)
