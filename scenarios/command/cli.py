"""``semcom``: ``run``, ``train``, ``send``, ``pack``, ``info``, and what is done with results.

Commands import PyTorch inside their functions, so that ``semcom --help`` is quick. A command of
another module joins with ``app.command()(function)``.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from scenarios.command.pack import pack
from scenarios.command.results import merge, plot, rate_saving, table
from scenarios.command.run import runs
from scenarios.command.send import send
from scenarios.command.train import trains
from scenarios.options.shared import Renamed
from scenarios.options.telling import tell_the_last

app = typer.Typer(
    help="Compare learned and classical image transmission over satellite links.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(runs, name="run", no_args_is_help=True)
app.add_typer(trains, name="train")


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print("semcom", version("semcom"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_tell_version, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Compare learned and classical image transmission over satellite links."""


_UsageError: type[Any] = typer.BadParameter.__mro__[1]


for _command in (send, pack, table, plot, merge, rate_saving):
    app.command(_command.__name__.replace("_", "-"), cls=Renamed)(_command)


@app.command()
def info() -> None:
    """Print versions and devices, and which codecs, bounds, segmenters, weights and links exist."""
    import torch
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    import channels
    from scenarios.engine.provenance import versions
    from semcom.catalogue import bounds, codecs, segmenters, weights

    console = Console()
    for title, entries in (
        ("versions", {**versions(), "python": sys.version.split()[0]}),
        ("devices", _devices(torch)),
        ("codecs", codecs()),
        ("bounds", bounds()),
        ("segmenters", segmenters()),
        ("weights", weights()),
        ("links", channels.links()),
    ):
        console.print(Text(title, style="bold"))
        grid = Table.grid(padding=(0, 2), pad_edge=True)
        for name, meaning in entries.items():
            grid.add_row(Text(name, no_wrap=True), Text(meaning))
        console.print(grid)


def _devices(torch: Any) -> dict[str, str]:
    devices = {"cpu": f"{torch.get_num_threads()} threads"}
    for index in range(torch.cuda.device_count()):
        devices[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    return devices


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process.

    Args:
        arguments: without the program's name; ``None`` means those of the process.

    Raises:
        SystemExit: with code 0; 2 and one line on the standard error stream where an input cannot
            be used; 130 after Ctrl-C, 143 after a training has heard SIGTERM.
    """
    # Threads that wait for work sleep instead of spinning on a core that another process needs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "" not in sys.path:
        sys.path.append("")  # modules of one's own lie where the command is typed
    try:
        code = typer.main.get_command(app).main(
            args=arguments, prog_name="semcom", standalone_mode=False
        )
    except _UsageError as error:
        _fail(str(error.format_message()))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise  # Click's answer to a reader that has gone, as in semcom info | head
        from channels.registry import reason

        _fail(f"code of your own ends Python ({reason(end)}): take sys.exit out of it")
    except OSError as error:
        if hasattr(error, "__notes__"):
            raise
        _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    except ValueError as error:
        from channels import InputError

        if not isinstance(error, InputError):
            raise
        _fail(str(error))
    finally:
        tell_the_last()
    if code == 130:
        print("semcom: interrupted; what was finished is kept, run again to go on", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> NoReturn:
    if message:
        print("semcom: error:", " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
