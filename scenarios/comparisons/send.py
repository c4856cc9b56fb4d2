"""Scenario: one image through one link, before and after."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from channels import InputError
from scenarios.engine import inputs, sweep
from scenarios.engine.experiment import lay_out
from scenarios.engine.made_up import description, divided, origin
from scenarios.engine.panel import panel
from scenarios.engine.task import Measured
from scenarios.results.files import save_figure
from scenarios.results.style import rate
from semcom.images import check_tensor
from semcom.scheme import MadeUp


@dataclass(frozen=True, eq=False)
class Sent:
    """An image as each codec delivered it.

    Args:
        sample: what was sent, with its region of interest.
        received: by codec: float32 ``[C, H, W]``, and what was measured of it.
        link: name of the link.
        snr_db: average E_s/N_0 in dB.
        cbr: complex channel uses per image sample.
        on_air_s: time of the whole slots that the budget takes on the link, pilots and cyclic
            prefix included, in seconds.
        bandwidth_hz: that the link occupies.
        made_up: what nobody sent of the image of a codec that makes something up.
    """

    sample: inputs.Sample
    received: dict[str, tuple[Tensor, Measured]]
    link: str
    snr_db: float
    cbr: float
    on_air_s: float
    bandwidth_hz: float
    made_up: dict[str, MadeUp] = field(default_factory=dict)

    @property
    def picture(self) -> inputs.Sample:
        """Deprecated: ``sample``."""
        warnings.warn("Sent.picture is now .sample", DeprecationWarning, stacklevel=2)
        return self.sample

    def lines(self) -> list[str]:
        """A line of numbers for each codec, and what it made up."""
        return [self._line(codec, measured) for codec, (_, measured) in self.received.items()]

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw original, received images and errors.

        Args:
            path: where to save the figure; ``None`` only returns it.

        Raises:
            InputError: if the path cannot be written to.
        """
        title = f"{self.link} at {self.snr_db:g} dB, CBR {rate(self.cbr)}"
        figure = panel(self.sample, self.received, title, self.made_up)
        if path is not None:
            save_figure(figure, path, description(self.made_up))
        return figure

    def _line(self, codec: str, measured: Measured) -> str:
        used = round(float(measured["cbr_used"] or 0) * self.sample.image.numel())
        scores = {"PSNR": measured["psnr"], "ROI-PSNR": measured["roi_psnr"]}
        told = [f"{name} {value:.2f} dB" for name, value in scores.items() if value is not None]
        return ", ".join(
            [
                f"{codec} over {self.link} at {self.snr_db:g} dB: {' / '.join(told)}",
                f"{used} channel uses (CBR {rate(self.cbr)})",
                f"{self.on_air_s * 1e3:.3g} ms on air in whole slots at "
                f"{self.bandwidth_hz / 1e6:g} MHz",
                *(["lost"] if measured["outage"] else []),
                *([origin(self.made_up[codec])] if codec in self.made_up else []),
            ]
        )


def send(
    image: Tensor,
    mask: inputs.Masks = None,
    *,
    codecs: inputs.Codecs = "medjscc",
    link: inputs.Links = "ntn-tdl-c",
    snr_db: float = 6.0,
    cbr: float = 1 / 16,
    seed: int = 0,
    device: str = "cpu",
) -> Sent:
    """Send one image once.

    Args:
        image: float32 ``[1, C, H, W]`` in [0, 1], grey or RGB.
        mask: bool ``[1, 1, H, W]``, a segmenter or its name, or ``None``.
        codecs: names, codecs or bounds, or one.
        link: a name or a link.
        snr_db: average E_s/N_0 per complex channel use in dB.
        cbr: complex channel uses per image sample.
        seed: seeds fading and noise.
        device: where networks, codes and links are computed: ``"cpu"``, ``"cuda"``, ``"cuda:1"``.

    Raises:
        InputError: if an argument does not fit or a codec cannot serve the rate.

    >>> import torch
    >>> sent = send(torch.rand(1, 1, 64, 64), codecs="jpeg2000-ldpc", link="awgn", snr_db=12, cbr=1)
    >>> sent.lines()[0].partition("channel uses ")[2]
    '(CBR 1), 2 ms on air in whole slots at 4.5 MHz'
    """
    if check_tensor("image", image).ndim != 4 or len(image) != 1:
        raise InputError(
            f"image must be one picture, float32 [1, C, H, W], got {list(image.shape)}"
        )
    grid = lay_out(
        "send",
        image,
        mask,
        codecs=codecs,
        links=link,
        snr_db=snr_db,
        cbr=cbr,
        seed=seed,
        device=device,
    )
    if len(grid.links) != 1 or len(grid.snr_db) != 1 or len(grid.rates) != 1:
        raise InputError("a picture is sent over one link, at one SNR and rate: pass one of each")
    arrived = {task.codec: sweep.receive(grid, task) for task in grid.tasks()}
    received, made_up = divided(arrived)
    (name, route), sample = next(iter(grid.links.items())), grid.samples[0]
    uses = round(grid.rates[0] * sample.image.numel())
    on_air_s, bandwidth_hz = route.grid.duration_s(uses), route.grid.bandwidth_hz
    return Sent(
        sample, received, name, grid.snr_db[0], grid.rates[0], on_air_s, bandwidth_hz, made_up
    )
