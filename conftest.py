"""What a test or an example adds to a catalogue is gone after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.catalogue import _others as links
from semcom.catalogue import BOUNDS, CODECS, SEGMENTERS

REGISTRIES = (links, CODECS, BOUNDS, SEGMENTERS)


@pytest.fixture(autouse=True)
def _nothing_registered_stays() -> Iterator[None]:
    before = [registry.registered.copy() for registry in REGISTRIES]
    yield
    for registry, registered in zip(REGISTRIES, before, strict=True):
        registry.registered.clear()
        registry.registered.update(registered)
