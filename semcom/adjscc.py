"""ADJSCC: DeepJSCC whose features are weighted by what is known of the SNR."""

from __future__ import annotations

from semcom.deepjscc import DeepJSCC


class ADJSCC(DeepJSCC):
    """DeepJSCC with an attention feature module after every inner layer.

    After Xu et al., "Wireless image transmission using deep source channel coding with attention
    modules", IEEE TCSVT 2022. The encoder's modules get the SNR that the transmitter believes in,
    the decoder's the one that the receiver measured. Layers and widths are those of
    :class:`semcom.deepjscc.DeepJSCC`, so that the two differ by the attention alone; the paper has
    GDN before each PReLU, and 256 features.

    Args:
        latent_channels: as for DeepJSCC.
        width: as for DeepJSCC.

    >>> import torch
    >>> codec = ADJSCC()
    >>> image = torch.rand(1, 1, 64, 64)
    >>> noisy, clear = (codec.encode(image, cbr=1/16, snr_db=snr) for snr in (0.0, 20.0))
    >>> torch.equal(noisy.symbols, clear.symbols)
    False
    """

    name = "adjscc"
    attentive = True
