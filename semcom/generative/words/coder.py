"""Any text as bits: a caption in a few dozen, other text as UTF-8.

A message begins with a bit, 0 for a caption of the vocabulary, arithmetic coding of its choices
behind it, 1 for other text. There a second bit says whether the bytes of UTF-8 are deflated (RFC
1951), their number follows as an Elias gamma code, then they do. A message says where it ends:
whatever follows is not read.
"""

from __future__ import annotations

import zlib

from channels import InputError
from channels.errors import check_whole, shown
from semcom.generative.words import arithmetic
from semcom.generative.words.bits import BitReader, Bits, BitWriter
from semcom.generative.words.language_model import LanguageModel
from semcom.generative.words.vocabulary import choices, sentence

MOST_BYTES = 1 << 16
"""Of a text in UTF-8: more is refused, and no damaged message can grow beyond it."""

_RAW = -15
"""Deflate's window, negative: without zlib's header and checksum."""


def encode_text(text: str, model: LanguageModel, most_bits: int | None = None) -> Bits:
    """A text as bits.

    Args:
        text: any; what :func:`~semcom.generative.words.vocabulary.sentence` writes takes fewer
            than ``model.bits(choices) + 3``.
        model: of captions, the one that will decode.
        most_bits: that the message may take; ``None``: any number.

    Returns:
        uint8 ``[n]``, 0 or 1 each.

    Raises:
        InputError: if it takes more, or cannot be written in UTF-8.

    >>> from semcom.generative.words import shipped
    >>> decode_text(encode_text("Herz groß", shipped()), shipped())
    'Herz groß'
    >>> encode_text("Herz groß", shipped(), most_bits=60)
    Traceback (most recent call last):
    channels.errors.InputError: the text takes 89 bits where 60 are left: shorten it, or ...
    """
    chosen, writer = choices(text), BitWriter()
    if chosen is not None:
        writer.number(0, 1)
        arithmetic.write(chosen, model, writer)
    else:
        _write_bytes(_utf8(text), writer)
    bits = writer.bits()
    if most_bits is not None and len(bits) > check_whole("most_bits", most_bits, 0):
        raise InputError(
            f"the text takes {len(bits)} bits where {most_bits} are left: shorten it, or use the "
            "words of the vocabulary"
        )
    return bits


def decode_text(bits: Bits, model: LanguageModel) -> str:
    """The text that bits stand for; whatever follows its end is not read.

    Args:
        bits: 0 or 1 each, ``[n]``. Damaged ones give another text or an error: a checksum around
            them has to tell.
        model: of captions, the one that encoded.

    Raises:
        InputError: if they stand for no text, or are no bits.
    """
    reader = BitReader(bits)
    if reader.number(1) == 0:
        return sentence(arithmetic.read(model, reader))
    deflated, length = reader.number(1), reader.count()
    data = reader.data(length)
    try:
        return (_inflated(data) if deflated else data).decode()
    except (UnicodeDecodeError, zlib.error) as error:
        raise InputError("the bits stand for no text: they are damaged") from error


def _utf8(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the text cannot be written in UTF-8: {shown(text)}") from error
    if len(data) > MOST_BYTES:
        raise InputError(f"the text has {len(data)} bytes, {MOST_BYTES} at most: shorten it")
    return data


def _write_bytes(data: bytes, writer: BitWriter) -> None:
    packer = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, _RAW)
    packed = packer.compress(data) + packer.flush()
    shorter = len(packed) < len(data)
    sent = packed if shorter else data
    writer.number(1, 1)
    writer.number(int(shorter), 1)
    writer.count(len(sent))
    writer.data(sent)


def _inflated(data: bytes) -> bytes:
    """Undo Deflate.

    Raises:
        InputError: if the bytes end too early, or go on too long.
    """
    unpacker = zlib.decompressobj(_RAW)
    text = unpacker.decompress(data, MOST_BYTES + 1)
    if not unpacker.eof or len(text) > MOST_BYTES:
        raise InputError("the bits stand for no text: they are damaged")
    return text
