"""What results depend on: versions, code, and what codecs and segmenters are."""

from __future__ import annotations

import hashlib
import json
import pickle
import uuid
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import cloudpickle

import channels
import semcom
from channels import InputError
from scenarios.engine.own_code import own_code

_CODE = (".py", ".json", ".csv")


@cache
def versions() -> dict[str, str]:
    """Versions of this library and of what its results depend on.

    >>> "torch" in versions()
    True
    """
    installed = {}
    for name in ("semcom", "torch", "sionna", "numpy", "av", "imagecodecs", "pillow"):
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = "not installed"
    return installed


@cache
def code_digest(*parts: Path) -> str:
    """Hash of the code that results depend on: whoever edits a codec never meets old numbers.

    Args:
        *parts: files that carry out the work, beside all of ``channels`` and ``semcom``.

    >>> len(code_digest())
    12
    """
    digest = hashlib.sha256()
    roots = [Path(str(package.__file__)).parent for package in (channels, semcom)]
    files = [path for root in roots for path in root.rglob("*") if path.suffix in _CODE]
    for path in (*sorted(files), *parts):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def identity(thing: object) -> str:
    """A codec's or segmenter's own fingerprint, or else a hash of all it holds; and its code.

    The code is that of :func:`~scenarios.engine.own_code.own_code`. Where neither fingerprint nor
    hash can be had, no two are alike.

    >>> from semcom.separate import SeparateCodec
    >>> identity(SeparateCodec("hevc")) == identity(SeparateCodec("hevc"))
    True
    """
    return f"{_held(thing)} {own_code(thing)}".strip()


def _held(thing: object) -> str:
    own = getattr(thing, "fingerprint", None)
    if own:
        return str(own)
    try:
        return hashlib.sha256(pickle.dumps(thing)).hexdigest()
    except (pickle.PicklingError, AttributeError, TypeError):
        return uuid.uuid4().hex


def key_of(parts: list[object]) -> str:
    """A hash of all that an outcome depends on, by which a journal knows it.

    >>> len(key_of(["snr", 0]))
    24
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def pickled(thing: Any) -> bytes:
    """What a worker process gets: what a notebook or the main script defines travels along.

    Raises:
        InputError: if it cannot be pickled.

    >>> pickle.loads(pickled([1]))
    [1]
    """
    try:
        return bytes(cloudpickle.dumps(thing))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(f"cannot be sent to a worker: {error}; use workers=1") from error
