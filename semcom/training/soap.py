"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from channels.errors import check_count, check_number

SIDES = ("left", "right")


class SOAP(torch.optim.Optimizer):
    """SOAP (Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", arXiv:2409.11321).

    Algorithm 3 of the paper on each parameter as a matrix ``[out, rest]``, a convolution's kernel
    as ``[out, in * height * width]``. Averages of ``G G^T`` and ``G^T G`` give two bases; the
    second moment is kept, and the step normalised, in these. They begin as eigenvectors of the
    first gradients, which move nothing, and are refreshed by one power iteration and a QR
    decomposition, the parameters in turn, so that no step costs much more than another. A side
    above ``limit`` keeps its own basis, as do vectors and scalars: Adam.

    The state of a parameter is tensors alone: ``step``, ``exp_avg``, ``exp_avg_sq``, and of each
    side with a basis ``left``, ``left_basis``, ``right``, ``right_basis``.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        betas: decay of the first moment, and of the second and the preconditioners.
        eps: added to the root of the second moment.
        every: steps between refreshes of a basis.
        limit: longest side that gets a basis.

    Raises:
        InputError: if an argument is out of range.

    >>> weight = torch.nn.Parameter(torch.ones(4, 2, 3, 3))
    >>> optimizer = SOAP([weight], lr=0.1)
    >>> for _ in range(2):
    ...     weight.grad = 2 * weight.detach()
    ...     optimizer.step()
    >>> optimizer.state[weight]["right_basis"].shape, bool(weight.mean() < 1)
    (torch.Size([18, 18]), True)
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        every: int = 20,
        limit: int = 300,
    ) -> None:
        lr = check_number("lr", lr, 0, 10)
        first, second = (check_number("betas", beta, 0, 0.999999) for beta in betas)
        eps = check_number("eps", eps, 0, 1)
        every = check_count("every", every, 1, 10**6)
        limit = check_count("limit", limit, 0, 10**5)
        super().__init__(
            params, {"lr": lr, "betas": (first, second), "eps": eps, "every": every, "limit": limit}
        )

    def blank(self, parameter: Tensor) -> dict[str, Tensor]:
        """The state of a parameter before its first gradient, all zeros."""
        (group,) = (g for g in self.param_groups if any(parameter is p for p in g["params"]))
        state = {
            "step": torch.zeros(()),
            "exp_avg": parameter.new_zeros(parameter.shape),
            "exp_avg_sq": parameter.new_zeros(parameter.shape),
        }
        if parameter.dim() > 1:
            for side, size in zip(SIDES, _as_matrix(parameter).shape, strict=True):
                if 1 < size <= group["limit"]:
                    state[side] = parameter.new_zeros(size, size)
                    state[f"{side}_basis"] = parameter.new_zeros(size, size)
        return state

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for turn, parameter in enumerate(group["params"]):
                if parameter.grad is not None:
                    self._move(parameter, group, turn)

    def _move(self, parameter: Tensor, group: dict[str, Any], turn: int) -> None:
        state, gradient = self.state[parameter], _as_matrix(parameter.grad)
        _, beta = group["betas"]
        if not state:
            state.update(self.blank(parameter))
            if any(side in state for side in SIDES):
                _update_covariances(state, gradient, beta)
                for side in _with_basis(state):
                    eigenvectors = torch.linalg.eigh(state[side].double())[1].to(parameter.dtype)
                    state[f"{side}_basis"] = eigenvectors.flip(1).contiguous()
                return
        state["step"] += 1
        mean, square = (_as_matrix(state[name]) for name in ("exp_avg", "exp_avg_sq"))
        update = _adam(state, gradient, mean, square, group)
        parameter.sub_(group["lr"] * update.view_as(parameter))
        _update_covariances(state, gradient, beta)
        if (int(state["step"]) + turn) % group["every"] == 0:
            _refresh(state, square)


def _as_matrix(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor.reshape(len(tensor), -1) if tensor.dim() > 1 else tensor.reshape(1, -1)


def _with_basis(state: dict[str, Tensor]) -> Iterable[str]:
    return [side for side in SIDES if side in state]


def _adam(
    state: dict[str, Tensor], gradient: Tensor, mean: Tensor, square: Tensor, group: dict[str, Any]
) -> Tensor:
    """Adam's step of unit rate, reckoned in the bases; moments are updated in place."""
    (first, second), count = group["betas"], int(state["step"])
    mean.lerp_(gradient, 1 - first)
    turned = _turned(state, gradient)
    square.mul_(second).addcmul_(turned, turned, value=1 - second)
    root = (square / (1 - second**count)).sqrt_().add_(group["eps"])
    update: Tensor = _turned(state, _turned(state, mean) / root, back=True) / (1 - first**count)
    return update


def _turned(state: dict[str, Tensor], matrix: Tensor, back: bool = False) -> Tensor:
    """A matrix in the bases, or back from them."""
    if "left" in state:
        basis = state["left_basis"]
        matrix = (basis if back else basis.T) @ matrix
    if "right" in state:
        basis = state["right_basis"]
        matrix = matrix @ (basis.T if back else basis)
    return matrix


def _update_covariances(state: dict[str, Tensor], gradient: Tensor, beta: float) -> None:
    """Update the averages of ``G G^T`` and ``G^T G``."""
    for side in _with_basis(state):
        factor = gradient if side == "left" else gradient.T
        state[side].addmm_(factor, factor.T, beta=beta, alpha=1 - beta)


def _refresh(state: dict[str, Tensor], square: Tensor) -> None:
    """Turn the bases towards the eigenvectors, those of large eigenvalues first."""
    for side in _with_basis(state):
        basis = state[f"{side}_basis"]
        product = state[side] @ basis
        order = (basis * product).sum(0).argsort(descending=True, stable=True)
        square.copy_(square.index_select(SIDES.index(side), order))
        state[f"{side}_basis"] = torch.linalg.qr(product[:, order])[0].contiguous()
