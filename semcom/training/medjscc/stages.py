"""How Med-JSCC is trained: first its source part, then the receiver through links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from channels import InputError
from semcom.images import as_sample
from semcom.medjscc.codec import MedJSCC
from semcom.training import loop
from semcom.training.crops import Sample, check_sizes
from semcom.training.loop import check_folder
from semcom.training.medjscc.plan import STAGES, MedJSCCPlan
from semcom.training.medjscc.task import MedJSCCTask, held


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
        samples: images ``[1, H, W]`` with their masks or ``None``.
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
            this one, an image is smaller than a crop, or training diverges.
    """
    if not plans:
        raise InputError("there is no stage to train: give at least one")
    out = check_folder(out)
    folders = [out / f"{number}-{plan.stage}" for number, plan in enumerate(plans, 1)]
    _refuse_other_stages(folders)
    _refuse_other_weights(codec, out, folders)
    samples = [as_sample(*sample) for sample in samples]
    validation = [as_sample(*sample) for sample in validation or []]
    for plan in plans:
        check_sizes([*samples, *validation], plan.crop)
    before = 0
    for folder, plan in zip(folders, plans, strict=True):
        on_stage_step = None if on_step is None else partial(_counting_from, before, on_step)
        # A stage that has ended does no step, but is compared with its checkpoint.
        loop.run(
            MedJSCCTask(codec, samples, validation, plan),
            folder,
            device=device,
            log_every=log_every,
            on_step=on_stage_step,
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
    here = held(codec, weights)
    if here is None or here not in {held(codec, folder / weights.name) for folder in folders}:
        raise InputError(
            f"{weights} is damaged or not of this run: move it away or choose another --out"
        )


def _counting_from(
    before: int, on_step: Callable[[int, float], None], done: int, loss: float
) -> None:
    on_step(before + done, loss)
