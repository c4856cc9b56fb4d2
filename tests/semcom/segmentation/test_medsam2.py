"""MedSAM-2: the wrapper around the real SAM 2.1 network, tiny variant, with random weights."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from channels import InputError
from semcom.checkpointfile import read_checkpoint
from semcom.segmentation import MedSAM2, Segmenter
from semcom.segmentation.checkpoints import recognised
from semcom.segmentation.prompts import boxes_around
from semcom.segmentation.sam2_network import build_network

SIDE = 256
"""Of the square that images are resized to: a sixteenth of the work of SAM 2's 1024."""


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        found = build_network("sam2.1_hiera_t", SIDE).eval().requires_grad_(False)
    for head in found.sam_mask_decoder.output_hypernetworks_mlps:  # type: ignore[union-attr]
        head.layers[-1].weight *= 300  # logits as far from 0 as those of a trained network
    return found


@pytest.fixture(scope="module")
def checkpoint(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam2") / "sam2.1_hiera_tiny.pt"
    torch.save({"model": network.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def medsam2(checkpoint: Path) -> MedSAM2:
    return MedSAM2(checkpoint, image_size=SIDE, batch=2)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(3, 1, 90, 120, generator=torch.Generator().manual_seed(1))


def direct(network: nn.Module, image: Tensor, **prompts: object) -> Tensor:
    """Probabilities of SAM2ImagePredictor called by hand."""
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    predictor = SAM2ImagePredictor(network)
    predictor._bb_feat_sizes = [(SIDE // by, SIDE // by) for by in (4, 8, 16)]
    predictor.set_image(image.expand(3, -1, -1).movedim(0, -1).numpy())
    logits, quality, _ = predictor.predict(return_logits=True, **prompts)  # type: ignore[arg-type]
    if prompts["multimask_output"]:
        logits = logits[[quality.argmax()]]
    return torch.as_tensor(logits).reshape(-1, *image.shape[1:]).amax(0).sigmoid()


def close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=0, atol=1e-4)


def test_a_checkpoint_makes_a_mask_source(medsam2: MedSAM2) -> None:
    assert isinstance(medsam2, Segmenter)
    assert not medsam2.training
    assert not any(value.requires_grad for value in medsam2.parameters())


def test_boxes_agree_with_the_predictor(
    medsam2: MedSAM2, network: nn.Module, images: Tensor
) -> None:
    boxes = torch.tensor([[[10.0, 20, 60, 70]], [[0, 0, 120, 90]], [[50, 5, 90, 44.5]]])
    found = medsam2(images, boxes=boxes)
    assert found.shape == images.shape and found.dtype == torch.float32
    for one, image, box in zip(found, images, boxes, strict=True):
        assert close(one[0], direct(network, image, box=box.numpy(), multimask_output=False))


def test_several_boxes_are_united(medsam2: MedSAM2, network: nn.Module, images: Tensor) -> None:
    boxes = torch.tensor([[10.0, 20, 60, 70], [70, 10, 110, 80]])
    found = medsam2(images[:1], boxes=[boxes])
    parts = [direct(network, images[0], box=b.numpy(), multimask_output=False) for b in boxes]
    assert close(found[0, 0], torch.maximum(*parts))


@pytest.mark.parametrize("labels", [None, [1, 0]])
def test_points_agree_with_the_predictor(
    medsam2: MedSAM2, network: nn.Module, images: Tensor, labels: list[int] | None
) -> None:
    points = torch.tensor([[30.0, 40], [100, 12]])
    marks = None if labels is None else [torch.tensor(labels)]
    found = medsam2(images[:1], points=points[None], point_labels=marks)
    wanted = direct(
        network,
        images[0],
        point_coords=points.numpy(),
        point_labels=np.array(labels or [1, 1]),
        multimask_output=False,
    )
    assert close(found[0, 0], wanted)


def test_a_single_point_takes_the_best_of_three(
    medsam2: MedSAM2, network: nn.Module, images: Tensor
) -> None:
    found = medsam2(images[:1], points=[torch.tensor([[30.0, 40]])])
    point = {"point_coords": np.array([[30.0, 40]]), "point_labels": np.array([1])}
    assert close(found[0, 0], direct(network, images[0], **point, multimask_output=True))


def test_a_box_and_points_go_together(medsam2: MedSAM2, network: nn.Module, images: Tensor) -> None:
    box, point = np.array([[10.0, 20, 60, 70]]), np.array([[30.0, 40]])
    found = medsam2(images[:1], boxes=torch.tensor(box[None]), points=torch.tensor(point[None]))
    wanted = direct(
        network,
        images[0],
        box=box,
        point_coords=point,
        point_labels=np.array([1]),
        multimask_output=False,
    )
    assert close(found[0, 0], wanted)


def test_the_batch_changes_nothing(checkpoint: Path, medsam2: MedSAM2, images: Tensor) -> None:
    boxes = torch.tensor([[10.0, 20, 60, 70]]).expand(3, 1, 4)
    single = MedSAM2(checkpoint, image_size=SIDE, batch=1)
    assert close(single(images, boxes=boxes), medsam2(images, boxes=boxes))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_integer_images_span_their_type(
    medsam2: MedSAM2, images: Tensor, dtype: torch.dtype
) -> None:
    top = 255 if dtype == torch.uint8 else 65535
    levels = (top * images[:1]).round()
    boxes = [torch.tensor([[10.0, 20, 60, 70]])]
    assert close(medsam2(levels.to(dtype), boxes=boxes), medsam2(levels / top, boxes=boxes))


def test_another_segmenter_says_where_to_look(checkpoint: Path, images: Tensor) -> None:
    def half(batch: Tensor) -> Tensor:
        masks = torch.zeros_like(batch)
        masks[0, :, 20:70, 10:60] = 1
        masks[2, :, 10:40, 5:50] = 1
        masks[2, :, 50:80, 70:110] = 1
        return masks

    guided = MedSAM2(checkpoint, prompt=half, image_size=SIDE)
    found = guided(images)
    assert close(found, guided(images, boxes=boxes_around(half(images) > 0.5)))
    assert not found[1].any()


def test_the_automatic_prompt_unites_what_the_generator_finds(
    checkpoint: Path, network: nn.Module, images: Tensor
) -> None:
    from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator

    low = {"min_quality": 0.1, "min_stability": 0.1}  # random weights are sure of nothing
    automatic = MedSAM2(checkpoint, image_size=SIDE, points_per_side=3, **low)  # type: ignore[arg-type]
    found = automatic(images[:1])
    generator = SAM2AutomaticMaskGenerator(
        network, 3, pred_iou_thresh=0.1, stability_score_thresh=0.1
    )
    generator.predictor._bb_feat_sizes = [(SIDE // by, SIDE // by) for by in (4, 8, 16)]
    grey = (255 * images[0, 0]).round().byte()
    masks = generator.generate(grey[..., None].expand(-1, -1, 3).numpy())
    small = [m for m in masks if m["area"] <= 0.6 * grey.numel()]
    assert len(small) > 0
    union = np.maximum.reduce([m["predicted_iou"] * m["segmentation"] for m in small])
    assert close(found[0, 0], torch.as_tensor(union, dtype=torch.float32))
    assert not MedSAM2(checkpoint, image_size=SIDE, points_per_side=2)(images[:1]).any()


@pytest.mark.parametrize("form", ["bare", "state_dict", "parallel", "safetensors", "bfloat16"])
def test_checkpoints_of_every_project_load(
    network: nn.Module, tmp_path: Path, images: Tensor, medsam2: MedSAM2, form: str
) -> None:
    state = network.state_dict()
    path = tmp_path / "weights.pth"
    boxes = [torch.tensor([[10.0, 20, 60, 70]])]
    if form == "bare":  # Medical-SAM2, 3-D
        torch.save(state, path)
    elif form == "state_dict":  # Medical-SAM2, 2-D: "model" is a name there
        more = {"epoch": 3, "model": "sam2", "best_dice": 0.5, "path_helper": {"ckpt_path": "logs"}}
        torch.save({**more, "state_dict": state, "optimizer": {"state": {}}}, path)
    elif form == "parallel":
        torch.save({"model": {f"module.{name}": value for name, value in state.items()}}, path)
    elif form == "safetensors":
        path = path.with_suffix(".safetensors")
        save_file({name: value.contiguous() for name, value in state.items()}, path)
    else:
        torch.save({name: value.bfloat16() for name, value in state.items()}, path)
    loaded = MedSAM2(path, image_size=SIDE)
    if form == "bfloat16":
        assert next(loaded.network.parameters()).dtype == torch.float32
    else:
        assert close(loaded(images[:1], boxes=boxes), medsam2(images[:1], boxes=boxes))


def test_the_configuration_is_recognised(checkpoint: Path) -> None:
    assert recognised(read_checkpoint(checkpoint)) == "sam2.1_hiera_t"


def test_a_configuration_may_be_a_file(checkpoint: Path, tmp_path: Path) -> None:
    import sam2
    from omegaconf import OmegaConf

    shipped = Path(sam2.__path__[0]) / "configs/sam2.1/sam2.1_hiera_t.yaml"
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(shipped.read_text().replace("sam2.modeling", "sam2_train.modeling"))
    assert MedSAM2(checkpoint, theirs).network.image_size == 1024
    config = OmegaConf.load(shipped)
    config.model.image_encoder._target_ = "os.getcwd"
    theirs.write_text(OmegaConf.to_yaml(config))
    with pytest.raises(InputError, match=r"would build 'os\.getcwd'"):
        MedSAM2(checkpoint, theirs)


@pytest.mark.parametrize(
    "part",
    [
        "[{_target_: pathlib.Path.touch, self: MARKER}]",
        "{_target_: sam2.modeling.sam2_base.torch.load, f: MARKER}",
        "{_target_: sam2.modeling.sam2_utils.get_1d_sine_pe, pos_inds: 1, dim: 1}",
        "{_target_: sam2.modeling.sam2_base.SAM2Base, _args_: [1]}",
        "{scalp: 1}",
        "5",
    ],
)
def test_a_configuration_builds_nothing_but_sam2(part: str, tmp_path: Path) -> None:
    marker, theirs = tmp_path / "ran", tmp_path / "theirs.yaml"
    for model in (
        "{_target_: sam2.modeling.sam2_base.SAM2Base, image_encoder: PART}",
        "PART",
        "[PART]",
    ):
        theirs.write_text("model: " + model.replace("PART", part).replace("MARKER", str(marker)))
        with pytest.raises(InputError) as caught:
            build_network(theirs)
        assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("No module named 'sam2'"), RuntimeError("x")]
)
def test_without_a_working_sam2_the_remedy_is_named(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    import builtins

    usual = builtins.__import__

    def broken(name: str, *rest: object, **more: object) -> object:
        if name.partition(".")[0] == "sam2":
            raise error
        return usual(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(InputError, match=r"pip install 'semcom\[sam2\]'"):
        MedSAM2(checkpoint)


def test_nothing_in_a_pickle_is_run(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "evil.pt"

    class Evil:
        def __reduce__(self) -> object:
            return Path.touch, (marker,)

    torch.save({"model": Evil()}, path)
    with pytest.raises(InputError, match="more than tensors"):
        MedSAM2(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match="more than tensors"):
        MedSAM2(path)
    assert not marker.exists()


def test_a_wrong_checkpoint_is_named(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "wrong.pt"
    state = network.state_dict()

    def refused(content: object, match: str, config: str | None = "sam2.1_hiera_t") -> None:
        torch.save(content, path)
        with pytest.raises(InputError, match=match) as caught:
            MedSAM2(path, config, image_size=SIDE)
        assert "\n" not in str(caught.value)

    first = min(state)
    refused({name: state[name] for name in state if name != first}, f"{first} is missing")
    refused(state | {"head.weight": torch.zeros(1)}, "head.weight is not expected")
    refused(state | {first: torch.zeros(3)}, rf"{first} is \[3\], not")
    refused(state, "does not fit the configuration", "sam2_hiera_t")
    refused({"weight": torch.zeros(1)}, "no SAM 2 network", None)
    refused({"model": "sam2"}, "holds no network")
    refused(torch.zeros(3), "holds no network")
    path.write_bytes(b"no checkpoint at all")
    with pytest.raises(InputError, match="is damaged"):
        MedSAM2(path)
    whole = tmp_path / "whole.pt"
    torch.save(state, whole)
    path.write_bytes(whole.read_bytes()[:100_000])
    with pytest.raises(InputError, match="is damaged"):
        MedSAM2(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is damaged"):
        MedSAM2(path)
    for odd in (tmp_path / "nowhere.pt", tmp_path):
        with pytest.raises(InputError, match="is not there"):
            MedSAM2(odd)
    with pytest.raises(InputError, match="path of a file"):
        MedSAM2(3)  # type: ignore[arg-type]
    refused({name: value * float("nan") for name, value in state.items()}, "not finite")


def test_wrong_prompts_are_named(medsam2: MedSAM2, images: Tensor) -> None:
    box = [torch.tensor([[10.0, 20, 60, 70]])] * 3
    point = [torch.tensor([[10.0, 20]])] * 3

    def refused(match: str, **prompts: object) -> None:
        with pytest.raises(InputError, match=match):
            medsam2(images, **prompts)

    refused("boxes are given for 1 images of 3", boxes=box[:1])
    refused(r"must be \[n, 4\]", boxes=[b[0] for b in box])
    refused("must lie in the image of 120 x 90", boxes=[b + 60 for b in box])
    refused("left < right", boxes=[b.flip(1) for b in box])
    refused("must lie in the image", points=[p - 20 for p in point])
    refused("0 or 1 for each of 1 points", points=point, point_labels=[torch.tensor([2])] * 3)
    refused("without points", boxes=box, point_labels=[torch.tensor([1])] * 3)
    refused("one box an image", boxes=[b.expand(2, 4) for b in box], points=point)
    refused("a point at least", points=[p[:0] for p in point])
    for odd in ([None] * 3, ["a"] * 3, 5, [b * float("nan") for b in box], [b + 0j for b in box]):
        refused("finite numbers for each image", boxes=odd)
    refused("without points", point_labels=[torch.tensor([1])] * 3)
    refused("given for 4 images of 3", points=point, point_labels=[torch.tensor([1])] * 4)
    with pytest.raises(InputError, match="make them grey"):
        medsam2(images.expand(-1, 3, -1, -1), boxes=box)
    with pytest.raises(InputError, match=r"lie in \[0, 1\]"):
        medsam2(255 * images, boxes=box)
