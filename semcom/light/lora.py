"""Low-rank adapters: a fine-tuning in few numbers beside a frozen network.

LoRA: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022. On quantised
weights: Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", NeurIPS 2023.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count, check_number, shown
from channels.tensorfile import store
from semcom.light.layers import check_rule, plain, swapped
from semcom.light.quantise import Quantised, QuantisedConv2d
from semcom.weightfile import complaint, digest, halved, stored

_MOST_RANK, _LEAST_ALPHA, _MOST_ALPHA = 4096, 1e-6, 1e6
_KIND, _LORA, _PAIR = "adapter", "lora", ("lora_a", "lora_b")
_MOVING = ("running_mean", "running_var", "num_batches_tracked")


class LoRA(nn.Module):
    """A layer with an adapter beside it: ``W x + b + (alpha / rank) B A x``.

    ``A`` is drawn from a normal distribution of variance 1 / (inputs of an output), on the CPU and
    from PyTorch's global generator; ``B`` is zero, so that the layer starts as its base. Of a
    convolution, ``A`` is one of the same kernel, stride, padding and dilation to ``rank`` channels,
    and ``B`` is 1 x 1; with groups, each group has its own pair.

    Args:
        base: ``nn.Linear``, ``nn.Conv2d`` that pads with zeros, or a quantised one.
        rank: rows of ``A``, columns of ``B``.
        alpha: how strongly the adapter counts.

    Attributes:
        lora_a: ``A``, ``[groups rank, in / groups, ...]``.
        lora_b: ``B``, ``[out, rank, ...]``.

    >>> layer = LoRA(nn.Conv2d(4, 6, 3, stride=2), rank=2, alpha=2)
    >>> layer.lora_a.shape, layer.lora_b.shape, layer(torch.zeros(1, 4, 9, 9)).shape
    (torch.Size([2, 4, 3, 3]), torch.Size([6, 2, 1, 1]), torch.Size([1, 6, 4, 4]))
    """

    def __init__(self, base: nn.Module, rank: int, alpha: float) -> None:
        super().__init__()
        self.base, self.rank, self.alpha = base, rank, alpha
        weight = _weight(base)
        a = torch.empty(rank * _groups(base), *weight.shape[1:], dtype=weight.dtype, device="cpu")
        nn.init.kaiming_normal_(a, nonlinearity="linear")
        self.lora_a = nn.Parameter(a.to(weight.device))
        self.lora_b = nn.Parameter(weight.new_zeros(len(weight), rank, *[1] * (weight.ndim - 2)))
        self.train(base.training)

    def forward(self, inputs: Tensor) -> Tensor:
        """What the base makes of inputs, and what the adapter adds to it."""
        outputs: Tensor = self.base(inputs)
        seen = inputs.to(self.lora_a.dtype)
        if isinstance(self.base, nn.Conv2d | QuantisedConv2d):
            base = self.base
            low = F.conv2d(
                seen, self.lora_a, None, base.stride, base.padding, base.dilation, base.groups
            )
            added = F.conv2d(low, self.lora_b, groups=base.groups)
        else:
            added = F.linear(F.linear(seen, self.lora_a), self.lora_b)
        return outputs + (self.alpha / self.rank * added).to(outputs.dtype)

    @property
    def update(self) -> Tensor:
        """``(alpha / rank) B A``, of the shape of the base's weight."""
        groups = _groups(self.base)
        a = self.lora_a.reshape(groups, self.rank, -1)
        b = self.lora_b.reshape(groups, -1, self.rank)
        return (self.alpha / self.rank * (b @ a)).reshape(_weight(self.base).shape)

    def extra_repr(self) -> str:
        """Rank and alpha."""
        return f"rank={self.rank}, alpha={self.alpha:g}"


def with_lora(
    module: nn.Module,
    rank: int = 8,
    alpha: float | None = None,
    where: Callable[[str, nn.Module], bool] | None = None,
) -> nn.Module:
    """A copy of a network with adapters: they can be trained, all else is frozen.

    It starts as the same function. On a quantised network this is QLoRA: quantise first.

    Args:
        module: any network, quantised or not, without adapters; it stays as it is.
        rank: of each adapter.
        alpha: an update counts ``alpha / rank``; by default ``rank``.
        where: told the name of a linear or convolutional layer and the layer, says whether it gets
            an adapter; by default where the adapter has fewer numbers than the weight.

    Raises:
        InputError: if rank or alpha is out of range, there are adapters already, or no layer gets
            one.

    >>> network = with_lora(nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 1)), rank=4)
    >>> [name for name, value in network.named_parameters() if value.requires_grad]
    ['0.lora_a', '0.lora_b']
    """
    rank = check_count("rank", rank, 1, _MOST_RANK)
    alpha = (
        float(rank) if alpha is None else check_number("alpha", alpha, _LEAST_ALPHA, _MOST_ALPHA)
    )
    if where is not None:
        check_rule("where", where)

    def swap(name: str, layer: nn.Module) -> nn.Module:
        if isinstance(layer, LoRA):
            raise InputError("the network has adapters already: merged(network) adds them to it")
        if not (isinstance(layer, Quantised) or plain(layer)):
            return layer
        chosen = _saves(layer, rank) if where is None else where(name, layer)
        return LoRA(layer, rank, alpha) if chosen else layer

    new = swapped(module, swap)
    if not _adapted(new):
        raise InputError(
            f"no layer gets an adapter of rank {rank}: lower the rank, or choose layers by where"
        )
    new.requires_grad_(False)
    for layer in _adapted(new).values():
        layer.lora_a.requires_grad_()
        layer.lora_b.requires_grad_()
    return new


def trainable_share(module: nn.Module) -> float:
    """Numbers that can be trained, over all of a network's; codes count as weights.

    >>> round(trainable_share(with_lora(nn.Linear(100, 100, bias=False), rank=1)), 4)
    0.0196
    """
    codes = 0
    for layer in module.modules():
        if isinstance(layer, Quantised):
            codes += layer.shape.numel() + (0 if layer.bias is None else layer.bias.numel())
    numbers = [(value.numel(), value.requires_grad) for value in module.parameters()]
    trained = sum(count for count, trains in numbers if trains)
    return trained / max(codes + sum(count for count, _ in numbers), 1)


def has_adapters(module: nn.Module) -> bool:
    """Whether :func:`with_lora` or :func:`load_adapter` made the network.

    >>> has_adapters(nn.Linear(64, 64)), has_adapters(with_lora(nn.Linear(64, 64), rank=4))
    (False, True)
    """
    return bool(_adapted(module))


def adapter_state(module: nn.Module) -> dict[str, Tensor]:
    """What sets a network apart from its base: all ``A`` and ``B``, by name, not copied.

    With them go the running statistics of batch norms, which move in ``train()`` without gradient.

    Raises:
        InputError: if the network has no adapter.

    >>> list(adapter_state(with_lora(nn.Linear(64, 64), rank=4)))
    ['lora_a', 'lora_b']
    """
    if not _adapted(module):
        raise InputError("the network has no adapter: with_lora makes them")
    return _parts(module)[1]


def save_adapter(module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write what sets a network apart from its base to a safetensors file.

    ``A`` and ``B`` are stored in half precision. Metadata: rank, alpha, and twelve digits that
    change with any weight of the base.

    Raises:
        InputError: if the network has no adapter, a number is not finite or too large for half
            precision, or the file cannot be written.

    >>> save_adapter(nn.Linear(2, 2), "adapter.safetensors")
    Traceback (most recent call last):
    channels.errors.InputError: the network has no adapter: with_lora makes them
    """
    state = adapter_state(module)
    layer = next(iter(_adapted(module).values()))
    metadata = {
        _KIND: _LORA,
        "rank": str(layer.rank),
        "alpha": repr(layer.alpha),
        "base": digest(_parts(module)[0]),
    }
    halves = halved({name: value for name, value in state.items() if not _moves(name)})
    store(state | halves, path, metadata)


def load_adapter(base: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """A copy of a network with the adapters of a file, as :func:`with_lora` makes one.

    Args:
        base: with the same weights, to the bit, as the one that the adapter was trained on; it
            stays as it is.
        path: of a file that :func:`save_adapter` wrote.

    Raises:
        InputError: if the file is missing, damaged, of another base, or holds something else.

    >>> load_adapter(nn.Linear(2, 2), "nowhere.safetensors")
    Traceback (most recent call last):
    channels.errors.InputError: no adapter is loaded: nowhere.safetensors is not there; ...
    """
    try:
        tensors, metadata = stored(path)
    except InputError as error:
        raise InputError(f"no adapter is loaded: {error}; save_adapter writes one") from error
    name = Path(path).name
    if metadata.get(_KIND) != _LORA:
        raise InputError(f"{name} holds no adapter: give a file that save_adapter wrote")
    theirs, ours = metadata.get("base"), digest(_parts(base)[0])
    if theirs != ours:
        raise InputError(
            f"{name} is an adapter of another base, {shown(theirs)}, not {ours!r}: "
            "load the weights that it was trained on"
        )
    places = {key.rpartition(".")[0] for key in tensors if key.rpartition(".")[2] == "lora_a"}
    try:
        with torch.random.fork_rng(devices=[]):
            new = with_lora(
                base,
                int(metadata["rank"]),
                float(metadata["alpha"]),
                lambda place, layer: place in places,
            )
        wanted = {key: value.shape for key, value in adapter_state(new).items()}
        if wanted != {key: value.shape for key, value in tensors.items()}:
            raise InputError("its tensors are not those of its layers")
    except (KeyError, ValueError) as error:
        told = complaint(error)
        raise InputError(f"{name} is damaged: {told}; save the adapter again") from error
    new.load_state_dict(tensors, strict=False)
    return new


def merged(module: nn.Module) -> nn.Module:
    """A copy of a network whose adapters are added to its weights: the same function, frozen.

    Args:
        module: with adapters on float layers; it stays as it is.

    Raises:
        InputError: if the network has no adapter, or one on a quantised layer, whose codes do not
            hold the sum.

    >>> merged(with_lora(nn.Linear(64, 64)))
    Linear(in_features=64, out_features=64, bias=True)
    """
    if not _adapted(module):
        raise InputError("the network has no adapter: with_lora makes them")

    @torch.no_grad()
    def swap(name: str, layer: nn.Module) -> nn.Module:
        if not isinstance(layer, LoRA):
            return layer
        if isinstance(layer.base, Quantised):
            raise InputError(
                f"{name or 'the layer'} is quantised, and codes do not hold the sum: "
                "use the network with its adapters beside it"
            )
        weight = _weight(layer.base) + layer.update  # a new one: others may share the old
        layer.base.weight = nn.Parameter(weight, requires_grad=False)
        return layer.base

    return swapped(module, swap)


def _adapted(module: nn.Module) -> dict[str, LoRA]:
    """Layers with adapters, by each of their names."""
    layers = module.named_modules(remove_duplicate=False)
    return {name: layer for name, layer in layers if isinstance(layer, LoRA)}


def _parts(module: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """State of the base by names that it has without adapters, and all that is not the base's."""
    inner = {f"{name}.base." if name else "base.": name for name in _adapted(module)}
    base, beside = {}, {}
    for name, value in module.state_dict().items():
        place, _, last = name.rpartition(".")
        if _moves(name) or (last in _PAIR and place in inner.values()):
            beside[name] = value
            continue
        for begins, layer in inner.items():
            if name.startswith(begins):
                name = f"{layer}.{name.removeprefix(begins)}".lstrip(".")
        base[name] = value
    return base, beside


def _moves(name: str) -> bool:
    return name.rpartition(".")[2] in _MOVING


def _saves(layer: nn.Module, rank: int) -> bool:
    """Whether an adapter has fewer numbers than the weight."""
    weight = _weight(layer)
    numbers = rank * (_groups(layer) * weight[0].numel() + len(weight))
    return numbers < weight.numel()


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight


def _groups(layer: nn.Module) -> int:
    return layer.groups if isinstance(layer, nn.Conv2d | QuantisedConv2d) else 1
