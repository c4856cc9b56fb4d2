"""DeepJSCC: a convolutional autoencoder with the channel in its bottleneck, at a fixed rate.

After Bourtsoulatze, Burth Kurka, Gündüz, "Deep joint source-channel coding for wireless image
transmission", IEEE TCCN 2019: strided convolutions with PReLU, no knowledge of the channel. The
published network has two strided layers; this one has three and is wider, so that a grey picture
at one channel use per 16 pixels is not squeezed through a latent of two maps.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from channels import InputError, Reception, Session, Transmission
from semcom.learned import LearnedCodec, from_symbols, pad_to, to_symbols, transmission


class DeepJSCC(LearnedCodec):
    """Fixed-rate convolutional joint source-channel codec for grey pictures.

    Args:
        latent_channels: real maps at 1/8 of the picture's sides; 8 give cbr = 1/16.
        width: features of the inner layers.

    >>> import torch
    >>> codec = DeepJSCC()
    >>> codec.encode(torch.rand(1, 1, 64, 64), cbr=1/16, snr_db=6.0).symbols.shape
    torch.Size([1, 256])
    """

    name = "deepjscc"
    stride = 8

    def __init__(self, latent_channels: int = 8, width: int = 64) -> None:
        super().__init__()
        self.latent_channels, self.width = latent_channels, width
        half, inner = width // 2, 3 * width // 4

        def down(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inputs, outputs, 5, 2, 2), nn.PReLU(outputs))

        def up(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(
                nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1), nn.PReLU(outputs)
            )

        def flat(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inputs, outputs, 5, 1, 2), nn.PReLU(outputs))

        self.encoder = nn.Sequential(
            down(1, half),
            down(half, inner),
            down(inner, width),
            flat(width, width),
            nn.Conv2d(width, latent_channels, 5, 1, 2),
        )
        self.decoder = nn.Sequential(
            flat(latent_channels, width),
            flat(width, width),
            up(width, inner),
            up(inner, half),
            nn.ConvTranspose2d(half, 1, 5, 2, 2, output_padding=1),
        )

    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"latent_channels": self.latent_channels, "width": self.width}

    @property
    def cbr(self) -> float:
        """The rate that the network was made for."""
        return self.latent_channels / 2 / self.stride**2

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        latents = self.encoder(pad_to(images, self.stride) - 0.5).flatten(1)
        needed = images.shape[-1] * images.shape[-2] * self.cbr
        if session.channel_uses < 0.99 * needed - 1:
            raise InputError(
                f"deepjscc has a fixed rate of {self.cbr:g} channel uses per pixel: ask for "
                f"cbr >= {self.cbr:g}, or take 'medjscc', which serves several rates"
            )
        return transmission(to_symbols(latents, session.channel_uses), session)

    def reconstruct(self, rx: Reception) -> Tensor:
        """Picture before clamping, float32 ``[batch, 1, H, W]``."""
        _, height, width = rx.session.image_shape
        rows, columns = -(-height // self.stride), -(-width // self.stride)
        symbols = rx.symbols / (1 + rx.noise_var)
        flat = from_symbols(symbols, self.latent_channels * rows * columns)
        latents = flat.reshape(-1, self.latent_channels, rows, columns)
        images: Tensor = self.decoder(latents)[..., :height, :width] + 0.5
        return images
