"""How learned codecs are trained: through links, at random rates and SNRs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

import channels
from channels import InputError
from channels.errors import check_seed, keep_count, keep_number
from semcom.images import as_sample
from semcom.learned import LearnedCodec
from semcom.metrics import psnr
from semcom.training import loop
from semcom.training.crops import Sample, check_sizes, random_batch
from semcom.training.links import LINKS, training_link
from semcom.training.loop import digest
from semcom.training.schedule import Schedule


@dataclass(frozen=True)
class Plan:
    """What a training run does at each step; with the data and the seed it fixes the weights.

    Every step draws a link, a rate and an SNR. The loss is the mean over images of
    ``10 log10`` of the squared error, in which a pixel of the region of interest weighs
    ``1 + roi_weight`` times one outside; a codec may add to it, see
    :meth:`semcom.learned.LearnedCodec.training_forward`.

    Args:
        steps: optimiser steps.
        batch: crops per step.
        crop: side of a crop in pixels.
        learning_rate: peak rate.
        snr_db: range of E_s/N_0 in dB, drawn uniformly.
        cbrs: rates to serve; the first is drawn in 40 % of the steps, the rest log-uniformly
            between the smallest and the largest.
        links: names of links and the share of steps that each gets.
        estimator: how receivers know those channels that are not Gaussian noise alone.
        roi_weight: extra weight of the region of interest.
        seed: seeds crops, SNRs, fading and noise of every step.
        schedule: how the rate goes, the optimiser, the average of the weights.

    >>> Plan(steps=10).batch
    16
    """

    steps: int = 12_000
    batch: int = 16
    crop: int = 128
    learning_rate: float = 6e-4
    snr_db: tuple[float, float] = (-5.0, 20.0)
    cbrs: tuple[float, ...] = (1 / 16, 1 / 64)
    links: tuple[tuple[str, float], ...] = LINKS
    estimator: str = "lmmse"
    roi_weight: float = 0.0
    seed: int = 0
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        keep_count(self, "steps", 1, 10**7)
        keep_count(self, "batch", 1, 4096)
        keep_count(self, "crop", 32, 4096)
        if self.crop % 16:
            raise InputError(f"crop must be a multiple of 16, got {self.crop}")
        object.__setattr__(self, "seed", check_seed(self.seed, high=2**40 - 1))
        keep_number(self, "learning_rate", 1e-12, 0.999999)
        keep_number(self, "roi_weight", 0, 1e6)


def default_plan(codec: str, steps: int, seed: int = 0) -> Plan:
    """The plan behind the shipped weights: the same links, SNRs and rates for every codec.

    >>> default_plan("ntscc", 100).batch
    8
    """
    return Plan(steps=steps, batch=8 if codec == "ntscc" else 16, seed=seed)


def weighted_distortion_db(out: Tensor, images: Tensor, roi: Tensor, roi_weight: float) -> Tensor:
    """``10 log10`` of the ROI-weighted mean squared error of each image, float32 ``[batch]``.

    >>> image = torch.zeros(1, 1, 32, 32)
    >>> weighted_distortion_db(image + 0.1, image, image, 3.0).round().tolist()
    [-20.0]
    """
    weight = 1 + roi_weight * roi
    error = (weight * (out - images).square()).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    return 10 * torch.log10(error + 1e-7)


def train(
    codec: LearnedCodec,
    samples: list[Sample],
    plan: Plan,
    out: str | Path,
    *,
    validation: list[Sample] | None = None,
    device: str | torch.device = "cpu",
    log_every: int = 100,
    on_step: Callable[[int, float], None] | None = None,
) -> LearnedCodec:
    """Train a codec through links; run again on the same folder, it goes on where it stopped.

    Args:
        codec: the codec to train, changed in place.
        samples: images ``[1, H, W]`` with their masks or ``None``.
        plan: what to do.
        out: folder of the run, see :func:`semcom.training.loop.run`.
        validation: samples kept apart, scored with every log line.
        device: where to train.
        log_every: steps between log lines and checkpoints.
        on_step: called with (steps done, loss) after every step.

    Returns:
        The codec with averaged weights, in evaluation mode, on the CPU.

    Raises:
        InputError: if the folder holds a run of another plan or files without their checkpoint, an
            image is smaller than a crop, or training diverges.
        Stopped: if it was stopped before its last step, see :mod:`semcom.training.conduct`.
    """
    samples = [as_sample(*sample) for sample in samples]
    validation = [as_sample(*sample) for sample in validation or []]
    check_sizes([*samples, *validation], plan.crop)
    task = _CodecTask(codec, samples, validation, plan)
    loop.run(task, out, device=device, log_every=log_every, on_step=on_step)
    return codec


class _CodecTask:
    loss_column, score_column = "loss_db", "validation_psnr_db"

    def __init__(
        self, codec: LearnedCodec, samples: list[Sample], validation: list[Sample], plan: Plan
    ) -> None:
        self.name, self.plan, self.module = codec.name, plan, codec
        self._samples, self._validation = samples, validation
        self.fed_with = digest([p for s in [*samples, *validation] for p in s if p is not None])
        self._links = [training_link(name, plan.estimator) for name, _ in plan.links]

    def loss(self, step: int) -> Tensor:
        plan, codec = self.plan, self.module
        device = next(codec.parameters()).device
        draws = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        images, roi = random_batch(self._samples, plan.batch, plan.crop, draws)
        images, roi = images.to(device), roi.to(device)
        shares = torch.tensor([share for _, share in plan.links])
        link = self._links[int(torch.multinomial(shares, 1, generator=draws))]
        low, high = min(plan.cbrs), max(plan.cbrs)
        often, where = torch.rand(2, generator=draws).tolist()
        cbr = plan.cbrs[0] if often < 0.4 else low * (high / low) ** where
        # One session has one SNR, and a batch is one session.
        snr_db = plan.snr_db[0] + (plan.snr_db[1] - plan.snr_db[0]) * float(
            torch.rand(1, generator=draws)
        )
        seed = int(torch.randint(2**62, (1,), generator=draws))
        outputs, penalty_db = codec.training_forward(
            images, roi, cbr, snr_db, lambda tx: link(tx, snr_db, seed=seed), draws
        )
        distortions = [weighted_distortion_db(out, images, roi, plan.roi_weight) for out in outputs]
        return torch.stack(distortions).sum(0).mean() + penalty_db

    def stepped(self, step: int) -> None:
        pass

    def score(self) -> float:
        """Mean PSNR in dB over AWGN at 10 dB and the plan's first rate."""
        if not self._validation:
            return math.nan
        codec, link, scores = self.module, channels.link("awgn"), []
        device = next(codec.parameters()).device
        for index, (image, mask) in enumerate(self._validation):
            images = image[None].to(device)
            roi = None if mask is None else mask[None].to(device)
            tx = codec.encode(images, cbr=self.plan.cbrs[0], snr_db=10.0, roi=roi)
            scores.append(psnr(codec.decode(link(tx, 10.0, seed=index)), images))
        return float(torch.cat(scores).mean())

    def save(self, path: Path) -> None:
        self.module.save(path)
