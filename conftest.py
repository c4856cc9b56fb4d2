"""What a test or an example adds to a catalogue is gone after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.catalogue import _others as links
from semcom.catalogue import _others as codecs


@pytest.fixture(autouse=True)
def _nothing_registered_stays() -> Iterator[None]:
    before = links.registered.copy(), codecs.registered.copy()
    yield
    for registry, registered in zip((links, codecs), before, strict=True):
        registry.registered.clear()
        registry.registered.update(registered)
