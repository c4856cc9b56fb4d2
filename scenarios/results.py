"""The table of a scenario: one row per codec × link × point × picture × trial."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from channels import InputError
from channels.errors import unknown_name
from scenarios.definitions import COLUMNS, IDENTITY, LABELS
from scenarios.files import replacing, save_figure
from scenarios.statistics import mean_interval, wilson_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = ("psnr", "roi_psnr", "dice", "outage")
"""What is printed and drawn where nothing else is asked for."""

_KEY = b"semcom"


class Table:
    """Rows and what they mean.

    Args:
        frame: the rows, with the columns of ``metadata["definitions"]``.
        metadata: definitions, parameters, codecs, links and versions; JSON values only.

    Attributes:
        frame: the rows as a pandas DataFrame.
        metadata: see above.

    Raises:
        InputError: if a column is missing.

    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> Table(pd.DataFrame([row]), {}).summary("psnr")[["codec", "snr_db", "n", "mean"]]
      codec  snr_db  n  mean
    0     a     0.0  1   0.0
    """

    def __init__(self, frame: pd.DataFrame, metadata: dict[str, Any]) -> None:
        lacking = [column for column in COLUMNS if column not in frame]
        if lacking:
            raise InputError(f"this is not a table of results: column {lacking[0]!r} is missing")
        self.frame = frame[list(COLUMNS)].astype(COLUMNS)
        self.metadata = metadata

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        codecs, links = (", ".join(self.frame[name].unique()) for name in ("codec", "link"))
        return f"Table({len(self)} rows: {codecs} over {links})"

    def save(self, path: str | Path) -> None:
        """Write to a ``.parquet`` or ``.csv`` file, definitions included.

        The same table gives the same bytes.

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        path = Path(path)
        if path.suffix not in (".parquet", ".csv"):
            raise InputError(f"cannot save to {path.name!r}: name it .parquet or .csv")
        with replacing(path) as new:
            if path.suffix == ".csv":
                head = [
                    f"# {name}: {json.dumps(value, sort_keys=True)}"
                    for name, value in sorted(self.metadata.items())
                ]
                body = self.frame.to_csv(index=False, lineterminator="\n")
                new.write_text("\n".join([*head, body]), encoding="utf-8", newline="\n")
            else:
                rows = pa.Table.from_pandas(self.frame, preserve_index=False)
                meaning = json.dumps(self.metadata, sort_keys=True).encode()
                pq.write_table(
                    rows.replace_schema_metadata({**rows.schema.metadata, _KEY: meaning}), new
                )

    @classmethod
    def load(cls, path: str | Path) -> Table:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: if there is no such file or it holds something else.
        """
        path = Path(path)
        wrong = f"{path.name!r} is not a saved table"
        if not path.is_file():
            reason = "it is a folder" if path.is_dir() else "there is no such file"
            raise InputError(f"{wrong}: {reason}, name a .parquet or .csv file")
        try:
            frame, metadata = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
            return cls(_completed(frame), metadata)
        except InputError:
            raise
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise InputError(
                f"{wrong}: it cannot be read or holds something else, load what Table.save wrote"
            ) from error

    @classmethod
    def merge(cls, tables: Sequence[Table]) -> Table:
        """Put tables of the same definitions together.

        Codecs and links may differ from table to table; everything else must agree.

        Raises:
            InputError: if metadata disagree, or two tables hold the same row.
        """
        if not tables:
            raise InputError("no table to merge: pass at least one")
        metadata = dict(tables[0].metadata)
        for table in tables[1:]:
            metadata = _merged(metadata, table.metadata)
        frame = pd.concat([table.frame for table in tables], ignore_index=True)
        if bool(frame.duplicated(list(IDENTITY)).any()):
            raise InputError("the tables hold the same rows: leave one of them out")
        return cls(frame, metadata)

    def summary(self, metric: str) -> pd.DataFrame:
        """Mean and 95 % interval of a metric.

        Pictures are the independent units: the trials of a picture are averaged first. Where there
        is but one picture its trials are the units. The share of outages has Wilson's interval.

        Args:
            metric: ``"psnr"``, ``"roi_psnr"``, ``"ssim"``, ``"ms_ssim"``, ``"dice"``,
                ``"outage"``, …

        Returns:
            Columns codec, link, cbr, snr_db, n (pictures or trials), mean, low, high; one row per
            codec × link × cbr × snr_db, in the table's order.

        Raises:
            InputError: on an unknown metric.
        """
        if not isinstance(metric, str) or metric not in LABELS:
            raise unknown_name("metric", metric, LABELS)
        rows = []
        point = ["codec", "link", "cbr", "snr_db"]
        for place, group in self.frame.groupby(point, sort=False):
            if metric == "outage":
                n = len(group)
                mean, low, high = wilson_interval(int(group["outage"].sum()), n)
            else:
                values = group.dropna(subset=[metric])
                one = values["image"].nunique() == 1
                units = values[metric] if one else values.groupby("image")[metric].mean()
                n = len(units)
                mean, low, high = mean_interval([float(value) for value in units])
            rows.append((*place, n, mean, low, high))
        return pd.DataFrame(rows, columns=[*point, "n", "mean", "low", "high"])

    def plot(self, metric: str = "psnr", path: str | Path | None = None) -> Figure:
        """Draw mean curves with 95 % bands, one panel per link and rate.

        Args:
            metric: what to draw, as in :meth:`summary`.
            path: where to save the figure; ``None`` only returns it.

        Raises:
            InputError: on an unknown metric, one that the table has no finite mean of, or a path
                that cannot be written to.
        """
        from scenarios.plotting import curves

        figure = curves(self, metric)
        if path is not None:
            save_figure(figure, path)
        return figure

    def print(self, metrics: Sequence[str] = METRICS) -> None:
        """Print means and 95 % intervals, and below them what the numbers mean."""
        from scenarios.printing import print_table

        print_table(self, metrics)


def believed(table: Table) -> float | None:
    """The SNR in dB that every transmitter believed, ``None`` where it knew the channel's.

    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "mismatch"}
    >>> believed(Table(pd.DataFrame([row | {"believed_snr_db": 10.0}]), {}))
    10.0
    """
    told = table.frame["believed_snr_db"]
    if told.nunique() != 1 or bool((told == table.frame["snr_db"]).all()):
        return None
    return float(told.iloc[0])


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
    return pd.read_csv(path, skiprows=count), metadata


def _completed(frame: pd.DataFrame) -> pd.DataFrame:
    """Files of earlier versions lack columns: nothing was diagnosed, and the SNR was known."""
    later = {"dice": math.nan, "believed_snr_db": frame.get("snr_db")}
    return frame.assign(**{name: value for name, value in later.items() if name not in frame})


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for name in sorted(first.keys() | second.keys()):
        ours, theirs = first.get(name), second.get(name)
        if name in ("codecs", "links") and isinstance(ours, dict) and isinstance(theirs, dict):
            clash = [key for key in ours.keys() & theirs.keys() if ours[key] != theirs[key]]
            if clash:
                raise InputError(f"the tables disagree about {name[:-1]} {min(clash)!r}")
            merged[name] = ours | theirs
        elif ours != theirs:
            raise InputError(f"the tables disagree about {name!r}: they cannot be merged")
    return merged
