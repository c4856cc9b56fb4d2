"""LPIPS with a backbone whose file is on disk; here its weights are random."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models import alexnet, squeezenet1_1

from semcom.metrics import lpips
from semcom.metrics.learned_distance import FILES, fingerprint
from tests.refusals import refused

DRAW = torch.Generator().manual_seed(0)
IMAGES = torch.rand(2, 1, 40, 48, generator=DRAW)
OUT = (IMAGES + 0.1 * torch.randn(IMAGES.shape, generator=DRAW)).clamp(0, 1)


def convolutions() -> dict[str, Tensor]:
    """What LPIPS needs of an AlexNet: not the classifier, 95 % of its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        state = alexnet(weights=None).features.state_dict()
    return {f"features.{name}": value for name, value in state.items()}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / FILES["alex"]
    torch.save(convolutions(), path)
    return path


def test_it_is_a_distance_and_knows_its_formula(weights: Path) -> None:
    values = lpips(OUT, IMAGES, weights=weights)
    assert values.shape == (2,) and values.dtype == torch.float32 and bool((values > 0).all())
    assert lpips(IMAGES, IMAGES, weights=weights).tolist() == [0, 0]
    torch.testing.assert_close(lpips(IMAGES, OUT, weights=weights), values)

    import torchmetrics.functional.image.lpips as theirs

    path = Path(theirs.__file__).parent / "lpips_models" / "alex.pth"
    linear = torch.load(path, map_location="cpu", weights_only=True)
    network = alexnet(weights=None).features
    network.load_state_dict({n.partition(".")[2]: v for n, v in convolutions().items()})
    shift, scale = (torch.tensor(v)[:, None, None] for v in (
        [-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]
    ))  # fmt: skip
    a, b = ((2 * side.expand(-1, 3, -1, -1) - 1 - shift) / scale for side in (OUT, IMAGES))
    expected, layer = torch.zeros(2), 0
    with torch.no_grad():
        for module in network[:12]:
            a, b = module(a), module(b)
            if isinstance(module, torch.nn.ReLU):
                unit = [side / side.norm(dim=1, keepdim=True).clamp_min(1e-4) for side in (a, b)]
                weight = linear[f"lin{layer}.model.1.weight"].flatten()[:, None, None]
                expected += (weight * (unit[0] - unit[1]) ** 2).sum(1).mean((1, 2))
                layer += 1
    torch.testing.assert_close(values, expected, rtol=1e-3, atol=1e-5)


def test_the_cache_of_torch_hub_is_where_it_looks(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    refused(lambda: lpips(OUT, IMAGES), "lpips downloads nothing, and .*alexnet-owt-7be5be79.pth")
    refused(fingerprint, "put torchvision's file alexnet-owt-7be5be79.pth there .the variable")
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / FILES["alex"]).write_bytes(weights.read_bytes())
    assert torch.equal(lpips(OUT, IMAGES), lpips(OUT, IMAGES, weights=weights))
    assert fingerprint() == fingerprint(weights=weights)


def test_a_file_that_changes_is_read_again(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(weights.read_bytes())
    before, told = lpips(OUT, IMAGES, weights=path), fingerprint(weights=path)
    torch.save({name: 2 * value for name, value in convolutions().items()}, path)
    assert not torch.equal(lpips(OUT, IMAGES, weights=path), before)
    assert fingerprint(weights=path) != told and told.startswith("mine.pth ")


def test_without_torchvision_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(convolutions(), tmp_path / "other.pth")
    monkeypatch.setitem(sys.modules, "torchvision", None)
    refused(lambda: lpips(OUT, IMAGES, weights=tmp_path / "other.pth"), "needs torchvision")


def test_another_backbone(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / FILES["squeeze"]
    with torch.random.fork_rng(devices=[]):
        torch.save(squeezenet1_1(weights=None).state_dict(), path)
    assert bool((lpips(OUT, IMAGES, backbone="squeeze", weights=path) > 0).all())
    refused(
        lambda: lpips(OUT, IMAGES, backbone="squeeze", weights=weights),
        "alexnet-owt-7be5be79.pth holds no weights of squeezenet1_1: features.",
    )


def test_lost_images_are_nan_and_bad_input_refused(weights: Path, tmp_path: Path) -> None:
    lost = OUT.clone()
    lost[0] = math.nan
    assert lpips(lost, IMAGES, weights=weights).isnan().tolist() == [True, False]
    small = IMAGES[..., :30, :]
    refused(lambda: lpips(small, small, weights=weights), "both sides at least 31, got 30 x 48")
    assert lpips(IMAGES[..., :31, :31], IMAGES[..., :31, :31], weights=weights).tolist() == [0, 0]
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    refused(lambda: lpips(OUT, IMAGES, weights=tmp_path / "bad.pth"), "bad.pth is damaged")
    refused(lambda: lpips(OUT, IMAGES, backbone="resnet"), "unknown backbone 'resnet'")  # type: ignore[arg-type]
