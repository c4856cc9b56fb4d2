"""What every learned codec shares: latents as symbols, weights as safetensors."""

from __future__ import annotations

import json
import warnings
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import deprecated

from channels import InputError, Reception, Session, Transmission
from channels.power import normalize_power
from channels.renamed import renamed
from channels.surroundings import undisturbed
from channels.tensorfile import store
from semcom.codec import Codec
from semcom.weightfile import complaint, digest, halved, stored

_GOLDEN = _GOLDEN_IN, _GOLDEN_MCS, _GOLDEN_OUT = "golden.symbols", "golden.mcs", "golden.picture"
_GOLDEN_SIDE, _GOLDEN_CBR, _GOLDEN_SNR_DB, _GOLDEN_TOLERANCE = 64, 1 / 8, 20.0, 1e-3
_RENAMED = "rehearse is training_forward now, and Rehearsal TrainingOutput"


class TrainingOutput(NamedTuple):
    """What a training step judges.

    Args:
        images: float ``[batch, 1, H, W]`` each, not clamped; their distortions add up.
        penalty_db: what the loss holds beside the distortions, in dB.
    """

    images: tuple[Tensor, ...]
    penalty_db: Tensor | float = 0.0

    @property
    @deprecated("TrainingOutput.pictures is now .images")
    def pictures(self) -> tuple[Tensor, ...]:
        """Deprecated: ``images``."""
        return self.images


class LearnedCodec(nn.Module, Codec):
    """A codec whose symbols are the outputs of a network.

    Everything is differentiable: ``encode``, a link, and :meth:`reconstruct` make a training step.
    Weights are stored in half precision and computed with in single.
    A codec holds no link; channel models would enter its weights.

    Attributes:
        stride: images are padded to a multiple of this.
    """

    stride: int

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "rehearse" in vars(cls):
            said = f"{cls.__name__}.rehearse: {_RENAMED}"
            warnings.warn(said, DeprecationWarning, stacklevel=2)
            cls.training_forward = cls.rehearse  # type: ignore[method-assign]
        elif "training_forward" in vars(cls):
            cls.rehearse = deprecated(_RENAMED)(cls.training_forward)

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Constructor arguments that rebuild the network; stored with the weights."""

    @abstractmethod
    def reconstruct(self, rx: Reception) -> Tensor:
        """Like ``decode``, but not clamped to [0, 1], so that a loss has gradients everywhere."""

    def training_forward(
        self,
        images: Tensor,
        roi: Tensor,
        cbr: float,
        snr_db: float,
        through: Callable[[Transmission], Reception],
        draws: torch.Generator,
    ) -> TrainingOutput:
        """Send images as in use, or in whatever way the networks learn it.

        Args:
            images: float32 ``[batch, 1, H, W]`` in [0, 1].
            roi: float32 of the same shape.
            cbr: complex channel uses per pixel.
            snr_db: average E_s/N_0 in dB, known to both ends.
            through: a link at that SNR.
            draws: source of all randomness beside the link's.
        """
        return TrainingOutput((self.reconstruct(through(self._encoded(images, roi, cbr, snr_db))),))

    rehearse = deprecated(_RENAMED)(training_forward)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        images = self.reconstruct(rx).float().clamp(0, 1)
        return images, torch.zeros(len(images), dtype=torch.bool, device=images.device)

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any weight."""
        return digest(self.state_dict())

    def __repr__(self) -> str:
        count = sum(parameter.numel() for parameter in self.parameters())
        return f"{type(self).__name__}({self.config()}, {count / 1e6:.2f} M parameters)"

    def save(self, path: str | Path) -> None:
        """Write weights and configuration to a safetensors file, in half precision.

        With them goes a golden pair: symbols that the codec sent, and the image that it made of
        them. :meth:`load` checks that it still makes the same.
        """
        metadata = {"codec": type(self).name, "config": json.dumps(self.config())}
        state = halved(self.state_dict())
        with undisturbed(), torch.random.fork_rng(devices=[]):
            rounded = type(self)(**self.config()).eval().requires_grad_(False)
            rounded.load_state_dict(state)
            golden = rounded._golden_pair()
        store(state | golden, path, metadata)

    @torch.no_grad()
    def _golden_pair(self) -> dict[str, Tensor]:
        tx = self.encode(_golden_image(), cbr=_GOLDEN_CBR, snr_db=_GOLDEN_SNR_DB)
        mcs = -1 if tx.session.mcs is None else tx.session.mcs
        symbols = torch.view_as_real(tx.symbols)
        image = self.decode(_golden_reception(self.name, symbols, mcs))
        return {_GOLDEN_IN: symbols, _GOLDEN_MCS: torch.tensor(mcs), _GOLDEN_OUT: image}

    @torch.no_grad()
    def _check_golden_pair(self, pair: dict[str, Tensor]) -> None:
        rx = _golden_reception(self.name, pair[_GOLDEN_IN], int(pair[_GOLDEN_MCS]))
        error = (self.decode(rx) - pair[_GOLDEN_OUT]).abs().max()
        if not error < _GOLDEN_TOLERANCE:
            raise InputError(
                f"these weights of {self.name!r} do not give here what they gave where they were "
                f"written: an image differs by {error:.2g}; update semcom or train anew"
            )

    @classmethod
    @undisturbed()
    def load(cls, path: str | Path) -> Self:
        """Rebuild a codec from a file that :meth:`save` wrote, in evaluation mode.

        Its weights are frozen, so that images carry no graph; ``codec.requires_grad_()`` opens
        them for training.

        Raises:
            InputError: if the file is missing, damaged, or holds another codec.
        """
        state, metadata = stored(path)
        try:
            if metadata["codec"] != cls.name:
                raise InputError(
                    f"{Path(path).name} holds weights of {metadata['codec']!r}, not {cls.name!r}"
                )
            with torch.random.fork_rng(devices=[]):
                codec = cls(**json.loads(metadata["config"]))
            golden = {name: state.pop(name) for name in _GOLDEN}
            codec.load_state_dict(state)  # casts to the network's own precision
            codec.eval().requires_grad_(False)
            codec._check_golden_pair(golden)
        except InputError:
            raise
        except KeyError as error:
            raise InputError(f"{path} does not hold weights of {cls.name!r}") from error
        except (TypeError, ValueError, RuntimeError) as error:
            told = complaint(error)
            raise InputError(f"{path} does not hold weights of {cls.name!r}: {told}") from error
        return codec


def _golden_image() -> Tensor:
    """A ramp with a disc on it: float32 ``[1, 1, 64, 64]``."""
    place = torch.arange(_GOLDEN_SIDE) / _GOLDEN_SIDE
    disc = (place - 0.4).square()[:, None] + (place - 0.6).square() < 0.06
    return (0.2 + 0.4 * place + 0.3 * disc)[None, None]


def _golden_reception(codec: str, symbols: Tensor, mcs: int) -> Reception:
    shape = (1, _GOLDEN_SIDE, _GOLDEN_SIDE)
    uses = round(_GOLDEN_CBR * _GOLDEN_SIDE**2)
    session = Session(codec, shape, uses, _GOLDEN_SNR_DB, None if mcs < 0 else mcs)
    received = torch.view_as_complex(symbols)
    noise_var = torch.full(received.shape, 10 ** (-_GOLDEN_SNR_DB / 10))
    return Reception(received, noise_var, torch.tensor([_GOLDEN_SNR_DB]), session)


def pad_to(images: Tensor, stride: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples of ``stride``.

    >>> pad_to(torch.zeros(1, 1, 33, 64), 16).shape
    torch.Size([1, 1, 48, 64])
    """
    height, width = images.shape[-2:]
    return F.pad(images, (0, -width % stride, 0, -height % stride), mode="replicate")


def to_symbols(latents: Tensor, uses: int) -> Tensor:
    """Take the first ``2 * uses`` real numbers of each row as complex symbols, two by two.

    Args:
        latents: float ``[batch, n]``, the most important first.
        uses: symbols wanted.

    Returns:
        complex64 ``[batch, min(uses, ceil(n / 2))]``.

    >>> to_symbols(torch.arange(6.0)[None], 2)
    tensor([[0.+1.j, 2.+3.j]])
    """
    latents = F.pad(latents, (0, latents.shape[1] % 2))[:, : 2 * uses].float()
    return torch.view_as_complex(latents.reshape(len(latents), -1, 2).contiguous())


def from_symbols(symbols: Tensor, size: int) -> Tensor:
    """Undo :func:`to_symbols`: float ``[batch, size]``, zero where nothing was sent.

    >>> from_symbols(torch.tensor([[1 + 2j, 3 + 4j]]), 6)
    tensor([[1., 2., 3., 4., 0., 0.]])
    """
    flat = torch.view_as_real(symbols).flatten(1)[:, :size]
    return F.pad(flat, (0, size - flat.shape[1]))


def transmission(symbols: Tensor, session: Session) -> Transmission:
    """Normalise power per image and spend every symbol; the unused budget stays silent."""
    sent = normalize_power(symbols)
    used = torch.full((len(sent),), sent.shape[1], dtype=torch.int64, device=sent.device)
    return Transmission(sent, used, session)


__getattr__ = renamed(__name__, Rehearsal="TrainingOutput")
