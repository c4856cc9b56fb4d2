"""Quality along residual Doppler and speed: the same draws, the right axis, the right physics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scenarios
import semcom
from channels import InputError
from scenarios import Table
from scenarios.command.cli import main
from scenarios.comparisons.swept_links import varied_links
from scenarios.engine.experiment import lay_out
from scenarios.results.printing import captions

PICTURES, MASKS = semcom.data.phantoms("chest", n=2, size=64, seed=4)
QUICK = {"codecs": ["jpeg2000-ldpc", "deepjscc"], "cbr": 1 / 4, "values": [0, 1000, 4000]}


@pytest.fixture(scope="module")
def table() -> Table:
    return scenarios.doppler(
        PICTURES, MASKS, **QUICK, links=["awgn", "rayleigh"], snr_db=18, estimator="perfect"
    )  # type: ignore[arg-type]


def test_an_offset_costs_quality_and_its_interference_is_the_same_for_all(table: Table) -> None:
    """At 4 kHz, 0.27 of a subcarrier, ICI is 7 dB below the signal: it dwarfs the noise."""
    means = table.located(table.summary("psnr")).set_index(["link", "codec", "offset_hz"])["mean"]
    for link in ("awgn", "rayleigh"):
        analogue = means[link]["deepjscc"]
        assert analogue[0.0] > analogue[1000.0] > analogue[4000.0]
    heard = table.frame.assign(offset_hz=table.located(table.frame)["offset_hz"])
    heard = heard[heard["link"].str.startswith("awgn")].groupby("offset_hz")["rx_snr_db"].mean()
    interference = 1 - np.sinc(4000 / 15e3) ** 2
    expected = 10 * np.log10(np.sinc(4000 / 15e3) ** 2 / (interference + 10**-1.8))
    assert heard[0.0] == pytest.approx(18, abs=1e-3)
    assert heard[4000.0] == pytest.approx(expected, abs=0.3)


def test_values_share_fading_and_noise() -> None:
    links, parameters = varied_links("rayleigh", "speed_mps", [0, 5], "lmmse")
    grid = lay_out(
        "doppler", PICTURES, None, codecs="deepjscc", links=links, snr_db=[5, 9], cbr=1 / 16,
        link_parameters=parameters,
    )  # fmt: skip
    draws = {(t.link, t.snr_db, t.image): t.draw for t in grid.tasks()}
    for snr_db in (5.0, 9.0):
        for image in (0, 1):
            first, second = (draws[link.name, snr_db, image] for link in links)
            assert first == second
    assert len(set(draws.values())) == 2


def test_curves_and_tables_run_along_what_differs(table: Table, tmp_path: Path) -> None:
    assert list(table.axes) == ["offset_hz", "snr_db", "cbr"]
    figure = table.plot("roi_psnr")
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["awgn", "rayleigh"]
    ticks = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert ticks == ["0", "1000", "4000"]
    assert len(table.plot("psnr", x="snr_db").axes) >= 6
    told = captions(table)
    assert told[-2].startswith("Link(awgn, 0 Hz")
    assert told[-2].endswith("the same at 1000 Hz; 4000 Hz")
    table.save(tmp_path / "a.parquet")
    again = Table.load(tmp_path / "a.parquet")
    assert again.axes == table.axes
    part = again.select(links=["awgn, 0 Hz", "awgn, 1000 Hz"])
    assert list(part.metadata["settings"]) == ["awgn, 0 Hz", "awgn, 1000 Hz"]
    rest = again.select(links=["awgn, 4000 Hz"])
    assert Table.merge([part, rest]).metadata["settings"].keys() == {
        name for name in table.metadata["settings"] if name.startswith("awgn")
    }
    assert again.against("deepjscc").plot("psnr").axes[0].get_title() == "awgn"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"along": "drift"}, "unknown along 'drift'"),
        ({"along": "speed_mps", "links": "awgn"}, "awgn has no scatter"),
        ({"values": [9000]}, "exceeds half the subcarrier spacing"),
        ({"along": "speed_mps", "values": [-1]}, "speed_mps"),
        ({"links": "geo"}, "unknown link 'geo'"),
        ({"estimator": "genie"}, "unknown estimator 'genie'"),
        ({"values": []}, "no link to compare"),
    ],
)
def test_impossible_doppler_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scenarios.doppler(PICTURES, **(QUICK | options))  # type: ignore[arg-type]


def test_semcom_run_doppler_prints_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--codecs", "jpeg2000-ldpc", "--size", "64", "--limit", "1", "--cbr", "1/4"]
    options += ["--along", "speed_mps", "--values", "0,100", "--workers", "1", "--snr", "20"]
    with pytest.raises(SystemExit) as ended:
        main(["run", "doppler", *options, "--link", "rayleigh", "--out", str(tmp_path / "a")])
    assert ended.value.code == 0
    assert "terminal speed [m/s]" in capsys.readouterr().out
    assert {"psnr.png", "panel.png", "results.csv"} <= {f.name for f in (tmp_path / "a").iterdir()}
    with pytest.raises(SystemExit) as ended:
        main(["run", "doppler", *options, "--values", "fast", "--out", str(tmp_path / "b")])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "b").exists()
