"""Options that several scenarios have on the command line, each declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer
from typer.core import TyperCommand

from scenarios.engine.workers.cores import cores
from scenarios.options.parsing import parse_names
from scenarios.results.columns import metrics, on_request

if TYPE_CHECKING:
    from scenarios.engine.run_options import GridOptions
    from scenarios.options.selection import Selection
    from semcom.segmentation import Segmenter

Codecs = Annotated[
    str | None,
    typer.Option(
        "--codecs",
        "--codec",
        help="Names of codecs (hevc-ldpc) and bounds (hevc-capacity: the same image coder, an "
        "ideal code), separated by commas; semcom info lists both; label=weights.safetensors is a "
        "learned codec with weights of your own, package.module:Class a codec of your own; "
        "all: every codec; default: medjscc, medjscc-uniform, deepjscc, hevc-ldpc, hevc-roi-ldpc, "
        "avif-ldpc; with --rgb the last three, hevc-roi-ldpc with masks alone.",
    ),
]
Mcs = Annotated[
    str,
    typer.Option(
        help="Curves of each separate codec: auto, the MCS adapted to SNR and link, and "
        "indices to hold, of table 1 of TS 38.214; 2:27 is index 27 of table 2; auto,4,13,2:27."
    ),
]
Fallback = Annotated[
    Literal["thumbnail"] | None,
    typer.Option(
        help="What separate codecs show of a lost picture: thumbnail, its lowest frequencies, "
        "which take one 64th of the channel uses; default: mid-grey."
    ),
]
Links = Annotated[str, typer.Option("--link", help="Links, separated by commas.")]
Snr = Annotated[str, typer.Option(help="E_s/N_0 in dB, start:stop:step or 0,6,12.")]
Cbr = Annotated[
    str,
    typer.Option(
        help="Complex channel uses per image sample (H·W·C), 1/16 or 0.0625; several rates "
        "separated by commas."
    ),
]
Diagnosis = Annotated[
    str | None,
    typer.Option(
        help="Segmenter of the diagnostic Dice: chest, angiography, dental or a file of weights; "
        "default: none is measured."
    ),
]
Out = Annotated[str, typer.Option(metavar="PATH", help="Folder of the results.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes, of one thread; default, and at most: one per core."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on a Dask cluster instead, tcp://host:port of its scheduler (extra dask).",
    ),
]
Device = Annotated[
    str, typer.Option(help="Where networks, codes and links are computed: cpu, cuda, cuda:1.")
]
Frame = Annotated[
    int | None,
    typer.Option(min=0, help="Which image, from 0 on, of files that hold several; default: none."),
]
Rgb = Annotated[
    bool,
    typer.Option("--rgb", help="Read pictures in colour; separate codecs alone take them."),
]
SkipUnreadable = Annotated[
    bool,
    typer.Option(
        "--skip-unreadable", help="Go on without pictures that cannot be read; listed at the end."
    ),
]
_FORMER = {"--channel": "--link"}


@dataclass(frozen=True)
class Sent:
    """What is sent."""

    images: Annotated[
        Path | None, typer.Option(help="Folder of PNG, JPEG, TIFF or DICOM; default: phantoms.")
    ] = None
    masks: Annotated[
        str | None,
        typer.Option(
            help="Folder of masks, named as images; or the segmenter that finds them, chest, "
            "angiography, dental or a file of weights; or none. Default: chest; phantoms have "
            "their own."
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Take the first pictures only; phantoms: draw so many, else 6."),
    ] = None
    size: Annotated[
        int | None, typer.Option(min=32, help="Shrink to this longest side; phantoms: 256.")
    ] = None
    frame: Frame = None
    rgb: Rgb = False
    skip_unreadable: SkipUnreadable = False

    def selection(self, seed: int) -> Selection:
        """What these options mean; the first to need PyTorch, which takes seconds to load."""
        from rich.console import Console

        with Console(stderr=True).status("loading PyTorch and Sionna"):
            from scenarios.options.selection import Selection

        return Selection(
            self.images,
            self.masks,
            self.limit,
            self.size,
            seed,
            self.frame,
            self.rgb,
            self.skip_unreadable,
        )


@dataclass(frozen=True)
class Run:
    """How often it is sent, and who does the work."""

    seed: Annotated[int, typer.Option(min=0, help="Seeds phantoms, fading and noise.")] = 0
    trials: Annotated[
        int, typer.Option(min=1, help="Draws of fading and noise per picture and point.")
    ] = 1
    ci: Annotated[
        float | None,
        typer.Option(
            help="Repeat each point until mean PSNR over these pictures is known to so many dB "
            "(half the 95 % interval)."
        ),
    ] = None
    max_trials: Annotated[
        int, typer.Option(min=2, help="Trials that are enough for --ci anyhow.")
    ] = 64
    draws: Annotated[
        Literal["common", "independent"] | None,
        typer.Option(
            help="common: the same fading and noise at every SNR of a curve; independent: others; "
            "default: common, of a satellite's pass independent."
        ),
    ] = None
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Measured beside the usual metrics, separated by commas: "
            f"{', '.join(on_request())}; default: none."
        ),
    ] = None
    device: Device = "cpu"
    workers: Workers = None
    scheduler: Scheduler = None

    @property
    def processes(self) -> int:
        """Processes where there is no cluster."""
        return self.workers or cores()

    def drawn(self, diagnosis: Segmenter | None = None) -> GridOptions:
        """What a scenario's grid is laid out with.

        Raises:
            InputError: on an unknown metric.
        """
        from channels.errors import check_name

        wanted = [] if self.metrics is None else parse_names(self.metrics)
        for name in wanted:
            check_name("metric", name, metrics())
        drawn: GridOptions = {
            "metrics": wanted,
            "diagnosis": diagnosis,
            "seed": self.seed,
            "trials": self.trials,
            "ci_db": self.ci,
            "max_trials": self.max_trials,
            "device": self.device,
        }
        return drawn if self.draws is None else {**drawn, "draws": self.draws}


def grouped(function: Callable[..., None]) -> Callable[..., None]:
    """Show the command line the fields of parameters that are dataclasses as options of their own.

    >>> @grouped
    ... def command(*, sent: Sent, out: str = "results") -> None:
    ...     print(sent.limit, out)
    >>> list(inspect.signature(command).parameters)
    ['images', 'masks', 'limit', 'size', 'frame', 'rgb', 'skip_unreadable', 'out']
    >>> sent = {"images": None, "masks": None, "limit": 2, "size": None}
    >>> command(**sent, frame=None, rgb=False, skip_unreadable=False, out="a")
    2 a
    """
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    shown: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        if name in groups:
            inner = get_type_hints(groups[name], include_extras=True)
            shown += [
                parameter.replace(name=of.name, default=of.default, annotation=inner[of.name])
                for of in fields(groups[name])
            ]
        else:
            shown.append(parameter.replace(annotation=hints[name]))

    @wraps(function)
    def command(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        function(**given)

    command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return command


class Renamed(TyperCommand):
    """A command that takes options by the names that they once had."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read arguments, former names as today's."""
        split = (argument.partition("=") for argument in args)
        return super().parse_args(
            ctx, ["".join((_FORMER.get(name, name), *value)) for name, *value in split]
        )
