"""One training loop for every learned codec: resumable, seeded, logged."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

import channels
from channels import InputError, Link
from semcom.crops import Sample, random_batch
from semcom.learned import LearnedCodec
from semcom.metrics import psnr

EMA_DECAY = 0.998
_LOG_COLUMNS = ("step", "loss_db", "validation_psnr_db", "seconds")


@dataclass(frozen=True)
class Plan:
    """What a training run does at each step; with the data and the seed it fixes the weights.

    Every step draws a link, a rate and an SNR. The loss is the mean over pictures of
    ``10 log10`` of the squared error, in which a pixel of the region of interest weighs
    ``1 + roi_weight`` times one outside.

    Args:
        steps: optimiser steps.
        batch: crops per step.
        crop: side of a crop in pixels.
        learning_rate: peak rate of Adam; 200 steps of warm-up, then a half cosine to 1 % of it.
        snr_db: range of E_s/N_0 in dB, drawn uniformly.
        cbrs: rates to serve; the first is drawn in 40 % of the steps, the rest log-uniformly
            between the smallest and the largest.
        links: names of links and the share of steps that each gets.
        roi_weight: extra weight of the region of interest.
        seed: seeds crops, SNRs, fading and noise of every step.

    >>> Plan(steps=10).batch
    16
    """

    steps: int = 12_000
    batch: int = 16
    crop: int = 128
    learning_rate: float = 6e-4
    snr_db: tuple[float, float] = (-5.0, 20.0)
    cbrs: tuple[float, ...] = (1 / 16, 1 / 64, 1 / 8)
    links: tuple[tuple[str, float], ...] = (("awgn", 0.5), ("ntn-tdl-c", 0.3), ("rayleigh", 0.2))
    roi_weight: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "crop"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.crop < 32 or self.crop % 16:
            raise InputError(f"crop must be a multiple of 16 from 32 on, got {self.crop}")
        if isinstance(self.seed, bool) or not 0 <= self.seed < 2**40:
            raise InputError(f"seed must lie in 0..2^40-1, got {self.seed}")
        if not 0 < self.learning_rate < 1:
            raise InputError(f"learning_rate must lie in (0, 1), got {self.learning_rate}")


def default_plan(codec: str, steps: int, seed: int = 0) -> Plan:
    """The plan behind the shipped weights: DeepJSCC has one rate and knows no region of interest.

    >>> default_plan("deepjscc", 100).cbrs
    (0.0625,)
    """
    if codec == "deepjscc":
        return Plan(steps=steps, cbrs=(1 / 16,), roi_weight=0.0, seed=seed)
    return Plan(steps=steps, seed=seed)


def weighted_distortion_db(out: Tensor, images: Tensor, roi: Tensor, roi_weight: float) -> Tensor:
    """``10 log10`` of the ROI-weighted mean squared error of each picture, float32 ``[batch]``.

    >>> one = torch.zeros(1, 1, 32, 32)
    >>> weighted_distortion_db(one + 0.1, one, one, 3.0).round().tolist()
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

    Every step seeds its own draws, so a resumed run equals an undisturbed one.

    Args:
        codec: the codec to train, changed in place.
        samples: pictures ``[1, H, W]`` with their masks or ``None``.
        plan: what to do.
        out: folder for ``checkpoint.safetensors``, ``log.csv`` and, at the end, the weights
            (their moving average) as ``<codec>.safetensors``.
        validation: samples kept apart, scored with every log line.
        device: where to train.
        log_every: steps between log lines and checkpoints.
        on_step: called with (steps done, loss) after every step.

    Returns:
        The codec with averaged weights, in evaluation mode, on the CPU.

    Raises:
        InputError: if the folder holds a run of another plan or files without their checkpoint, a
            picture is smaller than a crop, or training diverges.
    """
    out = Path(out)
    _check_sizes([*samples, *(validation or [])], plan.crop)
    codec.to(device).train()
    optimizer = torch.optim.Adam(codec.parameters(), lr=plan.learning_rate)
    average = {name: value.detach().clone() for name, value in codec.named_parameters()}
    checkpoint = out / "checkpoint.safetensors"
    if checkpoint.exists():
        start = _resume(checkpoint, codec, optimizer, average, plan)
    else:
        start = 0
        _refuse_foreign(out, codec.name)
    links = [channels.link(name) for name, _ in plan.links]
    out.mkdir(parents=True, exist_ok=True)
    _trim_log(out / "log.csv", start)

    began, total = time.perf_counter(), 0.0
    for step in range(start, plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * _schedule(step, plan.steps)
        loss = _loss(codec, samples, links, plan, step, device)
        if not math.isfinite(loss.item()):
            raise InputError(f"training diverged at step {step}: lower the learning rate")
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        decay = min(EMA_DECAY, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, value in codec.named_parameters():
                average[name].lerp_(value, 1 - decay)
        total += loss.item()
        done = step + 1
        if on_step is not None:
            on_step(done, loss.item())
        if done % log_every == 0 or done == plan.steps:
            steps = done - max(start, (done - 1) // log_every * log_every)
            score = _validate(codec, average, validation or [], plan, device)
            _log(out / "log.csv", done, total / steps, score, time.perf_counter() - began)
            _save(checkpoint, codec, optimizer, average, plan, done)
            total = 0.0
    codec.load_state_dict(average, strict=False)
    codec.to("cpu").eval()
    codec.save(out / f"{codec.name}.safetensors")
    return codec


def _check_sizes(samples: list[Sample], crop: int) -> None:
    for image, _ in samples:
        height, width = image.shape[1:]
        if min(height, width) < crop:
            raise InputError(
                f"a picture is {height} x {width}, smaller than a crop of {crop}: lower --crop "
                "or leave it out"
            )


def _refuse_foreign(out: Path, codec: str) -> None:
    for name in ("log.csv", f"{codec}.safetensors"):
        if (out / name).exists():
            raise InputError(f"{out} holds {name} but no checkpoint: choose another --out")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: choose another --out")


def _buffers(codec: LearnedCodec) -> dict[str, Tensor]:
    """What a codec stores beside its parameters."""
    parameters = dict(codec.named_parameters())
    return {name: value for name, value in codec.state_dict().items() if name not in parameters}


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / 200)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _loss(
    codec: LearnedCodec,
    samples: list[Sample],
    links: list[Link],
    plan: Plan,
    step: int,
    device: str | torch.device,
) -> Tensor:
    draws = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
    images, roi = random_batch(samples, plan.batch, plan.crop, draws)
    images, roi = images.to(device), roi.to(device)
    shares = torch.tensor([share for _, share in plan.links])
    link = links[int(torch.multinomial(shares, 1, generator=draws))]
    low, high = min(plan.cbrs), max(plan.cbrs)
    often, where = torch.rand(2, generator=draws).tolist()
    cbr = plan.cbrs[0] if often < 0.4 else low * (high / low) ** where
    # One session has one SNR, and a batch is one session.
    snr_db = plan.snr_db[0] + (plan.snr_db[1] - plan.snr_db[0]) * float(
        torch.rand(1, generator=draws)
    )
    tx = codec.encode(images, cbr=cbr, snr_db=snr_db, roi=roi)
    rx = link(tx, snr_db, seed=int(torch.randint(2**62, (1,), generator=draws)))
    out = codec.reconstruct(rx)
    return weighted_distortion_db(out, images, roi, plan.roi_weight).mean()


@torch.no_grad()
def _validate(
    codec: LearnedCodec,
    average: dict[str, Tensor],
    validation: list[Sample],
    plan: Plan,
    device: str | torch.device,
) -> float:
    """Mean PSNR in dB of the averaged weights over AWGN at 10 dB and the plan's first rate."""
    if not validation:
        return math.nan
    current = {name: value.detach().clone() for name, value in codec.named_parameters()}
    codec.load_state_dict(average, strict=False)
    link, scores = channels.link("awgn"), []
    for index, (image, mask) in enumerate(validation):
        images = image[None].to(device)
        roi = None if mask is None else mask[None].to(device)
        tx = codec.encode(images, cbr=plan.cbrs[0], snr_db=10.0, roi=roi)
        scores.append(psnr(codec.decode(link(tx, 10.0, seed=index)), images))
    codec.load_state_dict(current, strict=False)
    return float(torch.cat(scores).mean())


def _log(path: Path, step: int, loss: float, score: float, seconds: float) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(_LOG_COLUMNS)
        writer.writerow([step, f"{loss:.4f}", f"{score:.4f}", f"{seconds:.1f}"])


def _trim_log(path: Path, step: int) -> None:
    """Drop log lines past the checkpoint that a run resumes from."""
    if not path.exists():
        return
    rows = path.read_text(errors="replace").splitlines()
    places = [row.split(",")[0] for row in rows]
    kept = [r for r, at in zip(rows, places, strict=True) if at.isdecimal() and int(at) <= step]
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join([",".join(_LOG_COLUMNS), *kept]) + "\n")
    partial.replace(path)


def _save(
    path: Path,
    codec: LearnedCodec,
    optimizer: torch.optim.Adam,
    average: dict[str, Tensor],
    plan: Plan,
    step: int,
) -> None:
    tensors = {f"average.{name}": value for name, value in average.items()}
    for name, value in codec.named_parameters():
        tensors[f"weight.{name}"] = value.detach()
        state = optimizer.state[value]
        tensors[f"mean.{name}"] = state["exp_avg"]
        tensors[f"square.{name}"] = state["exp_avg_sq"]
    tensors |= {f"buffer.{name}": value for name, value in _buffers(codec).items()}
    metadata = {"step": str(step), "plan": json.dumps(asdict(plan)), "codec": codec.name}
    partial = path.with_suffix(".partial")
    save_file({k: v.contiguous().cpu() for k, v in tensors.items()}, str(partial), metadata)
    partial.replace(path)


def _resume(
    path: Path,
    codec: LearnedCodec,
    optimizer: torch.optim.Adam,
    average: dict[str, Tensor],
    plan: Plan,
) -> int:
    damaged = InputError(f"{path} is damaged: move it and log.csv away to start anew")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        stored, owner, step = json.loads(metadata["plan"]), metadata["codec"], int(metadata["step"])
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise damaged from error
    if owner != codec.name or stored != json.loads(json.dumps(asdict(plan))):
        raise InputError(
            f"{path.parent} holds a run of another codec or plan (steps are part of it): "
            "choose another --out"
        )
    try:
        for name, value in _buffers(codec).items():
            value.copy_(tensors[f"buffer.{name}"])
        for name, value in codec.named_parameters():
            value.data.copy_(tensors[f"weight.{name}"])
            average[name].copy_(tensors[f"average.{name}"])
            optimizer.state[value] = {
                "step": torch.tensor(float(step)),
                "exp_avg": tensors[f"mean.{name}"].to(value.device),
                "exp_avg_sq": tensors[f"square.{name}"].to(value.device),
            }
    except (KeyError, RuntimeError) as error:
        raise damaged from error
    return step
