"""Writes results.md and the README's table from those in results/: no figure is typed by hand.

    python docs/tables.py

A test compares both with what this makes of the tables.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from scenarios.results.rate_saving import rate_saving
from scenarios.results.style import rate
from scenarios.results.table import Table

FOLDER = Path(__file__).parent / "results"
PAGE = Path(__file__).parent / "results.md"
README = Path(__file__).parents[1] / "README.md"
MARKS = "<!-- made by docs/tables.py -->\n", "<!-- end -->\n"
SHOWN = {"ntn-tdl-c": (0.0, 6.0, 12.0), "leo600-s-urban": (3.0, 9.0), "awgn": (3.0, 9.0)}
SHOWN_CBR = 1 / 32
README_SHOWN = {"ntn-tdl-c": (6.0,), "leo600-s-urban": (3.0,), "awgn": (3.0,)}
SAVED_DB = (0.0, 3.0, 6.0, 9.0)
LINKS = {
    "ntn-tdl-c": "NTN-TDL-C (TR 38.811 6.9), 2 GHz",
    "leo600-s-urban": "LEO at 600 km, S band, urban (TR 38.811 system level)",
    "awgn": "AWGN",
}
PICTURES = {
    "chest": "chest X-rays, lungs as region",
    "angiography": "coronary angiograms, arteries as region",
    "dental": "dental panoramics, teeth as region",
}
ORDER = (
    "medjscc", "hevc-ldpc", "hevc-roi-ldpc", "jpeg2000-ldpc", "deepjscc", "adjscc", "ntscc",
    "hevc-capacity",
)  # fmt: skip
ANCHOR = "hevc-ldpc"
DIGITS = {"psnr": 1, "roi_psnr": 1, "ms_ssim": 3, "dice": 2}
MIN_OVERLAP = 0.35
HEAD = """# Results

Made by `python docs/tables.py` from the tables in `docs/results`; `semcom table`, `semcom plot` and
`semcom rate-saving` read them too.

Four pictures of each kind, of patients that were not trained on, up to 512 pixels a side, chosen by
their position in the list before anything was measured. One draw of fading and noise per picture
and point, the same for all codecs. Codecs know the average SNR and their link's
statistics; receivers know the channel. Each cell: mean **PSNR / ROI-PSNR in dB / MS-SSIM /
diagnostic Dice**, and how many pictures were lost; a lost picture counts as grey, or as Med-JSCC's
analog base layer. `hevc-capacity` is a bound: HEVC with an ideal code. No real dental picture was
trained on. The [definitions](definitions.md) say what SNR, CBR and each metric are; `ntscc` here
stays far behind its paper, and its card says why.
"""
SAVED = """
**Bandwidth that Med-JSCC saves** of HEVC + LDPC's (BD-CBR through all rates, negative is saved,
95 % by bootstrap over pictures, none where resamples overlap too little;
`semcom rate-saving … --against hevc-ldpc --min-overlap 0.35`), and its mean difference in dB at
each equal CBR with half of the 95 % interval (Student's t over pictures):
"""
GLANCE = """
## At a glance

At cbr 1/32, mean PSNR / ROI-PSNR in dB / diagnostic Dice. Med-JSCC's rows, here and below, are
those of the codec and weights of 2026-11-28: it has been rebuilt since and is in training
([how](medjscc.md)). Rows were measured in several runs over the same draws.
"""
LOSES = """
## Where Med-JSCC does not win

- Over the whole picture HEVC + LDPC leads in angiograms and dental pictures over AWGN, by 0.2 to
  0.7 dB at cbr 1/32 (the region gets finer steps, arteries three times as fine, which the rest
  pays for), and over NTN-TDL-C in angiograms up to 3 dB SNR and at cbr 1/64 and 1/128, by up to
  1.4 dB.
- At −3 dB and cbr 1/64, where a coarse analogue picture takes the digital part's place, HEVC is 2
  to 4.5 dB ahead in chest pictures and angiograms over AWGN, and 4 dB in angiograms over
  NTN-TDL-C; there, and in chest pictures, DeepJSCC is ahead as well.
- Beside `hevc-roi-ldpc`, HEVC with finer steps in the region, the lead in the region shrinks to 1
  to 2.5 dB over NTN-TDL-C at cbr 1/32 (dental at 0 dB: none), and to 1.7 dB or less over AWGN; at
  15 dB over AWGN `hevc-roi-ldpc` leads in chest and dental pictures.
- Over urban LEO one deep fade takes a picture from most schemes with bits in them: at 3 dB
  DeepJSCC leads in chest and dental pictures. The same happens where the channel is [worse than
  believed](medjscc.md#an-snr-that-is-not-so).
- Intervals are wide: four pictures each. AV1 is not among these rows; it is ahead of HEVC in
  chest pictures and angiograms by 0.15 to 0.7 dB. NTSCC stays far behind (its card says how far
  and why it is no fair opponent).
- Every point drew its own fading, the same for all codecs: with few pictures a curve over fading
  may fall as SNR rises.
"""
SAVED_SHORT = """Bandwidth that Med-JSCC saves of HEVC + LDPC's over NTN-TDL-C (BD-CBR through cbr
1/128 to 1/8, negative is saved, 95 % by bootstrap over pictures, none where resamples overlap too
little; `semcom rate-saving … --against hevc-ldpc --min-overlap 0.35`):
"""
_SAVED_COLUMNS = (
    "SNR, dB", "at equal ROI-PSNR", "at equal PSNR", "ROI-PSNR at equal CBR", "PSNR at equal CBR",
)  # fmt: skip

_EQUAL = ("roi_psnr", "psnr")


def signed(value: float, digits: int = 1) -> str:
    """A number with a sign of its own width.

    >>> signed(-1.25), signed(2)
    ('−1.2', '+2.0')
    """
    return f"{value:+.{digits}f}".replace("-", "−")


def plain(value: float) -> str:
    """An SNR as it is written."""
    return f"{value:g}".replace("-", "−")


def cell(rows: pd.DataFrame, digits: dict[str, int]) -> str:
    """Means of one codec at one point, of the metrics named with their digits."""
    if rows.empty:
        return "–"
    lost = int(rows["outage"].sum())
    said = " / ".join(f"{rows[metric].mean():.{number}f}" for metric, number in digits.items())
    return said + (f" ({lost} lost)" if lost else "")


def header(*columns: str) -> list[str]:
    """The first two lines of a table."""
    return [row(*columns), "| --- " * len(columns) + "|"]


def row(*cells: str) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def qualities(table: Table) -> list[str]:
    """A row for every rate and point, a column for every codec."""
    frame = table.frame
    codecs = [name for name in ORDER if name in set(frame["codec"])]
    lines = header("CBR", "SNR, dB", *codecs)
    for cbr, snr_db in sorted(set(zip(frame["cbr"], frame["snr_db"], strict=True))):
        rows = frame[(frame["cbr"] == cbr) & (frame["snr_db"] == snr_db)]
        cells = [cell(rows[rows["codec"] == name], DIGITS) for name in codecs]
        lines.append(row(rate(cbr), plain(snr_db), *cells))
    return lines


def saved(table: Table) -> list[str]:
    """BD-CBR of Med-JSCC at each SNR, and its differences at each rate."""
    pair = table.select(codecs=["medjscc", ANCHOR])
    lines = header(*_SAVED_COLUMNS)
    for snr_db, bd in bandwidths(pair).items():
        gains = [differences(pair, metric, snr_db) for metric in _EQUAL]
        lines.append(row(plain(snr_db), *bd, *gains))
    return lines


def bandwidths(pair: Table) -> dict[float, list[str]]:
    """BD-CBR at equal quality of the region and of the whole, by rising SNR."""
    found = [savings(pair, metric) for metric in _EQUAL]
    points = sorted(set(pair.frame["snr_db"]))
    return {snr_db: [by_snr[snr_db] for by_snr in found] for snr_db in points}


def savings(pair: Table, metric: str) -> dict[float, str]:
    """BD-CBR in words, by SNR."""
    frame = rate_saving(pair, ANCHOR, metric, min_overlap=MIN_OVERLAP).frame
    said = {}
    for row in frame.to_dict("records"):
        if pd.isna(row["bd_cbr"]):
            text = f"none: {row['reason']}"
        else:
            text = f"{signed(row['bd_cbr'], 0)} %"
            if not pd.isna(row["low"]):
                text += f" ({signed(row['low'], 0)} … {signed(row['high'], 0)})"
        said[row["snr_db"]] = text
    return said


def differences(pair: Table, metric: str, snr_db: float) -> str:
    """Mean differences to the anchor, by rising rate."""
    frame = pair.against(ANCHOR).summary(metric)
    rows = frame[(frame["snr_db"] == snr_db) & (frame["codec"] == "medjscc")].sort_values("cbr")
    return ", ".join(
        f"{rate(row['cbr'])}: {signed(row['mean'])} ± {row['high'] - row['mean']:.1f}"
        for row in rows.to_dict("records")
    )


def page() -> str:
    """The whole page."""
    lines = [HEAD.rstrip(), *at_a_glance(), LOSES]
    for link, named in LINKS.items():
        lines += [f"## {named}", ""]
        for kind, shown in PICTURES.items():
            path = FOLDER / f"{link}_{kind}.csv"
            if not path.exists():
                continue
            table = Table.load(path)
            lines += [f"### {named.split(',')[0].split(' (')[0]}: {shown}", ""]
            lines += [f"[{path.name}](results/{path.name})", "", *qualities(table)]
            lines += [SAVED, *saved(table), ""]
    return "\n".join(lines).rstrip() + "\n"


def qualities_at_one_rate(shown: dict[str, tuple[float, ...]]) -> list[str]:
    """A row for every kind of picture, link and point shown, a column for every codec."""
    codecs = [name for name in ORDER if name not in ("ntscc", "hevc-capacity")]
    digits = {name: number for name, number in DIGITS.items() if name != "ms_ssim"}
    lines = header("pictures", "link", "SNR, dB", *codecs)
    for kind in PICTURES:
        for link, points in shown.items():
            frame = Table.load(FOLDER / f"{link}_{kind}.csv").frame
            frame = frame[abs(frame["cbr"] - SHOWN_CBR) < 1e-9]
            for snr_db in points:
                rows = frame[frame["snr_db"] == snr_db]
                cells = [cell(rows[rows["codec"] == name], digits) for name in codecs]
                lines.append(row(kind, link, plain(snr_db), *cells))
    return lines


def at_a_glance() -> list[str]:
    """Quality at one rate, and what Med-JSCC saves over NTN-TDL-C."""
    lines = [GLANCE, *qualities_at_one_rate(SHOWN)]
    lines += ["", SAVED_SHORT, *header("pictures", *_SAVED_COLUMNS[:3])]
    for kind in PICTURES:
        table = Table.load(FOLDER / f"ntn-tdl-c_{kind}.csv")
        table = table.select(codecs=["medjscc", ANCHOR], snr_db=SAVED_DB)
        lines += [row(kind, plain(snr_db), *bd) for snr_db, bd in bandwidths(table).items()]
    return lines


def readme() -> str:
    """The README with its table made anew."""
    begin, end = MARKS
    before, rest = README.read_text("utf-8").split(begin)
    table = "\n".join(qualities_at_one_rate(README_SHOWN)) + "\n"
    return before + begin + table + end + rest.split(end, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    README.write_text(readme(), encoding="utf-8")
