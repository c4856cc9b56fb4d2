"""The key region by Med-JSCC, the rest as words that a generator paints from."""

from __future__ import annotations

import math
from copy import copy, deepcopy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channels import InputError, Link, Reception, Session, Transmission
from channels.errors import check_count, check_name, check_seed, shown
from channels.surroundings import check_device
from semcom.codec import Codec
from semcom.generative.captioner import Captioner, captions, cut, shortened
from semcom.generative.generator import MOST_STEPS, Generator
from semcom.generative.key_region import MARGIN_PX, key_region
from semcom.generative.kinds import ShippedCaptioner, ShippedPainter
from semcom.generative.painter import Painter, check_painted
from semcom.generative.words import choices, decode_text, encode_text, sentence
from semcom.generative.words import shipped as shipped_model
from semcom.generative.words.vocabulary import KIND_OF_TASK
from semcom.learned import transmission
from semcom.medjscc import MedJSCC
from semcom.medjscc.rate_map import RateMap
from semcom.medjscc.source.region import region_pixels
from semcom.modem.adaptation import awgn_success
from semcom.modem.mcs import mcs_table
from semcom.modem.transport import ModulatedBlock, smallest_block
from semcom.scheme import MadeUp
from semcom.weightfile import packaged

WORDS_BYTES = (9, 6, 4)
"""Bytes of the block that holds a caption: fewer where channel uses are few; one that is longer
says less."""

_FLAG_BITS = 3
"""What a caption takes beyond its bits by the model, at most."""

_SURE = 0.99
_SHARE = 1 / 8
"""Of the channel uses, at most."""

_NOISELESS = 1e-6

_MARGINS_DB = (6.0, 3.0, 0.0)
"""By how much worse than believed a channel the words bear."""


class Generative(Codec):
    """Sends the key region, describes the rest.

    ::

        sender
          picture, mask ─ blocks of 16 x 16 ─ Med-JSCC of the region alone ──▶ key part
          picture, mask ─ captioner ─ words ─ arithmetic coder, LDPC, QAM ───▶ words
        link   │ words │ key part │
        receiver
          words ─ caption ───────────────┐
          key part ─ key pixels, blocks ─┴─ generator ─ picture, key pixels to the bit ─▶

    Words, mask blocks and all headers are part of the channel uses. Where the words are lost, the
    generator paints from the key region alone. Where the key part is, Med-JSCC's analog base layer
    is shown, and nothing is painted.

    Args:
        kind: of the pictures: ``"chest"``, ``"angiography"`` or ``"dental"``; ``None``: that whose
            segmenter finds the key region; words tell the receiver.
        key: what sends the key region; ``None``: the shipped Med-JSCC.
        generator: any painter, a file of a generator's weights, or ``None`` for the shipped one of
            this kind.
        captioner: describes pictures; ``None``: the shipped one of this kind. Free text is cut
            after the last word that fits.
        margin_px: pixels around the mask that belong to the key region as well, 3 to 64: with
            fewer, a block could hold so little of the mask that it is painted.
        steps: of the generator, see :meth:`~semcom.generative.generator.Generator.paint`. On six
            test pictures two show 0.02 dB less PSNR than one and 0.025 more SSIM; with more they
            look more real, by the Fréchet distance, and lose both.
        seed: of its noise.

    Raises:
        InputError: if an argument is out of range, or weights cannot be read.

    >>> codec = Generative("dental", generator=Generator((8, 8, 8, 8)), steps=1)
    >>> codec.name
    'generative'
    """

    name = "generative"
    needs_roi = True

    def __init__(
        self,
        kind: str | None = None,
        key: MedJSCC | None = None,
        generator: Painter | str | Path | None = None,
        captioner: Captioner | None = None,
        margin_px: int = MARGIN_PX,
        steps: int = 2,
        seed: int = 0,
    ) -> None:
        self._kind = kind if kind is None else check_name("kind of picture", kind, KIND_OF_TASK)
        key = _shipped_key() if key is None else key
        if not isinstance(key, MedJSCC):
            raise InputError(f"key must be a codec of semcom.medjscc, got {shown(key)}")
        self._key = key.with_options(region_only=True)
        if generator is None:
            generator = ShippedPainter(kind)
        elif isinstance(generator, str | Path):
            generator = Generator.load(generator)
        elif not callable(getattr(generator, "paint", None)):
            raise InputError(
                f"generator must be a painter or a file of weights, got {shown(generator)}"
            )
        self._generator: Painter = generator
        self._captioner = ShippedCaptioner(kind) if captioner is None else _called(captioner)
        self._margin = check_count("margin_px", margin_px, 3, 64)
        self._steps = check_count("steps", steps, 1, MOST_STEPS)
        self._seed = check_seed(seed)
        self._model = shipped_model()

    @property
    def fingerprint(self) -> str:
        """What decides its results beside the library's own version."""
        told = getattr(self._captioner, "fingerprint", repr(self._captioner))
        parts = self._key.fingerprint, self._generator.fingerprint, self._model.fingerprint, told
        return f"generative, {parts}, {self._kind}, {self._margin}, {self._steps}, {self._seed}"

    def adapted(self, link: Link) -> Self:
        """A copy whose key part is protected against the link's fading."""
        adapted = copy(self)
        adapted._key = self._key.adapted(link)
        return adapted

    @property
    def captioner(self) -> Captioner:
        """What describes pictures."""
        return self._captioner

    def saying(self, captioner: Captioner) -> Self:
        """A copy that describes pictures otherwise.

        >>> from semcom.generative.captioner import Silent
        >>> codec = Generative(generator=Generator((8, 8, 8, 8)))
        >>> codec.saying(Silent()).fingerprint == codec.fingerprint
        False
        """
        other = copy(self)
        other._captioner = _called(captioner)
        return other

    def to(self, device: str) -> Self:
        """A copy whose networks are on a device."""
        device, moved = str(check_device(device)), copy(self)
        for name, part in vars(self).items():
            if isinstance(part, nn.Module):
                setattr(moved, name, deepcopy(part).to(device))
        return moved

    def key_region(self, masks: Tensor) -> Tensor:
        """Masks with the margin around them, bool.

        No pixel of a mask is painted; of the margin some may be, where they fill less than a 20th
        of a block.

        >>> masks = torch.zeros(1, 1, 32, 32) > 0
        >>> masks[..., 8:16, 8:16] = True
        >>> int(Generative(generator=Generator((8, 8, 8, 8))).key_region(masks).sum())
        256
        """
        return key_region(masks, self._margin)

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        if roi is None:
            raise InputError("generative sends a key region: pass a mask as roi")
        key = self.key_region(roi)
        empty = (~key.flatten(1).any(1)).tolist()
        if any(empty):
            raise InputError(
                f"generative sends a key region, and that of image {empty.index(True)} is empty: "
                "pass a mask with something in it"
            )
        block, inner = self._parts(session)
        sent = self._key.encode(
            images,
            cbr=inner.channel_uses / math.prod(session.image_shape),
            snr_db=session.snr_db,
            roi=key,
        )
        symbols = sent.symbols
        if block is not None:
            texts = captions(self._captioner, images, region_pixels(key))
            words = block.encode(torch.stack([self._bits(text, block) for text in texts]))
            symbols = torch.cat([words.to(symbols), symbols], dim=1)
        return transmission(symbols, replace(session, mcs=sent.session.mcs))

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        return self._painted(rx)[0]

    def _decode_with_made_up(self, rx: Reception) -> tuple[tuple[Tensor, Tensor], MadeUp | None]:
        return self._painted(rx)

    def words_uses(self, session: Session) -> int:
        """Channel uses of the words' block; 0 where there is no room for one."""
        block, _ = self._parts(session)
        return 0 if block is None else block.channel_uses

    def uses_by_part(self, tx: Transmission) -> list[dict[str, float]]:
        """What the channel uses of each picture are spent on.

        Returns:
            Channel uses of the words; of Med-JSCC's header; of its coarse picture, which is shown
            where the key part is lost; of the outline, in blocks, as far as its bits are among the
            digital ones; and of the key pixels. Where the picture goes as a coarse one alone there
            is no outline and no key.

        >>> from semcom.data import phantoms
        >>> images, masks = phantoms("chest", n=1, size=128)
        >>> codec = Generative(generator=Generator((8, 8, 8, 8)))
        >>> tx = codec.encode(images, cbr=1/16, snr_db=12.0, roi=masks)
        >>> (parts,) = codec.uses_by_part(tx)
        >>> list(parts), round(sum(parts.values())) == int(tx.used[0])
        (['words', 'header', 'coarse', 'outline', 'key'], True)
        """
        block, inner = self._parts(tx.session)
        start = 0 if block is None else block.channel_uses
        symbols = tx.symbols[:, start:]
        heard = torch.full(symbols.shape, _NOISELESS, device=symbols.device)
        snr_db = torch.full((len(symbols),), inner.snr_db, device=symbols.device)
        budgets = self._key.rate_map(Reception(symbols, heard, snr_db, inner))
        return [_by_part(start, budget) for budget in budgets]

    def _parts(self, session: Session) -> tuple[ModulatedBlock | None, Session]:
        """The words' block, and the session of the key part."""
        block = words_block(session.channel_uses, session.snr_db)
        uses = session.channel_uses - (0 if block is None else block.channel_uses)
        return block, replace(session, codec=self._key.name, channel_uses=uses)

    def _bits(self, text: str, block: ModulatedBlock) -> Tensor:
        chosen = choices(text)
        if chosen is not None:
            short = shortened(chosen, self._model, block.payload_bits - _FLAG_BITS)
            text = "" if short is None else sentence(short)
        else:
            text = cut(text, self._model, block.payload_bits)
        bits = torch.from_numpy(encode_text(text, self._model, block.payload_bits)).float()
        return F.pad(bits, (0, block.payload_bits - len(bits)))

    @torch.no_grad()
    def _painted(self, rx: Reception) -> tuple[tuple[Tensor, Tensor], MadeUp]:
        block, inner = self._parts(rx.session)
        start = 0 if block is None else block.channel_uses
        texts = self._texts(rx, block)
        images, outage, region = self._key.decode_region(
            Reception(rx.symbols[:, start:], rx.noise_var[:, start:], rx.snr_db, inner)
        )
        real = region | ~region.flatten(1).any(1)[:, None, None, None]
        rows = []
        for row, text in enumerate(texts):
            one = slice(row, row + 1)
            if bool(real[one].all()):
                rows.append(images[one])
                continue
            painted = self._generator.paint(
                images[one].clone(), real[one].clone(), [text], self._seed, self._steps
            )
            rows.append(torch.where(real[one], images[one], check_painted(painted, images[one])))
        return (torch.cat(rows), outage), MadeUp(~real, texts)

    def _texts(self, rx: Reception, block: ModulatedBlock | None) -> list[str | None]:
        if block is None:
            return [""] * len(rx.symbols)
        if rx.symbols.shape[1] < block.channel_uses:
            return [None] * len(rx.symbols)
        uses = slice(0, block.channel_uses)
        bits, whole = block.decode(rx.symbols[:, uses], rx.noise_var[:, uses])
        return [
            self._read(row) if ok else None
            for row, ok in zip(bits.numpy(), whole.tolist(), strict=True)
        ]

    def _read(self, bits: np.ndarray) -> str | None:
        try:
            return decode_text(bits.astype(np.uint8), self._model)
        except InputError:
            return None


def _by_part(words: int, budget: RateMap | None) -> dict[str, float]:
    assert budget is not None, "what is sent without noise arrives"
    outline = budget.outline_bits / max(float(budget.bits.sum()) + budget.outline_bits, 1.0)
    parts = {"words": float(words), "header": float(budget.header)}
    coarse = float(budget.analog_base)
    if not budget.digital:
        return parts | {"coarse": coarse + budget.analogue, "outline": 0.0, "key": 0.0}
    key = (1 - outline) * budget.digital + budget.analogue
    return parts | {"coarse": coarse, "outline": outline * budget.digital, "key": key}


def _called(captioner: Captioner) -> Captioner:
    if not callable(captioner):
        raise InputError(f"captioner must be a call of images and masks, got {shown(captioner)}")
    return captioner


def _shipped_key() -> MedJSCC:
    with packaged("medjscc") as path:
        return MedJSCC.load(path)


@lru_cache(maxsize=256)
def words_block(channel_uses: int, snr_db: float) -> ModulatedBlock | None:
    """The block of the words, a function of what both ends know.

    The longest that takes no more than an eighth of the channel uses under an MCS that arrives with
    0.99 over Gaussian noise 6 dB below the SNR, or else 3 dB below, or at the SNR; the fastest of
    these MCS.

    Args:
        channel_uses: of the picture in all.
        snr_db: E_s/N_0 in dB that both ends go by.

    Returns:
        ``None`` if no such block fits.

    >>> [words_block(uses, 6.0).channel_uses for uses in (512, 4096)]
    [60, 148]
    >>> words_block(64, 6.0) is None
    True
    """
    for num_bytes in WORDS_BYTES:
        blocks = [smallest_block(num_bytes, mcs) for mcs in mcs_table("all")]
        within = [block for block in blocks if block.channel_uses <= _SHARE * channel_uses]
        for margin_db in _MARGINS_DB:
            success = awgn_success(snr_db - margin_db)
            sure = [block for block in within if success(block) >= _SURE]
            if sure:
                return min(sure, key=lambda block: block.channel_uses)
    return None
