"""What a codec of a user's own must keep, and what receptions, files and metrics refuse."""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import channels
import scenarios
import semcom
from channels import InputError, Reception, Session, Transmission
from semcom.codec import Codec
from semcom.metrics import psnr, ssim
from semcom.scheme import MadeUp

Sending = Callable[[Tensor, Session], Any]
Making = Callable[[Reception], Any]


def sent(images: Tensor, session: Session) -> Transmission:
    uses = session.channel_uses
    symbols = torch.ones(len(images), uses, dtype=torch.complex64)
    return Transmission(symbols, torch.full((len(images),), uses), session)


def grey(rx: Reception) -> tuple[Tensor, Tensor]:
    batch = len(rx.symbols)
    return torch.full((batch, *rx.session.image_shape), 0.5), torch.zeros(batch, dtype=torch.bool)


class Mine(Codec):
    """One that does what a test wants."""

    name, fingerprint = "mine", "1"

    def __init__(self, send: Sending = sent, make: Making = grey) -> None:
        self.send, self.make = send, make

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        return self.send(images, session)  # type: ignore[no-any-return]

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        return self.make(rx)  # type: ignore[no-any-return]


def spendthrift(images: Tensor, session: Session) -> Transmission:
    return sent(images, dataclasses.replace(session, channel_uses=4 * session.channel_uses))


def overfull(images: Tensor, session: Session) -> Transmission:
    return dataclasses.replace(spendthrift(images, session), session=session)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"send": lambda images, session: None}, "must return a Transmission"),
        ({"send": spendthrift}, "no change but the mcs"),
        ({"send": overfull}, "1 rows of up to 4096 channel uses for 1 images of 1024"),
        ({"make": lambda rx: grey(rx)[0]}, "must return images and outages"),
        ({"make": lambda rx: (grey(rx)[0], None)}, "must return images and outages"),
        ({"make": lambda rx: (grey(rx)[0][..., 1:], grey(rx)[1])}, "must return float32"),
        ({"make": lambda rx: (grey(rx)[0].double(), grey(rx)[1])}, "must return float32"),
        ({"make": lambda rx: (grey(rx)[0], grey(rx)[1].float())}, "outages must be bool"),
        ({"make": lambda rx: (255 * grey(rx)[0], grey(rx)[1])}, r"must lie in \[0, 1\]"),
        ({"make": lambda rx: (torch.nan * grey(rx)[0], grey(rx)[1])}, r"must lie in \[0, 1\]"),
    ],
)
def test_a_codec_that_breaks_the_contract_is_named(changes: dict[str, Any], message: str) -> None:
    images = torch.rand(1, 1, 64, 64)
    ways: dict[str, Any] = {"links": "awgn", "snr_db": 6, "cbr": 1 / 4}
    assert len(scenarios.snr(images, codecs={"m": Mine()}, **ways)) == 1
    with pytest.raises(InputError, match=f"mine: .*{message}"):
        scenarios.snr(images, codecs={"m": Mine(**changes)}, **ways)


class Painter(Mine):
    """One that tells what it made up."""

    def __init__(self, made_up: object) -> None:
        super().__init__()
        self.made_up = made_up

    def _decode_with_made_up(self, rx: Reception) -> Any:
        return self._decode(rx), self.made_up


@pytest.mark.parametrize(
    ("made_up", "message"),
    [
        (torch.ones(1, 1, 64, 64) > 0, "must tell what is made up as a MadeUp"),
        (MadeUp(torch.ones(1, 1, 64, 64), [""]), r"painted must be bool \[1, 1, 64, 64\]"),
        (MadeUp(torch.ones(1, 64, 64) > 0, [""]), r"painted must be bool \[1, 1, 64, 64\]"),
        (MadeUp(torch.ones(1, 1, 64, 64) > 0, []), "0 texts do not fit 1 images"),
    ],
)
def test_what_is_made_up_is_checked(made_up: object, message: str) -> None:
    images, link = torch.rand(1, 1, 64, 64), channels.link("awgn")
    ways: dict[str, Any] = {"cbr": 1 / 4, "snr_db": 6.0}
    with pytest.raises(InputError, match=f"mine: _decode_with_made_up.*{message}"):
        Painter(made_up).deliver(images, link, **ways, seed=1)
    told = MadeUp(torch.ones(1, 1, 64, 64) > 0, ["grey"])
    assert Painter(told).deliver(images, link, **ways, seed=1).made_up is told
    assert Mine().deliver(images, link, **ways, seed=1).made_up is None


def test_a_lost_image_may_be_nan() -> None:
    codec = Mine(make=lambda rx: (torch.nan * grey(rx)[0], ~grey(rx)[1]))
    rx = channels.link("awgn")(codec.encode(torch.rand(1, 1, 64, 64), cbr=1 / 4, snr_db=6.0), 6.0)
    assert codec.decode(rx).isnan().all()


def received() -> Reception:
    session = Session("deepjscc", (1, 64, 64), 64, 6.0)
    symbols = torch.ones(1, 64, dtype=torch.complex64)
    return Reception(symbols, torch.full((1, 64), 0.1), torch.tensor([6.0]), session)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"session": None}, r"session must be a channels\.Session"),
        ({"noise_var": torch.ones(1, 64, dtype=torch.int64)}, "must be float32"),
        ({"noise_var": torch.ones(1, 64, dtype=torch.complex64)}, "must be float32"),
        ({"snr_db": torch.tensor([True])}, "must be float32"),
    ],
)
def test_a_reception_checks_what_it_holds(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(received(), **changes)


@pytest.mark.parametrize("name", ["medjscc-small", "deepjscc", "jpeg2000-ldpc"])
def test_double_precision_and_conjugate_views_decode_alike(name: str) -> None:
    images = semcom.data.phantoms("chest", n=1, size=64, seed=2)[0]
    codec = semcom.codec(name)
    rx = channels.link("awgn")(codec.encode(images, cbr=1 / 4, snr_db=9.0), 9.0, seed=1)
    double = dataclasses.replace(
        rx,
        symbols=rx.symbols.to(torch.complex128).conj().resolve_conj().conj(),
        noise_var=rx.noise_var.double(),
        snr_db=rx.snr_db.double(),
    )
    assert torch.equal(codec.decode(double), codec.decode(rx))


def test_a_reception_is_saved_like_weights(tmp_path: Path) -> None:
    path = tmp_path / "a.rx"
    received().save(path)
    path.with_name("b").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)
    for bad in ("/dev/null", str(tmp_path), "a\0b", f"{tmp_path}/{'x' * 400}", None, ""):
        with pytest.raises(InputError):
            received().save(bad)  # type: ignore[arg-type]
    assert Path("/dev/null").is_char_device()


def test_an_mcs_that_the_table_lacks_gets_one_line() -> None:
    images = semcom.data.phantoms("chest", n=1, size=64, seed=2)[0]
    codec = semcom.codec("medjscc-small")
    rx = channels.link("awgn")(codec.encode(images, cbr=1 / 4, snr_db=9.0), 9.0, seed=1)
    other = dataclasses.replace(rx, session=dataclasses.replace(rx.session, mcs=10**6))
    with pytest.raises(InputError, match="mcs is 1000000, which names no layers"):
        codec.decode(other)


@pytest.mark.parametrize("weights", [5, b"x", "", "x" * 5000, ".", "a\0b"])
def test_weights_that_are_no_file_get_one_line(weights: object) -> None:
    with pytest.raises(InputError):
        semcom.codec("medjscc", weights=weights)


def test_no_weights_are_the_shipped_ones() -> None:
    shipped = semcom.codec("deepjscc")
    assert semcom.codec("deepjscc", weights=None).fingerprint == shipped.fingerprint  # type: ignore[attr-defined]


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_metrics_refuse_what_is_no_image(measure: Callable[[Tensor, Tensor], Tensor]) -> None:
    images = torch.rand(1, 1, 64, 64)
    for out, sent_ones in ((images * torch.inf, images), (images, images * torch.nan)):
        with pytest.raises(InputError, match="infinite"):
            measure(out, sent_ones)
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]"):
        measure(255 * images, 255 * images)


def test_python_arguments_of_the_wrong_kind_get_one_line(tmp_path: Path) -> None:
    images = torch.rand(1, 1, 64, 64)
    ways: dict[str, Any] = {"codecs": "jpeg2000-ldpc", "links": "awgn", "snr_db": 9, "cbr": 1 / 4}
    table = scenarios.snr(images, **ways)
    calls: list[Callable[[], object]] = [
        lambda: scenarios.snr(images, **ways | {"ci_db": "a"}),
        lambda: scenarios.snr(images, **ways | {"out": "a\0b"}),
        lambda: scenarios.snr(images, **ways | {"cbr": 10**400}),
        lambda: scenarios.Table.load(None),  # type: ignore[arg-type]
        lambda: scenarios.Table.merge(table),  # type: ignore[arg-type]
        lambda: scenarios.Table.merge([1]),  # type: ignore[list-item]
        lambda: table.save(None),  # type: ignore[arg-type]
        lambda: table.save("/proc/x.csv"),
        lambda: table.select(codecs=[None]),  # type: ignore[list-item]
        lambda: table.select(snr_db=["9"]),  # type: ignore[list-item]
        lambda: semcom.data.load_folder(None),  # type: ignore[arg-type]
        lambda: semcom.data.load_image(5),  # type: ignore[arg-type]
        lambda: semcom.segmenter("chest")(torch.zeros(0, 1, 64, 64)),
    ]
    for call in calls:
        with pytest.raises(InputError):
            call()
    assert len(table.select(snr_db=9, codecs="jpeg2000-ldpc")) == 1


@pytest.mark.parametrize(
    "line", ["# parameters: null", "# parameters: [1]", "# links: null", "# codecs: 5"]
)
def test_a_table_whose_meaning_is_spoilt_is_no_table(tmp_path: Path, line: str) -> None:
    ways: dict[str, Any] = {"codecs": "jpeg2000-ldpc", "links": "awgn", "snr_db": 9, "cbr": 1 / 4}
    path = tmp_path / "t.csv"
    scenarios.snr(torch.rand(1, 1, 64, 64), **ways).save(path)
    start = line.split(":")[0] + ":"
    rows = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(line if row.startswith(start) else row for row in rows), "utf-8")
    with pytest.raises(InputError, match="is not a saved table"):
        scenarios.Table.load(path)
