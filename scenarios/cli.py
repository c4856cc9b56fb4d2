"""``semcom``: ``run``, ``train``, ``send``, ``info``, and what is done with results.

Commands import PyTorch inside their functions, so that ``semcom --help`` is quick. A command of
another module joins with ``app.command()(function)``.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import typer

from scenarios.results_command import merge, plot, rate_saving, table
from scenarios.run_command import runs
from scenarios.send_command import send
from scenarios.train_command import trains

app = typer.Typer(
    help="Compare learned and classical image transmission over satellite links.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(runs, name="run", no_args_is_help=True)
app.add_typer(trains, name="train")

_UsageError: type[Any] = typer.BadParameter.__mro__[1]


for _command in (send, table, plot, merge, rate_saving):
    app.command(_command.__name__.replace("_", "-"))(_command)


@app.command()
def info() -> None:
    """Print versions, and the codecs, bounds, segmenters and links there are."""
    from rich.console import Console
    from rich.text import Text

    import channels
    from scenarios.sweep import versions
    from semcom.catalogue import bounds, codecs, segmenters

    console = Console()
    for title, entries in (
        ("versions", {**versions(), "python": sys.version.split()[0]}),
        ("codecs", codecs()),
        ("bounds", bounds()),
        ("segmenters", segmenters()),
        ("links", channels.links()),
    ):
        console.print(Text(title, style="bold"))
        for name, meaning in entries.items():
            console.print(Text(f"  {name:<22} {meaning}"))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process.

    Args:
        arguments: without the program's name; ``None`` means those of the process.

    Raises:
        SystemExit: with code 0; 2 and one line on the standard error stream where an input cannot
            be used; 130 after Ctrl-C.
    """
    try:
        code = typer.main.get_command(app).main(
            args=arguments, prog_name="semcom", standalone_mode=False
        )
    except _UsageError as error:
        _fail(str(error.format_message()))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    except ValueError as error:
        from channels import InputError

        if not isinstance(error, InputError):
            raise
        _fail(str(error))
    if code == 130:
        print("semcom: interrupted; what was finished is kept, run again to go on", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> NoReturn:
    if message:
        print("semcom: error:", " ".join(message.split()), file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
