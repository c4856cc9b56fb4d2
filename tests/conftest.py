"""One thread a process, and the same generators at the start of every test."""

from __future__ import annotations

import pytest
import torch
from sionna.phy import config

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    config.seed = 20
