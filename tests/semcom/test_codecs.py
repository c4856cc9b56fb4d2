"""The contract, held against every codec: power, budget, gradients, no side door, bad input."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import channels
import semcom
from channels import InputError
from semcom.learned import LearnedCodec
from semcom.medjscc import MedJSCC
from semcom.metrics import psnr, roi_psnr
from tests.refusals import refused

CODECS = sorted(semcom.codecs())
LEARNED = ["adjscc", "deepjscc", "medjscc", "ntscc"]
TRAINED = ["adjscc", "deepjscc", "medjscc", "medjscc-small"]
"""Those whose weights are worth comparing with."""

CBR = 1 / 16


@pytest.fixture(scope="module")
def phantoms() -> tuple[torch.Tensor, torch.Tensor]:
    return semcom.data.phantoms("chest", n=2, size=128, seed=5)


def region(name: str, masks: torch.Tensor) -> dict[str, torch.Tensor]:
    """The region of interest for a codec that sends nothing without one."""
    return {"roi": masks} if semcom.codec(name).needs_roi else {}


@pytest.mark.parametrize("name", CODECS)
def test_power_is_one_per_image_also_beside_a_black_one(
    name: str, phantoms: tuple[torch.Tensor, torch.Tensor]
) -> None:
    images = phantoms[0].clone()
    images[0] = 0
    tx = semcom.codec(name).encode(images, cbr=CBR, snr_db=8.0, **region(name, phantoms[1]))
    for row, used in zip(tx.symbols, tx.used.tolist(), strict=True):
        assert row[:used].abs().square().mean().item() == pytest.approx(1, abs=1e-5)
        assert not row[used:].any()


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(("height", "width"), [(128, 128), (97, 131), (64, 200)])
def test_the_budget_is_kept_and_any_size_comes_back(name: str, height: int, width: int) -> None:
    images, masks = (
        part[..., :height, :width] for part in semcom.data.phantoms("chest", n=1, size=256, seed=1)
    )
    codec = semcom.codec(name)
    tx = codec.encode(images, cbr=CBR, snr_db=12.0, **region(name, masks))
    assert int(tx.used.max()) <= round(CBR * height * width)
    out = codec.decode(channels.link("awgn")(tx, 12.0, seed=0))
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert 0 <= float(out.min()) <= float(out.max()) <= 1


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(32, 150),
    width=st.integers(32, 150),
    cbr=st.floats(1 / 48, 1 / 4),
    snr_db=st.floats(-10, 30),
)
def test_medjscc_serves_any_size_rate_and_snr(
    height: int, width: int, cbr: float, snr_db: float
) -> None:
    codec = semcom.codec("medjscc")
    images = torch.rand(1, 1, height, width)
    try:
        tx = codec.encode(images, cbr=cbr, snr_db=snr_db)
    except InputError as error:
        assert "raise cbr" in str(error)
        return
    assert 1 <= int(tx.used[0]) <= round(cbr * height * width)
    assert codec.decode(channels.link("awgn")(tx, snr_db, seed=0)).shape == images.shape


@pytest.mark.parametrize("link", channels.links())
@pytest.mark.parametrize("name", [name for name in LEARNED if name != "medjscc"])
def test_gradients_reach_image_and_weights(
    name: str, link: str, phantoms: tuple[torch.Tensor, torch.Tensor]
) -> None:
    images, masks = phantoms[0].clone().requires_grad_(), phantoms[1]
    codec = semcom.codec(name)
    assert isinstance(codec, LearnedCodec)
    codec.requires_grad_()
    tx = codec.encode(images, cbr=CBR, snr_db=8.0, roi=masks)
    out, lost = codec.decode_with_outage(channels.link(link)(tx, 8.0, seed=1))
    psnr(out, phantoms[0]).sum().backward()
    grads = [parameter.grad for parameter in codec.parameters() if parameter.grad is not None]
    assert images.grad is not None
    grey = name == "ntscc" and bool(lost.all())  # shows nothing of what it lost
    assert grey or images.grad.abs().max() > 0
    assert lost.all() or max(float(grad.abs().max()) for grad in grads) > 0
    assert all(bool(torch.isfinite(grad).all()) for grad in [images.grad, *grads])


DECODE = """
import sys, torch, semcom
from channels import Reception
torch.set_num_threads(1)
for name in sys.argv[2:]:
    rx = Reception.load(f"{sys.argv[1]}/{name}.rx")
    out = semcom.codec(rx.session.codec).decode(rx)
    torch.save(out, f"{sys.argv[1]}/{name}.out")
"""


def test_no_side_door_a_fresh_process_decodes_from_the_reception_alone(
    tmp_path: Path, phantoms: tuple[torch.Tensor, torch.Tensor]
) -> None:
    images, masks = phantoms
    link = channels.link("ntn-tdl-c")
    here = {}
    for name in CODECS:
        codec = semcom.codec(name).adapted(link)
        rx = link(codec.encode(images, cbr=1 / 8, snr_db=9.0, roi=masks), 9.0, seed=3)
        rx.save(tmp_path / f"{name}.rx")
        here[name] = codec.decode(rx)
    subprocess.run([sys.executable, "-c", DECODE, str(tmp_path), *CODECS], check=True)
    for name in CODECS:
        there = torch.load(tmp_path / f"{name}.out", weights_only=True)
        assert torch.allclose(here[name], there, atol=1e-6), name


@pytest.mark.parametrize("name", CODECS)
def test_the_session_is_the_same_for_every_image(name: str) -> None:
    codec = semcom.codec(name)
    black, noise = torch.zeros(1, 1, 64, 64), torch.rand(1, 1, 64, 64)
    mask = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    corner = torch.zeros_like(mask)
    corner[..., :32, :32] = True
    first = codec.encode(black, cbr=CBR * 2, snr_db=8.0, **region(name, corner))
    second = codec.encode(noise, cbr=CBR * 2, snr_db=8.0, roi=mask)
    assert first.session == second.session
    assert torch.equal(first.used, second.used)


@pytest.mark.parametrize("name", LEARNED)
def test_rows_of_a_batch_do_not_touch_each_other(
    name: str, phantoms: tuple[torch.Tensor, torch.Tensor]
) -> None:
    codec = semcom.codec(name)
    both = codec.encode(phantoms[0], cbr=CBR, snr_db=8.0).symbols
    alone = codec.encode(phantoms[0][1:], cbr=CBR, snr_db=8.0).symbols
    assert torch.allclose(both[1:], alone, atol=1e-4)


def test_shipped_weights_beat_an_untrained_network_and_grow_with_snr(
    phantoms: tuple[torch.Tensor, torch.Tensor],
) -> None:
    images, masks = semcom.data.phantoms("chest", n=4, size=256, seed=77)
    link = channels.link("awgn")
    for name in TRAINED:
        codec = semcom.codec(name)
        scores = []
        for snr_db in (0.0, 10.0):
            tx = codec.encode(images, cbr=CBR, snr_db=snr_db, roi=masks)
            scores.append(psnr(codec.decode(link(tx, snr_db, seed=2)), images).mean().item())
        assert scores[0] > 18, name
        assert scores[1] > scores[0] + 2, name
        assert scores[1] > 24, name


def test_medjscc_spends_its_quality_where_the_mask_is() -> None:
    images, masks = semcom.data.phantoms("chest", n=8, size=256, seed=78)
    codec, link = semcom.codec("medjscc"), channels.link("awgn")
    scores = {}
    for key, roi in {"with": masks, "without": None}.items():
        tx = codec.encode(images, cbr=CBR, snr_db=8.0, roi=roi)
        scores[key] = roi_psnr(codec.decode(link(tx, 8.0, seed=2)), images, masks)
    gain = scores["with"] - scores["without"]
    assert gain.mean() > 2 * gain.std() / math.sqrt(len(gain))


def test_weights_survive_their_file_and_foreign_files_are_refused(tmp_path: Path) -> None:
    codec = semcom.codec("deepjscc")
    assert isinstance(codec, LearnedCodec)
    path = tmp_path / "weights.safetensors"
    codec.save(path)
    again = semcom.codec("deepjscc", weights=path)
    assert isinstance(again, LearnedCodec)
    assert again.fingerprint == codec.fingerprint
    with pytest.raises(InputError, match="not 'medjscc'"):
        semcom.codec("medjscc", weights=path)
    path.write_bytes(b"rubbish")
    with pytest.raises(InputError, match="no whole safetensors file"):
        semcom.codec("deepjscc", weights=path)


GOOD = torch.full((1, 1, 64, 64), 0.5)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (GOOD * math.nan, {}, "NaN"),
        (GOOD.expand(1, 2, 64, 64), {}, "2 channels"),
        (GOOD[..., :31], {}, "at least 32"),
        (GOOD * 4, {}, r"must lie in \[0, 1\]"),
        (GOOD.byte(), {}, "divide by 255"),
        (GOOD[0], {}, r"\[batch, ., H, W\], got \[1, 64, 64\]"),
        (GOOD[:0], {}, "no image"),
        (GOOD, {"cbr": -1.0}, "cbr, .* must be"),
        (GOOD, {"cbr": math.nan}, "cbr, .* must be"),
        (GOOD, {"cbr": "1/16"}, "cbr, .* must be"),
        (GOOD, {"snr_db": None}, "snr_db must be"),
        (GOOD, {"cbr": 1e-9}, "raise cbr"),
        (GOOD, {"cbr": 1 / 4096}, "cbr"),
        (GOOD, {"snr_db": math.inf}, "snr_db must be a finite"),
        (GOOD, {"roi": torch.ones(1, 1, 32, 32)}, "roi must have"),
        (GOOD, {"roi": GOOD * 7}, "roi must be bool"),
    ],
)
def test_bad_input_gets_one_line(
    name: str, images: torch.Tensor, options: dict[str, object], message: str
) -> None:
    arguments = {"cbr": CBR, "snr_db": 6.0} | region(name, torch.ones_like(GOOD)) | options
    with pytest.raises(InputError, match=message) as caught:
        semcom.codec(name).encode(images, **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_codec_of_the_region_alone_says_that_it_needs_one() -> None:
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    alone = codec.with_options(region_only=True)
    for needy in (alone, semcom.codec("generative")):
        assert needy.needs_roi
        refused(lambda c=needy: c.encode(GOOD, cbr=CBR, snr_db=6.0), "pass a mask as roi")  # type: ignore[misc]
    assert not codec.needs_roi and not alone.with_options(region_only=False).needs_roi


def test_a_reception_goes_to_its_own_codec() -> None:
    rx = channels.link("awgn")(semcom.codec("deepjscc").encode(GOOD, cbr=CBR, snr_db=6.0), 6.0)
    with pytest.raises(InputError, match="sent by 'deepjscc'"):
        semcom.codec("medjscc").decode(rx)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'medjscc'"):
        semcom.codec("medjsc")
    with pytest.raises(InputError, match="did you mean 'mcs'"):
        semcom.codec("hevc-ldpc", msc=3)
    with pytest.raises(InputError, match="fixed rate"):
        semcom.codec("deepjscc").encode(GOOD, cbr=1 / 256, snr_db=6.0)
