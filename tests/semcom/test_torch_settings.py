"""What a caller has set in PyTorch changes nothing of what is sent, received and measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

import channels
import semcom
from semcom import metrics

IMAGES, MASKS = semcom.data.phantoms("chest", n=1, size=64, seed=0)
LINK = channels.link("ntn-tdl-c")


@contextmanager
def setting(set_to: Callable[[object], object], value: object, before: object) -> Iterator[None]:
    set_to(value)
    try:
        yield
    finally:
        set_to(before)


SETTINGS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "float64": lambda: setting(torch.set_default_dtype, torch.float64, torch.float32),
    "float16": lambda: setting(torch.set_default_dtype, torch.float16, torch.float32),
    "autocast bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast float16": lambda: torch.autocast("cpu", torch.float16),
    "inference": torch.inference_mode,
    "another device": lambda: setting(torch.set_default_device, "meta", None),
    "threads": lambda: setting(torch.set_num_threads, 3, 1),
    "products": lambda: setting(torch.set_float32_matmul_precision, "medium", "highest"),
}


def through(name: str) -> list[Tensor]:
    """Symbols, what arrives of them, and images."""
    codec = semcom.codec(name)
    tx = codec.encode(IMAGES, cbr=1 / 4, snr_db=9.0, roi=MASKS)
    rx = LINK(tx, 9.0, seed=1)
    delivered = codec.deliver(IMAGES, LINK, cbr=1 / 4, snr_db=9.0, seed=1, roi=MASKS)
    return [tx.symbols, rx.symbols, rx.noise_var, *codec.decode_with_outage(rx), delivered.images]


def bounded(name: str) -> list[Tensor]:
    bound = semcom.bound(name)
    return [bound.deliver(IMAGES, LINK, cbr=1 / 4, snr_db=9.0, seed=1, roi=MASKS).images]


def found(task: str) -> list[Tensor]:
    return [semcom.segmenter(task)(IMAGES)]


def measured(_: str) -> list[Tensor]:
    out, large = 0.9 * IMAGES, IMAGES.repeat(1, 1, 3, 3)
    return [
        metrics.psnr(out, IMAGES),
        metrics.ssim(out, IMAGES),
        metrics.ms_ssim(0.9 * large, large),
        metrics.roi_psnr(out, IMAGES, MASKS),
        metrics.roi_ssim(out, IMAGES, MASKS),
        metrics.nroi_psnr(out, IMAGES, MASKS),
        metrics.vsi(out, IMAGES),
        metrics.fsim(out, IMAGES),
        metrics.gmsd(out, IMAGES),
        semcom.segmentation.frechet(out.sqrt(), IMAGES, semcom.segmenter("chest")),
        metrics.dice(MASKS, MASKS.roll(3, -1)),
        metrics.iou(MASKS, MASKS.roll(3, -1)),
        metrics.hausdorff_95(MASKS, MASKS.roll(3, -1)),
        metrics.ber(MASKS[0, 0], MASKS[0, 0].roll(3, -1)),
        semcom.segmentation.diagnostic_dice(out, IMAGES, semcom.segmenter("chest")),
    ]


EVERYTHING = [
    *((through, name) for name in semcom.codecs()),
    *((bounded, name) for name in semcom.bounds()),
    *((found, task) for task in semcom.segmenters()),
    (measured, "metrics"),
]


@pytest.mark.parametrize(("run", "name"), EVERYTHING, ids=[name for _, name in EVERYTHING])
def test_settings_change_no_bit(run: Callable[[str], list[Tensor]], name: str) -> None:
    wanted = run(name)
    for said, entered in SETTINGS.items():
        with entered():
            got = run(name)
        for a, b in zip(got, wanted, strict=True):
            assert a.dtype == b.dtype and torch.equal(a, b), said
    assert torch.get_default_dtype() == torch.float32 and torch.get_num_threads() == 1
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_first_call_among_settings_spoils_no_later_one() -> None:
    """All that is kept from call to call is built as if nothing were set."""
    code = """
import torch, semcom, channels
images = semcom.data.phantoms("chest", n=1, size=64, seed=0)[0]
def sent():
    codec = semcom.codec("medjscc-small")
    tx = codec.encode(images, cbr=1/4, snr_db=9.0)
    return tx.symbols, codec.decode(channels.link("ntn-tdl-c", estimator="lmmse")(tx, 9.0, seed=1))
torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
    first = sent()
torch.set_default_dtype(torch.float32)
torch.set_default_device(None)
assert not any(part.is_inference() for part in first)
assert all(map(torch.equal, first, sent()))
codec = semcom.codec("deepjscc").requires_grad_(True)
codec.reconstruct(channels.link("ntn-tdl-c", estimator="lmmse")(
    codec.encode(images, cbr=1/16, snr_db=9.0), 9.0, seed=1)).sum().backward()
"""
    root = str(Path(semcom.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {root!r}){code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_gradients_flow_and_mixed_precision_stays_in_training() -> None:
    codec = semcom.catalogue.learned("deepjscc")
    images = IMAGES.clone().requires_grad_()
    codec.encode(images, cbr=1 / 16, snr_db=6.0).symbols.abs().sum().backward()
    assert images.grad is not None and bool(images.grad.abs().sum() > 0)
    seen: set[torch.dtype] = set()
    for module in codec.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda *parts: seen.add(parts[2].dtype))
    link = channels.link("awgn")
    with torch.autocast("cpu", torch.bfloat16):
        codec.encode(IMAGES, cbr=1 / 16, snr_db=6.0)
        assert seen == {torch.float32}
        codec.training_forward(
            IMAGES, MASKS.float(), 1 / 16, 6.0, lambda tx: link(tx, 6.0), torch.Generator()
        )
        assert torch.bfloat16 in seen


def test_threads_of_callers_are_theirs() -> None:
    """Settings of the process come back, whoever of several threads ends last."""
    from concurrent.futures import ThreadPoolExecutor

    codec = semcom.codec("jpeg2000-ldpc")
    with (
        setting(torch.set_default_dtype, torch.float64, torch.float32),
        ThreadPoolExecutor(4) as pool,
    ):
        calls = [pool.submit(codec.encode, IMAGES, cbr=1 / 4, snr_db=9.0) for _ in range(12)]
        symbols = [call.result().symbols for call in calls]
        assert torch.get_default_dtype() == torch.float64
    assert all(torch.equal(part, symbols[0]) for part in symbols)
