"""DMIC over a link: streams that any decoder reads, the same for the same weights."""

from __future__ import annotations

import pickle
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import channels
import semcom
from semcom.dmic import Policy
from semcom.dmic.codec import DMIC
from semcom.dmic.coder import PolicyHevc
from semcom.dmic.observers import seen
from semcom.dmic.units import encode
from semcom.image_coders import hevc
from semcom.image_coders.hevc import QP_MAX, STEPS_PER_QP
from tests.refusals import refused

SIDE = 128


def bright(images: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(20 * (images - 0.55))


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return semcom.data.phantoms("angiography", n=1, size=SIDE, seed=4)[0]


@pytest.fixture(scope="module")
def policy() -> Policy:
    torch.manual_seed(2)
    policy = Policy().requires_grad_(False)
    policy.head.actor[-1].weight.mul_(400)
    return policy


def test_a_step_codes_with_the_offsets_that_the_policy_chooses(
    images: torch.Tensor, policy: Policy
) -> None:
    image = images[0, 0].numpy()
    coder = PolicyHevc(10, policy=policy, segmenter=bright)
    stream = coder.encode(image, (QP_MAX - 37) * STEPS_PER_QP, 0, None)
    offsets = policy.offsets(image, seen([bright], image)[0], 37)
    assert len(np.unique(offsets)) > 1
    assert stream == encode(image, 37, offsets)
    assert stream == coder.encode(image, (QP_MAX - 37) * STEPS_PER_QP, 0, None)
    assert stream.startswith(coder.headers(SIDE, SIDE, 1)[0])


def test_the_codec_walks_a_link_and_needs_no_region(images: torch.Tensor, policy: Policy) -> None:
    codec, link = DMIC(bright, policy), channels.link("awgn")
    ways = {"cbr": 1 / 8, "snr_db": 15.0, "seed": 1}
    delivered = codec.deliver(images, link, **ways)
    assert not delivered.outage.any()
    assert semcom.metrics.psnr(delivered.images, images).item() > 25
    there = torch.zeros_like(images, dtype=torch.bool)
    torch.testing.assert_close(
        codec.deliver(images, link, roi=there, **ways).images, delivered.images
    )
    again = pickle.loads(pickle.dumps(codec))
    torch.testing.assert_close(again.deliver(images, link, **ways).images, delivered.images)
    assert again.fingerprint == codec.fingerprint
    torch.manual_seed(9)
    assert DMIC(bright, Policy()).fingerprint != codec.fingerprint


def test_a_decoder_that_knows_no_policy_reads_the_stream(
    images: torch.Tensor, policy: Policy
) -> None:
    """x265 wrote it; the decoder is FFmpeg's own, fed with the bytes alone."""
    image = images[0, 0].numpy()
    stream = PolicyHevc(8, policy=policy, segmenter=bright).encode(image, 1000, 0, None)
    decoder = av.CodecContext.create("hevc", "r")
    frames = [*decoder.decode(av.Packet(stream)), *decoder.decode(None)]
    assert len(frames) == 1
    decoded = frames[0].to_ndarray() / 255
    np.testing.assert_allclose(decoded, hevc.decode(stream), atol=1e-6)


def test_what_it_cannot_code_is_said(images: torch.Tensor, policy: Policy, tmp_path: Path) -> None:
    codec = DMIC(bright, policy)
    refused(lambda: codec.encode(images.expand(-1, 3, -1, -1), cbr=1, snr_db=10), "grey")
    refused(lambda: codec.encode(images[..., :16, :16], cbr=1, snr_db=10), "32")
    refused(lambda: DMIC("lungs", policy), "lungs")
    refused(lambda: DMIC(3, policy), "can be called, got 3")  # type: ignore[arg-type]
    refused(lambda: DMIC(bright, tmp_path / "none.safetensors"), "none.safetensors")
    refused(lambda: DMIC(bright, policy, header="none"), "header")
    refused(lambda: DMIC(bright, policy, bit_depth=9), "bit_depth must be 8, 10 or 12")


def test_two_policies_are_two_coders_and_a_rule_is_one_too(images: torch.Tensor) -> None:
    """Streams are kept by coder: one that equals another would be given its streams."""
    spread = np.linspace(0, 1, SIDE, dtype=np.float32)[None].repeat(SIDE, 0)
    found, sent = [], {}
    for name in ("anchor", "two levels"):
        codec = DMIC(bright, name)
        found.append(codec._source)
        sent[name] = codec.encode(torch.from_numpy(spread)[None, None], cbr=1 / 16, snr_db=9.0)
    assert found[0] != found[1] and found[0] == DMIC(bright, "anchor")._source
    assert not torch.equal(sent["anchor"].symbols, sent["two levels"].symbols)
    assert DMIC(bright, Policy())._source != DMIC(bright, "two levels")._source
    refused(lambda: DMIC(bright, 3), "one of anchor, two levels, got 3")  # type: ignore[arg-type]


def test_where_not_even_the_coarsest_stream_fits_a_smaller_picture_is_coded() -> None:
    """As of its rivals: a policy's offsets leave the coarsest streams longer than theirs."""
    images = semcom.data.phantoms("angiography", n=1, size=384, seed=1)[0]
    codec = semcom.codec("dmic-ldpc")
    delivered = codec.deliver(images, channels.link("awgn"), cbr=1 / 256, snr_db=0.0, seed=1)
    assert not bool(delivered.outage.any())
