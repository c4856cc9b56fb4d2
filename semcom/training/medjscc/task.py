"""A stage of Med-JSCC in the common loop."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

import channels
from channels import InputError
from semcom.analogue.allocation import allocate
from semcom.learned import to_symbols
from semcom.medjscc.analogue import importance, modulated, refined
from semcom.medjscc.codec import MedJSCC
from semcom.medjscc.receiver import restore
from semcom.medjscc.source.entropy_model import Walked
from semcom.medjscc.source.quantiser import Priced
from semcom.medjscc.source.region import (
    around,
    covered,
    grey_around,
    nearest_grey,
    region_bands,
    region_log_steps,
)
from semcom.medjscc.source.steps import block_pixels, in_steps
from semcom.medjscc.source.wavelet import LEVELS, Bands
from semcom.training.crops import Sample, random_batch
from semcom.training.links import training_link
from semcom.training.loop import digest
from semcom.training.medjscc.draws import (
    Channel,
    drawn_channel,
    drawn_jitter,
    drawn_quantiser,
    drawn_regions,
    drawn_steps,
)
from semcom.training.medjscc.plan import MedJSCCPlan
from semcom.weightfile import digest as fingerprint
from semcom.weightfile import halved, stored

_LEAST_BITS = 3e-4
_ERRORS_WEIGHT = 0.25
_BITS_PER_SQUARE = 2.0
_REGION_WEIGHT = 2.0
_DIGITAL_SHARE = 1.0
"""Channel uses of the digital part, as a multiple of those of the analogue one."""

_LEAST_ERROR = 1e-6


class MedJSCCTask:
    """What one stage asks of the loop, see :class:`semcom.training.loop.TrainingTask`."""

    loss_column, score_column = "loss", "validation_log2_cost"

    def __init__(
        self, codec: MedJSCC, samples: list[Sample], validation: list[Sample], plan: MedJSCCPlan
    ) -> None:
        self.name, self.plan, self.module = codec.name, plan, codec
        self._samples, self._validation = samples, validation
        begun = digest(value for _, value in sorted(codec.state_dict().items()))
        fed = [p for s in [*samples, *validation] for p in s if p is not None]
        self.fed_with = digest(fed) + begun
        self._links = [training_link(name, plan.estimator) for name, _ in plan.links]
        codec.requires_grad_(False)
        for parameter in self._trained():
            parameter.requires_grad_(True)

    def _trained(self) -> list[nn.Parameter]:
        codec = self.module
        if self.plan.stage == "receiver":
            return list(codec.synthesis.parameters())
        if self.plan.stage == "end-to-end":
            return codec.end_to_end_parameters()
        # Fewer bits is all that this stage wants, and coarser steps would give them.
        steps = [codec.entropy_model.detail(level).step for level in range(LEVELS)]
        apart = {id(parameter) for step in steps for parameter in step.parameters()}
        return [p for p in codec.entropy_model.parameters() if id(p) not in apart]

    def loss(self, step: int) -> Tensor:
        """Mean cost of a batch of random crops."""
        plan = self.plan
        device = next(self.module.parameters()).device
        draws = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        images, roi = random_batch(self._samples, plan.batch, plan.crop, draws)
        return self._cost(images.to(device), roi.to(device), draws).mean()

    def _cost(
        self, images: Tensor, roi: Tensor, draws: torch.Generator, scored: bool = False
    ) -> Tensor:
        """log2 per pixel of bits and misjudged errors, or of squared errors; ``[batch]``.

        A score of the source stage counts bits at equal squared error: wherever integers are
        chosen by squared error plus ``lagrange`` times bits, an octave of the one is worth
        ``error / (lagrange bits)`` octaves of the other, about two at all rates.
        """
        plan, codec = self.plan, self.module
        if plan.stage == "end-to-end":
            return self._end_to_end(images, roi, draws)
        channel = (
            drawn_channel(plan, draws, plan.analogue_cbr) if plan.stage == "receiver" else None
        )
        log_step = drawn_steps(plan, roi, channel, draws).to(images)
        regions = drawn_regions(plan, roi, draws).to(images.device)
        alone = ~regions.flatten(1).all(1)
        log_step[alone] = region_log_steps(
            log_step[alone].amax((1, 2, 3), keepdim=True), regions[alone]
        )
        coded = covered(regions) if bool(alone.any()) else None
        centred = images - _centres(images, regions, alone)
        with torch.no_grad():
            bands = codec.wavelet.analyse(centred)
            if coded is not None:
                continued = region_bands(codec.wavelet, centred[alone], regions[alone])
                for band, part in zip(bands, continued, strict=True):
                    band[alone] = part
        quantise = drawn_quantiser(plan, bands, draws)
        pixels = images[0].numel()
        if channel is None:
            priced = Priced(quantise)
            walked = codec.entropy_model.walk(
                log_step, priced, jitter=drawn_jitter(len(images), draws).to(images), coded=coded
            )
            bits = torch.log2(priced.bits / pixels + _LEAST_BITS)
            coefficients = in_steps(bands, log_step)
            if scored:
                missing = walked.missing(coefficients)
                square = sum((m.square().sum((1, 2, 3)) for m in missing), start=torch.tensor(0.0))
                return bits + _BITS_PER_SQUARE * torch.log2(square / pixels + _LEAST_ERROR)
            misjudged = _misjudged(coefficients, walked)
            return bits + _ERRORS_WEIGHT * torch.log2(misjudged / pixels)
        codec.entropy_model.eval()
        with torch.no_grad():
            walked = codec.entropy_model.walk(log_step, quantise, coded=coded)
            link = self._links[channel.link]
            uses = round(channel.cbr * pixels)
            values, deviations, heard_db = _over(
                link, channel, uses, in_steps(bands, log_step), walked
            )
        digital = channel.cbr * (1 + _DIGITAL_SHARE)
        # A receiver is told of the region where there are two steps, and only there.
        blocks = (log_step < log_step.amax((1, 2, 3), keepdim=True)).to(images)
        soft = block_pixels(blocks)
        out = restore(
            codec.wavelet, codec.synthesis, values, deviations, soft, log_step, heard_db, digital
        )
        wanted = block_pixels(around(regions))
        errors = in_steps(codec.wavelet.analyse((out - centred) * wanted), log_step)
        total = sum((error.square().sum((1, 2, 3)) for error in errors), start=torch.tensor(0.0))
        return torch.log2(total / pixels + _LEAST_ERROR)

    def _end_to_end(self, images: Tensor, roi: Tensor, draws: torch.Generator) -> Tensor:
        """log2 of the mean squared error, in which the region weighs more; ``[batch]``."""
        plan, codec = self.plan, self.module
        channel = drawn_channel(plan, draws, plan.cbr)

        def through(tx: channels.Transmission) -> channels.Reception:
            return self._links[channel.link](tx, channel.snr_db, seed=channel.seed)

        sent = codec.training_forward(images, roi, channel.cbr, channel.snr_db, through, draws)
        weight = 1 + _REGION_WEIGHT * roi
        error = (weight * (sent.images[0] - images).square()).sum((1, 2, 3))
        return torch.log2(error / weight.sum((1, 2, 3)) + _LEAST_ERROR)

    def stepped(self, step: int) -> None:
        """Nothing to do."""

    def score(self) -> float:
        """Minus the mean cost of central crops of the validation samples."""
        costs = []
        for index, (image, mask) in enumerate(self._validation):
            draws = torch.Generator().manual_seed(index)
            side = min(min(image.shape[1:]) // 64 * 64, 256)
            top, left = ((length - side) // 2 for length in image.shape[1:])
            part = (slice(None), slice(top, top + side), slice(left, left + side))
            roi = torch.zeros_like(image) if mask is None else mask.float()
            device = next(self.module.parameters()).device
            sample = image[part][None].to(device), roi[part][None].to(device)
            costs.append(float(self._cost(*sample, draws, scored=True)))
        return -sum(costs) / len(costs) if costs else math.nan

    def save(self, path: Path) -> None:
        """Write the weights; those that a stage has written before stay as they are."""
        if not path.exists():
            self.module.save(path)
        elif held(self.module, path) != fingerprint(halved(self.module.state_dict())):
            raise InputError(
                f"{path} is damaged or altered: move it away, and the checkpoint gives it again"
            )


def held(codec: MedJSCC, path: Path) -> str | None:
    """A hash of a file's weights; ``None`` if they are not such a codec's, or damaged.

    The golden pair beside them is left out: it differs between machines.
    """
    try:
        tensors, _ = stored(path)
        return fingerprint({name: tensors[name] for name in codec.state_dict()})
    except (InputError, KeyError):
        return None


def _centres(images: Tensor, regions: Tensor, alone: Tensor) -> Tensor:
    """Grey values that images are centred on, ``[batch, 1, 1, 1]``."""
    greys = [
        grey_around(nearest_grey(images[row : row + 1], regions[row : row + 1])) if one else 0.5
        for row, one in enumerate(alone.tolist())
    ]
    return images.new_tensor(greys)[:, None, None, None]


def _misjudged(coefficients: Bands, walked: Walked) -> Tensor:
    """Sum of ``s + e^2 / s``, ``e`` off the mean: least where ``s`` is the deviation of ``e``.

    The logarithm of a Gaussian's density is as true, but rare large errors where small ones were
    expected would drown everything else in it.
    """
    total = torch.zeros(len(coefficients[0]), device=coefficients[0].device)
    parts = zip(coefficients, walked.values, walked.errors, strict=True)
    for wanted, known, expected in list(parts)[1:]:
        deviation = torch.exp2(expected.log_deviation)
        off = (wanted - known.detach() - expected.mean).square()
        total = total + (deviation + off / deviation).sum((1, 2, 3))
    return total


def _over(
    link: channels.Link, channel: Channel, uses: int, coefficients: Bands, walked: Walked
) -> tuple[Bands, Bands, Tensor]:
    """Send what is missing over a link: bands and deviations then, and the SNR that was met."""
    rows = []
    for row in range(len(coefficients[0])):
        walk = walked.row(row)
        missing = walk.missing([wanted[row : row + 1] for wanted in coefficients])
        sent = allocate(importance(walk.errors), 2 * uses, channel.snr_db)
        numbers = modulated(missing, sent)
        strength = (2 * numbers.square().mean()).sqrt().clamp_min(1e-3)
        rows.append((walk, sent, numbers / strength, strength))
    symbols = to_symbols(torch.stack([numbers for _, _, numbers, _ in rows]), uses)
    rx = link.propagate(symbols, channel.snr_db, seed=channel.seed)
    heard = torch.view_as_real(rx.symbols).flatten(1)
    noise_var = (rx.noise_var / 2).repeat_interleave(2, dim=1)
    pairs = [
        refined(walk.values, walk.errors, sent, heard[row], noise_var[row], 1 / strength)
        for row, (walk, sent, _, strength) in enumerate(rows)
    ]
    bands, deviations = (
        [torch.cat(level) for level in zip(*(pair[i] for pair in pairs), strict=True)]
        for i in (0, 1)
    )
    return bands, deviations, rx.snr_db
