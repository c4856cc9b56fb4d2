"""Med-JSCC that sends the region of interest alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import channels
import semcom
from semcom.medjscc import MedJSCC
from semcom.medjscc.source.region import (
    GREYS,
    around,
    covered,
    grey_around,
    region_bands,
    region_blocks,
)
from semcom.medjscc.source.wavelet import Wavelet
from semcom.metrics import roi_psnr
from semcom.training.medjscc.draws import drawn_regions
from semcom.training.medjscc.plan import MedJSCCPlan
from semcom.training.medjscc.task import MedJSCCTask
from tests.refusals import refused
from tests.semcom.medjscc.narrow import untrained


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    return semcom.data.phantoms("angiography", n=2, size=192, seed=3)


@pytest.fixture(scope="module")
def alone() -> MedJSCC:
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    return codec.with_options(region_only=True)


def test_the_region_gains_what_the_rest_no_longer_costs(
    pictures: tuple[Tensor, Tensor], alone: MedJSCC
) -> None:
    link, (images, masks) = channels.link("awgn"), pictures
    sent = {
        name: codec.deliver(images, link, cbr=1 / 64, snr_db=9.0, seed=1, roi=masks)
        for name, codec in {"alone": alone, "whole": semcom.codec("medjscc")}.items()
    }
    quality = {name: roi_psnr(one.images, images, masks) for name, one in sent.items()}
    assert not sent["alone"].outage.any()
    assert float((quality["alone"] - quality["whole"]).mean()) > 0.5
    assert int(sent["alone"].used[0]) == int(sent["whole"].used[0])
    blocks = around(region_blocks(masks))
    unsent = F.interpolate(blocks.float(), scale_factor=16, mode="nearest") == 0
    rest = sent["alone"].images
    for image, away in zip(rest, unsent, strict=True):
        (grey,) = image[away].unique().tolist()
        assert grey in [grey_around(index) for index in range(GREYS)]


def test_every_pixel_of_the_region_is_in_a_coded_block(pictures: tuple[Tensor, Tensor]) -> None:
    masks = pictures[1].clone()
    masks[..., 0, 190] = True
    blocks = region_blocks(masks)
    coded = F.interpolate(around(blocks).float(), scale_factor=16, mode="nearest") > 0
    assert bool(coded[masks].all())
    assert [level.shape[-1] for level in covered(blocks)] == [3, 6, 12, 24, 48, 96]


def test_coefficients_away_from_the_region_are_zero_and_nothing_is_missing_in_it() -> None:
    torch.manual_seed(0)
    image, blocks = torch.rand(1, 1, 256, 256) - 0.5, torch.zeros(1, 1, 16, 16) > 0
    blocks[..., 4:7, 5:9] = True
    bands = region_bands(Wavelet(), image, blocks)
    places = covered(blocks)
    for band, place in zip(bands, [places[0], *places], strict=True):
        assert not band[~place.expand_as(band)].any()
    shown = Wavelet().synthesise(bands)
    error = (shown - image)[..., 64:112, 80:144].square().mean()
    assert float(error.detach()) < 1e-6


def test_what_is_away_from_the_region_does_not_change_what_is_sent(
    pictures: tuple[Tensor, Tensor], alone: MedJSCC
) -> None:
    images, masks = pictures[0][:1].clone(), torch.zeros(1, 1, 192, 192)
    masks[..., 64:96, 64:96] = 1
    first = alone.encode(images, cbr=1 / 32, snr_db=9.0, roi=masks)
    images[..., 128:, :] = 1 - images[..., 128:, :]
    second = alone.encode(images, cbr=1 / 32, snr_db=9.0, roi=masks)
    assert torch.equal(first.symbols, second.symbols)
    soft = alone.encode(images, cbr=1 / 32, snr_db=9.0, roi=0.6 * masks + 0.3)
    assert torch.equal(first.symbols, soft.symbols)


def test_without_a_region_and_in_training_it_is_refused(
    pictures: tuple[Tensor, Tensor], alone: MedJSCC
) -> None:
    images, masks = pictures[0], pictures[1].clone()
    masks[1] = 0
    refused(
        lambda: alone.encode(images, cbr=1 / 32, snr_db=9.0, roi=masks),
        "that of image 1 is empty: pass a mask as roi",
    )
    refused(lambda: alone.encode(images, cbr=1 / 32, snr_db=9.0), "that of image 0 is empty")
    training = alone.with_options().train()
    refused(
        lambda: training.encode(images, cbr=1 / 32, snr_db=9.0, roi=pictures[1]), "not trained with"
    )
    training.eval()


@pytest.mark.parametrize("stage", ["source", "receiver"])
def test_training_lowers_what_regions_alone_cost(
    pictures: tuple[Tensor, Tensor], stage: str
) -> None:
    codec = untrained()
    samples = list(zip(*pictures, strict=True))
    plan = MedJSCCPlan(stage=stage, batch=2, crop=64, alone=1.0, links=(("awgn", 1.0),))
    task = MedJSCCTask(codec.train(), samples, [], plan)
    parts = [p for p in codec.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parts, 1e-2)
    costs = []
    for _ in range(12):
        loss = task.loss(0)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        costs.append(float(loss.detach()))
    assert costs[-1] < costs[0] - 0.1


def test_a_crop_without_a_region_or_within_it_gets_one() -> None:
    plan = MedJSCCPlan(alone=1.0)
    for roi in (torch.zeros(40, 1, 128, 128), torch.ones(40, 1, 128, 128)):
        regions = drawn_regions(plan, roi, torch.Generator().manual_seed(0))
        shares = regions.flatten(1).float().mean(1)
        assert bool((shares > 0).all()) and bool((shares < 1).any())
    everything = drawn_regions(MedJSCCPlan(alone=0.0), roi, torch.Generator().manual_seed(0))
    assert bool(everything.all())
