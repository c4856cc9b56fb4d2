"""Weights of linear and convolutional layers in eight or four bits; sums stay in float32."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count, shown, whole_number
from semcom.light.codes import Int4, Int8
from semcom.light.layers import check_rule, plain, swapped
from semcom.weightfile import halved

_SMALL = 1024


class Quantised(nn.Module, ABC):
    """A layer whose weight is stored as codes.

    Attributes:
        stored: the codes and their scales, :class:`~semcom.light.codes.Int8` or
            :class:`~semcom.light.codes.Int4`.
        shape: of the weight.
        bias: float16 ``[out]``, or ``None``.
    """

    bias: Tensor | None

    def __init__(self, layer: nn.Linear | nn.Conv2d, stored: Int8 | Int4) -> None:
        super().__init__()
        self.stored, self.shape = stored, layer.weight.shape
        bias = None if layer.bias is None else halved({"bias": layer.bias.detach()})["bias"]
        self.register_buffer("bias", bias)
        self.train(layer.training)

    @property
    def weight(self) -> Tensor:
        """What the codes stand for, float32, made anew; it has no gradient."""
        weight: Tensor = self.stored()
        return weight.view(self.shape)

    def forward(self, inputs: Tensor) -> Tensor:
        """What the layer makes with :attr:`weight`, computed in float32, in the inputs' dtype."""
        bias = None if self.bias is None else self.bias.float()
        return self.computed(inputs.float(), bias).to(inputs.dtype)

    @abstractmethod
    def computed(self, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """The layer's function, all in float32."""

    def extra_repr(self) -> str:
        """Shape of the weight and how its codes are stored."""
        return f"{list(self.shape)}, bias={self.bias is not None}"


class QuantisedLinear(Quantised):
    """``nn.Linear`` with a quantised weight ``[out, in]``.

    >>> layer = QuantisedLinear(nn.Linear(3, 2), Int8(torch.eye(3)[:2]))
    >>> layer.weight.shape, layer(torch.zeros(5, 3)).shape
    (torch.Size([2, 3]), torch.Size([5, 2]))
    """

    def computed(self, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """``W x + b``."""
        return F.linear(inputs, self.weight, bias)


class QuantisedConv2d(Quantised):
    """``nn.Conv2d`` with a quantised weight ``[out, in / groups, height, width]``.

    Any stride, padding, dilation and groups; what is padded with are zeros.

    >>> layer = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
    >>> light = QuantisedConv2d(layer, Int8(layer.weight.detach().flatten(1)))
    >>> light(torch.zeros(1, 4, 8, 8)).shape
    torch.Size([1, 6, 4, 4])
    """

    def __init__(self, layer: nn.Conv2d, stored: Int8 | Int4) -> None:
        super().__init__(layer, stored)
        self.stride, self.padding = layer.stride, layer.padding
        self.dilation, self.groups = layer.dilation, layer.groups

    def computed(self, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution with the weight, and ``b``."""
        return F.conv2d(
            inputs, self.weight, bias, self.stride, self.padding, self.dilation, self.groups
        )


def small(name: str, layer: nn.Module) -> bool:
    """Whether a layer has fewer than 1024 weights.

    Such layers hold few bytes, and those whose errors show most are among them: the first and the
    last, and depthwise convolutions.

    >>> small("stem", nn.Conv2d(1, 64, 3)), small("trunk", nn.Conv2d(64, 64, 3))
    (True, False)
    """
    return isinstance(layer.weight, Tensor) and layer.weight.numel() < _SMALL


def quantised(
    module: nn.Module,
    bits: int = 8,
    group: int = 64,
    keep: Callable[[str, nn.Module], bool] = small,
) -> nn.Module:
    """A copy of a network whose linear and convolutional weights are stored in few bits.

    Weights are rounded to the nearest code, without data (round to nearest, RTN). Eight bits: one
    scale for each output channel. Four bits: one scale and one zero point for each group of weights
    along the inputs of an output channel. Scales and biases are stored in half precision. At each
    use weights are made anew in float32. Gradients reach inputs, and no code.

    The state dictionary holds codes: ``channels.tensorfile.store`` writes it, and what is read is
    loaded into a network that was quantised in the same way. What is not quantised stays in its
    precision; :func:`semcom.weightfile.halved` stores that in two bytes.

    Args:
        module: any network; it stays as it is. Replaced are ``nn.Linear`` and those ``nn.Conv2d``
            that pad with zeros; derived classes are not.
        bits: 8, see :class:`~semcom.light.codes.Int8`, or 4, see
            :class:`~semcom.light.codes.Int4`.
        group: weights that share a scale, of four bits.
        keep: told the name of such a layer and the layer, says whether it stays as it is.

    Raises:
        InputError: on another number of bits, weights that are not finite or too large, or if no
            layer is left to be quantised.

    >>> network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    >>> quantised(network, bits=4)
    Sequential(
      (0): QuantisedLinear(
        [64, 64], bias=True
        (stored): Int4()
      )
      (1): ReLU()
      (2): Linear(in_features=64, out_features=4, bias=True)
    )
    """
    if whole_number(bits) not in (4, 8):
        raise InputError(f"bits must be 4 or 8, got {shown(bits)}")
    group = check_count("group", group, 1, 2**16)
    check_rule("keep", keep)
    changed = False

    def swap(name: str, layer: nn.Module) -> nn.Module:
        nonlocal changed
        if not plain(layer) or keep(name, layer):
            return layer
        changed = True
        rows = layer.weight.detach().flatten(1)
        try:
            if not bool(torch.isfinite(rows).all()):
                raise InputError("weights are not finite")
            stored = Int4(rows, group) if whole_number(bits) == 4 else Int8(rows)
            if isinstance(layer, nn.Linear):
                return QuantisedLinear(layer, stored)
            return QuantisedConv2d(layer, stored)
        except InputError as error:
            raise InputError(f"{name or 'the layer'} cannot be quantised: {error}") from error

    new = swapped(module, swap)
    if not changed:
        raise InputError(
            "no layer is quantised: keep leaves all as they are, "
            f"by default those with fewer than {_SMALL} weights"
        )
    return new


def num_bytes(module: nn.Module) -> int:
    """Bytes of a network's state dictionary: what its tensors take in a file.

    >>> num_bytes(nn.Linear(64, 64)), num_bytes(quantised(nn.Linear(64, 64)))
    (16640, 4352)
    """
    return sum(value.numel() * value.element_size() for value in module.state_dict().values())
