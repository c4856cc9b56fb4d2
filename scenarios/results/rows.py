"""Rows of a scenario: one per codec × link × point × image × trial, and what they mean."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from channels import InputError
from channels.errors import (
    check_name,
    check_number,
    check_path,
    plain,
    real_number,
    shown,
    unknown_name,
)
from scenarios.results.columns import (
    AXES,
    COLUMNS,
    LINK_PARAMETERS,
    SEPARATE,
    Column,
    identity,
    metrics,
)
from scenarios.results.columns import shown as shown_metrics
from scenarios.results.envelope import LEADING, envelope, separate_codecs
from scenarios.results.files import NAMED, replacing
from scenarios.results.metadata import merged
from scenarios.results.statistics import half_width_db, mean_interval, wilson_interval

_KEY = b"semcom"
_TOLD_BY = {"codecs": "codec", "families": "codec", "links": "link", "settings": "link"}
"""Metadata that tell of one codec or link each, and the column that holds its name."""

_SAME = 1e-9
"""Points and rates that differ by less are the same."""


class Rows:
    """Rows and what they mean; :class:`~scenarios.results.table.Table` prints and draws them.

    Args:
        frame: the rows, with the columns of ``metadata["definitions"]``.
        metadata: definitions, parameters, codecs, links and versions; JSON values only.

    Attributes:
        frame: the rows as a pandas DataFrame.
        metadata: see above.

    Raises:
        InputError: if a column is missing.

    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> Rows(pd.DataFrame([row]), {}).summary("psnr")[["codec", "snr_db", "n", "mean"]]
      codec  snr_db  n  mean
    0     a     0.0  1   0.0
    """

    def __init__(self, frame: pd.DataFrame, metadata: dict[str, Any]) -> None:
        lacking = [name for name, c in COLUMNS.items() if name not in frame and not c.on_request]
        if lacking:
            raise InputError(f"this is not a table of results: column {lacking[0]!r} is missing")
        dtypes = {name: column.dtype for name, column in COLUMNS.items() if name in frame}
        self.frame = frame[list(dtypes)].astype(dtypes)
        self.metadata = metadata

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        codecs, links = (", ".join(self.frame[name].unique()) for name in ("codec", "link"))
        return f"{type(self).__name__}({len(self)} rows: {codecs} over {links})"

    def save(self, path: str | Path) -> None:
        """Write to a ``.parquet`` or ``.csv`` file, definitions included.

        The same table gives the same bytes.

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        path = check_path(NAMED, path)
        if path.suffix not in (".parquet", ".csv"):
            raise InputError(
                f"cannot save to {path.name!r}: name it .parquet or .csv; .nc for xarray, .tex"
            )
        with replacing(path) as new:
            if path.suffix == ".csv":
                head = [
                    f"# {name}: {json.dumps(value, sort_keys=True)}"
                    for name, value in sorted(self.metadata.items())
                ]
                body = self.frame.to_csv(
                    index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC
                )
                new.write_text("\n".join([*head, body]), encoding="utf-8", newline="\n")
            else:
                rows = pa.Table.from_pandas(self.frame, preserve_index=False)
                meaning = json.dumps(self.metadata, sort_keys=True).encode()
                pq.write_table(
                    rows.replace_schema_metadata({**rows.schema.metadata, _KEY: meaning}), new
                )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: if there is no such file or it holds something else.
        """
        path = check_path(NAMED, path)
        wrong = f"{path.name!r} is not a saved table"
        if not path.is_file():
            reason = "it is a folder" if path.is_dir() else "there is no such file"
            raise InputError(f"{wrong}: {reason}, name a .parquet or .csv file")
        try:
            frame, metadata = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
            _check_held(frame, metadata)
            return cls(_completed(frame), metadata)
        except InputError:
            raise
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise InputError(
                f"{wrong}: it cannot be read or holds something else, load what Table.save wrote"
            ) from error

    @classmethod
    def merge(cls, tables: Sequence[Rows]) -> Self:
        """Put tables of the same definitions together.

        Codecs, links, points and rates may differ from table to table; all else must agree.

        Raises:
            InputError: if metadata disagree, or two tables hold the same row.
        """
        if isinstance(tables, Rows) or not all(isinstance(table, Rows) for table in tables):
            raise InputError(f"merge takes a list of tables, got {shown(tables)}")
        if not tables:
            raise InputError("no table to merge: pass at least one")
        metadata = dict(tables[0].metadata)
        for table in tables[1:]:
            metadata = merged(metadata, table.metadata)
        frame = pd.concat([table.frame for table in tables], ignore_index=True)
        if bool(frame.duplicated(identity()).any()):
            raise InputError("the tables hold the same rows: leave one of them out")
        return cls(frame, metadata)

    def select(
        self,
        *,
        codecs: str | Sequence[str] | None = None,
        links: str | Sequence[str] | None = None,
        snr_db: float | Sequence[float] | None = None,
        cbr: float | Sequence[float] | None = None,
    ) -> Self:
        """The rows of some codecs, links, points and rates, or of one; ``None`` leaves all.

        Codecs and links come in the order that they are named in, each once.

        Raises:
            InputError: on one that the table does not hold.

        >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
        >>> both = pd.DataFrame([row, row | {"codec": "b"}])
        >>> Rows(both, {}).select(codecs=["b"])
        Rows(1 rows: b over awgn)
        """
        frame, metadata = self.frame, dict(self.metadata)
        chosen = {"snr_db": snr_db, "cbr": cbr, "link": links, "codec": codecs}
        for column, wanted in chosen.items():
            if wanted is not None:
                frame = _chosen(frame, column, wanted)
        for name, column in _TOLD_BY.items():
            if isinstance(metadata.get(name), dict):
                held = {*frame[column], self.anchor}
                metadata[name] = {key: v for key, v in metadata[name].items() if key in held}
        return type(self)(frame, metadata)

    def with_separate(self) -> Self:
        """With the best separate scheme at each point as one more codec, ``"separate"``.

        See :func:`scenarios.results.envelope.envelope`.

        Raises:
            InputError: if the table holds no separate scheme, or differences.

        >>> row = dict.fromkeys(COLUMNS, 0) | {"link": "awgn", "scenario": "snr"}
        >>> Rows(pd.DataFrame([row | {"codec": "hevc-ldpc"}]), {}).with_separate()
        Rows(2 rows: hevc-ldpc, separate over awgn)
        """
        if SEPARATE in set(self.frame["codec"]):
            return self
        self._check_measured()
        best = envelope(self.frame, self.metadata)
        of = ", ".join(self.separate)
        told = {
            "codecs": f"{SEPARATE} the best of {of} at each point and of each metric",
            "families": SEPARATE,
        }
        added = {name: {**self.metadata.get(name, {}), SEPARATE: told[name]} for name in told}
        frame = pd.concat([self.frame, best], ignore_index=True)
        return type(self)(frame, self.metadata | added)

    @property
    def separate(self) -> list[str]:
        """Labels of the separate schemes that the table holds.

        >>> row = dict.fromkeys(COLUMNS, 0) | {"link": "awgn", "scenario": "snr"}
        >>> Rows(pd.DataFrame([row | {"codec": "hevc-ldpc"}]), {}).separate
        ['hevc-ldpc']
        """
        return separate_codecs(list(dict.fromkeys(self.frame["codec"])), self.metadata)

    def against(self, codec: str) -> Self:
        """By how much every other codec differs from one, draw by draw.

        Images differ far more from one another than codecs do: the intervals of differences tell
        what intervals of means hide. Outages stay as they are.

        Args:
            codec: label of the one that is taken off; ``"separate"`` for the best separate scheme
                at each point (:meth:`with_separate`).

        Raises:
            InputError: if the table does not hold it, nothing else, or not everywhere, or holds
                differences already.

        >>> row = dict.fromkeys(COLUMNS, 0) | {"link": "awgn", "scenario": "snr"}
        >>> rows = [row | {"codec": "a", "psnr": 30}, row | {"codec": "b", "psnr": 31}]
        >>> Rows(pd.DataFrame(rows), {}).against("a").summary("psnr")[["codec", "mean"]]
          codec  mean
        0     b   1.0
        """
        if codec == SEPARATE and SEPARATE not in set(self.frame["codec"]):
            return self.with_separate().against(codec)
        self._check_measured()
        places = [column for column in identity() if column != "codec"]
        is_anchor = self.frame["codec"] == codec
        others = self.frame[~is_anchor].reset_index(drop=True)
        if not bool(is_anchor.any()):
            raise unknown_name("codec", codec, list(self.frame["codec"].unique()))
        if others.empty:
            raise InputError(f"the table holds no codec but {codec!r}: there is no difference")
        qualities = {name: column for name, column in metrics().items() if column.is_quality}
        differing = [name for name in qualities if name in self.frame]
        anchor = self.frame.loc[is_anchor, [*places, *differing]]
        beside = others[places].merge(anchor, how="left", on=places, indicator=True)
        if bool((beside["_merge"] != "both").any()):
            raise InputError(f"{codec!r} was not measured everywhere where others were")
        difference = others.assign(
            **{name: _difference(others[name], beside[name]) for name in differing}
        )
        parameters = {**self.metadata.get("parameters", {}), "against": codec}
        return type(self)(difference, {**self.metadata, "parameters": parameters})

    @property
    def shown(self) -> list[str]:
        """Metrics of the table that are printed and drawn where no others are named.

        >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
        >>> del row["vsi"]
        >>> table = Rows(pd.DataFrame([row]), {})
        >>> "fsim" in table.shown, "vsi" in table.shown
        (True, False)
        """
        return [name for name in shown_metrics() if name in self.frame]

    @property
    def anchor(self) -> str | None:
        """Whom the values are differences to, ``None`` where they are none.

        >>> row = dict.fromkeys(COLUMNS, 0) | {"link": "awgn", "scenario": "snr"}
        >>> both = Rows(pd.DataFrame([row | {"codec": "a"}, row | {"codec": "b"}]), {})
        >>> both.against("a").anchor, both.anchor
        ('a', None)
        """
        anchor = self.metadata.get("parameters", {}).get("against")
        return None if anchor is None else str(anchor)

    def _check_measured(self) -> None:
        """Refuse a table of differences, where there is nothing left to compare with."""
        if self.anchor is not None:
            raise InputError(
                f"these are differences to {self.anchor!r} already: start from the table of the run"
            )

    @property
    def axes(self) -> dict[str, str]:
        """What curves can run along, with axis labels: what differs among links comes first.

        >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
        >>> list(Rows(pd.DataFrame([row]), {}).axes)
        ['snr_db', 'cbr']
        """
        told = self.metadata.get("settings", {}).values()
        differing = {name for parameters in told for name in parameters if name != "link"}
        swept = {name: column for name, column in LINK_PARAMETERS.items() if name in differing}
        return {name: column.axis_label for name, column in (swept | AXES).items()}

    def located(self, summary: pd.DataFrame) -> pd.DataFrame:
        """A summary whose links have the name that they share, and their parameters as columns."""
        swept = self.metadata.get("settings", {})
        if not swept:
            return summary
        names = [name for name in self.axes if name not in AXES]
        columns = {
            name: [swept.get(link, {}).get(name, math.nan) for link in summary["link"]]
            for name in names
        }
        shared = [swept.get(link, {}).get("link", link) for link in summary["link"]]
        return summary.assign(link=shared, **columns)

    def label(self, metric: str) -> str:
        """What stands on a metric's axis.

        Raises:
            InputError: on an unknown metric.
        """
        column = metric_of(metric)
        if self.anchor is None or not column.is_quality:
            return column.head
        whose = "the best separate scheme" if self.anchor == SEPARATE else self.anchor
        return replace(column, label=f"{column.label} over {whose}'s").head

    def summary(self, metric: str) -> pd.DataFrame:
        """Mean and 95 % interval of a metric.

        Images are the independent units: the trials of an image are averaged first. Where there
        is but one image its trials are the units. The share of outages has Wilson's interval. Lost
        images count, as whatever is shown in their place; beside stands the mean without them.

        Args:
            metric: ``"psnr"``, ``"roi_psnr"``, …, one of
                :func:`~scenarios.results.columns.metrics`.

        Returns:
            Columns codec, link, cbr, snr_db, n (images or trials), mean, low, high, arrived (the
            mean over what arrived; codecs may have lost others; NaN of outages, and of the best
            separate scheme where it is chosen by another metric than its losses are); one row per
            codec × link × cbr × snr_db, in the table's order.

        Raises:
            InputError: on an unknown metric, or one that was not asked for when the table was made.
        """
        is_share = metric_of(metric).is_share
        self.check_holds(metric)
        rows = []
        point = ["codec", "link", "cbr", "snr_db"]
        for place, group in self.frame.groupby(point, sort=False):
            if is_share:
                n, arrived = len(group), math.nan
                mean, low, high = wilson_interval(int(group[metric].sum()), n)
            else:
                units = _units(group, metric)
                n, arrived = len(units), float(_units(group[~group["outage"]], metric).mean())
                if place[0] == SEPARATE and metric != LEADING:
                    arrived = math.nan
                mean, low, high = mean_interval([float(value) for value in units])
            rows.append((*place, n, mean, low, high, arrived))
        return pd.DataFrame(rows, columns=[*point, "n", "mean", "low", "high", "arrived"])

    def check_holds(self, metric: str) -> None:
        """Refuse a metric that is measured on request and was not asked for.

        Raises:
            InputError: that says how to.
        """
        if metric not in self.frame:
            raise InputError(
                f"the table holds no {metric}: run the scenario again with --metrics {metric}, in "
                f"Python metrics=[{metric!r}]"
            )

    def stops(self) -> pd.DataFrame:
        """How often each point was sent, how well PSNR is known by that, and why it was enough.

        Returns:
            Columns link, cbr, snr_db, trials, half_db (half the 95 % interval of mean PSNR over
            these images, of the codec that has the widest, see
            :func:`scenarios.results.statistics.half_width_db`), stopped (``"ci"``: narrow enough,
            ``"cap"``, or ``"trials"`` where no interval was asked for).
        """
        asked = self.metadata.get("parameters", {}).get("stop")
        rows = []
        for place, group in self.frame.groupby(["link", "cbr", "snr_db"], sort=False):
            halves = [
                half_width_db([list(trials["psnr"]) for _, trials in rows_of.groupby("image")])
                for _, rows_of in group.groupby("codec")
            ]
            half = math.nan if any(map(math.isnan, halves)) else max(halves)
            narrow = asked is not None and half <= asked["ci_db"]
            why = "trials" if asked is None else "ci" if narrow else "cap"
            rows.append((*place, group["trial"].nunique(), half, why))
        columns = ["link", "cbr", "snr_db", "trials", "half_db", "stopped"]
        return pd.DataFrame(rows, columns=columns)

    def axis(self, x: str | None) -> str:
        """Check the name of an axis; ``None`` stands for the first.

        Raises:
            InputError: if the table has no such axis.
        """
        return next(iter(self.axes)) if x is None else check_name("x", x, self.axes)


def _units(rows: pd.DataFrame, metric: str) -> pd.Series[Any]:
    """Independent values: means of images, or of one image its trials."""
    values = rows.dropna(subset=[metric])
    if values["image"].nunique() == 1:
        return values[metric]
    means: pd.Series[Any] = values.groupby("image")[metric].mean()
    return means


def metric_of(name: object) -> Column:
    """A metric by its name.

    Raises:
        InputError: on an unknown one.

    >>> metric_of("psnr").unit
    'dB'
    """
    return metrics()[check_name("metric", name, metrics())]


def believed(rows: Rows) -> float | None:
    """The SNR in dB that every transmitter believed, ``None`` where it knew the channel's.

    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "mismatch"}
    >>> believed(Rows(pd.DataFrame([row | {"believed_snr_db": 10.0}]), {}))
    10.0
    """
    told = rows.frame["believed_snr_db"]
    if told.nunique() != 1 or bool((told == rows.frame["snr_db"]).all()):
        return None
    return float(told.iloc[0])


def _difference(one: pd.Series[float], other: pd.Series[float]) -> pd.Series[float]:
    """How far apart values are; equal ones not at all, two lossless images neither."""
    return (one - other).where(one != other, 0.0)


def _chosen(frame: pd.DataFrame, column: str, wanted: Any) -> pd.DataFrame:
    parts = []
    alone = (
        isinstance(wanted, str)
        or real_number(wanted) is not None
        or not isinstance(wanted, Iterable)
    )
    for value in dict.fromkeys(map(plain, [wanted] if alone else wanted)):
        if column in AXES:
            number = check_number(column, value, -math.inf, math.inf)
            rows = (frame[column] - number).abs() < _SAME
        else:
            rows = frame[column] == value
        if not bool(rows.any()):
            held = ", ".join(
                f"{v:g}" if isinstance(v, float) else v for v in frame[column].unique()
            )
            raise InputError(f"the table holds no {column} {shown(value)}: it holds {held}")
        parts.append(frame[rows])
    if not parts:
        raise InputError(f"no {column} is chosen: name at least one")
    chosen: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return chosen


def _check_held(frame: pd.DataFrame, metadata: object) -> None:
    """Refuse rows without a name and metadata that are no mappings.

    Raises:
        ValueError: told by whoever reads the file.
    """
    if not isinstance(metadata, dict) or not all(isinstance(v, dict) for v in metadata.values()):
        raise ValueError("metadata are mappings")
    if frame.empty or not all(isinstance(v, str) for v in [*frame["codec"], *frame["link"]]):
        raise ValueError("every row has a codec and a link")


def _read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = pq.read_table(path)
    return rows.to_pandas(), json.loads((rows.schema.metadata or {})[_KEY])


def _read_csv(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    metadata: dict[str, Any] = {}
    with path.open(encoding="utf-8") as file:
        count = 0
        for line in file:
            if not line.startswith("# "):
                break
            name, value = line[2:].split(": ", 1)
            metadata[name] = json.loads(value)
            count += 1
    named = {name for name, column in COLUMNS.items() if column.dtype == "str"}
    missing = {name: [""] for name in COLUMNS if name not in named}
    frame = pd.read_csv(
        path, skiprows=count, dtype=dict.fromkeys(named, str), keep_default_na=False,
        na_values=missing,
    )  # fmt: skip
    return frame, metadata


def _completed(frame: pd.DataFrame) -> pd.DataFrame:
    """Files of earlier versions lack columns: those were not measured, and the SNR was known."""
    late = {name: math.nan for name, column in COLUMNS.items() if column.is_late}
    late["believed_snr_db"] = frame.get("snr_db")  # type: ignore[assignment]
    return frame.assign(**{name: value for name, value in late.items() if name not in frame})


def pictured(table: Rows) -> str:
    """Which kinds of pictures a table is of, and how many samples a pixel has.

    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> pictured(Rows(pd.DataFrame([row]), {"parameters": {"channels": [3]}}))
    'RGB pictures (C = 3)'
    """
    kinds = {1: "grey pictures (C = 1)", 3: "RGB pictures (C = 3)"}
    counts = table.metadata.get("parameters", {}).get("channels", [1])
    return " and ".join(kinds[count] for count in counts)
