"""Tables of generative.md: a section for each part of generative.py whose results are there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from cells import apart, header, interval, plain, row

from scenarios.results.columns import COLUMNS

KINDS = ("chest", "angiography", "dental")
OWN = "generative"
DIGITS = {
    "roi_psnr": 1, "nroi_psnr": 1, "psnr": 1, "ssim": 3, "vsi": 3, "frechet": 2, "dice": 3,
    "dice_control": 3,
}  # fmt: skip
CURVES = ("roi_psnr", "dice", "dice_control")
"""Told at all points; the others, what it costs, at ``COST_AT``."""

COST_AT = (0.0, 12.0)
SCORES = {"rest_psnr": ("PSNR of the rest [dB]", 1), "vsi": ("VSI", 4), "frechet": ("Fréchet", 2)}
WORDS = {
    "none": "no words",
    "other": "another picture's",
    "measured": "measured, not learned",
}


def sections(folder: Path, images: Path) -> list[str]:
    """Lines of all sections whose tables are there."""
    made = [against_others(folder), words(folder), spent(folder), captions(folder, images)]
    return [line for lines in (*made, weights(folder), transfer(folder)) for line in lines]


def read(folder: Path, name: str) -> pd.DataFrame | None:
    """A table, where it is there."""
    path = folder / f"generative_{name}.csv"
    return pd.read_csv(path, keep_default_na=True) if path.exists() else None


def against_others(folder: Path) -> list[str]:
    """The scenario: what the region gains and what that costs."""
    tables = {kind: rows for kind in KINDS if (rows := read(folder, kind)) is not None}
    if not tables:
        return []
    counts = ", ".join(f"{rows['images'].max()} of {kind}" for kind, rows in tables.items())
    lines = [
        "",
        "### Against codecs that send it all",
        "",
        f"Test pictures ({counts}), one draw of fading and noise each, lost ones as what is "
        "shown in their place: `generative` less **the best of the others at each point**, chosen "
        "by its mean of each metric, which favours it; in brackets which that is. Mean of paired "
        "differences ± half the 95 % interval, bold where that leaves zero out.",
    ]
    for metric in CURVES:
        lines += ["", f"**{COLUMNS[metric].head}**", "", *curves(tables, metric)]
    costly = [metric for metric in DIGITS if metric not in CURVES]
    found = costs(tables, costly)
    told = (
        ["", "**What it costs**, and the shares painted and of words lost", "", *found]
        if len(found) > 2
        else []
    )
    return [*lines, *told]


def curves(tables: dict[str, pd.DataFrame], metric: str) -> list[str]:
    """A row for each kind, link and rate, a column for each SNR."""
    points = sorted({snr_db for rows in tables.values() for snr_db in rows["snr_db"]})
    lines = header("pictures", "link", "cbr", *(f"{plain(snr_db)} dB" for snr_db in points))
    for kind, rows in tables.items():
        for (link, cbr), at in rows.groupby(["link", "cbr"], sort=False):
            cells = [over_best(at[at["snr_db"] == snr_db], metric) for snr_db in points]
            lines.append(row(kind, link, f"1/{1 / cbr:.0f}", *cells))
    return lines


def costs(tables: dict[str, pd.DataFrame], metrics: list[str]) -> list[str]:
    """A row for each kind, link, rate and SNR, a column for each metric."""
    heads = [COLUMNS[metric].head for metric in metrics]
    lines = header("pictures", "link", "cbr", "SNR, dB", *heads, "painted", "words lost")
    for kind, rows in tables.items():
        rows = rows[rows["snr_db"].isin(COST_AT)]
        for (link, cbr, snr_db), at in rows.groupby(["link", "cbr", "snr_db"], sort=False):
            cells = [over_best(at, metric) for metric in metrics]
            own = at.loc[at["codec"] == OWN, ["painted", "words_lost"]].iloc[0]
            told = kind, link, f"1/{1 / cbr:.0f}", plain(snr_db)
            lines.append(row(*told, *cells, *(f"{100 * share:.0f} %" for share in own)))
    return lines


def over_best(at: pd.DataFrame, metric: str) -> str:
    """What the generative codec has more than the best other one at a point."""
    others = at[at["codec"] != OWN].dropna(subset=[metric])
    if others.empty:
        return "–"
    means = others.set_index("codec")[metric]
    best = str(means.idxmin() if COLUMNS[metric].better == "lower" else means.idxmax())
    chosen = others.set_index("codec").loc[best]
    said = interval(chosen[f"{metric}_gain"], chosen[f"{metric}_half"], DIGITS[metric])
    return f"{said} ({best.replace('-ldpc', '')})"


def words(folder: Path) -> list[str]:
    """What words are worth, and their bits."""
    rows = read(folder, "words")
    if rows is None:
        return []
    lines = [
        "",
        "### What words are worth",
        "",
        "Painted in one step around the true key region, without a link. First what comes with the "
        "picture's own words, then what comes with others less that, picture by picture, ± half "
        "the 95 % interval. VSI and Fréchet distance are of whole pictures whose key is as it was.",
        "",
        *header("pictures", "words", *(head for head, _ in SCORES.values())),
    ]
    for kind, of_kind in rows.groupby("kind", sort=False):
        right = of_kind[of_kind["words"] == "right"].set_index("picture")
        cells = [f"{right[name].mean():.{digits}f}" for name, (_, digits) in SCORES.items()]
        lines.append(row(f"{kind}, {len(right)}", "its own", *cells))
        for name, told in WORDS.items():
            its = of_kind[of_kind["words"] == name].set_index("picture")
            if not its.empty:
                lines.append(row(str(kind), told, *less(its, right)))
    lines += ["", *header("pictures", "bytes of UTF-8", "bits as sent: mean", "least", "most")]
    for kind, right in rows[rows["words"] == "right"].groupby("kind", sort=False):
        bits = right["bits"]
        told = (
            f"{right['bytes'].mean():.0f}",
            f"{bits.mean():.0f}",
            f"{bits.min()}",
            f"{bits.max()}",
        )
        lines.append(row(str(kind), *told))
    return lines


def less(its: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    """Paired differences of all scores."""
    return [
        apart((its[name] - other[name]).dropna().tolist(), digits)
        for name, (_, digits) in SCORES.items()
    ]


def spent(folder: Path) -> list[str]:
    """Channel uses by part."""
    rows = read(folder, "uses")
    if rows is None:
        return []
    parts = [name for name in rows if name not in ("kind", "link", "cbr", "snr_db")]
    lines = [
        "",
        "### What channel uses are spent on",
        "",
        "Means over the pictures. Where no key part pays, the whole picture goes as a coarse one.",
        "",
        *header("pictures", "link", "cbr", "SNR, dB", *parts),
    ]
    for _, at in rows.iterrows():
        told = at["kind"], at["link"], f"1/{1 / at['cbr']:.0f}", plain(at["snr_db"])
        lines.append(row(*told, *(f"{at[part]:.0f}" for part in parts)))
    return lines


def captions(folder: Path, images: Path) -> list[str]:
    """What is said of test pictures, and the figure of phantoms."""
    rows = read(folder, "captions")
    lines = []
    if rows is not None:
        lines += ["", "### Captions of test pictures", "", *header("file", "words", "bits")]
        lines += [row(at["file"], at["caption"], str(at["bits"])) for _, at in rows.iterrows()]
    if (images / "generative-captions.png").exists():
        lines += ["", "![Phantoms and their captions](images/generative-captions.png)"]
    return lines


def weights(folder: Path) -> list[str]:
    """Fewer bits, and what an adapter wins back."""
    rows, costs = read(folder, "light"), read(folder, "light_cost")
    if rows is None or costs is None:
        return []
    table = {way: its.set_index("picture") for way, its in rows.groupby("weights", sort=False)}
    whole, rough, back = table["fp32"], table["int4"], table["int4 + LoRA"]
    trained = costs[costs["weights"] == "int4 + LoRA"].iloc[0]
    lines = [
        "",
        "### Fewer bits",
        "",
        f"The generator of chest X-rays, {len(whole)} pictures: scores of fp32, and of the others "
        "less that. Files hold in half precision what has no codes, but for fp32. Memory is the "
        "peak of a fresh process over what it has without weights, while it paints one picture. "
        "Time of one step is over that of fp32, taken in turns; codes become single precision "
        f"anew at each use. The adapter, {100 * trained['trainable']:.1f} % of all numbers, "
        f"learned for {trained['steps']:.0f} steps, {trained['minutes']:.0f} minutes.",
        "",
        *header(
            "weights", "file, MB", "peak memory, MB", "time of a step",
            *(head for head, _ in SCORES.values()),
        ),
    ]  # fmt: skip
    for way, its in table.items():
        cost = costs[costs["weights"] == way].iloc[0]
        told = f"{cost['file_bytes'] / 1e6:.1f}", f"{cost['peak_bytes'] / 1e6:.0f}"
        if way == "fp32":
            cells = [f"{its[name].mean():.{digits}f}" for name, (_, digits) in SCORES.items()]
        else:
            cells = less(its, whole)
        lines.append(row(str(way), *told, f"{cost['time_ratio']:.2f}", *cells))
    shares = []
    for name, (head, _) in SCORES.items():
        lost = (rough[name] - whole[name]).mean()
        won = (back[name] - rough[name]).mean()
        shares.append(f"{-100 * won / lost:.0f} % of {head.split(' [')[0]}" if lost else "")
    lines += [
        "",
        f"Of what four bits lose the adapter wins back {', '.join(filter(None, shares))}.",
    ]
    return lines


def transfer(folder: Path) -> list[str]:
    """From chest X-rays to other kinds."""
    rows = read(folder, "transfer")
    if rows is None:
        return []
    lines = [
        "",
        "### Transfer from chest X-rays",
        "",
        "The generator of chest X-rays as it is, with an adapter on four bits, and with all its "
        "weights tuned, each for as many steps; on real angiograms, and of teeth on phantoms "
        "alone. Test pictures are real; the first row of a kind are scores, others differences.",
        "",
        *header("pictures", "what learns", "share", "steps", "minutes",
                *(head for head, _ in SCORES.values())),
    ]  # fmt: skip
    for kind, of_kind in rows.groupby("kind", sort=False):
        none = of_kind[of_kind["way"] == "none"].set_index("picture")
        for way, its in of_kind.groupby("way", sort=False):
            first = its.iloc[0]
            told = (
                f"{100 * first['trainable']:.1f} %",
                f"{first['steps']}",
                f"{first['minutes']:.0f}",
            )
            if way == "none":
                cells = [f"{its[name].mean():.{digits}f}" for name, (_, digits) in SCORES.items()]
            else:
                cells = less(its.set_index("picture"), none)
            lines.append(row(f"{kind}, {len(its)}", str(way), *told, *cells))
    return lines
