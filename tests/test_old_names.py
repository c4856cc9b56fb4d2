"""Old names warn and mean what the new ones do."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("semcom.data", "list_pictures", "list_images"),
        ("semcom.data", "load_picture", "load_image"),
        ("semcom.image_coders.scale", "Picture", "ImageArray"),
        ("semcom.separate", "TransportBlock", "ModulatedBlock"),
        ("semcom.modem.transport", "TransportBlock", "ModulatedBlock"),
        ("semcom.modem.adaptation", "gaussian_success", "awgn_success"),
        ("semcom.modem.adaptation", "gaussian_chances", "awgn_success_probabilities"),
        ("semcom.modem.adaptation", "link_chances", "link_success_probabilities"),
    ],
)
def test_an_old_name_warns(module: str, old: str, new: str) -> None:
    place = import_module(module)
    with pytest.warns(DeprecationWarning, match=f"{old} is now called {new}"):
        assert getattr(place, old) is getattr(place, new)
    with pytest.raises(AttributeError, match="no attribute 'nowhere'"):
        place.nowhere  # noqa: B018
