"""Scenario: bytes against what is left of the diagnosis, for ways to allocate HEVC's bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenarios.engine.progress import Report, silent
from scenarios.options.parsing import parse_names, parse_whole
from scenarios.options.shared import Frame, Out, Run, Scheduler, SkipUnreadable, Workers

if TYPE_CHECKING:
    from scenarios.comparisons.allocation.allocations import Allocations
    from scenarios.comparisons.allocation.maps import Pictured
    from scenarios.engine import inputs
    from scenarios.engine.inputs import Sample
    from semcom.dmic import Policy
    from semcom.segmentation import Segmenter

WAYS = ("two levels", "sensitivity", "low-pass")
BASE_QPS = (28, 31, 34, 37, 40, 43, 46, 49)
PRESET = "veryslow"
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
    "placebo",
)  # fmt: skip
ENCODES = 130
_PHANTOMS, _PHANTOM_SIZE = 6, 256


def dmic(
    images: inputs.Images,
    masks: inputs.Masks = None,
    *,
    segmenter: str | Segmenter = "angiography",
    control: str | Segmenter | None = None,
    observers: Mapping[str, str | Segmenter] | None = None,
    ways: str | Sequence[str] = WAYS,
    policies: Mapping[str, Policy | str | Path] | None = None,
    base_qps: inputs.Points = BASE_QPS,
    preset: str = PRESET,
    encodes: int = ENCODES,
    seed: int = 0,
    executor: Executor | None = None,
    workers: int = 1,
    out: str | Path | None = None,
    report: Report = silent,
) -> Allocations:
    """Code pictures with HEVC, its bits allocated in several ways, and let segmenters look.

    No link: streams arrive as they are. The anchor, one QP everywhere, is always among the ways;
    "two levels" is coarser away from what the segmenter finds; "sensitivity" goes by its Fisher
    sensitivity; "low-pass", an extension and no bit allocation, blurs the background before the two
    levels. "picture QP", an extension of every policy and of the low-pass, chooses how fine each
    picture has to be by coding it at several base QPs. "best uniform" and "search" are upper
    curves: each picture is coded many times and the segmenter asked each time, which takes minutes
    a picture. Policies choose as they learnt.

    Args:
        images: grey, as of :func:`scenarios.snr`.
        masks: what an annotator has said is there, as of :func:`scenarios.snr`; ``None``: no
            annotated Dice, ROI-PSNR in what the segmenter finds.
        segmenter: whose diagnosis is kept, the first observer: a name or any.
        control: another observer, whom the shipped policies were trained with; ``None``: the
            catalogue's control of the segmenter, where it has one.
        observers: further ones by label. The segmenter itself on mirrored pictures is always one.
        ways: names, or one.
        policies: by label, or files of their weights; ``None``: those that come with the package.
        base_qps: three or more, 0 to 51.
        preset: of x265.
        encodes: of each picture and base QP that "search" may spend.
        seed: of the search's proposals, the sensitivity's signs and the bootstrap.
        executor: any ``concurrent.futures.Executor``.
        workers: number of processes where there is no executor.
        out: folder that finished pictures are kept in, a way each; a second run finds them there.
        report: told of progress.

    Raises:
        InputError: if an argument does not fit, or the segmenter gives no gradients where
            "sensitivity", "best uniform" or "search" need them.

    >>> import torch
    >>> image = torch.full((1, 1, 64, 64), 0.2)
    >>> image[..., 4:20, 4:20] = 0.9
    >>> found = dmic(image, segmenter=lambda images: images, ways="two levels", policies={},
    ...              base_qps=[28, 37, 46], preset="ultrafast")
    >>> found.frame.groupby("way", sort=False)["mean_qp_offset"].first().to_dict()
    {'anchor': 0.0, 'two levels': 6.75}
    """
    import pandas as pd

    from channels.errors import check_name, check_whole
    from scenarios.comparisons.allocation.allocations import Allocations, rows_of
    from scenarios.comparisons.allocation.coding import Job
    from scenarios.comparisons.allocation.jobs import coded, exchange_rates
    from scenarios.comparisons.allocation.observers import observers_of
    from scenarios.comparisons.allocation.picture_qp import extended, wider
    from scenarios.comparisons.allocation.ways import ways_of
    from scenarios.engine import inputs
    from scenarios.results.files import folder_for

    tried = ways_of(ways, policies)
    looking = observers_of(segmenter, control, observers)
    qps = _base_qps(base_qps)
    preset = check_name("preset", preset, PRESETS)
    encodes = check_whole("encodes", encodes, 1)
    seed = check_whole("seed", seed, 0)
    workers = check_whole("workers", workers, 1)
    folder = None if out is None else inputs.folder(out)
    samples = _grey(inputs.samples(images, masks))
    first = next(iter(looking.values()))
    if any(way.name == "sensitivity" for way in tried):
        _check_gradients(first, samples[0])
    with folder_for(folder):
        rates = {}
        if any(way.is_upper for way in tried):
            rates = exchange_rates(samples, first, qps, preset, folder, report)
        jobs = [
            (
                place,
                Job(
                    way,
                    sample.image[0].numpy(),
                    None if sample.mask is None else sample.mask[0].numpy(),
                    tuple(looking.values()),
                    wider(qps) if way.picture_qp else qps,
                    preset,
                    seed,
                    encodes,
                    rates if way.is_upper else {},
                ),
            )
            for place, sample in enumerate(samples)
            for way in tried
        ]
        found = extended(jobs, coded(jobs, samples, folder, executor, workers, report), qps)
    rows = [
        row
        for place, told in enumerate(found)
        for label, each in told.items()
        for row in rows_of(place, label, qps, list(looking), each)
    ]
    return Allocations(pd.DataFrame(rows), _pictured(samples, first, qps, found), seed)


def command(
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of PNG, JPEG, TIFF or DICOM; default: angiography phantoms."),
    ] = None,
    masks: Annotated[
        str | None,
        typer.Option(
            help="Folder of annotated masks, named as images; default: none; phantoms have their "
            "own."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Take the first pictures only; phantoms: draw so many, else 6."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=32, help="Shrink to this longest side; phantoms: 256.")
    ] = None,
    frame: Frame = None,
    skip_unreadable: SkipUnreadable = False,
    segmenter: Annotated[
        str,
        typer.Option(
            help="Whose diagnosis is kept: chest, angiography, dental or a file of weights."
        ),
    ] = "angiography",
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=FILE",
            help="Weights of semcom train dmic under a label; repeat it, or separate by commas. "
            "Default: the policies that come with the package.",
        ),
    ] = None,
    ways: Annotated[
        str,
        typer.Option(
            help="Rules beside the anchor and policies, separated by commas: two levels, "
            "sensitivity, low-pass (an extension: the background is blurred before), picture QP "
            "(an extension: how fine each picture is); or none."
        ),
    ] = ",".join(WAYS),
    search: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Add two upper curves, best uniform and search, which code each picture many "
            "times: minutes a picture.",
        ),
    ] = False,
    encodes: Annotated[
        int, typer.Option(min=1, help="Of each picture and base QP that --search may spend.")
    ] = ENCODES,
    base_qps: Annotated[
        str, typer.Option(help="Base QPs, three or more, 0 to 51, separated by commas.")
    ] = ",".join(map(str, BASE_QPS)),
    preset: Annotated[str, typer.Option(help=f"Of x265: {', '.join(PRESETS)}.")] = PRESET,
    out: Out = "results/dmic",
    seed: Annotated[
        int, typer.Option(min=0, help="Seeds phantoms, sensitivity, search and bootstrap.")
    ] = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Bytes against what is left of the diagnosis: ways to allocate HEVC's bits, without a link.

    Prints the savings over one QP everywhere and writes dmic.csv, dmic.png, maps.png,
    results.parquet and results.csv. A second run finds finished pictures in the same folder.
    """
    qps = parse_whole("--base-qps", base_qps)
    named = [] if ways == "none" else parse_names(ways)
    policies = _labelled(policy)
    from rich.console import Console

    with Console(stderr=True).status("loading PyTorch and Sionna"):
        from scenarios.comparisons.allocation.maps import draw_maps
        from scenarios.comparisons.allocation.ways import UPPER
        from scenarios.engine.progress import bar
        from scenarios.options.selection import segmenter_of
        from scenarios.options.writing import working
        from scenarios.results.files import save_rows

    finds = segmenter_of("--segmenter", segmenter)
    assert finds is not None
    pictures, regions = _selected(images, masks, limit, size, seed, frame, skip_unreadable)
    run = Run(seed=seed, workers=workers, scheduler=scheduler)
    with working(run, out) as work, bar("semcom run dmic") as report:
        found = dmic(
            pictures,
            regions,
            segmenter=finds,
            ways=[*named, *(UPPER if search else ())],
            policies=policies,
            base_qps=qps,
            preset=preset,
            encodes=encodes,
            seed=seed,
            executor=work["executor"],
            workers=work["workers"],
            out=work["out"],
            report=report,
        )
    folder = Path(out)
    for name in ("results.parquet", "results.csv"):
        found.save(folder / name)
    found.plot(folder / "dmic.png")
    draw_maps(found.pictures, folder / "maps.png")
    save_rows(found.savings, folder / "dmic.csv")
    found.print()
    typer.echo(f"Results are in {folder}")


def _labelled(options: list[str] | None) -> dict[str, str] | None:
    """Policies as they are typed, by label.

    >>> _labelled(["a=one.safetensors,b=two.safetensors"])
    {'a': 'one.safetensors', 'b': 'two.safetensors'}
    """
    if options is None:
        return None
    found: dict[str, str] = {}
    named = parse_names(",".join(options))
    if not named:
        raise typer.BadParameter("--policy is empty: write label=weights.safetensors")
    for text in named:
        label, _, path = (part.strip() for part in text.partition("="))
        if not label or not path:
            raise typer.BadParameter(f"--policy {text!r}: write label=weights.safetensors")
        if label in found:
            raise typer.BadParameter(f"--policy {text!r}: the label is taken, choose another")
        found[label] = path
    return found


def _selected(
    images: Path | None,
    masks: str | None,
    limit: int | None,
    size: int | None,
    seed: int,
    frame: int | None,
    skip_unreadable: bool,
) -> tuple[inputs.Images, inputs.Masks]:
    """Pictures and annotated masks that the options mean."""
    from channels import InputError
    from scenarios.options.selection import Selection
    from semcom.data import phantoms

    if images is not None:
        told = "none" if masks is None else masks
        return Selection(
            images, told, limit, size, seed, frame, skip_unreadable=skip_unreadable
        ).load()
    if masks:
        raise InputError("--masks belong to pictures: name their folder with --images")
    side = size or _PHANTOM_SIZE
    return phantoms("angiography", n=limit or _PHANTOMS, size=side, seed=seed)


def _base_qps(given: inputs.Points) -> tuple[int, ...]:
    from scenarios.engine import inputs
    from semcom.dmic.episode import check_base_qps

    numbers = inputs.numbers("base_qps", given, 0, 51)
    return check_base_qps([int(qp) if qp == int(qp) else qp for qp in numbers])  # type: ignore[misc]


def _grey(samples: list[Sample]) -> list[Sample]:
    from channels import InputError

    if not samples:
        raise InputError("no picture to code: pass at least one")
    for place, sample in enumerate(samples):
        if len(sample.image) != 1:
            raise InputError(
                f"picture {place} is RGB, a bit allocation takes grey images: average its channels"
            )
    return samples


def _check_gradients(segmenter: Segmenter, sample: Sample) -> None:
    """Refuse a segmenter that has no gradients before anything is coded."""
    from semcom.dmic.sensitivity import Sensitivity

    Sensitivity(segmenter, probes=1).sensitivities(sample.image[0].numpy())


def _pictured(
    samples: Sequence[Sample],
    segmenter: Segmenter,
    base_qps: Sequence[int],
    found: Sequence[Mapping[str, dict[str, Any]]],
) -> tuple[Pictured, ...]:
    """The first pictures with the maps of each way at the middle base QP."""
    import numpy as np

    from scenarios.comparisons.allocation.maps import MOST, Pictured
    from semcom.dmic.observers import seen

    pictures, middle = [], len(base_qps) // 2
    for sample, told in zip(samples[:MOST], found, strict=False):
        image = sample.image[0].numpy()
        offsets = {label: np.array(each["qp_offsets"][middle]) for label, each in told.items()}
        mask = seen([segmenter], image)[0] > 0.5
        pictures.append(Pictured(image, mask, base_qps[middle], offsets))
    return tuple(pictures)
