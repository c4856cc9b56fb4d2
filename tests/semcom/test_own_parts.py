"""Codecs, bounds and links of a user's own are held to their contracts, in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from sionna.phy.channel import RayleighBlockFading
from sionna.phy.channel.tr38901 import TDL
from torch import Tensor

import channels
import scenarios
import semcom
from channels import InputError, Link, Reception, Session, Transmission
from semcom.codec import open_session
from semcom.scheme import Delivered
from tests.refusals import refused

IMAGE = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
SESSION = Session("analogue", (1, 32, 32), 256, 12.0)
MASK = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
MASK[..., 8:24, 8:24] = True


class Given(semcom.Scheme):
    """Delivers what it is told to, changed."""

    name = "given"

    def __init__(self, changed: Callable[[Delivered], Any] = lambda delivered: delivered) -> None:
        self._changed = changed

    def deliver(
        self,
        images: Tensor,
        link: Link,
        *,
        cbr: float,
        snr_db: float,
        seed: int,
        believed_snr_db: float | None = None,
        roi: Tensor | None = None,
    ) -> Any:
        session = open_session(self.name, images, cbr, snr_db)
        used, outage = torch.tensor([session.channel_uses]), torch.zeros(1, dtype=torch.bool)
        return self._changed(Delivered(images, outage, used, session))

    def dry_run(
        self, images: Tensor, *, cbr: float, snr_db: float, roi: Tensor | None = None
    ) -> None: ...


class Analogue(semcom.Codec):
    """Every fourth row as it is; it may spoil what it is given."""

    name = "analogue"
    spoils: bool | str = False

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        symbols = images[..., ::4, :].flatten(1).to(torch.complex64)
        if self.spoils:
            images.zero_()
        if self.spoils and roi is not None:
            roi.zero_()
        if self.spoils == "budget":
            symbols = symbols.repeat(1, 8)
        return Transmission(symbols, torch.tensor([256]), session)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        return torch.full((1, *rx.session.image_shape), 0.5), torch.zeros(1, dtype=torch.bool)


def table(*codecs: Any, links: Any = "awgn") -> Any:
    return scenarios.snr(IMAGE, MASK, codecs=list(codecs), links=links, snr_db=12.0, cbr=1 / 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda _: None, "given: deliver must return a semcom.scheme.Delivered, got None"),
        (lambda d: replace(d, images=d.images.double()), "must return float32"),
        (lambda d: replace(d, images=d.images[..., 1:]), "must return float32"),
        (lambda d: replace(d, images=255 * d.images), "must lie in .0, 1., got"),
        (lambda d: replace(d, images=d.images * torch.nan), "must lie in .0, 1., got"),
        (lambda d: replace(d, outage=torch.tensor([0.3])), "outages must be bool .1."),
        (lambda d: replace(d, outage=[False]), "must return images and outages"),
        (lambda d: replace(d, used=-d.used), "used as int64 .1. in 0..256, got"),
        (lambda d: replace(d, used=d.used * 100), "used as int64 .1. in 0..256, got"),
        (lambda d: replace(d, used=5), "used as int64 .1. in 0..256, got 5"),
        (lambda d: replace(d, session=None), "must give the session of these images, got None"),
        (lambda d: replace(d, rx_snr_db=6.0), "rx_snr_db as float .1. or None"),
    ],
)
def test_what_a_scheme_cannot_deliver(changed: Callable[[Delivered], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(Given(changed))


def test_what_a_scheme_delivers_is_taken() -> None:
    lost = torch.ones(1, dtype=torch.bool)
    dropped = partial(replace, images=IMAGE * torch.nan, outage=lost)
    frame = table(Given()).frame
    assert frame["psnr"].notna().all() and not frame["outage"][0]
    assert scenarios.snr(
        IMAGE, codecs={"lost": Given(dropped)}, links="awgn", snr_db=12.0, cbr=1 / 4
    ).frame["outage"][0]


def test_no_codec_changes_what_others_are_sent() -> None:
    spoiling, before = Analogue(), IMAGE.clone()
    spoiling.spoils = True
    alone = table("jpeg2000-ldpc").frame
    beside = table(spoiling, "jpeg2000-ldpc").frame
    assert torch.equal(IMAGE, before) and bool(MASK.any())
    columns = ["psnr", "roi_psnr", "outage"]
    assert beside[columns].iloc[1].tolist() == alone[columns].iloc[0].tolist()
    assert beside["roi_psnr"].notna().all()


def test_a_codec_that_overspends_is_named() -> None:
    codec = Analogue()
    codec.spoils = "budget"
    with pytest.raises(InputError, match=r"^analogue: _encode returned 1 rows of up to 2048"):
        table(codec)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (0.0, "analogue: _encode returned nothing but zeros for images .0.: .* send at least one"),
        (torch.nan, "analogue: _encode returned symbols that are NaN, infinite or huge: look for"),
        (torch.inf, "analogue: _encode returned symbols that are NaN, infinite or huge"),
    ],
)
def test_symbols_that_no_link_can_scale_are_the_codecs(
    factor: float, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Transmission(torch.full((1, 4), factor + 0j), torch.tensor([4]), SESSION)
    monkeypatch.setattr(Analogue, "_encode", lambda self, images, roi, session: sent)
    refused(lambda: Analogue().encode(IMAGE, cbr=1 / 4, snr_db=12.0), f"^{message}")
    refused(lambda: table(Analogue()), f"^{message}")


@pytest.mark.parametrize(
    ("decoded", "message"),
    [
        (IMAGE, r"images and outages as a tuple, got a tensor torch.float32 \[1, 1, 32, 32\]"),
        ([IMAGE, torch.zeros(1) > 0], "images and outages as a tuple, got a list of 2"),
        (None, "images and outages as a tuple, got None"),
        ((IMAGE, None), r"images and outages, got a tensor torch.float32 \[.*\] and None"),
        ((IMAGE.to("meta"), torch.zeros(1) > 0), "images must hold values, .* meta"),
        ((IMAGE.to_sparse(), torch.zeros(1) > 0), "images must be a dense tensor"),
        ((IMAGE, (torch.zeros(1) > 0).to("meta")), "outages must hold values, .* meta"),
    ],
)
def test_what_decode_cannot_return_is_told(
    decoded: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Analogue, "_decode", lambda self, rx: decoded)
    refused(lambda: table(Analogue()), f"^analogue: _decode.* {message}")


def test_a_believed_snr_is_told_by_its_name() -> None:
    ways: dict[str, Any] = {"cbr": 1 / 4, "snr_db": 12.0, "seed": 1}
    for wrong in (True, float("nan"), "6"):
        refused(
            lambda wrong=wrong: Analogue().deliver(  # type: ignore[misc]
                IMAGE, channels.link("awgn"), believed_snr_db=wrong, **ways
            ),
            "^believed_snr_db must be a finite number",
        )


def test_what_adapted_gives_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Analogue, "adapted", lambda *_: None)
    with pytest.raises(InputError, match="analogue: adapted must return a codec or bound"):
        table(Analogue())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda device: None, "must make a Sionna ChannelModel, got None"),
        (lambda device: torch.zeros(3), "must make a Sionna ChannelModel"),
        (channels.sionna_block(TDL, "A"), "cannot be made .TypeError: carrier_frequency is requ"),
        (channels.sionna_block(TDL, "Z", 1e-7, 2e9), "cannot be made .ValueError: model must be"),
        (channels.sionna_block(RayleighBlockFading), "cannot be made .TypeError: .*missing"),
        (channels.sionna_block("TDL"), "cannot be made .TypeError: 'str' object is not call"),  # type: ignore[arg-type]
    ],
)
def test_a_propagation_that_makes_no_model(build: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        channels.Link("mine", build)


def test_a_sionna_block_tells_links_apart_without_rows() -> None:
    slow, same, fast = (
        Link("mine", channels.sionna_block(TDL, "A", 1e-7, 2e9, max_speed=speed))
        for speed in (1.0, 1.0, 30.0)
    )
    assert slow.identity == same.identity != fast.identity
    assert " at 0x" not in slow.identity, "another process would not know it"


def impostor() -> Link:
    """A link that calls itself another's name."""
    return Link("awgn", channels.sionna_block(RayleighBlockFading, 1, 1, 1, 1))


class Impostor(Analogue):
    """A codec that calls itself another's name."""

    name = "hevc-ldpc"


class Odd(Analogue):
    """A codec with a name that no table can hold."""

    name = "a,b\nc"


def test_names_that_mislead_are_refused() -> None:
    with pytest.raises(InputError, match="link calls itself 'awgn', which is another's name"):
        channels.link(f"{__name__}:impostor")
    with pytest.raises(InputError, match="codec calls itself 'hevc-ldpc', which is another's"):
        semcom.codec(f"{__name__}:Impostor")
    with pytest.raises(InputError, match="a codec's name must be letters"):
        semcom.codec(f"{__name__}:Odd")
    with pytest.raises(InputError, match=r"is no semcom\.Codec: derive it, or kind='bound'"):
        semcom.register("given", Given)
    with pytest.raises(InputError, match="build must be a class or function"):
        semcom.register("bright", CallMe(), kind="segmenter")


class CallMe:
    """A segmenter, not what makes one."""

    def __call__(self, images: Tensor) -> Tensor:
        return images
