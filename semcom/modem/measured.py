"""How often transport blocks arrive over a link, by sending them; results are kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

import torch

from channels import Link
from channels.files import atomic_write
from semcom.cache import user_cache
from semcom.modem.adaptation import SuccessProbability
from semcom.modem.transport import DECODER, ModulatedBlock

BLOCKS = 200
_BATCH = 25
_SEED = 0x5EED << 41


def measured_success(link: Link, snr_db: float, folder: Path | None = None) -> SuccessProbability:
    """Success probability of a block over a link: the share of 200 that arrived.

    The whole chain is run: code, QAM, link, soft bits, decoder. The draws have seeds of their own
    and are never those over which an image is sent. Counts are kept in a file each, named after
    the block, the link, the SNR and the versions of what decodes.

    Args:
        link: the link.
        snr_db: E_s/N_0 in dB at which it runs.
        folder: where counts are kept; ``None`` means ``bler`` in :func:`cache_folder`. Where there
            is none they are not kept.

    >>> import channels, tempfile
    >>> from semcom.modem.mcs import mcs_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     success = measured_success(channels.link("awgn"), 10.0, Path(folder))
    ...     success(ModulatedBlock(512, mcs_table(1)[4]))
    1.0
    """
    kept = folder or _folder()

    def success(block: ModulatedBlock) -> float:
        what = {
            "channel_uses": block.channel_uses,
            "bits_per_symbol": block.mcs.bits_per_symbol,
            "code_rate": block.mcs.code_rate,
            "decoder": DECODER,
            "link": link.identity,
            "snr_db": snr_db,
            "blocks": BLOCKS,
            "semcom": version("semcom"),
            "sionna": version("sionna"),
            "torch": torch.__version__,
        }
        name = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
        path = None if kept is None else kept / f"{name}.json"
        arrived = None if path is None else _kept(path, what)
        if arrived is None:
            arrived = _arriving(block, link, snr_db)
            if path is not None:
                _keep(path, what | {"arrived": arrived})
        return arrived / BLOCKS

    return success


def cache_folder() -> Path:
    """Where results that can be computed again are kept: ``SEMCOM_CACHE`` or the user's cache.

    Raises:
        RuntimeError: if neither is there.

    >>> cache_folder().name
    'semcom'
    """
    chosen = os.environ.get("SEMCOM_CACHE")
    return Path(chosen) if chosen else user_cache()


def _folder() -> Path | None:
    try:
        return cache_folder() / "bler"
    except RuntimeError:  # there is no home
        return None


def _kept(path: Path, what: dict[str, object]) -> int | None:
    """The count in a file; ``None`` if it is missing, damaged or another's."""
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    arrived = stored.pop("arrived", None) if isinstance(stored, dict) else None
    if type(arrived) is not int or not 0 <= arrived <= BLOCKS or stored != what:
        return None
    return arrived


def _arriving(block: ModulatedBlock, link: Link, snr_db: float) -> int:
    draws = torch.Generator().manual_seed(0)
    arrived = 0
    for part in range(BLOCKS // _BATCH):
        bits = torch.randint(0, 2, (_BATCH, block.payload_bits), generator=draws).float()
        received = link.propagate(block.encode(bits), snr_db, seed=_SEED + part)
        decoded, ok = block.decode(received.symbols, received.noise_var)
        arrived += int((ok & (decoded == bits).all(1)).sum())
    return arrived


def _keep(path: Path, result: dict[str, object]) -> None:
    """Write a file whole or not at all; a folder that cannot be written to costs time alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as new:
            new.write_text(json.dumps(result, indent=1))
    except OSError:
        return
