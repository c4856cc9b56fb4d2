"""A cache for what is built once and used by every later call."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar, cast

import torch

from channels.surroundings import undisturbed

P = ParamSpec("P")
R = TypeVar("R")


def cached(maxsize: int = 64) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep results, like ``lru_cache``, as tensors that any later call can use.

    What is first built inside ``torch.inference_mode`` could not take part in a training step
    later, and under another default dtype it would have that; neither may depend on who asks first.

    >>> @cached()
    ... def one(count: int) -> torch.Tensor:
    ...     return torch.ones(count)
    >>> with torch.inference_mode():
    ...     one(3).is_inference()
    False
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def build(*args: P.args, **kwargs: P.kwargs) -> R:
            with undisturbed(), torch.no_grad():
                return function(*args, **kwargs)

        return cast(Callable[P, R], lru_cache(maxsize)(build))

    return decorate
