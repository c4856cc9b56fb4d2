"""How Med-JSCC is trained: first its source part, then the receiver through links."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import channels
from channels import InputError
from channels.errors import check_count, check_name, check_number, shown
from semcom.crops import Sample, random_batch
from semcom.learned import to_symbols
from semcom.medjscc.analogue import allocate, importance, modulated, refined
from semcom.medjscc.codec import MedJSCC
from semcom.medjscc.header import LOG_STEP
from semcom.medjscc.receiver import restore
from semcom.medjscc.source.entropy_model import Code, Walked
from semcom.medjscc.source.quantiser import Priced, Quantiser, Rounder
from semcom.medjscc.source.steps import in_steps, mask_blocks
from semcom.medjscc.source.wavelet import BLOCK, LEVELS, Bands
from semcom.medjscc.step_search import likely_log_step
from semcom.training import loop
from semcom.training.codecs import check_sizes
from semcom.training.links import LINKS, training_link
from semcom.training.loop import check_folder, digest
from semcom.training.schedule import Schedule
from semcom.weightfile import digest as fingerprint
from semcom.weightfile import halved, stored

STAGES = ("source", "receiver", "end-to-end")
_LEAST_BITS = 3e-4
_ERRORS_WEIGHT = 0.25
_BITS_PER_SQUARE = 2.0
_REGION_WEIGHT = 2.0
_DIGITAL_SHARE = 1.0
"""Channel uses of the digital part, as a multiple of those of the analogue one."""

_LEAST_ERROR = 1e-6


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
        ranges = {
            "log_step": LOG_STEP,
            "lagrange": (0, 1),
            "snr_db": (-100, 100),
            "analogue_cbr": (1e-4, 1),
            "cbr": (1e-3, 1),
        }
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
        codec = self.module
        if self.plan.stage == "receiver":
            return list(codec.synthesis.parameters())
        if self.plan.stage == "end-to-end":
            return codec.end_to_end_parameters()
        # Fewer bits is all that this stage wants, and coarser steps would give them.
        steps = [codec.entropy_model.detail(level).step for level in range(LEVELS)]
        apart = {id(parameter) for step in steps for parameter in step.parameters()}
        return [p for p in codec.entropy_model.parameters() if id(p) not in apart]

    def loss(self, step: int) -> Tensor:
        plan = self.plan
        device = next(self.module.parameters()).device
        draws = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        images, roi = random_batch(self._samples, plan.batch, plan.crop, draws)
        return self._cost(images.to(device), roi.to(device), draws).mean()

    def _cost(
        self, images: Tensor, roi: Tensor, draws: torch.Generator, scored: bool = False
    ) -> Tensor:
        """log2 per pixel of bits and misjudged errors, or of squared errors; ``[batch]``.

        A score of the source stage counts bits at equal squared error: wherever integers are
        chosen by squared error plus ``lagrange`` times bits, an octave of the one is worth
        ``error / (lagrange bits)`` octaves of the other, about two at all rates.
        """
        plan, codec = self.plan, self.module
        if plan.stage == "end-to-end":
            return self._end_to_end(images, roi, draws)
        channel = (
            _drawn_channel(plan, draws, plan.analogue_cbr) if plan.stage == "receiver" else None
        )
        log_step = _drawn_steps(plan, roi, channel, draws).to(images)
        with torch.no_grad():
            bands = codec.wavelet.analyse(images - 0.5)
        quantise = _drawn_quantiser(plan, bands, draws)
        pixels = images[0].numel()
        if channel is None:
            priced = Priced(quantise)
            walked = codec.entropy_model.walk(
                log_step, priced, jitter=_drawn_jitter(len(images), draws).to(images)
            )
            bits = torch.log2(priced.bits / pixels + _LEAST_BITS)
            coefficients = in_steps(bands, log_step)
            if scored:
                missing = walked.missing(coefficients)
                square = sum((m.square().sum((1, 2, 3)) for m in missing), start=torch.tensor(0.0))
                return bits + _BITS_PER_SQUARE * torch.log2(square / pixels + _LEAST_ERROR)
            misjudged = _misjudged(coefficients, walked)
            return bits + _ERRORS_WEIGHT * torch.log2(misjudged / pixels)
        codec.entropy_model.eval()
        with torch.no_grad():
            walked = codec.entropy_model.walk(log_step, quantise)
            link = self._links[channel.link]
            uses = round(channel.cbr * pixels)
            values, deviations, heard_db = _over(
                link, channel, uses, in_steps(bands, log_step), walked
            )
        digital = channel.cbr * (1 + _DIGITAL_SHARE)
        # A receiver is told of the region where there are two steps, and only there.
        blocks = (log_step < log_step.amax((1, 2, 3), keepdim=True)).to(images)
        soft = F.interpolate(blocks, scale_factor=BLOCK, mode="nearest")
        out = restore(
            codec.wavelet, codec.synthesis, values, deviations, soft, log_step, heard_db, digital
        )
        errors = in_steps(codec.wavelet.analyse(out - images + 0.5), log_step)
        total = sum((error.square().sum((1, 2, 3)) for error in errors), start=torch.tensor(0.0))
        return torch.log2(total / pixels + _LEAST_ERROR)

    def _end_to_end(self, images: Tensor, roi: Tensor, draws: torch.Generator) -> Tensor:
        """log2 of the mean squared error, in which the region weighs more; ``[batch]``."""
        plan, codec = self.plan, self.module
        channel = _drawn_channel(plan, draws, plan.cbr)
        tx = codec.encode(images, cbr=channel.cbr, snr_db=channel.snr_db, roi=roi)
        rx = self._links[channel.link](tx, channel.snr_db, seed=channel.seed)
        weight = 1 + _REGION_WEIGHT * roi
        error = (weight * (codec.reconstruct(rx) - images).square()).sum((1, 2, 3))
        return torch.log2(error / weight.sum((1, 2, 3)) + _LEAST_ERROR)

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
            sample = image[part][None].to(device), roi[part][None].to(device)
            costs.append(float(self._cost(*sample, draws, scored=True)))
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
) -> Tensor:
    """log2 of the step of each block, finer in the region for half of the images.

    Where the channel is drawn, steps lie within an octave of what its rate lets expect.
    """
    low, high = plan.log_step
    step, finer, which = torch.rand(3, len(roi), 1, 1, 1, generator=draws)
    if channel is None:
        outside = low + (high - low) * step
    else:
        bits = channel.cbr * math.log2(1 + 10 ** (channel.snr_db / 10))
        outside = (likely_log_step(bits) + 2 * step - 1).clamp(low, high)
    finer = 2.5 * finer * (which < 0.5)
    blocks = mask_blocks(roi.cpu()).float()
    log_step: Tensor = outside + finer * (1 - blocks)
    return torch.round(log_step * 32) / 32


def _drawn_jitter(batch: int, draws: torch.Generator) -> Tensor:
    """Offsets of the bands' steps for a third of the images, ``[batch, LEVELS, 3]``."""
    offsets = torch.rand(batch, LEVELS, 3, generator=draws) - 0.5
    return offsets * (torch.rand(batch, 1, 1, generator=draws) < 0.3)


def _drawn_quantiser(plan: MedJSCCPlan, bands: Bands, draws: torch.Generator) -> Code:
    """Mostly as in use; for the source part in two of five steps dead zones alone."""
    batch = len(bands[0])
    low, high = plan.lagrange
    which, share = torch.rand(1, generator=draws), torch.rand(batch, 1, 1, 1, generator=draws)
    share = share.to(bands[0])
    if plan.stage == "source" and which < 0.4:
        return Rounder(bands, 0.25 + 0.25 * share)
    return Quantiser(bands, low + (high - low) * share)


class _Channel(NamedTuple):
    """SNR in dB, symbols per pixel, which link, and its seed."""

    snr_db: float
    cbr: float
    link: int
    seed: int


def _drawn_channel(plan: MedJSCCPlan, draws: torch.Generator, cbr: tuple[float, float]) -> _Channel:
    where, rate = torch.rand(2, generator=draws).tolist()
    few, many = cbr
    shares = torch.tensor([share for _, share in plan.links])
    link = int(torch.multinomial(shares, 1, generator=draws))
    seed = int(torch.randint(2**62, (1,), generator=draws))
    snr_db = plan.snr_db[0] + (plan.snr_db[1] - plan.snr_db[0]) * where
    return _Channel(snr_db, few * (many / few) ** rate, link, seed)


def _misjudged(coefficients: Bands, walked: Walked) -> Tensor:
    """Sum of ``s + e^2 / s``, ``e`` off the mean: least where ``s`` is the deviation of ``e``.

    The logarithm of a Gaussian's density is as true, but rare large errors where small ones were
    expected would drown everything else in it.
    """
    total = torch.zeros(len(coefficients[0]), device=coefficients[0].device)
    parts = zip(coefficients, walked.values, walked.errors, strict=True)
    for wanted, known, expected in list(parts)[1:]:
        deviation = torch.exp2(expected.log_deviation)
        off = (wanted - known.detach() - expected.mean).square()
        total = total + (deviation + off / deviation).sum((1, 2, 3))
    return total


def _over(
    link: channels.Link, channel: _Channel, uses: int, coefficients: Bands, walked: Walked
) -> tuple[Bands, Bands, Tensor]:
    """Send what is missing over a link: bands and deviations then, and the SNR that was met."""
    rows = []
    for row in range(len(coefficients[0])):
        one = walked.row(row)
        missing = one.missing([wanted[row : row + 1] for wanted in coefficients])
        sent = allocate(importance(one.errors), 2 * uses, channel.snr_db)
        numbers = modulated(missing, sent)
        strength = (2 * numbers.square().mean()).sqrt().clamp_min(1e-3)
        rows.append((one, sent, numbers / strength, strength))
    symbols = to_symbols(torch.stack([numbers for _, _, numbers, _ in rows]), uses)
    rx = link.propagate(symbols, channel.snr_db, seed=channel.seed)
    heard = torch.view_as_real(rx.symbols).flatten(1)
    noise_var = (rx.noise_var / 2).repeat_interleave(2, dim=1)
    found = [
        refined(one.values, one.errors, sent, heard[row], noise_var[row], 1 / strength)
        for row, (one, sent, _, strength) in enumerate(rows)
    ]
    bands, deviations = (
        [torch.cat(level) for level in zip(*(pair[i] for pair in found), strict=True)]
        for i in (0, 1)
    )
    return bands, deviations, rx.snr_db
