"""Images as the planes of video frames: grey as it is, RGB as full-range BT.709 YCbCr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from channels import InputError
from channels.errors import shown, whole_number
from semcom.image_coders.scale import ImageArray

if TYPE_CHECKING:
    import av

_BIT_DEPTHS = (8, 10, 12)
_GREY = {8: "gray", 10: "gray10le", 12: "gray12le"}
_COLOUR = {8: "yuv444p", 10: "yuv444p10le", 12: "yuv444p12le"}
_HALVED = {10: "yuv420p10le"}
_DEPTH_OF = {name: depth for names in (_GREY, _COLOUR) for depth, name in names.items()}

_RED, _BLUE = 0.2126, 0.0722
_GREEN = 1 - _RED - _BLUE
_FROM_RGB = np.array(
    [
        [_RED, _GREEN, _BLUE],
        [-_RED / (2 - 2 * _BLUE), -_GREEN / (2 - 2 * _BLUE), 0.5],
        [0.5, -_GREEN / (2 - 2 * _RED), -_BLUE / (2 - 2 * _RED)],
    ]
)
_TO_RGB = np.linalg.inv(_FROM_RGB)


def check_bit_depth(bit_depth: object) -> int:
    """Return bits a sample if a frame can have such samples.

    >>> check_bit_depth(9)
    Traceback (most recent call last):
    channels.errors.InputError: bit_depth must be 8, 10 or 12, got 9
    """
    bits = whole_number(bit_depth)
    if bits not in _BIT_DEPTHS:
        raise InputError(f"bit_depth must be 8, 10 or 12, got {shown(bit_depth)}")
    return bits


def to_frame(image: ImageArray, bit_depth: int) -> av.VideoFrame:
    """Quantise an image to a frame of whole samples, without any change of range.

    Grey is sample / (2^n - 1). RGB becomes YCbCr by ITU-R BT.709-6 item 3.2 and 3.3, with the
    full-range integers of ITU-T H.273 equations 30 to 32 (chroma 0 is at 2^(n-1)).

    Args:
        image: float32 ``[H, W]`` or RGB ``[3, H, W]``, in [0, 1].
        bit_depth: n of 8, 10 or 12 bits a sample.

    >>> to_frame(np.zeros((3, 32, 40), np.float32), 10).format.name
    'yuv444p10le'
    """
    import av

    samples = image[None] if image.ndim == 2 else np.tensordot(_FROM_RGB, image, 1)
    name = (_GREY if image.ndim == 2 else _COLOUR)[bit_depth]
    frame = av.VideoFrame(image.shape[-1], image.shape[-2], name)
    fill(frame, _whole(samples[:1], samples[1:], bit_depth), bit_depth)
    return frame


def to_halved_frame(image: ImageArray) -> av.VideoFrame:
    """Quantise an image to 4:2:0 of 10 bits: chroma is the mean of 2 x 2 pixels, of grey nothing.

    Args:
        image: float32 ``[H, W]`` or RGB ``[3, H, W]``, in [0, 1].

    >>> to_halved_frame(np.zeros((3, 33, 40), np.float32)).planes[1].height
    17
    """
    import av

    height, width = image.shape[-2:]
    frame = av.VideoFrame(width, height, _HALVED[10])
    if image.ndim == 2:
        luma, chroma = image[None], np.zeros((2, -(-height // 2), -(-width // 2)))
    else:
        planes = np.tensordot(_FROM_RGB, image, 1)
        even = np.pad(planes[1:], ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
        luma = planes[:1]
        chroma = even.reshape(2, even.shape[1] // 2, 2, even.shape[2] // 2, 2).mean((2, 4))
    fill(frame, _whole(luma, chroma, 10), 10)
    return frame


def from_halved_frame(frame: av.VideoFrame, channels: int) -> ImageArray | None:
    """Undo :func:`to_halved_frame`, chroma interpolated; ``None`` if the frame is no such one.

    Args:
        frame: of 4:2:0.
        channels: 1 for grey ``[H, W]``, 3 for RGB ``[3, H, W]``.

    >>> red = np.zeros((3, 33, 32), np.float32)
    >>> red[0] = 1
    >>> float(np.abs(from_halved_frame(to_halved_frame(red), 3) - red).max()) < 0.003
    True
    """
    if frame.format.name != _HALVED[10]:
        return None
    if channels == 1:
        return luma(frame, 10)
    chroma = (_samples(frame.planes[1:], 10) - 512) / 1023
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(chroma)[None],
        size=(2 * chroma.shape[1], 2 * chroma.shape[2]),
        mode="bilinear",
    )[0, :, : frame.height, : frame.width]
    return _rgb(np.concatenate([luma(frame, 10)[None], whole.numpy()]))


def fill(frame: av.VideoFrame, samples: Sequence[NDArray[np.floating]], bit_depth: int) -> None:
    """Write the whole samples of each plane, ``[H, W]``, into a frame.

    >>> import av
    >>> frame = av.VideoFrame(40, 32, "gray")
    >>> fill(frame, [np.full((32, 40), 7.0)], 8)
    >>> bytes(frame.planes[0])[0]
    7
    """
    kind = _kind(bit_depth)
    for plane, values in zip(frame.planes, samples, strict=True):
        padded = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
        padded[:, : plane.width] = values
        plane.update(padded.tobytes())


def luma(frame: av.VideoFrame, bit_depth: int) -> ImageArray:
    """The first plane of a frame as float32 ``[H, W]`` in [0, 1].

    >>> float(luma(to_frame(np.full((32, 33), 0.6, np.float32), 8), 8)[31, 32])
    0.6000000238418579
    """
    image: ImageArray = _samples(frame.planes[:1], bit_depth)[0] / np.float32(2**bit_depth - 1)
    return image


def from_frame(frame: av.VideoFrame) -> ImageArray | None:
    """Undo :func:`to_frame`; ``None`` if the frame is of a format that it never makes.

    >>> red = np.zeros((3, 32, 32), np.float32)
    >>> red[0] = 1
    >>> float(np.abs(from_frame(to_frame(red, 10)) - red).max()) < 0.002
    True
    """
    bit_depth = _DEPTH_OF.get(frame.format.name)
    if bit_depth is None:
        return None
    if frame.format.name == _GREY[bit_depth]:
        return luma(frame, bit_depth)
    samples = _samples(frame.planes, bit_depth)
    samples[1:] -= 2 ** (bit_depth - 1)
    return _rgb(samples / (2**bit_depth - 1))


def _whole(
    luma: NDArray[np.floating], chroma: NDArray[np.floating], bit_depth: int
) -> list[NDArray[np.floating]]:
    """Whole samples of each plane, chroma 0 at the middle."""
    peak = 2**bit_depth - 1
    samples = [*(luma * peak), *(chroma * peak + 2 ** (bit_depth - 1))]
    return [np.clip(np.round(plane), 0, peak) for plane in samples]


def _rgb(planes: NDArray[np.floating]) -> ImageArray:
    """RGB of YCbCr, chroma around 0."""
    image: ImageArray = np.clip(np.tensordot(_TO_RGB, planes, 1), 0, 1).astype(np.float32)
    return image


def _samples(planes: Sequence[Any], bit_depth: int) -> NDArray[np.float32]:
    rows = [np.frombuffer(plane, _kind(bit_depth)).reshape(plane.height, -1) for plane in planes]
    cropped = [row[:, : plane.width] for row, plane in zip(rows, planes, strict=True)]
    return np.stack(cropped).astype(np.float32)


def _kind(bit_depth: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype(np.uint8 if bit_depth == 8 else "<u2")


def first_frame(stream: bytes, decoder: str, format_name: str) -> av.VideoFrame:
    """The first frame of a bare video stream, decoded in one thread.

    Args:
        stream: bytes of one frame; what follows it may be cut or damaged.
        decoder: name of an FFmpeg decoder.
        format_name: of the stream, for messages.

    Raises:
        InputError: if the decoder finds no frame.

    >>> first_frame(bytes(9), "hevc", "HEVC")
    Traceback (most recent call last):
    channels.errors.InputError: not a decodable HEVC stream (no image in it): send it again
    """
    import av

    context = av.CodecContext.create(decoder, "r")
    context.thread_count = 1
    try:
        packets = [*context.parse(stream), *context.parse(b"")]
        frames = [frame for packet in packets for frame in context.decode(packet)]
        frames += context.decode(None)
    except (av.FFmpegError, ValueError) as error:
        raise undecodable(format_name, str(error)) from error
    if not frames:
        raise undecodable(format_name)
    return frames[0]


def from_bytes(samples: NDArray[Any], format_name: str) -> ImageArray:
    """Samples of 8 bits as float32 in [0, 1], of the same shape.

    Raises:
        InputError: if they are of another type, as only damaged streams have them.

    >>> float(from_bytes(np.full((32, 32), 51, np.uint8), "JPEG XL")[0, 0])
    0.20000000298023224
    """
    if samples.dtype != np.uint8:
        raise undecodable(format_name, f"{samples.dtype} samples")
    image: ImageArray = samples.astype(np.float32) / np.float32(255)
    return image


def undecodable(format_name: str, why: str = "no image in it") -> InputError:
    """What to raise where a stream is none that its encoder makes."""
    return InputError(f"not a decodable {format_name} stream ({why}): send it again")
