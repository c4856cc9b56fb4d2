"""Adapters: the same function at first, all that is trained, and of one base alone."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from channels.tensorfile import store
from semcom.dmic import Policy
from semcom.dmic.policy import Trunk
from semcom.light import (
    LoRA,
    adapter_state,
    load_adapter,
    merged,
    num_bytes,
    quantised,
    save_adapter,
    trainable_share,
    with_lora,
)
from semcom.weightfile import digest, stored
from tests.refusals import refused


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


def network(seed: int = 1) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 24, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(24, 32, (3, 5), padding="same", dilation=2, groups=4), nn.ReLU(),
        nn.Conv2d(32, 40, 3, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(40, 30),
    )  # fmt: skip


INPUTS = drawn(8, 3, 24, 24)


def everywhere(name: str, layer: nn.Module) -> bool:
    """Where, if adapters are wanted on every layer."""
    return True


def base_of(kind: str) -> nn.Module:
    """A network in float32, or in so many bits."""
    return network() if kind == "float" else quantised(network(), int(kind))


def trained(module: nn.Module, steps: int = 30) -> list[float]:
    """Losses of a toy on the way: outputs as they are told."""
    target = drawn(8, 30, seed=5)
    adam = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 3e-3)
    losses = []
    for _ in range(steps):
        loss = (module(INPUTS) - target).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("kind", ["float", "8", "4"])
def test_it_starts_as_its_base_and_learns_without_moving_it(kind: str) -> None:
    base = base_of(kind)
    before = digest(base.state_dict())
    module = with_lora(base, rank=4, where=everywhere)
    torch.testing.assert_close(module(INPUTS), base(INPUTS), rtol=0, atol=0)
    moved = {name: value.clone() for name, value in module.state_dict().items()}
    losses = trained(module)
    assert losses[-1] < 0.9 * losses[0]
    for name, value in module.state_dict().items():
        assert torch.equal(value, moved[name]) != name.endswith(("lora_a", "lora_b")), name
    assert digest(base.state_dict()) == before
    assert all(p.requires_grad for p in network().parameters())
    assert sum(isinstance(layer, LoRA) for layer in module.modules()) == 4


def test_adapters_stand_where_they_save_numbers_or_are_wanted() -> None:
    def layers(module: nn.Module) -> list[str]:
        return [name for name, layer in module.named_modules() if isinstance(layer, LoRA)]

    assert layers(with_lora(network(), rank=8)) == ["0", "4", "7"]
    assert layers(with_lora(network(), rank=4)) == ["0", "2", "4", "7"]
    assert layers(with_lora(network(), rank=8, where=lambda name, layer: name == "7")) == ["7"]
    linear = with_lora(network(), where=lambda name, layer: isinstance(layer, nn.Linear))
    assert layers(linear) == ["7"]


def test_the_share_that_is_trained_is_that_of_arithmetic() -> None:
    weights = 24 * 28 + 32 * (6 * 15 + 1) + 40 * 288 + 30 * 41
    adapters = 4 * (4 * 6 * 15 + 32 + 288 + 40 + 40 + 30)
    for kind in ("float", "8", "4"):
        module = with_lora(base_of(kind), rank=4, where=lambda name, layer: name != "0")
        assert trainable_share(module) == adapters / (weights + adapters)
    assert trainable_share(network()) == 1
    assert trainable_share(quantised(network())) == 24 * 28 / weights


@pytest.mark.parametrize("alpha", [None, 1.0, 16.0])
def test_merged_is_the_same_function(alpha: float | None) -> None:
    module = with_lora(network(), 4, alpha, everywhere)
    trained(module, 5)
    plain = merged(module)
    assert [type(layer) for layer in plain] == [type(layer) for layer in network()]
    assert num_bytes(plain) == num_bytes(network())
    torch.testing.assert_close(plain(INPUTS), module(INPUTS), rtol=1e-5, atol=1e-5)
    assert (plain(INPUTS) - network()(INPUTS)).abs().max() > 1e-3
    assert isinstance(module[0], LoRA)
    assert trainable_share(plain) == 0


def test_the_update_is_what_hu_et_al_say() -> None:
    module = with_lora(nn.Linear(20, 10), rank=2, alpha=3)
    assert isinstance(module, LoRA)
    with torch.no_grad():
        module.lora_b.copy_(drawn(10, 2))
    inputs = drawn(5, 20)
    expected = module.base(inputs) + 3 / 2 * (inputs @ module.lora_a.T) @ module.lora_b.T
    torch.testing.assert_close(module(inputs), expected)
    torch.testing.assert_close(module.update, 3 / 2 * module.lora_b @ module.lora_a)


@pytest.mark.parametrize("kind", ["float", "8", "4"])
def test_a_file_brings_the_adapters_back(kind: str, tmp_path: Path) -> None:
    path, base = tmp_path / "adapter.safetensors", base_of(kind)
    module = with_lora(base, rank=3, alpha=6, where=lambda name, layer: name in ("2", "7"))
    trained(module, 5)
    save_adapter(module, path)
    tensors, metadata = stored(path)
    assert tensors.keys() == adapter_state(module).keys()
    assert all(value.dtype == torch.float16 for value in tensors.values())
    assert (metadata["rank"], metadata["alpha"]) == ("3", "6.0")
    before = torch.get_rng_state()
    again = load_adapter(base, path)
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(again(INPUTS), module(INPUTS), rtol=2e-3, atol=2e-3)
    for name, value in adapter_state(again).items():
        torch.testing.assert_close(value, tensors[name].float(), rtol=0, atol=0)
    trained(again, 1)
    save_adapter(again, path)


def test_a_base_is_quantised_before_or_after() -> None:
    torch.manual_seed(4)
    before = with_lora(quantised(network(), 4), 4, where=everywhere)
    torch.manual_seed(4)
    after = quantised(with_lora(network(), 4, where=everywhere), 4)
    assert digest(after.state_dict()) == digest(before.state_dict())
    assert trainable_share(after) == trainable_share(before)


def test_a_single_layer_is_a_network_too(tmp_path: Path) -> None:
    path = tmp_path / "adapter.safetensors"
    for base in (nn.Linear(64, 64), quantised(nn.Linear(64, 64), 4)):
        save_adapter(with_lora(base, 2), path)
        assert list(stored(path)[0]) == ["lora_a", "lora_b"]
        torch.testing.assert_close(load_adapter(base, path)(drawn(2, 64)), base(drawn(2, 64)))


def test_a_layer_in_two_places_has_one_adapter(tmp_path: Path) -> None:
    layer = nn.Linear(64, 64)
    base = nn.ModuleDict({"a": layer, "b": nn.Sequential(layer, nn.ReLU(), layer)})
    module = with_lora(base, 2)
    assert module["a"] is module["b"][0] is module["b"][2]
    with torch.no_grad():
        module["a"].lora_b.fill_(1)
    save_adapter(module, tmp_path / "adapter.safetensors")
    again = load_adapter(base, tmp_path / "adapter.safetensors")
    assert again["a"] is again["b"][2]
    torch.testing.assert_close(
        again["b"](drawn(2, 64)), module["b"](drawn(2, 64)), rtol=2e-3, atol=2e-3
    )
    assert merged(module)["a"] is not layer
    assert merged(module)["b"][0].weight.shape == (64, 64)


def test_layers_that_share_a_weight_are_merged_each_for_itself() -> None:
    base = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    base[1].weight = base[0].weight
    module = with_lora(base, 2)
    with torch.no_grad():
        module[0].lora_b.fill_(0.1)
    inputs = drawn(2, 64)
    torch.testing.assert_close(merged(module)(inputs), module(inputs), rtol=1e-5, atol=1e-5)


def test_statistics_of_batch_norms_go_with_the_adapter(tmp_path: Path) -> None:
    base = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64))
    module = with_lora(base, 2)
    module(3 * drawn(32, 64))
    save_adapter(module, tmp_path / "adapter.safetensors")
    again = load_adapter(base, tmp_path / "adapter.safetensors").eval()
    torch.testing.assert_close(
        again(drawn(2, 64)), module.eval()(drawn(2, 64)), rtol=1e-6, atol=1e-6
    )
    assert int(base[1].num_batches_tracked) == 0


def test_a_policy_of_the_package(tmp_path: Path) -> None:
    policy = Policy()
    light = quantised(policy, 4)
    assert num_bytes(light) < num_bytes(policy) / 6
    module = with_lora(light, 4)
    assert isinstance(module, Policy) and isinstance(module.trunk, Trunk)
    seen, level = drawn(1, 3, 64, 64), torch.tensor([37.0])
    torch.testing.assert_close(module.trunk(seen, level), light.trunk(seen, level))
    save_adapter(module, tmp_path / "adapter.safetensors")
    assert (tmp_path / "adapter.safetensors").stat().st_size < num_bytes(policy) / 20


def test_adapters_of_another_base_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "adapter.safetensors"
    save_adapter(with_lora(network()), path)
    for other in (network(2), quantised(network()), network().half(), nn.Linear(64, 64)):
        refused(lambda other=other: load_adapter(other, path), "is an adapter of another base")
    load_adapter(network(), path)


def test_files_that_are_no_adapters_are_refused(tmp_path: Path) -> None:
    path, base = tmp_path / "adapter.safetensors", network()

    def told(message: str) -> None:
        refused(lambda: load_adapter(base, path), message)

    told("adapter.safetensors is not there")
    path.write_bytes(pickle.dumps(base.state_dict()))
    told("no whole safetensors file: .*; save_adapter writes one")
    torch.save(base.state_dict(), path)
    told("no whole safetensors file")
    store(base.state_dict(), path, {"policy": "dmic"})
    told("holds no adapter: give a file that save_adapter wrote")
    save_adapter(with_lora(base), path)
    whole = path.read_bytes()
    for length in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        told("no whole safetensors file")
    path.write_bytes(whole)
    tensors, metadata = load_file(path), stored(path)[1]
    for changed in ({"rank": "9"}, {"rank": "many"}, {"rank": "0"}, {"alpha": "nan"}):
        save_file(tensors, path, metadata | changed)
        told("is damaged: .*; save the adapter again")
    save_file(tensors, path, {name: value for name, value in metadata.items() if name != "rank"})
    told("is damaged")
    save_file({f"9.{name}": value for name, value in tensors.items()}, path, metadata)
    told("is damaged")
    save_file({name: value / 0 for name, value in tensors.items()}, path, metadata)
    told("not finite")


def test_settings_of_the_caller_change_nothing() -> None:
    base = network()

    def made() -> nn.Module:
        torch.manual_seed(3)
        return with_lora(base, 4)

    expected = digest(made().state_dict())
    torch.set_default_dtype(torch.float64)
    try:
        assert digest(made().state_dict()) == expected
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.inference_mode():
        module = made()
        torch.testing.assert_close(module(INPUTS), base(INPUTS))
        torch.testing.assert_close(merged(module)(INPUTS), base(INPUTS))
    assert digest(module.state_dict()) == expected
    losses = trained(module, 10)
    assert losses[-1] < losses[0]


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    base = network()
    refused(lambda: with_lora(base, 0), "rank must be an int in 1..4096, got 0")
    refused(lambda: with_lora(base, 4, 0), "alpha must be a finite number")
    refused(lambda: with_lora(base, where="head"), "where must be a function")
    refused(lambda: with_lora(nn.Linear(4, 4)), "no layer gets an adapter of rank 8")
    refused(lambda: with_lora(with_lora(base)), "has adapters already")
    for call in (merged, adapter_state, lambda it: save_adapter(it, tmp_path / "a.safetensors")):
        refused(lambda call=call: call(base), "the network has no adapter")
    refused(lambda: merged(with_lora(quantised(base))), "4 is quantised, and codes do not hold")
    module = with_lora(base)
    refused(lambda: save_adapter(module, tmp_path / "none" / "a.safetensors"), "make it first")
    module.get_parameter("4.lora_b").data.fill_(1e9)
    refused(lambda: save_adapter(module, tmp_path / "a.safetensors"), "4.lora_b does not fit half")
    assert list(tmp_path.iterdir()) == []
