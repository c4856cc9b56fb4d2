"""Bit and block error rates of `semcom run ber` beside Sionna's own chain.

    python benchmarks/ber_against_sionna.py benchmarks/ber_sionna.csv docs/images/ber_sionna.png

Five MCS over Gaussian noise in blocks of 240 symbols. Ours: CRC, scrambling, layered A-min*.
Sionna's: `sim_ber` on its encoder, mapper, noise, exact demapper and boxplus-phi, with no CRC and
no scrambling; its code carries in as many coded bits as many information bits, checksum included.
Both decode with 50 iterations at most, on draws of their own. Each point runs until 100 blocks are
wrong, or 1000 are sent. Prints how often intervals overlap and the p-values of equal block error
rates (Fisher's exact test): by chance one point in twenty is below 0.05.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from scipy.stats import fisher_exact
from sionna.phy import config
from sionna.phy.utils import sim_ber
from sionna_chain import sionna_chain

import scenarios
from scenarios.comparisons.bits.block_errors import Series
from scenarios.results.statistics import wilson_interval
from scenarios.results.style import COLOURS, format_axes
from semcom.modem.mcs import mcs_table

MCS = (3, 7, 11, 16, 22)
CHANNEL_USES, ERRORS, BLOCKS, BATCH = 240, 100, 1000, 100


def sionna_bler(index: int, snr_db: float) -> tuple[float, int, int]:
    """Bit error rate, wrong blocks and blocks of Sionna's chain."""
    mcs = mcs_table(1)[index]
    draws = torch.Generator().manual_seed(1000 * index + round(100 * snr_db) + 10**6)
    send = sionna_chain(Series(mcs.bits_per_symbol, mcs, CHANNEL_USES), snr_db, draws)
    sent = wrong = 0

    def chain(batch_size: int, ebno_db: object) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal sent, wrong
        bits, found = send(batch_size, ebno_db)
        sent, wrong = sent + batch_size, wrong + int((found != bits).any(1).sum())
        return bits, found

    config.seed = 1 + 100 * index + round(100 * (snr_db + 20))
    ber, bler = sim_ber(
        chain, torch.tensor([snr_db]), batch_size=BATCH, max_mc_iter=BLOCKS // BATCH,
        verbose=False, early_stop=False, num_target_block_errors=ERRORS, device="cpu",
    )  # fmt: skip
    assert abs(float(bler[0]) - wrong / sent) < 1e-6
    return float(ber[0]), wrong, sent


def measured() -> pd.DataFrame:
    """Ours, with Sionna's columns beside."""
    ours = scenarios.ber(
        mcs=MCS,
        uncoded=(),
        channel_uses=CHANNEL_USES,
        min_block_errors=ERRORS,
        max_blocks=BLOCKS,
        workers=2,
    ).frame
    ours = ours[(ours["bler"] < 0.95) & (ours["bler"] > 0.01)].reset_index(drop=True)
    rows = []
    for row in ours.to_dict("records"):
        ber, wrong, sent = sionna_bler(row["mcs"], row["snr_db"])
        table = [[row["block_errors"], row["blocks"] - row["block_errors"]], [wrong, sent - wrong]]
        _, low, high = wilson_interval(wrong, sent)
        rows.append(
            {
                "sionna_ber": ber,
                "sionna_block_errors": wrong,
                "sionna_blocks": sent,
                "sionna_bler": wrong / sent,
                "sionna_bler_low": low,
                "sionna_bler_high": high,
                "p": fisher_exact(table)[1],
            }
        )
        print(row["scheme"], row["snr_db"], f"{row['bler']:.4f} {wrong / sent:.4f}", flush=True)
    return pd.concat([ours, pd.DataFrame(rows)], axis=1)


def draw(frame: pd.DataFrame, path: Path) -> None:
    """BER and BLER of both against SNR."""
    figure, axes = plt.subplots(1, 2, figsize=(9.0, 4.3), layout="constrained")
    for colour, (scheme, its) in zip(COLOURS, frame.groupby("scheme", sort=False), strict=False):
        for axis, rate in zip(axes, ("ber", "bler"), strict=True):
            span = [its[rate] - its[f"{rate}_low"], its[f"{rate}_high"] - its[rate]]
            axis.errorbar(
                its["snr_db"], its[rate], span, color=colour, linewidth=1.2, capsize=2, label=scheme
            )
            axis.plot(
                its["snr_db"], its[f"sionna_{rate}"], "o", color=colour, mfc="none", markersize=6
            )
    for axis, rate in zip(axes, ("BER", "BLER"), strict=True):
        axis.set_yscale("log")
        axis.set_xlabel("SNR, average $E_s/N_0$ [dB]")
        axis.set_ylabel(rate)
        format_axes(axis)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.suptitle("Lines: semcom, 95 % intervals. Circles: Sionna", fontsize=10)
    figure.savefig(path, dpi=130)


def main(table: Path, picture: Path) -> None:
    """Measure, keep, draw, and say how well they agree."""
    frame = measured()
    frame.to_csv(table, index=False, float_format="%.6g")
    draw(frame, picture)
    overlap = (frame["bler_low"] <= frame["sionna_bler_high"]) & (
        frame["sionna_bler_low"] <= frame["bler_high"]
    )
    print(f"{len(frame)} points; intervals overlap at {int(overlap.sum())}")
    print(f"p < 0.05 at {int((frame['p'] < 0.05).sum())}, least {frame['p'].min():.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
