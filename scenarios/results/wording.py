"""What tables and figures say in the same words."""

from __future__ import annotations

from scenarios.results.columns import SEPARATE
from scenarios.results.rows import Rows, pictured
from scenarios.results.style import rate


def counted(count: object, noun: str) -> str:
    """A number of things.

    >>> counted(1, "trial"), counted(2, "trial")
    ('1 trial', '2 trials')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def kinds_of_pictures(table: Rows, count: object = None) -> str:
    """Which kinds of pictures a table is of, as one where ``count`` is 1.

    >>> from scenarios.results.columns import COLUMNS
    >>> import pandas as pd
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> kinds_of_pictures(Rows(pd.DataFrame([row]), {}), 1)
    'grey picture (C = 1)'
    """
    kinds = pictured(table)
    return kinds.replace("pictures", "picture") if count == 1 else kinds


def rates_told(table: Rows) -> str:
    """The rates of a table as people say them.

    >>> from scenarios.results.columns import COLUMNS
    >>> import pandas as pd
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> rates_told(Rows(pd.DataFrame([row | {"cbr": 1 / 8}, row | {"cbr": 1 / 32}]), {}))
    '1/32, 1/8'
    """
    return ", ".join(rate(float(cbr)) for cbr in sorted(set(table.frame["cbr"])))


def draws_told(table: Rows) -> str:
    """Which draws of fading and noise are shared, in a sentence.

    >>> from scenarios.results.columns import COLUMNS
    >>> import pandas as pd
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> draws_told(Rows(pd.DataFrame([row]), {"parameters": {"draws": "common"}}))
    'All codecs meet the same fading and noise, at every SNR.'
    """
    if table.metadata.get("parameters", {}).get("draws") == "common":
        return "All codecs meet the same fading and noise, at every SNR."
    return "All codecs meet the same fading and noise, independent from SNR to SNR."


def anchor_of(table: Rows) -> str | None:
    """Whom a table's values are differences to, ``None`` where they are none.

    >>> from scenarios.results.columns import COLUMNS
    >>> import pandas as pd
    >>> row = dict.fromkeys(COLUMNS, 0) | {"link": "awgn", "scenario": "snr"}
    >>> both = Rows(pd.DataFrame([row | {"codec": "a"}, row | {"codec": "b"}]), {})
    >>> anchor_of(both.against("a")), anchor_of(both)
    ('a', None)
    """
    anchor = table.metadata.get("parameters", {}).get("against")
    return None if anchor is None else str(anchor)


def separate_told(table: Rows) -> str:
    """What the best separate scheme is chosen from, in a sentence; ``""`` where there is none.

    >>> from scenarios.results.columns import COLUMNS
    >>> import pandas as pd
    >>> row = dict.fromkeys(COLUMNS, 0) | {"link": "awgn", "scenario": "snr"}
    >>> both = pd.DataFrame([row | {"codec": "hevc-ldpc"}, row | {"codec": "avif-ldpc"}])
    >>> separate_told(Rows(both, {}).against("separate"))[:44]
    'separate: the best of hevc-ldpc, avif-ldpc a'
    """
    if SEPARATE not in {anchor_of(table), *table.frame["codec"]}:
        return ""
    unknown = f"{SEPARATE} the best separate scheme at each point and of each metric"
    known = str(table.metadata.get("codecs", {}).get(SEPARATE, unknown))
    name, _, of = known.partition(" ")
    return f"{name}: {of}, chosen by means, which favours it."


def units_told(table: Rows) -> str:
    """What intervals of means are over: pictures, or of one picture its trials; ``""``: neither.

    >>> from scenarios.results.columns import COLUMNS
    >>> import pandas as pd
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> units_told(Rows(pd.DataFrame([row, row | {"trial": 1}]), {}))
    'trials of the one picture'
    """
    if table.frame["image"].nunique() > 1:
        return "pictures"
    return "trials of the one picture" if table.frame["trial"].nunique() > 1 else ""
