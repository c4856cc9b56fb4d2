"""Where the transmitter believes another SNR than the channel gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import scenarios
import semcom
from channels import InputError, Reception, Session, Transmission
from channels.power import normalize_power
from semcom.codec import Codec

BELIEVED_DB = 8.0


@pytest.fixture(scope="module")
def images() -> Tensor:
    return semcom.data.phantoms("chest", n=2, size=64, seed=0)[0]


class Uncoded(Codec):
    """Two pixels a symbol, never lost."""

    name = "uncoded"

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        values = torch.view_as_complex((images - 0.5).reshape(len(images), -1, 2))
        used = torch.full((len(images),), values.shape[1])
        return Transmission(normalize_power(values), used, session)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        values = torch.view_as_real(rx.symbols).reshape(-1, *rx.session.image_shape)
        return (0.2 * values + 0.5).clamp(0, 1), torch.zeros(len(values), dtype=torch.bool)


def compared(images: Tensor, **changes: Any) -> scenarios.Table:
    arguments: dict[str, Any] = {
        "codecs": "jpeg2000-ldpc",
        "links": "awgn",
        "believed_snr_db": BELIEVED_DB,
        "snr_db": [2, 8, 14],
        "cbr": 1 / 4,
    }
    return scenarios.mismatch(images, **(arguments | changes))


def test_the_belief_chooses_and_the_truth_decides(images: Tensor) -> None:
    """A separate code is lost below what it was made for and gains nothing above."""
    frame = compared(images).frame
    assert (frame["believed_snr_db"] == BELIEVED_DB).all()
    assert frame["mcs"].nunique() == 1
    below, at, above = (frame[frame["snr_db"] == snr_db] for snr_db in (2, 8, 14))
    assert below["outage"].all() and not at["outage"].any() and not above["outage"].any()
    assert above["psnr"].tolist() == at["psnr"].tolist()
    gained = above["rx_snr_db"].to_numpy() - at["rx_snr_db"].to_numpy()
    assert gained.tolist() == pytest.approx([6, 6], abs=0.5)


def test_a_true_belief_is_what_snr_gives(images: Tensor) -> None:
    """The draws have another seed; at this SNR the code word is certain."""
    told = compared(images, snr_db=BELIEVED_DB).frame
    known = scenarios.snr(
        images, codecs="jpeg2000-ldpc", links="awgn", snr_db=BELIEVED_DB, cbr=1 / 4
    ).frame
    assert told[["psnr", "ssim", "mcs"]].equals(known[["psnr", "ssim", "mcs"]])
    assert (known["believed_snr_db"] == BELIEVED_DB).all()


def test_analogue_symbols_follow_the_true_channel(images: Tensor) -> None:
    means = compared(images, codecs=Uncoded(), cbr=1 / 2).summary("psnr")["mean"].tolist()
    assert means == sorted(means) and len(set(means)) == 3


def test_sweeps_of_other_beliefs_do_not_mix(images: Tensor, tmp_path: Any) -> None:
    small: dict[str, Any] = {"snr_db": [14], "out": tmp_path}
    first = compared(images, **small).frame
    other = compared(images, **small, believed_snr_db=12).frame
    assert first["psnr"].tolist() != other["psnr"].tolist()
    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"codecs": ["jpeg2000-ldpc", "jpeg2000-capacity"]}, "'jpeg2000-capacity' is a bound"),
        ({"believed_snr_db": float("nan")}, "believed_snr_db must be a finite number"),
        ({"believed_snr_db": "10"}, "believed_snr_db must be"),
        ({"believed_snr_db": 101}, r"in \[-100, 100\]"),
    ],
)
def test_bad_arguments(images: Tensor, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        compared(images, **changes)
