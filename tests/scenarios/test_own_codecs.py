"""Codecs of a user's own in scenarios: whose error it is, what they may say, what they draw."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import scenarios
import semcom
from channels import InputError, Link, Reception, Session, Transmission
from scenarios.command.cli import main
from scenarios.engine.inputs import schemes
from scenarios.results import columns
from semcom.scheme import SEPARATE
from tests.refusals import refused

IMAGES = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
AT: dict[str, Any] = {"links": "awgn", "snr_db": [0.0, 6.0], "cbr": 1 / 4}
MODULE = "tests.scenarios.test_own_codecs"


class Flat(semcom.Codec):
    """Mid-grey, whatever was sent."""

    name = "flat"

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        symbols = torch.ones(len(images), 8, dtype=torch.complex64)
        return Transmission(symbols, torch.full((len(images),), 8), session)

    def _decode(self, rx: Reception) -> Any:
        return torch.full((1, *rx.session.image_shape), 0.5), torch.zeros(1, dtype=torch.bool)


class Doing(Flat):
    """Does something else in one of its methods."""

    def __init__(self, method: str = "_decode", act: Callable[..., Any] | None = None) -> None:
        if act is not None:
            self.__dict__[method] = act


class Ending(Flat):
    """Ends Python where it should decode."""

    def _decode(self, rx: Reception) -> Any:
        raise SystemExit(0)


class Lacking(Flat):
    """Looks for what is not there."""

    def _decode(self, rx: Reception) -> Any:
        return {}["weights"]


class Missing(Flat):
    """Reads a file that is not there."""

    def _decode(self, rx: Reception) -> Any:
        return Path("nowhere.pt").read_bytes()


class EndsFitted(Flat):
    """Ends Python where it is fitted to a link."""

    def adapted(self, link: Link) -> Any:
        raise SystemExit


class EndsBuilt(Flat):
    """Ends Python where it is made."""

    def __init__(self) -> None:
        raise SystemExit(3)


class Full(Flat):
    """Cannot be made on this disk."""

    def __init__(self) -> None:
        raise OSError("disk full")


class Drawing(Flat):
    """Draws from every global generator, whenever it is called."""

    name = "drawing"
    level = 0.0

    def adapted(self, link: Link) -> Drawing:
        fitted = Drawing()
        fitted.level = _drawn() / 2
        return fitted

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        _drawn()
        return super()._encode(images, roi, session)

    def _decode(self, rx: Reception) -> Any:
        images, lost = super()._decode(rx)
        return 0 * images + self.level + _drawn() / 2, lost


def _drawn() -> float:
    """A number in [0, 1)."""
    return (float(torch.rand(())) + float(np.random.rand()) + random.random()) / 3  # noqa: NPY002


def run(codecs: Any, **changes: Any) -> scenarios.Table:
    return scenarios.snr(IMAGES, codecs=codecs, **(AT | changes))


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["run", "snr", "--link", "awgn", "--size", "32", "--limit", "1", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("codec", "message"),
    [
        ("Ending", "flat: its code over awgn at 6 dB and cbr 0.25, picture 1 ends Python"),
        ("EndsFitted", "flat: its code fitted to awgn ends Python (SystemExit): take sys.exit"),
        ("EndsBuilt", f"codec '{MODULE}:EndsBuilt' ends Python (SystemExit: 3): take sys.exit"),
        ("Full", f"codec '{MODULE}:Full' cannot be made (OSError: disk full)"),
    ],
)
def test_code_that_ends_python_is_no_success(
    codec: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--snr", "6", "--cbr", "1/4", "--workers", "1", "--out", str(tmp_path / "out")]
    assert command("--codecs", f"{MODULE}:{codec}", *where) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f"semcom: error: {message}"), last


def test_a_script_that_ends_python_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unguarded.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "whole.py").write_text("Mine = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert command("--codecs", "unguarded:Mine") == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "'unguarded:Mine' cannot be loaded (SystemExit: 0): put what ends Python" in told
    assert "if __name__ == '__main__'" in told
    refused(lambda: semcom.codec("whole.py:Mine"), "named without .py, 'whole:Mine'")
    for name in ("whole:", "whole:Mine:B", ":Mine"):
        refused(lambda name=name: schemes(name), "a name or 'package.module:Class'")  # type: ignore[misc]


def test_a_segmenter_that_ends_python_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--codecs", "jpeg2000-ldpc", "--diagnosis", f"{MODULE}:ends_at_once") == 2
    assert "ends Python (SystemExit: 0)" in capsys.readouterr().err


def ends_at_once() -> None:
    """A segmenter that cannot be made."""
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("act", "kind", "where"),
    [
        (Lacking(), KeyError, "flat, over awgn at 0 dB and cbr 0.25, picture 1"),
        (Missing(), FileNotFoundError, "flat, over awgn at 0 dB and cbr 0.25, picture 1"),
        (Doing("adapted", lambda link: link.nothing), AttributeError, "flat, fitted to awgn"),
    ],
)
def test_errors_of_a_codec_say_where_they_happened(
    act: semcom.Codec, kind: type[Exception], where: str
) -> None:
    with pytest.raises(kind) as caught:
        run(act)
    assert caught.value.__notes__ == [f"This is an error in the code of {where}."]


def test_errors_of_a_codec_keep_note_and_traceback_on_the_command_line(tmp_path: Path) -> None:
    """Notes come back from worker processes, and one line would not help the author."""
    options = ["--codecs", f"{MODULE}:Missing,jpeg2000-ldpc", "--link", "awgn", "--size", "32"]
    options += ["--limit", "2", "--snr", "6", "--cbr", "1/4", "--workers", "2"]
    with pytest.raises(FileNotFoundError) as caught:
        main(["run", "snr", *options, "--out", str(tmp_path / "out")])
    assert caught.value.__notes__[0].startswith("This is an error in the code of flat, over awgn")


def test_an_input_error_of_several_lines_is_one() -> None:
    def several(*_: object) -> None:
        raise InputError("this\n  and that")

    refused(lambda: run({"mine": Doing("_encode", several)}), "^mine: this and that$")
    refused(lambda: run({"mine": Doing("_decode", several)}), "^mine: this and that$")


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("fingerprint", None, "Told: fingerprint must be text that says .* got None"),
        ("fingerprint", 3, "Told: fingerprint must be text .* got 3"),
        ("name", None, "Told: name must be text, such as name = 'mine', got None"),
        ("name", 3, "Told: name must be text, .* got 3"),
        ("name", "", "Told: name must be text"),
        ("channels", 1, r"Told: channels must be \(1,\) for grey images, .* got 1"),
        ("channels", None, "Told: channels must be .* got None"),
        ("channels", (), r"Told: channels must be .* got \(\)"),
        ("channels", (5,), r"Told: channels must be .* got \(5,\)"),
        ("channels", (True,), r"Told: channels must be .* got \(True,\)"),
    ],
)
def test_what_a_codec_says_of_itself_is_checked_first(
    attribute: str, value: object, message: str
) -> None:
    told = type("Told", (Flat,), {attribute: value, "_encode": None})
    for codecs in (told(), [told()], {"a": told()}):
        refused(lambda codecs=codecs: schemes(codecs), message)  # type: ignore[misc]


def test_a_codec_without_a_name_is_refused() -> None:
    nameless = type("Nameless", (semcom.Codec,), {"_encode": Flat._encode, "_decode": Flat._decode})
    refused(lambda: schemes([nameless()]), "Nameless: name must be text, .* got None")


def test_draws_of_a_codec_depend_on_the_task_alone(tmp_path: Path) -> None:
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index, union-attr] # noqa: NPY002
    first = run(Drawing(), trials=2, draws="independent")
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # type: ignore[index, union-attr] # noqa: NPY002
    assert random.getstate() == states[2]
    assert first.frame["psnr"].nunique() == len(first.frame)
    torch.rand(5), random.random()
    assert run(Drawing(), trials=2, draws="independent").frame.equals(first.frame)
    other = run(Drawing(), trials=2, draws="independent", seed=1)
    assert not other.frame["psnr"].equals(first.frame["psnr"])
    run([Flat(), Drawing()], draws="independent", out=tmp_path)
    on = run([Flat(), Drawing()], trials=2, draws="independent", out=tmp_path).frame
    assert on[on["codec"] == "drawing"].reset_index(drop=True).equals(first.frame)
    with ThreadPoolExecutor(2) as threads:
        apart = run(Drawing(), trials=2, draws="independent", executor=threads)
    assert apart.frame.equals(first.frame)


def test_a_codec_does_not_draw_what_the_link_draws() -> None:
    drawn: list[Tensor] = []

    def remembers(rx: Reception) -> Any:
        drawn.append(torch.randn(1, 8, dtype=torch.complex64))
        drawn.append(rx.symbols)
        return Flat()._decode(rx)

    run(Doing("_decode", remembers), snr_db=0.0)
    alike = torch.corrcoef(torch.stack([drawn[0][0], drawn[1][0] - 1]))[0, 1].abs()
    assert alike < 0.99


def test_the_best_separate_scheme_is_no_codec_to_run() -> None:
    assert SEPARATE == columns.SEPARATE
    told = "runs add it by themselves, and table, plot and rate-saving take it"
    for codecs in ("separate", ["jpeg2000-ldpc", "separate"], {"a": "separate"}):
        refused(lambda codecs=codecs: schemes(codecs), told)  # type: ignore[misc]
    refused(lambda: semcom.register("separate", Flat), "best separate scheme in tables: take anoth")
    for kind in ("codec", "bound", "segmenter"):
        for name in ("nan", "NA", "true", "1e3"):
            refused(
                lambda kind=kind, name=name: semcom.register(name, Flat, kind=kind),  # type: ignore[misc]
                f"a {kind} cannot be called '{name}', .* such as {kind}-{name}",
            )


def test_what_is_no_list_of_names_is_refused() -> None:
    refused(lambda: run(torch.tensor(2)), "codecs must be a list of str or Scheme, got Tensor")
    refused(lambda: run("flat", links=torch.tensor(2)), "links must be a list of str or Link|unkn")
    refused(
        lambda: run("jpeg2000-ldpc", links=torch.tensor(2)), "links must be .* Link, got Tensor"
    )
