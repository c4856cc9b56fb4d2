"""Open catalogues: codecs, bounds and segmenters of scripts, packages, and classes by place."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import channels
import scenarios
import semcom
from channels import InputError, Reception, Session, Transmission
from channels import registry as registries
from channels.power import normalize_power
from channels.tensorfile import store
from scenarios.command.cli import main
from scenarios.engine.inputs import schemes
from scenarios.options.selection import segmenter_of
from scenarios.results.line_styles import line_styles
from scenarios.results.table import Table
from semcom import catalogue
from semcom.codec import open_session
from semcom.deepjscc import DeepJSCC
from semcom.scheme import Delivered
from tests.refusals import refused

SHIPPED = Path(catalogue.__file__).with_name("weights") / "deepjscc.safetensors"
OWN_MODULE = """
import torch
from channels import Transmission
from semcom import Codec

class Flat(Codec):
    name = "flat"

    def _encode(self, images, roi, session):
        symbols = torch.ones(len(images), 1, dtype=torch.complex64)
        return Transmission(symbols, torch.ones(len(images), dtype=torch.int64), session)

    def _decode(self, rx):
        shape = len(rx.symbols), *rx.session.image_shape
        return torch.full(shape, 0.5), torch.zeros(len(rx.symbols), dtype=torch.bool)
"""


class Rows(semcom.Codec):
    """Every other row as it is.

    More on it.
    """

    name = "rows"

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        symbols = (images[..., ::2, :].flatten(1) - 0.5).to(torch.complex64)
        used = torch.full((len(images),), symbols.shape[1])
        return Transmission(normalize_power(symbols), used, session)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        channels, height, width = rx.session.image_shape
        rows = rx.symbols.real.unflatten(1, (channels, height // 2, width))
        images = (self.gain * rows / 4 + 0.5).repeat_interleave(2, -2).clamp(0, 1)
        return images, torch.zeros(len(images), dtype=torch.bool)


class Nameless(semcom.Codec):
    """It has no name of its own."""

    _encode = Rows._encode
    _decode = Rows._decode


class Half(semcom.Codec):
    """It cannot decode."""

    name = "half"
    _encode = Rows._encode


def offer(monkeypatch: pytest.MonkeyPatch, **places: str) -> None:
    """What installed packages would offer."""
    points = tuple(
        EntryPoint(name.replace("_", "-"), place, catalogue.CODECS.group)
        for name, listed in places.items()
        for place in listed.split()
    )
    monkeypatch.setattr(registries, "offered", lambda group: points)


def test_a_script_adds_a_codec() -> None:
    semcom.register("mine", Rows)
    assert semcom.codecs()["mine"] == "Every other row as it is."
    codec = semcom.codec("mine", gain=2.0)
    assert isinstance(codec, Rows) and (codec.name, codec.gain) == ("mine", 2.0)
    assert list(schemes("mine")) == ["mine"] and Rows.name == "rows"
    semcom.register("nameless", Nameless)
    assert semcom.codec("nameless").name == "nameless"


def test_what_was_registered_can_be_replaced() -> None:
    semcom.register("mine", Rows, line="Rows.")
    semcom.register("mine", lambda **options: semcom.codec("hevc-ldpc", **options), replace=True)
    codec = semcom.codec("mine", mcs=4)
    assert codec.name == "mine" and semcom.codecs()["mine"] == ""
    with pytest.raises(InputError, match="unknown option of 'hevc-ldpc' 'msc'"):
        semcom.codec("mine", msc=4)


def test_a_class_is_found_by_its_place() -> None:
    codec = semcom.codec(f"{__name__}:Rows", gain=3.0)
    assert isinstance(codec, Rows) and (codec.name, codec.gain) == ("rows", 3.0)
    assert list(schemes([f"{__name__}:Rows", "hevc-capacity"])) == ["rows", "hevc-capacity"]


def test_a_package_offers_codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"{__name__}:Rows"
    offer(monkeypatch, theirs=place, hevc_ldpc=place, hevc_capacity=place)
    assert semcom.codecs()["theirs"] == f"{place}, of an unnamed package."
    assert semcom.codec("theirs", gain=2.0).name == "theirs"
    assert not isinstance(semcom.codec("hevc-ldpc"), Rows)
    assert "hevc-capacity" not in semcom.codecs()


def test_codecs_of_the_package_are_as_before() -> None:
    before, colours = list(semcom.codecs()), line_styles(["medjscc", "hevc-ldpc"])
    semcom.register("mine", Rows)
    assert list(semcom.codecs()) == [*before, "mine"]
    assert {name: line_styles([*colours, "mine"])[name] for name in colours} == colours
    assert catalogue.COMPARED == (
        "medjscc", "deepjscc", "hevc-ldpc", "hevc-roi-ldpc", "avif-ldpc", "medjscc-uniform",
    )  # fmt: skip


def test_a_codec_of_ones_own_is_compared() -> None:
    semcom.register("mine", Rows)
    image = torch.full((1, 1, 32, 32), 0.5)
    image[..., 8:24, 8:24] = 1.0
    compared = ["mine", "jpeg2000-ldpc"]
    table = scenarios.snr(image, codecs=compared, links="awgn", snr_db=30.0, cbr=1.0)
    assert list(table.frame["codec"]) == compared
    assert table.frame["psnr"][0] > 10
    assert table.metadata["codecs"]["mine"] == "mine"


class Original(semcom.Scheme):
    """What a perfect link would bring."""

    name = "original"

    def deliver(
        self, images: Tensor, link: channels.Link, *, cbr: float, snr_db: float, seed: int,
        believed_snr_db: float | None = None, roi: Tensor | None = None,
    ) -> Delivered:  # fmt: skip
        session = open_session(self.name, images, cbr, snr_db)
        used = torch.full((len(images),), session.channel_uses)
        return Delivered(images, torch.zeros(len(images), dtype=torch.bool), used, session)

    def dry_run(
        self, images: Tensor, *, cbr: float, snr_db: float, roi: Tensor | None = None
    ) -> None: ...


class Bright:
    """Whatever is bright."""

    def __call__(self, images: Tensor) -> Tensor:
        return (images > 0.9).float()


@pytest.mark.parametrize("name", ["mine", f"{__name__}:Original"])
def test_a_bound_of_ones_own_is_compared(name: str) -> None:
    semcom.register("mine", Original, kind="bound")
    assert "mine" in semcom.bounds() and "mine" not in semcom.codecs()
    assert isinstance(semcom.bound(name), Original)
    codecs, image = [name, "jpeg2000-ldpc"], torch.rand(1, 1, 32, 32)
    table = scenarios.snr(image, codecs=codecs, links="awgn", snr_db=30.0, cbr=1.0)
    label = name.replace(f"{__name__}:Original", "original")
    assert list(table.frame["codec"]) == [label, "jpeg2000-ldpc"]
    assert np.isposinf(table.frame["psnr"][0]) and table.frame["cbr_used"][0] == 1
    refused(
        lambda: scenarios.mismatch(image, codecs=[name], links="awgn"), "is a bound and believes"
    )


@pytest.mark.parametrize("name", ["mine", f"{__name__}:Bright"])
def test_a_segmenter_of_ones_own_finds_regions(name: str) -> None:
    semcom.register("mine", Bright, kind="segmenter")
    assert semcom.segmenters()["mine"] == "Whatever is bright."
    image = torch.full((1, 1, 32, 32), 0.5)
    image[..., 8:24, 8:24] = 1.0
    assert torch.equal(semcom.segmenter(name)(image), (image > 0.9).float())
    table = scenarios.snr(
        image, name, codecs="jpeg2000-ldpc", links="awgn", snr_db=30.0, cbr=1.0, diagnosis=name
    )
    assert table.frame["dice"][0] > 0.9 and table.frame["roi_psnr"].notna().all()
    assert segmenter_of("--diagnosis", name) is not None


def test_a_name_is_a_codec_or_a_bound() -> None:
    semcom.register("mine", Rows)
    semcom.register("theirs", Original, kind="bound")
    refused(lambda: semcom.register("mine", Original, kind="bound"), "codec 'mine' is there alre")
    refused(lambda: semcom.register("theirs", Rows), "bound 'theirs' is there already")
    refused(lambda: semcom.register("other", Rows, kind="kodec"), "unknown kind 'kodec': did you")
    refused(lambda: semcom.register("chest", Bright, kind="segmenter"), "'chest' is there alrea")
    refused(lambda: semcom.codec(f"{__name__}:Original"), "must be made as a semcom.Codec")
    refused(lambda: semcom.segmenter("brihgt"), "unknown segmenter 'brihgt'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("medjscc", Rows), "codec 'medjscc' is there already: take another name"),
        (("hevc-capacity", Rows), "'hevc-capacity' is there already"),
        (("mine", Rows), "'mine' is registered already: replace=True"),
        (("mi:ne", Rows), "a codec's name must be letters"),
        ((3, Rows), "name must be letters, .* got 3"),
        (("other", Rows()), "build must be a class or function that makes a semcom.Codec"),
    ],
)
def test_what_cannot_be_registered(arguments: tuple[Any, Any], message: str) -> None:
    semcom.register("mine", Rows)
    refused(lambda: semcom.register(*arguments), message)
    refused(lambda: semcom.register("other", Rows, line="a\nb"), "one line of text")
    assert "other" not in semcom.codecs()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mien", {}, "unknown codec 'mien': did you mean 'mine'"),
        ("mine", {"gian": 1}, "unknown option of 'mine' 'gian': did you mean 'gain'"),
        ("needy", {}, "'needy' cannot be made so: missing a required argument: 'gain'"),
        ("needy", {"gain": 1}, "codec 'needy' must be made as a semcom.Codec, got 1"),
        ("half", {}, "codec 'half' cannot be made: its class lacks _decode"),
        ("tests.nowhere:Rows", {}, "cannot be loaded .ModuleNotFoundError: .*on PYTHONPATH"),
        (f"{__name__}:Row", {}, "cannot be loaded .AttributeError: .*no attribute 'Row'"),
        (f"{__name__}:__name__", {}, "must name a class or function, found"),
        (f"{__name__}:Nameless", {}, "has no name: give its class one"),
        (f"{__name__}:", {}, "codec must be a name or 'package.module:Class'"),
        ("twice", {}, "codec 'twice' is offered more than once: write 'a:B' or 'c:D'"),
    ],
)
def test_what_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any], message: str
) -> None:
    offer(monkeypatch, twice="a:B c:D")
    semcom.register("mine", Rows)
    semcom.register("needy", lambda gain: gain)
    semcom.register("half", Half)
    refused(lambda: semcom.codec(name, **options), message)


def test_a_registered_network_is_trained() -> None:
    semcom.register("mine", Own)
    assert isinstance(catalogue.learned("mine"), Own)
    assert isinstance(catalogue.learned(f"{__name__}:Own"), Own)


def test_codecs_without_weights_are_not_trained() -> None:
    semcom.register("mine", Rows)
    refused(lambda: catalogue.learned("mine"), "'mine' has no weights to train; choose from medj")
    refused(lambda: catalogue.begun("mine", "package"), "'mine' has no weights to train")


class Own(DeepJSCC):
    """A network of one's own."""

    name = "own"


def test_a_file_of_weights_says_which_codec_it_is(tmp_path: Path) -> None:
    found = schemes([f"mine={SHIPPED}", "deepjscc", f" small = {SHIPPED}"])
    assert [codec.name for codec in found.values()] == ["deepjscc"] * 3
    assert list(found) == ["mine", "deepjscc", "small"]
    assert found["mine"].fingerprint == found["deepjscc"].fingerprint
    own = tmp_path / "own.safetensors"
    Own(width=8).save(own)
    refused(lambda: schemes(f"mine={own}"), "'own', which is no learned codec known here")
    assert isinstance(schemes(f"{__name__}:Own={own}")["own"], Own)
    refused(lambda: schemes(f"{__name__}:Rows={own}"), "it is no class of semcom.LearnedCodec")
    semcom.register("own", Own)
    assert isinstance(schemes(f"mine={own}")["mine"], Own)
    assert catalogue.begun("own", own).width == 8  # type: ignore[attr-defined]


def test_files_without_weights_of_a_codec_are_refused(tmp_path: Path) -> None:
    chest = SHIPPED.with_name("segmenter-chest.safetensors")
    refused(lambda: schemes(f"mine={chest}"), "does not say which codec's weights")
    refused(lambda: schemes("mine=nowhere.safetensors"), "nowhere.safetensors is not there")
    refused(lambda: schemes([f"={SHIPPED}"]), "label=weights.safetensors, got")
    refused(lambda: schemes("mine="), "weights need a label")
    refused(lambda: schemes(f"hevc-ldpc={SHIPPED}"), "weights of 'deepjscc': label it otherwise")
    foreign = tmp_path / "foreign.safetensors"
    store({"a": torch.zeros(1)}, foreign, {"codec": f"{__name__}:Own"})
    refused(lambda: schemes(f"mine={foreign}"), "which is no learned codec known here")


def test_worker_processes_know_codecs_of_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_rows.py").write_text(OWN_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    options = ["--codecs", f"mine={SHIPPED},own_rows:Flat", "--link", "awgn", "--size", "64"]
    options += ["--limit", "2", "--snr", "12:12:1", "--cbr", "1/4", "--workers", "2"]
    with pytest.raises(SystemExit) as ended:
        main(["run", "snr", *options, "--out", str(tmp_path / "out")])
    assert ended.value.code == 0
    table = Table.load(tmp_path / "out" / "results.parquet")
    assert list(dict.fromkeys(table.frame["codec"])) == ["mine", "flat"]
