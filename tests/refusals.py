"""What tests of bad input share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channels import InputError


def refused(call: Callable[[], object], message: str) -> None:
    """It is answered with an InputError of one line."""
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
