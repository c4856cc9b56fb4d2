"""The best separate scheme at each point, as one more curve: what a champion has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from channels import InputError
from scenarios.results.columns import SEPARATE, Column, identity, metrics

LEADING = "psnr"
"""Whose winner gives the columns that tell neither better nor worse, and the share of losses."""


def separate_codecs(labels: Sequence[str], metadata: Mapping[str, Any]) -> list[str]:
    """Labels of separate source and channel coding, by what a table says of its schemes.

    >>> separate_codecs(["medjscc", "hevc-ldpc"], {})
    ['hevc-ldpc']
    """
    families, names = metadata.get("families", {}), metadata.get("codecs", {})

    def family(label: str) -> str:
        if label in families:
            return str(families[label])
        from semcom.entries import CODECS  # takes PyTorch along: for files of earlier versions

        entry = CODECS.get(str(names.get(label, label)).partition(" ")[0])
        return "" if entry is None else entry.family

    return [label for label in labels if label != SEPARATE and family(label) == SEPARATE]


def envelope(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of the best separate scheme: at each point and of each metric those of one scheme.

    A point is a link, a rate and an SNR. Of each metric the scheme is taken whose mean over the
    images is best there, as an engineer would who designs for that point; lost images count. The
    maximum of several means is above the mean of any one of them: what error that makes favours
    separate coding. A scheme that lacks values which others have (``on_loss="drop"``) takes no
    part in that metric; where several lack as many, means are over what all of them have. Losses,
    channel uses and MCS are those of the scheme of the best PSNR.

    Args:
        frame: rows of a table.
        metadata: what the table says of its schemes.

    Returns:
        Rows with the label ``"separate"``, columns as they are.

    Raises:
        InputError: if the table holds no separate scheme.

    >>> from scenarios.results.columns import COLUMNS
    >>> row = dict.fromkeys(COLUMNS, 0) | {"link": "awgn", "scenario": "snr"}
    >>> one = row | {"codec": "hevc-ldpc", "psnr": 30, "roi_psnr": 31}
    >>> other = row | {"codec": "hevc-roi-ldpc", "psnr": 29, "roi_psnr": 33}
    >>> envelope(pd.DataFrame([one, other]), {})[["codec", "psnr", "roi_psnr"]]
          codec  psnr  roi_psnr
    0  separate    30        33
    """
    labels = separate_codecs(list(dict.fromkeys(frame["codec"])), metadata)
    if not labels:
        raise InputError("the table holds no separate scheme: name one, --codecs hevc-ldpc")
    places = [column for column in identity() if column != "codec"]
    qualities = {
        name: column for name, column in metrics().items() if column.is_quality and name in frame
    }
    parts = []
    for _, point in frame[frame["codec"].isin(labels)].groupby(
        ["link", "cbr", "snr_db", "believed_snr_db"], sort=False, dropna=False
    ):
        by_label = {
            str(label): rows.set_index(["image", "trial"]).sort_index()
            for label, rows in point.groupby("codec", sort=False)
        }
        merged = by_label[_best(by_label, qualities[LEADING])].copy()
        for name, column in qualities.items():
            merged[name] = by_label[_best(by_label, column)][name].reindex(merged.index)
        parts.append(merged.reset_index())
    rows = pd.concat(parts, ignore_index=True).assign(codec=SEPARATE)
    return rows.sort_values(places, kind="stable", ignore_index=True)[list(frame.columns)]


def _best(by_label: Mapping[str, pd.DataFrame], metric: Column) -> str:
    """The label of the best mean; of the most complete ones, the first of equals."""
    values = pd.DataFrame(
        {label: rows[metric.name].astype("float64") for label, rows in by_label.items()}
    )
    held = values.notna().sum()
    complete = values[[label for label in by_label if held[label] == held.max()]]
    means = complete.dropna().groupby("image").mean().mean()
    if means.isna().all():
        return str(complete.columns[0])
    return str((-means if metric.better == "lower" else means).idxmax())
