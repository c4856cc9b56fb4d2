"""Writes results.md, its figures and the README's table from those in results/: no figure is typed.

    python docs/tables.py

So it does baseline.md's table of modulation and coding schemes, from those that are in use, and the
tables of dmic.md and generative.md. A test compares the texts with what this makes of the tables.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from cells import apart, header, plain, row
from generative_tables import sections

from scenarios.results.columns import COLUMNS, SEPARATE
from scenarios.results.table import Table
from semcom.modem.mcs import mcs_table, modulation_name

FOLDER = Path(__file__).parent / "results"
IMAGES = Path(__file__).parent / "images"
PAGE = Path(__file__).parent / "results.md"
BASELINE = Path(__file__).parent / "baseline.md"
DMIC = Path(__file__).parent / "dmic.md"
GENERATIVE = Path(__file__).parent / "generative.md"
README = Path(__file__).parents[1] / "README.md"
MARKS = "<!-- made by docs/tables.py -->\n", "<!-- end -->\n"
LINK = "ntn-tdl-c"
PICTURES = {
    "chest": "chest X-rays, lungs as region",
    "angiography": "coronary angiograms, arteries as region",
    "dental": "dental panoramics, teeth as region",
}
CHAMPIONS = {
    "psnr": "medjscc-uniform", "roi_psnr": "medjscc", "dice": "medjscc", "dice_control": "medjscc",
}  # fmt: skip
"""Which Med-JSCC is compared by which metric: finer steps in the region pay for it alone."""

DIGITS = {"psnr": 1, "roi_psnr": 1, "dice": 3, "dice_control": 3}
FIGURES = {
    "against.png": ("roi_psnr", ["medjscc", "hevc-roi-ldpc", "avif-ldpc", "deepjscc"]),
    "against_psnr.png": ("psnr", ["medjscc-uniform", "hevc-ldpc", "avif-ldpc", "deepjscc"]),
}
HEAD = """# Results

Made by `python docs/measure.py DATA` and `python docs/tables.py`; `semcom table` and `semcom plot`
read the tables in `docs/results` too.

Eight pictures of each kind, of patients that were not trained on, evenly spaced in their list and
shrunk to 384 pixels; NTN-TDL-C (TR 38.811 6.9.2) at 2 GHz, cbr 1/32. One draw of fading and noise a
picture, the same for all codecs and at every SNR. Everyone knows the average SNR and the link's
statistics, and chooses among all schemes of TS 38.214's tables 1 to 3; what the picture's size and
the settings decide (parameter sets) is known from the session and not sent. `separate` is the best
of all separate schemes at each point, chosen by its mean of each metric, which favours it.
`medjscc-uniform` has one quantiser step everywhere and is compared by metrics of the whole picture,
`medjscc` has finer steps in the region and is compared by those of the region. Lost
pictures count as what is shown in their place: mid-grey, or the lowest frequencies (Med-JSCC's
analog base layer; `hevc-ldpc, thumbnail` has the same). No real dental picture was
trained on. Med-JSCC is still in training. [Definitions](definitions.md).
"""
FIRST = """
## Med-JSCC less the best separate scheme

Paired differences, mean ± half the 95 % interval (Student's t over pictures); in brackets the
separate scheme that is best there. **Bold: the interval leaves zero out.**
"""
GAMED = """
ROI-PSNR alone can be bought: AV1 over a picture whose background is a blur (3 pixels) reaches 4 dB
more of it than HEVC with finer steps in angiograms at 0.3 bits per pixel, and 27 dB of PSNR. Read
it beside PSNR and the whole picture's diagnosis.
"""
LOST = """
## Lost pictures

Share lost, and mean PSNR with them and without; codecs may have lost different ones.
"""


TOLD = {
    name: ["", *text.strip().splitlines(), ""]
    for name, text in {
        "savings": "**Bytes [%] at equal diagnostic Dice**, seen by",
        "soft": "**At equal soft Dice**, seen by",
        "once": "**At equal clDice, annotated Dice** (segmenter) **and ROI-PSNR**, and the mean of "
        "each picture's own BD-rate where it has one",
        "over": 'Bytes [%] over the rule **"two levels"**, paired, at equal diagnostic Dice',
        "search": "The first 6 of the 32 with the upper curves (x265 `ultrafast`, base QPs 28, "
        "34, 40, 46; 130 encodes of each picture and QP; curves of the search share half of their "
        "qualities with the anchor's), seen by",
        "transfer": "**Transfer**: what is tuned, on how many angiograms (from which place in "
        "their list), for 300 updates; 16 of the 32 pictures, x265 `ultrafast`",
        "links": "**On the air**: 16 of the 32 pictures, one draw each, less `hevc-ldpc`, mean ± "
        "half the 95 % interval",
    }.items()
}


def measured() -> dict[str, Table]:
    """The tables by kind, with the best separate scheme."""
    paths = {kind: FOLDER / f"{LINK}_{kind}.csv" for kind in PICTURES}
    return {kind: Table.load(path).with_separate() for kind, path in paths.items()}


def differences(table: Table, metric: str, snr_db: float) -> str:
    """Med-JSCC less the best separate scheme, and which that is."""
    at = table.select(snr_db=snr_db).frame
    values = at.pivot_table(index="image", columns="codec", values=metric)
    gain = (values[CHAMPIONS[metric]] - values[SEPARATE]).dropna()
    means = values[table.separate].mean()
    said = apart([float(value) for value in gain], DIGITS[metric])
    return f"{said} ({str(means.idxmax()).replace('-ldpc', '')})"


def leads(tables: dict[str, Table]) -> list[str]:
    """A row for each kind and SNR, a column for each metric."""
    heads = [f"{COLUMNS[metric].head}, {champion}" for metric, champion in CHAMPIONS.items()]
    lines = header("pictures", "SNR, dB", *heads)
    for kind, table in tables.items():
        for snr_db in sorted(set(table.frame["snr_db"])):
            cells = [differences(table, metric, snr_db) for metric in CHAMPIONS]
            lines.append(row(kind, plain(snr_db), *cells))
    return lines


def means(tables: dict[str, Table], metric: str) -> list[str]:
    """A row for each kind and SNR, a column for each codec."""
    codecs = list(dict.fromkeys(next(iter(tables.values())).frame["codec"]))
    lines = header("pictures", "SNR, dB", *codecs)
    for kind, table in tables.items():
        summary = table.summary(metric).set_index(["codec", "snr_db"])["mean"]
        for snr_db in sorted(set(table.frame["snr_db"])):
            cells = (f"{summary[codec, snr_db]:.{DIGITS[metric]}f}" for codec in codecs)
            lines.append(row(kind, plain(snr_db), *cells))
    return lines


def lost(tables: dict[str, Table]) -> list[str]:
    """A row wherever a codec lost a picture."""
    lines = header("pictures", "SNR, dB", "codec", "lost", "PSNR with them", "PSNR without")
    for kind, table in tables.items():
        share = table.summary("outage").set_index(["snr_db", "codec"])["mean"]
        quality = table.summary("psnr").set_index(["snr_db", "codec"])
        for (snr_db, codec), part in share[share > 0].items():
            numbers = quality.loc[(snr_db, codec)]
            arrived = "–" if pd.isna(numbers["arrived"]) else f"{numbers['arrived']:.1f}"
            lines.append(
                row(
                    kind,
                    plain(snr_db),
                    codec,
                    f"{100 * part:.0f} %",
                    f"{numbers['mean']:.1f}",
                    arrived,
                )
            )
    return lines if len(lines) > 2 else ["None was lost."]


def page(tables: dict[str, Table]) -> str:
    """The whole page."""
    lines = [HEAD.rstrip(), FIRST, *leads(tables), GAMED]
    lines += [f"![Differences of {metric}](images/{name})" for name, (metric, _) in FIGURES.items()]
    for metric in CHAMPIONS:
        lines += ["", f"## {COLUMNS[metric].head}", "", *means(tables, metric)]
    lines += [LOST, *lost(tables), "", "## Tables", ""]
    lines += [
        f"- [{LINK}_{kind}.csv](results/{LINK}_{kind}.csv): {shown}"
        for kind, shown in PICTURES.items()
    ]
    return "\n".join(lines).rstrip() + "\n"


def coding_schemes() -> list[str]:
    """A row for every modulation and coding scheme, and its index in each table of TS 38.214."""
    tables = [f"table {number}" for number in (1, 2, 3)]
    lines = header("MCS", "modulation", "rate × 1024", "bits per use", *tables)
    places = [
        {(mcs.bits_per_symbol, mcs.code_rate): str(mcs.index) for mcs in mcs_table(number)}
        for number in (1, 2, 3)
    ]
    for mcs in mcs_table("all"):
        scheme = mcs.bits_per_symbol, mcs.code_rate
        held = [indices.get(scheme, "–") for indices in places]
        name, rate_1024 = modulation_name(mcs.bits_per_symbol), f"{1024 * mcs.code_rate:g}"
        lines.append(row(str(mcs.index), name, rate_1024, f"{mcs.bits_per_use:.3f}", *held))
    return lines


def baseline() -> str:
    """The page on separate coding with its table made anew."""
    return with_table(BASELINE, coding_schemes())


OBSERVERS = {
    "segmenter": "segmenter",
    "mirrored": "the same, mirrored",
    "control": "control",
    "second": "second, independent",
}


def saved(rows: pd.DataFrame) -> str:
    """A saving in percent with its interval; a dash where there is none.

    >>> one = {"saving": -19.24, "low": -22.4, "high": float("nan")}
    >>> saved(pd.DataFrame([one])), saved(pd.DataFrame([one | {"high": -16.1}]))
    ('−19.2', '−19.2 [−22.4, −16.1]')
    """
    if rows.empty or pd.isna(rows["saving"].iloc[0]):
        return "–"
    saving, low, high = (round(float(rows[n].iloc[0]), 1) for n in ("saving", "low", "high"))
    told = f"{saving:.1f}"
    return (told if pd.isna(high) else f"{told} [{low:.1f}, {high:.1f}]").replace("-", "−")


def savings(name: str, measure: str) -> list[str]:
    """A row for each way, a column for each observer."""
    rows = pd.read_csv(FOLDER / f"{name}.csv")
    rows = rows[rows["measure"] == measure]
    lines = header("", *OBSERVERS.values())
    for way in dict.fromkeys(rows["way"]):
        its = rows[rows["way"] == way]
        lines.append(row(way, *(saved(its[its["observer"] == who]) for who in OBSERVERS)))
    return lines


def once(name: str) -> list[str]:
    """Savings by what the first observer alone, or none, has."""
    rows = pd.read_csv(FOLDER / f"{name}.csv")
    rows = rows[rows["observer"].isin(["segmenter", "any"])]
    heads = {"cldice": "clDice", "dice": "annotated Dice, from QP 37 on", "roi_psnr_db": "ROI-PSNR"}
    lines = header("", *heads.values(), "picture by picture, mean (of how many)")
    for way in dict.fromkeys(rows["way"]):
        its = rows[rows["way"] == way]
        first = its[its["measure"] == "diagnostic"].iloc[0]
        each = f"{first['per_image']:.1f} ({first['per_image_of']:.0f})".replace("-", "−")
        lines.append(row(way, *(saved(its[its["measure"] == name]) for name in heads), each))
    return lines


def transfers() -> list[str]:
    """A row for each transfer: savings at equal diagnostic Dice, and core minutes."""
    rows = pd.read_csv(FOLDER / "dmic_transfer.csv")
    rows = rows[rows["measure"] == "diagnostic"]
    lines = header("", *OBSERVERS.values(), "core minutes")
    for way in dict.fromkeys(rows["way"]):
        its = rows[rows["way"] == way]
        seconds = its["cpu_seconds"].iloc[0]
        told = "–" if pd.isna(seconds) else f"{seconds / 60:.1f}"
        cells = [saved(its[its["observer"] == who]) for who in OBSERVERS]
        lines.append(row(way, *cells, told))
    return lines


def on_links() -> list[str]:
    """A row for each link, rate and SNR: codecs less HEVC with one QP, paired."""
    table = Table.load(FOLDER / "dmic_links.csv")
    frame = table.frame
    codecs = [codec for codec in dict.fromkeys(frame["codec"]) if codec != "hevc-ldpc"]
    metrics = {"dice": 3, "dice_control": 3, "roi_psnr": 1}
    heads = [f"{COLUMNS[m].head}, {c}" for m in metrics for c in codecs]
    lines = header("link", "cbr", "SNR, dB", *heads)
    for (link, cbr, snr_db), at in frame.groupby(["link", "cbr", "snr_db"], sort=False):
        cells = []
        for metric, digits in metrics.items():
            values = at.pivot_table(index="image", columns="codec", values=metric)
            for codec in codecs:
                gain = (values[codec] - values["hevc-ldpc"]).dropna()
                cells.append(apart([float(value) for value in gain], digits))
        lines.append(row(link, f"1/{1 / cbr:.0f}", plain(snr_db), *cells))
    return lines


def dmic() -> str:
    """The page on bit allocation with its tables made anew."""
    lines = [
        *TOLD["savings"], *savings("dmic", "diagnostic"), *TOLD["soft"], *savings("dmic", "soft"),
        *TOLD["once"], *once("dmic"), *TOLD["over"], *savings("dmic_over_rule", "diagnostic"),
        *TOLD["search"], *savings("dmic_search", "diagnostic"), *TOLD["transfer"], *transfers(),
        *TOLD["links"], *on_links(),
    ]  # fmt: skip
    return with_table(DMIC, lines)


def generative() -> str:
    """The page on generative transmission with its tables made anew."""
    return with_table(GENERATIVE, sections(FOLDER, IMAGES))


def readme(tables: dict[str, Table]) -> str:
    """The README with its table made anew."""
    return with_table(README, leads(tables))


def with_table(path: Path, lines: list[str]) -> str:
    """A page with other lines between its marks."""
    begin, end = MARKS
    before, rest = path.read_text("utf-8").split(begin)
    return before + begin + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1]


def figures(tables: dict[str, Table]) -> None:
    """Differences to the best separate scheme, a panel for each kind."""
    kinds = [table.frame.assign(link=kind) for kind, table in tables.items()]
    told = next(iter(tables.values())).metadata
    together = Table(pd.concat(kinds, ignore_index=True), {**told, "links": {}})
    for name, (metric, codecs) in FIGURES.items():
        chosen = together.select(codecs=[*codecs, SEPARATE]).against(SEPARATE)
        chosen.plot(metric, IMAGES / name)


if __name__ == "__main__":
    found = measured()
    PAGE.write_text(page(found), encoding="utf-8")
    BASELINE.write_text(baseline(), encoding="utf-8")
    README.write_text(readme(found), encoding="utf-8")
    DMIC.write_text(dmic(), encoding="utf-8")
    GENERATIVE.write_text(generative(), encoding="utf-8")
    figures(found)
