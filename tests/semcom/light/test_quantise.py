"""Weights in eight or four bits: near, small, and the same function whoever calls."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from optimum.quanto import MaxOptimizer, qint4, qint8, quantize_weight
from optimum.quanto.tensor import AbsmaxOptimizer
from torch import Tensor, nn

from channels.tensorfile import store
from semcom.dmic import Policy
from semcom.light import QuantisedConv2d, QuantisedLinear, num_bytes, quantised, small
from semcom.light.codes import Int4, Int8
from semcom.weightfile import digest, halved, stored
from tests.refusals import refused


def all_of(name: str, layer: nn.Module) -> bool:
    """What keep says where no layer is to be kept."""
    return False


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 24, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(24, 24, 3, padding="same", groups=24), nn.ReLU(),
        nn.Conv2d(24, 40, 3, dilation=2, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(40, 30),
    ).eval()  # fmt: skip


def rms_error(weight: Tensor, bits: int) -> float:
    """RMS error over the RMS."""
    rows = weight.flatten(1)
    made = (Int8(rows) if bits == 8 else Int4(rows, 64))()
    return float((made - rows).norm() / rows.norm())


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 150),
    group=st.integers(1, 70),
    size=st.sampled_from([1e-9, 1e-7, 1e-4, 1.0, 1e5]),
    middle=st.sampled_from([-3.0, 0.0, 3.0]),
    seed=st.integers(0, 99),
)
def test_no_weight_moves_by_more_than_half_a_step(
    rows: int, columns: int, group: int, size: float, middle: float, seed: int
) -> None:
    weight = (drawn(rows, columns, seed=seed) + middle) * size
    eight, four = Int8(weight), Int4(weight, group)
    steps = eight.scales.float()[:, None].expand(-1, columns)
    rounding = 1e-5 * weight.abs().max()
    assert bool(((eight() - weight).abs() <= steps / 2 + rounding).all())
    steps = four.scales.float().repeat_interleave(group, 1)[:, :columns]
    assert bool(((four() - weight).abs() <= steps / 2 + rounding).all())
    assert eight().dtype == four().dtype == torch.float32
    assert eight.codes.min() >= -127


def test_zeros_and_what_is_on_the_grid_are_exact() -> None:
    weight = torch.tensor([[0.0] * 5, [-0.5, 0.0, 1.0, 7.0, 0.0], [127.0, -127.0, 3.0, 0.0, 1.0]])
    torch.testing.assert_close(Int8(weight)()[[0, 2]], weight[[0, 2]], rtol=0, atol=0)
    torch.testing.assert_close(Int4(weight, 5)()[:2], weight[:2], rtol=0, atol=0)
    assert bool((Int4(weight, 5)()[weight == 0] == 0).all())


def test_four_bits_err_as_said() -> None:
    """Of Gaussian weights; the mean square over 2^18 of them is known to a percent."""
    assert rms_error(drawn(256, 1024), 4) == pytest.approx(0.091, abs=0.001)
    assert rms_error(drawn(256, 1024), 8) < 0.01
    trunk = Policy().trunk.last.weight.detach()
    assert rms_error(trunk, 4) < 0.1
    assert rms_error(trunk, 8) < 0.008


def test_eight_bits_are_those_of_quanto() -> None:
    """Of optimum-quanto, for scales that half precision holds: the same codes."""
    weight = drawn(16, 256).clamp(-3, 3)
    weight[:, 0] = 127 / 32
    ours, scales = Int8(weight), AbsmaxOptimizer()(weight, qint8, axis=0)
    theirs = quantize_weight(weight, qint8, 0, scales, optimized=False)
    assert torch.equal(ours.scales.float(), scales.flatten())
    assert torch.equal(ours.codes, theirs._data)
    torch.testing.assert_close(ours(), theirs.dequantize(), rtol=0, atol=0)


def test_four_bits_are_those_of_quanto() -> None:
    """Codes, for the same scales and zero points; by its own it errs as much to 3 %.

    What it packs is not asked for: it compiles C++ to unpack it.
    """
    weight, affine = drawn(16, 256), torch.ops.quanto.quantize_affine
    ours = Int4(weight, 64)
    scales, low = ours.scales.float().reshape(-1, 1), weight.reshape(-1, 64).amin(1, keepdim=True)
    zeros = (-low / scales).round().to(torch.int8)
    codes = affine(weight, 4, 0, 64, scales, zeros)
    pairs = codes.reshape(16, 128, 2)
    assert torch.equal(ours.codes, pairs[..., 0] | pairs[..., 1] << 4)
    torch.testing.assert_close(ours(), (scales * (codes - zeros)).reshape(16, 256))
    scales, shift = MaxOptimizer()(weight, qint4, axis=0, group_size=64)
    theirs = (affine(weight, 4, 0, 64, scales, shift) * scales - shift).reshape(16, 256)
    assert (ours() - weight).norm() < 1.03 * (theirs - weight).norm()


@pytest.mark.parametrize(("bits", "group"), [(8, 64), (4, 64), (4, 7)])
def test_the_size_is_what_arithmetic_says(bits: int, group: int) -> None:
    def of(out: int, numbers: int, bias: bool) -> int:
        groups = -(-numbers // group)
        four = -(-numbers // 2) + 2 * groups + -(-groups // 2)
        return out * ((numbers + 2 if bits == 8 else four) + 2 * bias)

    light = quantised(network(), bits, group, all_of)
    expected = of(24, 27, True) + of(24, 9, True) + of(40, 216, False) + of(30, 40, True)
    assert num_bytes(light) == expected
    assert num_bytes(network()) == 4 * (24 * 28 + 24 * 10 + 40 * 216 + 30 * 41)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize(
    "ways",
    [
        {"kernel_size": 3},
        {"kernel_size": (3, 5), "stride": (2, 1), "padding": (1, 2)},
        {"kernel_size": 3, "padding": "same", "dilation": 2, "groups": 3},
        {"kernel_size": 1, "stride": 3, "groups": 6, "bias": False},
    ],
)
def test_a_convolution_is_that_of_the_weight_made_anew(bits: int, ways: dict[str, object]) -> None:
    torch.manual_seed(2)
    layer = nn.Conv2d(6, 12, **ways)
    light = quantised(layer, bits, 16, all_of)
    assert isinstance(light, QuantisedConv2d)
    assert light.weight.shape == layer.weight.shape
    bias = None if layer.bias is None else layer.bias.half().float()
    settings = layer.stride, layer.padding, layer.dilation, layer.groups
    inputs = drawn(2, 6, 11, 13)
    torch.testing.assert_close(light(inputs), F.conv2d(inputs, light.weight, bias, *settings))
    near = (light.weight - layer.weight).norm() / layer.weight.norm()
    assert near < (0.01 if bits == 8 else 0.12)


@pytest.mark.parametrize("bits", [8, 4])
def test_gradients_reach_inputs_and_no_code(bits: int) -> None:
    light = quantised(nn.Linear(20, 10), bits, keep=all_of)
    inputs = drawn(3, 20).requires_grad_()
    light(inputs).sum().backward()
    torch.testing.assert_close(inputs.grad, light.weight.sum(0).expand(3, -1))
    assert list(light.parameters()) == []
    assert not light.weight.requires_grad


@pytest.mark.parametrize("bits", [8, 4])
def test_a_file_brings_the_same_network(bits: int, tmp_path: Path) -> None:
    path, inputs = tmp_path / "light.safetensors", drawn(2, 3, 32, 32)
    light = quantised(network(), bits, 16, all_of)
    store(light.state_dict(), path, {})
    assert path.stat().st_size < num_bytes(light) + 4096
    torch.manual_seed(8)
    again = quantised(nn.Sequential(*(type_again(layer) for layer in network())), bits, 16, all_of)
    assert not torch.equal(again(inputs), light(inputs))
    again.load_state_dict(stored(path)[0])
    torch.testing.assert_close(again(inputs), light(inputs), rtol=0, atol=0)
    assert digest(again.state_dict()) == digest(light.state_dict())


def type_again(layer: nn.Module) -> nn.Module:
    """A layer with new weights."""
    if isinstance(layer, nn.Linear | nn.Conv2d):
        layer.reset_parameters()
    return layer


def test_the_original_stays_and_names_and_modes_too() -> None:
    heavy = network().train()
    before = digest(heavy.state_dict())
    light = quantised(heavy, 4)
    assert digest(heavy.state_dict()) == before
    assert [type(layer) for layer in heavy] == [type(layer) for layer in network()]
    assert isinstance(light[4], QuantisedConv2d) and isinstance(light[7], QuantisedLinear)
    assert type(light[0]) is type(light[2]) is nn.Conv2d
    assert light.training and light[4].training
    assert small("0", heavy[0]) and not small("4", heavy[4])
    assert isinstance(quantised(light, 8, keep=all_of)[4].stored, Int4)


def test_what_is_derived_or_pads_with_other_than_zeros_is_left() -> None:
    class Scaled(nn.Linear):
        """Computes what is its own."""

    heavy = nn.Sequential(
        Scaled(64, 64), nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect"), nn.Linear(64, 64)
    )
    light = quantised(heavy)
    assert [type(layer) for layer in light] == [Scaled, nn.Conv2d, QuantisedLinear]


def test_a_layer_in_two_places_is_quantised_once() -> None:
    layer = nn.Linear(64, 64)
    light = quantised(nn.ModuleDict({"a": layer, "b": nn.Sequential(layer, nn.ReLU(), layer)}))
    assert light["a"] is light["b"][0] is light["b"][2]
    assert isinstance(light["a"], QuantisedLinear)


@pytest.mark.parametrize("bits", [8, 4])
def test_settings_of_the_caller_change_nothing(bits: int) -> None:
    inputs = drawn(2, 3, 32, 32)
    light = quantised(network(), bits, keep=all_of)
    expected = light(inputs)
    heavy = network()
    torch.set_default_dtype(torch.float64)
    try:
        again = quantised(heavy, bits, keep=all_of)
        assert digest(again.state_dict()) == digest(light.state_dict())
        torch.testing.assert_close(again(inputs), expected, rtol=0, atol=0)
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(light(inputs), expected, rtol=0, atol=0)
        made_here = quantised(network(), bits, keep=all_of)
    wanted = inputs.clone().requires_grad_()
    made_here(wanted).sum().backward()
    assert wanted.grad is not None and bool(wanted.grad.any())


def test_inputs_of_other_precision_come_back_in_it() -> None:
    light = quantised(nn.Linear(32, 16), keep=all_of)
    inputs = drawn(4, 32)
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        outputs = light(inputs.to(dtype))
        assert outputs.dtype == dtype
        torch.testing.assert_close(outputs, light(inputs.to(dtype).float()).to(dtype))
    torch.testing.assert_close(light.double()(inputs), light.half()(inputs))


def test_the_rest_is_halved_by_the_one_who_halves() -> None:
    light = quantised(nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64)), 4)
    halves = halved(light.state_dict())
    assert halves["0.stored.codes"].dtype == torch.uint8
    assert halves["1.weight"].dtype == torch.float16
    light.load_state_dict(halves)


def test_what_cannot_be_is_said() -> None:
    heavy = nn.Sequential(nn.Linear(64, 64))
    refused(lambda: quantised(heavy, 3), "bits must be 4 or 8, got 3")
    refused(lambda: quantised(heavy, 4, 0), "group must be an int in 1..65536")
    refused(lambda: quantised(heavy, keep="head"), "keep must be a function")
    refused(lambda: quantised(heavy.state_dict()), "must be an nn.Module")
    refused(lambda: quantised(nn.Linear(2, 2)), "no layer is quantised")
    heavy[0].bias.data[0] = 1e6
    refused(lambda: quantised(heavy), "0 cannot be quantised: bias does not fit half precision")
    heavy[0].weight.data[0, 0] = 1e9
    refused(lambda: quantised(heavy, 4), "0 cannot be quantised: weights are too large")
    heavy[0].weight.data[0, 0] = float("nan")
    refused(lambda: quantised(heavy), "0 cannot be quantised: weights are not finite")
