"""How Med-JSCC is trained: first the entropy model, then the synthesis through links."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import channels
from channels import InputError, Session, Transmission
from channels.errors import check_count, check_name, check_number, shown
from semcom.crops import Sample, random_batch
from semcom.learned import to_symbols
from semcom.medjscc.adaptive import condition
from semcom.medjscc.allocation import (
    allocate,
    amplitudes,
    flattened,
    importance,
    received,
    unflattened,
)
from semcom.medjscc.codec import MedJSCC
from semcom.medjscc.contexts import Expected
from semcom.medjscc.header import LOG_STEP
from semcom.medjscc.quantiser import likely_log_step, rounded, worthwhile
from semcom.medjscc.steps import in_steps, mask_cells
from semcom.medjscc.wavelet import LEVELS, STRIDE, Bands, analyse
from semcom.training import loop
from semcom.training.codecs import check_sizes
from semcom.training.links import LINKS, training_link
from semcom.training.loop import check_folder, digest
from semcom.weightfile import digest as fingerprint
from semcom.weightfile import halved, stored

STAGES = ("entropy", "errors", "synthesis")
_LEAST_BITS = 3e-4
_LEAST_ERROR = 1e-6


@dataclass(frozen=True)
class MedJSCCPlan:
    """What one stage of a training run does; with data, seed and first weights it fixes the rest.

    Args:
        stage: ``"entropy"`` trains the entropy model, to few bits; ``"errors"`` those of its heads
            that foresee quantisation errors; ``"synthesis"`` the synthesis to little distortion,
            with quantisation errors sent over links.
        steps: optimiser steps.
        batch: crops per step.
        crop: side of a crop in pixels, a multiple of 64.
        accumulate: batches whose gradients make one step.
        learning_rate: peak rate of Adam.
        log_step: range of log2 of the quantisation step, drawn uniformly, or for the synthesis
            within an octave of what SNR and rate let expect.
        snr_db: range of E_s/N_0 in dB, drawn uniformly.
        analogue_cbr: range of the analogue symbols per pixel, drawn log-uniformly.
        links: names of links and the share of steps that each gets.
        estimator: how receivers know those channels that are not Gaussian noise alone.
        seed: seeds crops, steps, SNRs, fading and noise.
    """

    stage: str = "entropy"
    steps: int = 4000
    batch: int = 4
    crop: int = 192
    accumulate: int = 1
    learning_rate: float = 5e-4
    log_step: tuple[float, float] = (-5.0, 1.5)
    snr_db: tuple[float, float] = (-5.0, 25.0)
    analogue_cbr: tuple[float, float] = (1 / 512, 1 / 32)
    links: tuple[tuple[str, float], ...] = LINKS
    estimator: str = "lmmse"
    seed: int = 0

    def __post_init__(self) -> None:
        check_name("stage", self.stage, STAGES)
        for name in ("steps", "batch", "accumulate"):
            check_count(name, getattr(self, name), 1, 10**7)
        check_count("seed", self.seed, 0, 2**40 - 1)
        check_count("crop", self.crop, 64, 4096)
        if self.crop % 64:
            raise InputError(f"crop must be a multiple of 64, got {self.crop}")
        check_number("learning_rate", self.learning_rate, 1e-8, 0.1)
        ranges = {"log_step": LOG_STEP, "snr_db": (-100, 100), "analogue_cbr": (1e-4, 1)}
        for name, (least, most) in ranges.items():
            _check_range(name, getattr(self, name), least, most)
        if not isinstance(self.links, tuple) or not self.links:
            raise InputError("links must be pairs of a link's name and its share of the steps")
        for pair in self.links:
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise InputError("links must be pairs of a link's name and its share of the steps")
            check_number("share of a link", pair[1], 1e-6, 1e6)
            training_link(pair[0], self.estimator)


def train_medjscc(
    codec: MedJSCC,
    samples: list[Sample],
    plans: Sequence[MedJSCCPlan],
    out: str | Path,
    *,
    validation: list[Sample] | None = None,
    device: str | torch.device = "cpu",
    log_every: int = 200,
    mixed_precision: bool = True,
    on_step: Callable[[int, float], None] | None = None,
) -> MedJSCC:
    """Train Med-JSCC stage by stage; run again on the same folder, it goes on where it stopped.

    Args:
        codec: the codec to train, changed in place.
        samples: pictures ``[1, H, W]`` with their masks or ``None``.
        plans: the stages, one after another; each has a folder in ``out``.
        out: folder of the run, see :func:`semcom.training.loop.run`.
        validation: samples kept apart, scored with every log line.
        device: where to train.
        log_every: steps between log lines and checkpoints.
        mixed_precision: whether networks are computed in bfloat16.
        on_step: called with (steps done in all, loss) after every step.

    Returns:
        The codec with averaged weights, in evaluation mode, on the CPU.

    Raises:
        InputError: if there is no stage, a folder holds another run or weights that are not of
            this one, a picture is smaller than a crop, or training diverges.
    """
    if not plans:
        raise InputError("there is no stage to train: give at least one")
    out = check_folder(out)
    folders = [out / f"{number}-{plan.stage}" for number, plan in enumerate(plans, 1)]
    _refuse_other_stages(folders)
    _refuse_other_weights(codec, out, folders)
    for plan in plans:
        check_sizes([*samples, *(validation or [])], plan.crop)
    before = 0
    for folder, plan in zip(folders, plans, strict=True):
        told = None if on_step is None else partial(_counting_from, before, on_step)
        # A stage that has ended does no step, but is compared with its checkpoint.
        loop.run(
            _MedJSCCTrainee(codec, samples, validation or [], plan),
            folder,
            device=device,
            log_every=log_every,
            on_step=told,
            mixed_precision=mixed_precision,
            accumulate=plan.accumulate,
        )
        # The file's precision, whether the stage has just ended or long ago.
        codec.load_state_dict(MedJSCC.load(folder / f"{codec.name}.safetensors").state_dict())
        before += plan.steps
    codec.save(out / f"{codec.name}.safetensors")
    return codec.eval().requires_grad_(False)


def _refuse_other_stages(folders: list[Path]) -> None:
    """Refuse a run whose stages bear other names under the same numbers."""
    for folder in folders:
        number, _, stage = folder.name.partition("-")
        for other in STAGES:
            if other != stage and folder.with_name(f"{number}-{other}").exists():
                raise InputError(
                    f"{folder.parent} holds a run whose stage {number} is {other!r}, not "
                    f"{stage!r}: choose another --out"
                )


def _refuse_other_weights(codec: MedJSCC, out: Path, folders: list[Path]) -> None:
    """Refuse to replace weights that no stage of this run has a copy of."""
    weights = out / f"{codec.name}.safetensors"
    if not weights.exists():
        return
    held = _held(codec, weights)
    if held is None or held not in {_held(codec, folder / weights.name) for folder in folders}:
        raise InputError(
            f"{weights} is damaged or not of this run: move it away or choose another --out"
        )


def _held(codec: MedJSCC, path: Path) -> str | None:
    """A hash of a file's weights; ``None`` if they are not such a codec's, or damaged.

    The golden pair beside them is left out: it differs between machines.
    """
    try:
        tensors, _ = stored(path)
        return fingerprint({name: tensors[name] for name in codec.state_dict()})
    except (InputError, KeyError):
        return None


def _counting_from(
    before: int, on_step: Callable[[int, float], None], done: int, loss: float
) -> None:
    on_step(before + done, loss)


class _MedJSCCTrainee:
    loss_column, score_column = "loss", "validation_log2_cost"

    def __init__(
        self, codec: MedJSCC, samples: list[Sample], validation: list[Sample], plan: MedJSCCPlan
    ) -> None:
        self.name, self.plan, self.module = codec.name, plan, codec
        self._samples, self._validation = samples, validation
        begun = digest(value for _, value in sorted(codec.state_dict().items()))
        fed = [p for s in [*samples, *validation] for p in s if p is not None]
        self.fed_with = digest(fed) + begun
        self._links = [training_link(name, plan.estimator) for name, _ in plan.links]
        codec.requires_grad_(False)
        for parameter in self._trained():
            parameter.requires_grad_(True)

    def _trained(self) -> list[nn.Parameter]:
        model, stage = self.module.entropy_model, self.plan.stage
        if stage == "synthesis":
            return list(self.module.synthesis.parameters())
        heads = [model.detail(level).rest for level in range(LEVELS)]
        foreseeing = [parameter for head in heads for parameter in head.parameters()]
        if stage == "errors":
            return foreseeing
        apart = {id(parameter) for parameter in foreseeing}
        return [parameter for parameter in model.parameters() if id(parameter) not in apart]

    def loss(self, step: int) -> Tensor:
        plan = self.plan
        device = next(self.module.parameters()).device
        draws = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        images, roi = random_batch(self._samples, plan.batch, plan.crop, draws)
        return self._cost(images.to(device), roi.to(device), draws).mean()

    def _cost(self, images: Tensor, roi: Tensor, draws: torch.Generator) -> Tensor:
        """log2 per pixel of bits, misjudged errors or squared errors in steps; ``[batch]``."""
        plan, codec = self.plan, self.module
        channel = _drawn_channel(plan, draws) if plan.stage == "synthesis" else None
        log_step, dead_zone = (part.to(images) for part in _drawn_steps(plan, roi, channel, draws))
        values = in_steps(analyse(images - 0.5), log_step)
        pixels = images[0].numel()
        if plan.stage == "entropy":
            bands = rounded(values, dead_zone)
            modelled = codec.entropy_model(bands, log_step, foresee=False)
            bits = sum((part.sum((1, 2, 3)) for part in modelled.band_bits(bands)), start=0)
            return torch.log2((modelled.hyper_bits + bits) / pixels + _LEAST_BITS)
        codec.entropy_model.eval()
        bands = worthwhile(codec.entropy_model, values, log_step)
        errors = [v - b for v, b in zip(values, bands, strict=True)]
        rest = codec.entropy_model(bands, log_step).rest
        if channel is None:
            return torch.log2(_misjudged(errors, rest) / pixels)
        snr_db, rate, which, seed = channel
        known = [b + r.mean.float() for b, r in zip(bands, rest, strict=True)]
        missing = [e - r.mean.float() for e, r in zip(errors, rest, strict=True)]
        link = self._links[which]
        uses = max(1, round(rate * pixels))
        known, deviations, snrs_db = _over(link, seed, snr_db, uses, known, missing, rest)
        cells = mask_cells(roi).to(roi)
        shown = F.interpolate(cells, scale_factor=STRIDE, mode="nearest")
        given = condition(snrs_db, 2 * rate)
        out = codec.restore(known, deviations, shown, log_step, given)
        (errors_in_steps,) = in_steps([out - images + 0.5], log_step)
        return torch.log2(errors_in_steps.square().mean((1, 2, 3)) + _LEAST_ERROR)

    def stepped(self, step: int) -> None:
        pass

    def score(self) -> float:
        """Minus the mean cost of central crops of the validation samples."""
        costs = []
        for index, (image, mask) in enumerate(self._validation):
            draws = torch.Generator().manual_seed(index)
            side = min(min(image.shape[1:]) // 64 * 64, 256)
            top, left = ((length - side) // 2 for length in image.shape[1:])
            part = (slice(None), slice(top, top + side), slice(left, left + side))
            roi = torch.zeros_like(image) if mask is None else mask.float()
            device = next(self.module.parameters()).device
            cost = self._cost(image[part][None].to(device), roi[part][None].to(device), draws)
            costs.append(float(cost))
        return -sum(costs) / len(costs) if costs else math.nan

    def save(self, path: Path) -> None:
        """Write the weights; those that a stage has written before stay as they are."""
        if not path.exists():
            self.module.save(path)
        elif _held(self.module, path) != fingerprint(halved(self.module.state_dict())):
            raise InputError(
                f"{path} is damaged or altered: move it away, and the checkpoint gives it again"
            )


def _check_range(name: str, value: object, least: float, most: float) -> None:
    if not isinstance(value, tuple) or len(value) != 2:
        raise InputError(f"{name} must be a pair, the least and the largest, got {shown(value)}")
    low = check_number(f"least {name}", value[0], least, most)
    check_number(f"largest {name}", value[1], low, most)


def _drawn_steps(
    plan: MedJSCCPlan, roi: Tensor, channel: _Channel | None, draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """log2 of the step of each cell, finer in the region for half of the pictures; dead zones.

    Where the channel is drawn, steps lie within an octave of what its rate lets expect.
    """
    batch = len(roi)
    low, high = plan.log_step
    step, finer, which, dead_zone = torch.rand(4, batch, 1, 1, 1, generator=draws)
    if channel is None:
        outside = low + (high - low) * step
    else:
        bits = channel.cbr * math.log2(1 + 10 ** (channel.snr_db / 10))
        outside = (likely_log_step(bits) + 2 * step - 1).clamp(low, high)
    finer = 2 * finer * (which < 0.5)
    cells = mask_cells(roi.cpu()).float()
    log_step = outside + finer * (1 - cells)
    return (log_step * 16).round() / 16, 0.25 + 0.25 * dead_zone


class _Channel(NamedTuple):
    """SNR in dB, analogue symbols per pixel, which link, and its seed."""

    snr_db: float
    cbr: float
    link: int
    seed: int


def _drawn_channel(plan: MedJSCCPlan, draws: torch.Generator) -> _Channel:
    where, rate = torch.rand(2, generator=draws).tolist()
    few, many = plan.analogue_cbr
    shares = torch.tensor([share for _, share in plan.links])
    link = int(torch.multinomial(shares, 1, generator=draws))
    seed = int(torch.randint(2**62, (1,), generator=draws))
    snr_db = plan.snr_db[0] + (plan.snr_db[1] - plan.snr_db[0]) * where
    return _Channel(snr_db, few * (many / few) ** rate, link, seed)


def _misjudged(errors: Bands, rest: list[Expected]) -> Tensor:
    """Sum of ``s + e^2 / s``, ``e`` off the mean: least where ``s`` is the deviation of ``e``.

    The logarithm of a Gaussian's density is as true, but rare large errors where small ones were
    foreseen would drown everything else in it.
    """
    total = torch.zeros(len(errors[0]), device=errors[0].device)
    for error, expected in zip(errors[1:], rest[1:], strict=True):
        deviation = torch.exp2(expected.log_scale.float())
        off = (error - expected.mean.float()).square()
        total = total + (deviation + off / deviation).sum((1, 2, 3))
    return total


def _over(
    link: channels.Link,
    seed: int,
    snr_db: float,
    uses: int,
    known: Bands,
    missing: Bands,
    rest: list[Expected],
) -> tuple[Bands, Bands, Tensor]:
    """Send what is missing over a link: bands and deviations then, and the SNR that was met."""
    flat_known, flat_missing = flattened(known), flattened(missing)
    flat_deviations = torch.exp2(flattened([r.log_scale.float() for r in rest]))
    sent = []
    for row in range(len(flat_known)):
        one = [Expected(r.mean[row : row + 1], r.log_scale[row : row + 1]) for r in rest]
        sent.append(allocate(importance(one), 2 * uses, snr_db))
    numbers = torch.stack(
        [
            flat_missing[row, a.chosen.to(known[0].device)] * amplitudes(a).to(known[0].device)
            for row, a in enumerate(sent)
        ]
    )
    strength = (2 * numbers.square().mean(1, keepdim=True)).sqrt().clamp_min(1e-3)
    numbers = numbers / strength
    symbols = to_symbols(numbers, uses)
    used = torch.full((len(symbols),), symbols.shape[1], dtype=torch.int64)
    session = Session("medjscc", (1, 64, 64), symbols.shape[1], snr_db)
    rx = link(Transmission(symbols, used, session), snr_db, seed=seed)
    heard = torch.view_as_real(rx.symbols).flatten(1)
    noise_var = (rx.noise_var / 2).repeat_interleave(2, dim=1)
    refined = []
    for row, allocation in enumerate(sent):
        errors, left = received(allocation, heard[row], noise_var[row], 1 / strength[row])
        places = allocation.chosen.to(heard.device)
        refined.append(flat_known[row].index_add(0, places, errors))
        flat_deviations[row, places] = left
    return (
        unflattened(torch.stack(refined), known),
        unflattened(flat_deviations, known),
        rx.snr_db,
    )
