"""Codecs and images that the tests of Med-JSCC's parts share."""

from __future__ import annotations

import pytest
from torch import Tensor

import semcom
from semcom.medjscc import MedJSCC
from semcom.medjscc.source.entropy_model import EntropyModel
from tests.semcom.medjscc.narrow import untrained


@pytest.fixture(scope="session")
def narrow() -> MedJSCC:
    return untrained().eval().requires_grad_(False)


@pytest.fixture(scope="session")
def model(narrow: MedJSCC) -> EntropyModel:
    return narrow.entropy_model


@pytest.fixture(scope="session")
def trained() -> MedJSCC:
    found = semcom.codec("medjscc")
    assert isinstance(found, MedJSCC)
    return found


@pytest.fixture(scope="session")
def phantoms() -> tuple[Tensor, Tensor]:
    return semcom.data.phantoms("chest", n=2, size=192, seed=21)
