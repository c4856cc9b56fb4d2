"""The columns of a table, each declared once: whatever is said of one elsewhere derives from that.

A metric is its function, as in :mod:`scenarios.results.measures`, and one :class:`Column`. Imports
nothing heavy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from scenarios.results import measures
from scenarios.results.measures import Delivery

if TYPE_CHECKING:
    from scenarios.results.measures import Number

MAX_SNR_DB = 100
SEPARATE = "separate"
"""Label of the best separate scheme at each point, and the family of schemes it is chosen from."""

Value: TypeAlias = float | int | bool | None


@dataclass(frozen=True)
class Column:
    """A column of a table, or a parameter of links that curves run along.

    Args:
        name: in files and on the command line.
        dtype: of pandas.
        label: what it is called, without its unit; ``""``: neither summarised nor drawn.
        unit: of its values.
        definition: kept inside every file that a table is saved to.
        measure: computes it; ``None``: it tells one row from another.
        decimals: that a measured value is rounded to, which absorbs differences in the last bit
            between processes; ``None``: it is not.
        digits: decimals that are printed.
        better: which values are; ``None``: neither.
        shown: whether it is printed and drawn where nothing else is asked for.
        short: its label in narrow tables; by default ``label``.
        axis: what stands on an axis that it runs along; by default ``label`` and ``unit``.
        needs: what has to be passed for it to be measured.
        is_late: whether files of earlier versions lack it, which counts as not measured.
        on_request: whether it is measured only where it is asked for, and else in no table.
        basis: names what its values depend on that does not come with the package, and raises
            ``InputError`` where that is missing; ``None``: on nothing.

    >>> COLUMNS["psnr"].head, COLUMNS["outage"].is_share
    ('PSNR [dB]', True)
    """

    name: str
    dtype: Literal["str", "bool", "int64", "Int64", "float64"] = "float64"
    label: str = ""
    unit: str = ""
    definition: str = ""
    measure: Callable[[Delivery], Number] | None = None
    decimals: int | None = None
    digits: int = 4
    better: Literal["higher", "lower"] | None = None
    shown: bool = False
    short: str = ""
    axis: str = ""
    needs: str = "masks or larger pictures"
    is_late: bool = False
    on_request: bool = False
    basis: Callable[[], str] | None = None

    @property
    def head(self) -> str:
        """Label and unit."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label

    @property
    def short_head(self) -> str:
        """The same for narrow tables, where shares are in percent."""
        unit = "%" if self.is_share else self.unit
        return f"{self.short or self.label} [{unit}]" if unit else self.short or self.label

    @property
    def axis_label(self) -> str:
        """What stands on an axis."""
        return self.axis or self.head

    @property
    def is_share(self) -> bool:
        """Whether it is summarised as the share of rows where it is true."""
        return self.dtype == "bool"

    @property
    def is_quality(self) -> bool:
        """Whether its values are numbers that tell better from worse, so that differences do."""
        return self.better is not None and not self.is_share

    def of(self, delivery: Delivery) -> Value:
        """Its value; ``None`` where there is none.

        >>> import torch
        >>> image = torch.zeros(1, 1, 32, 32)
        >>> COLUMNS["psnr"].of(Delivery(image, image + 0.1, used=128, is_lost=False))
        20.0
        """
        value = None if self.measure is None else self.measure(delivery)
        if value is None or self.decimals is None:
            return value  # type: ignore[return-value]
        number = float(value)
        return None if math.isnan(number) else round(number, self.decimals)


def _table(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


COLUMNS = _table(
    Column("scenario", "str"),
    Column(
        "codec", "str", definition="label of a codec; '… MCS n' is that codec held at one "
        "modulation and coding scheme: index n of table 1 of TS 38.214, '… MCS 2:n' of table 2; "
        "…-capacity is a bound: the same image coder with an ideal code, at the mutual information "
        "of the same links and draws, without any coded transmission",
    ),
    Column("link", "str"),
    Column(
        "snr_db", label="SNR", unit="dB", axis=r"SNR $E_s/N_0$ [dB]",
        definition="average E_s/N_0 per complex channel use in dB: noise variance 10^(-snr_db/10) "
        "per complex symbol, half of it per real dimension",
    ),
    Column(
        "believed_snr_db", is_late=True,
        definition="the E_s/N_0 in dB that both ends believed in before the picture was sent; "
        "that of the channel but in the scenario mismatch",
    ),
    Column(
        "cbr", label="CBR", axis="CBR [channel uses per image sample]",
        definition="channel bandwidth ratio offered: complex channel uses / (H*W*C), C = 1 "
        "for grey pictures, 3 for RGB",
    ),
    Column(
        "cbr_used", label="channel uses per image sample", measure=measures.cbr_used,
        definition="channel bandwidth ratio really spent, at most round(cbr*H*W*C) / (H*W*C)",
    ),
    Column(
        "cpp", measure=measures.uses_per_pixel,
        definition="complex channel uses really spent per pixel, used / (H*W)",
    ),
    Column("image", "int64", definition="index of the picture in the set"),
    Column("trial", "int64", definition="index of the independent repetition"),
    Column(
        "psnr", label="PSNR", unit="dB", measure=measures.psnr, decimals=4, digits=2,
        better="higher", shown=True,
        definition="peak signal-to-noise ratio of each picture in dB, peak 1; means are of dB "
        "values",
    ),
    Column(
        "roi_psnr", label="ROI-PSNR", unit="dB", measure=measures.roi_psnr, decimals=4, digits=2,
        better="higher", shown=True,
        definition="PSNR over the region of interest alone, in dB; empty without a region",
    ),
    Column(
        "ssim", label="SSIM", measure=measures.ssim, decimals=6, better="higher",
        definition="structural similarity of each picture",
    ),
    Column(
        "ms_ssim", label="MS-SSIM", measure=measures.ms_ssim, decimals=6, better="higher",
        definition="multi-scale SSIM; empty where the picture is too small for five scales",
    ),
    Column(
        "dice", label="diagnostic Dice", short="Dice", measure=measures.dice, decimals=6,
        better="higher", shown=True, needs="diagnosis", is_late=True,
        definition="diagnostic Dice: overlap of the masks that one frozen segmenter finds in the "
        "received and in the sent picture, 1 where it finds nothing in either; parameters say "
        "which segmenter; empty without one",
    ),
    Column(
        "dice_control", label="diagnostic Dice, control", short="control", decimals=6,
        measure=measures.dice_control, better="higher", shown=True,
        needs="diagnosis by a shipped segmenter", is_late=True,
        definition="diagnostic Dice by a control: a second segmenter that was trained on pictures "
        "as codecs deliver them too, so that what it finds depends less on artefacts that the "
        "first one never saw; empty where there is none",
    ),
    Column(
        "nroi_psnr", label="NROI-PSNR", unit="dB", measure=measures.nroi_psnr, decimals=4, digits=2,
        better="higher", shown=True, needs="masks", on_request=True,
        definition="PSNR over everything outside the region of interest, in dB; empty without a "
        "region, or where it is the whole picture",
    ),
    Column(
        "roi_ssim", label="ROI-SSIM", measure=measures.roi_ssim, decimals=6, better="higher",
        shown=True, needs="masks", on_request=True,
        definition="the map of SSIM averaged over the region of interest; windows at its edge "
        "reach 5 pixels beyond it; empty without a region",
    ),
    Column(
        "nroi_ssim", label="NROI-SSIM", measure=measures.nroi_ssim, decimals=6, better="higher",
        shown=True, needs="masks", on_request=True,
        definition="the map of SSIM averaged over everything outside the region of interest; empty "
        "without a region, or where it is the whole picture",
    ),
    Column(
        "vsi", label="VSI", measure=measures.vsi, decimals=6, better="higher", shown=True,
        on_request=True, basis=measures.piq_version,
        definition="visual saliency-induced index; grey pictures as three equal channels",
    ),
    Column(
        "fsim", label="FSIM", measure=measures.fsim, decimals=6, better="higher", shown=True,
        on_request=True, basis=measures.piq_version,
        definition="feature similarity index: phase congruency and gradients; of RGB pictures "
        "FSIMc",
    ),
    Column(
        "gmsd", label="GMSD", measure=measures.gmsd, decimals=6, better="lower", shown=True,
        on_request=True, basis=measures.piq_version,
        definition="gradient magnitude similarity deviation, 0 where pictures are equal",
    ),
    Column(
        "lpips", label="LPIPS", measure=measures.lpips, decimals=6, better="lower", shown=True,
        on_request=True, basis=measures.lpips_weights,
        definition="learned perceptual image patch similarity 0.1 by AlexNet, a distance; grey "
        "pictures as three equal channels; the network knows photographs alone",
    ),
    Column(
        "frechet", label="Fréchet distance", short="Fréchet", measure=measures.frechet, decimals=6,
        better="lower", shown=True, needs="diagnosis by a U-Net", on_request=True,
        definition="Fréchet distance, of each picture, of Gaussians fitted to inner features of "
        "the diagnosing segmenter, before its second pooling, at all positions of the received and "
        "of the sent picture; as SIFID, but by that network; empty without one",
    ),
    Column(
        "painted", label="share painted", measure=measures.painted, decimals=6, on_request=True,
        definition="share of each picture that nobody sent: a generator made it up; 0 of codecs "
        "that make nothing up",
    ),
    Column(
        "words_lost", "bool", label="share of words lost", measure=measures.words_lost,
        better="lower", on_request=True,
        definition="true where the words of a picture did not arrive: the rest is then painted "
        "from the region alone, which is no outage of the picture; false of codecs without words",
    ),
    Column(
        "outage", "bool", label="share of pictures lost", short="lost", measure=measures.outage,
        better="lower", shown=True,
        definition="true where the receiver lost the picture; what the codec then shows (a grey "
        "or coarse picture or the part that was decoded) counts in every mean; of a codec with "
        "on_loss='drop' lost pictures are left out of the means of their metrics",
    ),
    Column(
        "rx_snr_db", label="received SNR", unit="dB", measure=measures.rx_snr_db, decimals=4,
        digits=2, definition="the receiver's own estimate of E_s/N_0 over this picture, in dB; "
        "empty for bounds",
    ),
    Column(
        "mcs", "Int64", measure=measures.mcs, definition="index of the modulation and coding "
        "scheme in the codec's table: by default the 43 schemes of TS 38.214 tables 1 to 3 by "
        "rising rate, one numbering for separate coding and Med-JSCC; a larger number names two "
        "layers; ntscc: that of its map, in table 3; empty for codecs without one and bounds",
    ),
)  # fmt: skip
"""Columns of a table by name, in its order."""

LINK_PARAMETERS = _table(
    Column("offset_hz", label="residual carrier offset", unit="Hz"),
    Column("rate_hz_per_s", label="Doppler rate", unit="Hz/s"),
    Column("speed_mps", label="terminal speed", unit="m/s"),
    Column("bandwidth_mhz", label="channel bandwidth", unit="MHz"),
    Column("elevation_deg", label="elevation", unit="°"),
)
"""Swept parameters of links that curves can run along."""

AXES = {name: COLUMNS[name] for name in ("snr_db", "cbr")}
"""Columns that curves can run along."""

_NOTES = {
    "rounding": "dB values to 4 decimals, similarities to 6",
    "draws": "fading and noise are the same for every codec at the same (link, snr_db, cbr, image, "
    "trial), and at all rates; parameters.draws common: at every snr_db as well, so that points of "
    "a curve err together; independent: others at each; images and trials are independent",
    "intervals": "95 %; means: Student's t over pictures, trials of a picture averaged first; "
    "outage: Wilson's score",
    "overhead": "pilots and cyclic prefix are not part of cbr; each link states its own",
}


def identity() -> list[str]:
    """Names of the columns that tell one row from another."""
    return [column.name for column in COLUMNS.values() if column.measure is None]


def measured(requested: Collection[str] = ()) -> dict[str, Column]:
    """Columns that are measured, by name: those that always are, and those that are asked for.

    >>> list(measured(["vsi"]).keys() - measured().keys())
    ['vsi']
    """
    return {
        name: column
        for name, column in COLUMNS.items()
        if column.measure is not None and _is_there(column, requested)
    }


def on_request() -> list[str]:
    """Names of the metrics that are measured only where they are asked for.

    >>> on_request()
    ['nroi_psnr', 'roi_ssim', 'nroi_ssim', 'vsi', 'fsim', 'gmsd', 'lpips', 'frechet',
     'painted', 'words_lost']
    """
    return [name for name, column in COLUMNS.items() if column.on_request]


def metrics() -> dict[str, Column]:
    """Columns that a table can summarise and plot, first those that tell better from worse.

    >>> [name for name in metrics() if name not in on_request()]
    ['psnr', 'roi_psnr', 'ssim', 'ms_ssim', 'dice', 'dice_control', 'outage', 'cbr_used',
     'rx_snr_db']
    """
    labelled = [item for item in measured(COLUMNS).items() if item[1].label]
    return dict(sorted(labelled, key=lambda item: item[1].better is None))


def shown() -> list[str]:
    """Names of the metrics that are printed and drawn, where measured, if no others are named."""
    return [name for name, column in metrics().items() if column.shown]


def rising() -> list[str]:
    """Names of the metrics that rise with the rate."""
    return [name for name, column in metrics().items() if column.better == "higher"]


def definitions(requested: Collection[str] = ()) -> dict[str, str]:
    """What the columns of a table mean, and how all were measured."""
    told = {
        name: column.definition
        for name, column in COLUMNS.items()
        if column.definition and _is_there(column, requested)
    }
    return told | _NOTES


def _is_there(column: Column, requested: Collection[str]) -> bool:
    return not column.on_request or column.name in requested
