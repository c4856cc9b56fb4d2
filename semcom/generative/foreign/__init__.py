"""Larger models that lie on disk: captioners of ``transformers``, inpainting of ``diffusers``.

Both come with ``pip install semcom[generative]`` and are loaded when first used. Models are read
from a folder, as ``save_pretrained`` writes it: nothing is looked up online, no code in the folder
is run, and weights are safetensors, never pickles.
"""

from semcom.generative.foreign.diffusers_inpainting import DiffusersInpainting
from semcom.generative.foreign.transformers_captioner import TransformersCaptioner

__all__ = ["DiffusersInpainting", "TransformersCaptioner"]
