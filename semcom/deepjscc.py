"""DeepJSCC: a convolutional autoencoder with the channel in its bottleneck, at fixed rates.

After Bourtsoulatze, Burth Kurka, Gündüz, "Deep joint source-channel coding for wireless image
transmission", IEEE TCCN 2019: strided convolutions with PReLU, no knowledge of the channel. The
published network has two strided layers; this one has three and is wider, so that a grey image
at one channel use per 16 pixels is not squeezed through a latent of two maps. Each rate has a
network of its own, as in the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from channels import InputError, Reception, Session, Transmission
from channels.errors import check_count, shown
from semcom.attention import AttentionFeature
from semcom.learned import (
    LearnedCodec,
    TrainingOutput,
    from_symbols,
    pad_to,
    to_symbols,
    transmission,
)

STRIDE = 8


class DeepJSCC(LearnedCodec):
    """Convolutional joint source-channel codec for grey images, one network for each rate.

    The largest rate that a session's channel uses hold is sent; both ends know which.

    Args:
        latent_channels: real maps at 1/8 of the image's sides, for each network in rising order;
            2, 4 and 8 give cbr = 1/64, 1/32 and 1/16.
        width: features of the inner layers.

    >>> codec = DeepJSCC()
    >>> codec.encode(torch.rand(1, 1, 64, 64), cbr=1/16, snr_db=6.0).symbols.shape
    torch.Size([1, 256])
    >>> codec.encode(torch.rand(1, 1, 64, 64), cbr=1/40, snr_db=6.0).symbols.shape
    torch.Size([1, 64])
    """

    name = "deepjscc"
    stride = STRIDE
    attentive: ClassVar[bool] = False
    """Whether the networks know the SNR."""

    def __init__(self, latent_channels: Sequence[int] = (2, 4, 8), width: int = 64) -> None:
        super().__init__()
        self.latent_channels = _checked(latent_channels)
        self.width = check_count("width", width, 4, 4096)
        self.networks = nn.ModuleList(
            Autoencoder(maps, self.width, self.attentive) for maps in self.latent_channels
        )

    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"latent_channels": list(self.latent_channels), "width": self.width}

    @property
    def cbrs(self) -> tuple[float, ...]:
        """The rates that there are networks for, in rising order."""
        return tuple(maps / 2 / STRIDE**2 for maps in self.latent_channels)

    def training_forward(
        self,
        images: Tensor,
        roi: Tensor,
        cbr: float,
        snr_db: float,
        through: Callable[[Transmission], Reception],
        draws: torch.Generator,
    ) -> TrainingOutput:
        """Send the images at every rate, so that a step trains all networks alike."""
        sent = [self._encoded(images, None, rate, snr_db) for rate in self.cbrs]
        return TrainingOutput(tuple(self.reconstruct(through(tx)) for tx in sent))

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        network = self._network(session)
        snr_db = images.new_full((len(images),), session.snr_db)
        latents = network.send(pad_to(images, STRIDE) - 0.5, snr_db).flatten(1)
        return transmission(to_symbols(latents, session.channel_uses), session)

    def reconstruct(self, rx: Reception) -> Tensor:
        """Image before clamping, float32 ``[batch, 1, H, W]``."""
        network = self._network(rx.session)
        _, height, width = rx.session.image_shape
        rows, columns = -(-height // STRIDE), -(-width // STRIDE)
        symbols = rx.symbols / (1 + rx.noise_var)
        flat = from_symbols(symbols, network.latent_channels * rows * columns)
        latents = flat.reshape(-1, network.latent_channels, rows, columns)
        images = network.receive(latents, rx.snr_db)
        return images[..., :height, :width] + 0.5

    def _network(self, session: Session) -> Autoencoder:
        """The network of the largest rate that the session holds, less what rounding takes."""
        _, height, width = session.image_shape
        for network, cbr in zip(reversed(self.networks), reversed(self.cbrs), strict=True):
            assert isinstance(network, Autoencoder)
            if session.channel_uses >= 0.99 * cbr * height * width - 1:
                return network
        rates = ", ".join(f"1/{1 / cbr:g}" for cbr in self.cbrs)
        raise InputError(
            f"{self.name} has fixed rates of {rates} channel uses per pixel: ask for "
            f"cbr >= {self.cbrs[0]:g}, or take 'medjscc', which serves any rate"
        )


class Autoencoder(nn.Module):
    """Encoder and decoder of one rate.

    Args:
        latent_channels: maps at 1/8 of the image's sides.
        width: features of the inner layers.
        attentive: whether an attention feature module follows every inner layer.
    """

    def __init__(self, latent_channels: int, width: int, attentive: bool) -> None:
        super().__init__()
        self.latent_channels = latent_channels
        half, inner = width // 2, 3 * width // 4

        def down(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inputs, outputs, 5, 2, 2), nn.PReLU(outputs))

        def up(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(
                nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1), nn.PReLU(outputs)
            )

        def flat(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inputs, outputs, 5, 1, 2), nn.PReLU(outputs))

        self.encoder = nn.ModuleList([
            down(1, half),
            down(half, inner),
            down(inner, width),
            flat(width, width),
            nn.Conv2d(width, latent_channels, 5, 1, 2),
        ])  # fmt: skip
        self.decoder = nn.ModuleList([
            flat(latent_channels, width),
            flat(width, width),
            up(width, inner),
            up(inner, half),
            nn.ConvTranspose2d(half, 1, 5, 2, 2, output_padding=1),
        ])  # fmt: skip
        sizes = (
            ((half, inner, width, width), (width, width, inner, half)) if attentive else ((), ())
        )
        self.encoder_attention, self.decoder_attention = (
            nn.ModuleList(AttentionFeature(features) for features in layers) for layers in sizes
        )

    def send(self, images: Tensor, snr_db: Tensor) -> Tensor:
        """Latents ``[batch, latent_channels, H/8, W/8]`` of ``[batch, 1, H, W]``."""
        return _through(self.encoder, self.encoder_attention, images, snr_db)

    def receive(self, latents: Tensor, snr_db: Tensor) -> Tensor:
        """Images ``[batch, 1, H, W]`` of ``[batch, latent_channels, H/8, W/8]``."""
        return _through(self.decoder, self.decoder_attention, latents, snr_db)


def _through(
    layers: nn.ModuleList, attention: nn.ModuleList, maps: Tensor, snr_db: Tensor
) -> Tensor:
    for index, layer in enumerate(layers):
        maps = layer(maps)
        if index < len(attention):
            maps = attention[index](maps, snr_db)
    return maps


def _checked(latent_channels: object) -> tuple[int, ...]:
    if not isinstance(latent_channels, list | tuple) or not latent_channels:
        raise InputError(
            f"latent_channels must be numbers of maps, one a rate, got {shown(latent_channels)}"
        )
    counts = [check_count("latent_channels", maps, 1, 1024) for maps in latent_channels]
    if counts != sorted(set(counts)):
        raise InputError(f"latent_channels must rise, got {shown(latent_channels)}")
    return tuple(counts)
