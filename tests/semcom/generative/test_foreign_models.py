"""Larger models from disk: real ones of their libraries, made tiny here, with random weights."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import channels
import semcom
from semcom.generative import Generative, Generator
from semcom.generative.captioner import cut
from semcom.generative.foreign import DiffusersInpainting, TransformersCaptioner
from semcom.generative.key_region import key_region
from semcom.generative.words import decode_text, encode_text, shipped
from semcom.medjscc.source.region import region_pixels
from tests.refusals import refused
from tests.test_light_imports import ran

WORDS = ["dark", "ribs", "left", "bright", "lung", "heart", "wide", "clear"]


@pytest.fixture(autouse=True)
def nobody_asks_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*told: object, **more: object) -> None:
        raise AssertionError(f"the network was asked for {told}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def tokenizer_of(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    words = Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"pad": "[PAD]", "unk": "[UNK]", "bos": "[CLS]", "eos": "[SEP]"}
    PreTrainedTokenizerFast(
        tokenizer_object=words, **{f"{name}_token": token for name, token in special.items()}
    ).save_pretrained(folder)


def encoder_decoder(folder: Path) -> Path:
    from transformers import GPT2Config, GPT2LMHeadModel, ViTConfig, ViTImageProcessor, ViTModel
    from transformers import VisionEncoderDecoderModel as Model

    torch.manual_seed(1)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    eyes = ViTModel(
        ViTConfig(**size, intermediate_size=32, image_size=32, patch_size=8, initializer_range=1.0),
        add_pooling_layer=False,
    )
    mouth = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=4 + len(WORDS),
            n_positions=64,
            n_embd=16,
            n_layer=1,
            n_head=2,
            add_cross_attention=True,
            initializer_range=1.0,
            bos_token_id=2,
            eos_token_id=3,
        )
    )
    model = Model(encoder=eyes, decoder=mouth)
    for told in (model.config, model.generation_config):
        told.decoder_start_token_id, told.pad_token_id, told.eos_token_id = 2, 0, 3
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    tokenizer_of(folder)
    return folder


def blip(folder: Path) -> Path:
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor

    torch.manual_seed(2)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    size |= {"intermediate_size": 32}
    config = BlipConfig(
        text_config={
            **size,
            "encoder_hidden_size": 16,
            "vocab_size": 4 + len(WORDS),
            "bos_token_id": 2,
            "eos_token_id": 3,
            "sep_token_id": 3,
            "pad_token_id": 0,
            "initializer_range": 1.0,
        },
        vision_config={**size, "image_size": 32, "patch_size": 8, "initializer_range": 1.0},
        projection_dim=16,
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    tokenizer_of(folder)
    return folder


def inpainting(folder: Path) -> Path:
    from diffusers import (
        AutoencoderKL,
        PNDMScheduler,
        StableDiffusionInpaintPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(3)
    letters = sorted({letter for word in WORDS for letter in word})
    names = [*letters, *(f"{letter}</w>" for letter in letters)]
    names += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {name: number for number, name in enumerate(names)}
    text = CLIPTextConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=len(vocabulary),
        max_position_embeddings=16,
        bos_token_id=len(vocabulary) - 2,
        eos_token_id=len(vocabulary) - 1,
        pad_token_id=len(vocabulary) - 1,
    )
    StableDiffusionInpaintPipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
            latent_channels=4,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16),
        unet=UNet2DConditionModel(
            sample_size=16,
            in_channels=9,
            out_channels=4,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
        ),
        scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def captioning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_decoder(tmp_path_factory.mktemp("captioner"))


@pytest.fixture(scope="module")
def painting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inpainting(tmp_path_factory.mktemp("inpainting"))


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    images, masks = semcom.data.phantoms("chest", n=2, size=128, seed=4)
    return images, masks > 0.5


def test_captions_are_of_the_rest_alone_and_always_the_same(
    captioning: Path, pictures: tuple[Tensor, Tensor]
) -> None:
    images, masks = pictures
    captioner = TransformersCaptioner(captioning)
    said = captioner(images, masks)
    assert all(set(one.split()) <= {*WORDS, "[UNK]"} and one for one in said)
    torch.manual_seed(9)
    assert captioner(images, masks) == said
    assert captioner(images[1:], masks[1:]) == said[1:]
    assert captioner(torch.where(masks, 1 - images, images), masks) == said, "the key is hidden"
    assert TransformersCaptioner(captioning).fingerprint == captioner.fingerprint
    assert TransformersCaptioner(captioning, most_tokens=3).fingerprint != captioner.fingerprint
    assert len(TransformersCaptioner(captioning, most_tokens=1)(images, masks)[0].split()) <= 1


def test_blip_speaks_too(tmp_path: Path, pictures: tuple[Tensor, Tensor]) -> None:
    said = TransformersCaptioner(blip(tmp_path), most_tokens=6)(*pictures)
    assert len(said) == 2
    assert all(isinstance(one, str) and one for one in said)


def test_the_key_is_kept_to_the_bit_and_the_rest_follows_seed_and_caption(
    painting: Path, pictures: tuple[Tensor, Tensor]
) -> None:
    images, masks = (part[..., :75, :101] for part in pictures)
    painter = DiffusersInpainting(painting)
    shown = painter.paint(images, masks, ["dark lung", None], seed=7, steps=2)
    assert shown.shape == images.shape and shown.dtype == torch.float32
    assert torch.equal(shown[masks], images[masks])
    assert 0 <= float(shown.min()) <= float(shown.max()) <= 1
    hidden = torch.where(masks, images, torch.rand_like(images))
    again = painter.paint(hidden, masks, ["dark lung", None], seed=7, steps=2)
    assert torch.equal(again, shown), "what is not key is not looked at"
    other = painter.paint(images, masks, ["dark lung", None], seed=8, steps=2)
    assert not torch.equal(other[~masks], shown[~masks])
    told = painter.paint(images, masks, ["bright ribs", None], seed=7, steps=2)
    assert not torch.equal(told[0], shown[0])
    alone = painter.paint(images[1:], masks[1:], [None], seed=7, steps=2)
    assert torch.allclose(alone, shown[1:], atol=1e-4)
    assert DiffusersInpainting(painting).fingerprint == painter.fingerprint
    assert DiffusersInpainting(painting, guidance=1).fingerprint != painter.fingerprint


def test_a_caption_of_10_kb_is_cut_by_the_text_encoder(
    painting: Path, pictures: tuple[Tensor, Tensor]
) -> None:
    images, masks = (part[:1] for part in pictures)
    painter = DiffusersInpainting(painting)
    long = "dark ribs " * 1000
    assert torch.equal(
        painter.paint(images, masks, [long], seed=1, steps=1),
        painter.paint(images, masks, [long[:100]], seed=1, steps=1),
    )


@pytest.mark.parametrize("said", ["dark ribs left " * 700, "x" * 10_000, "wide clear", ""])
def test_free_text_is_cut_after_the_last_word_that_fits(said: str) -> None:
    model = shipped()
    for most_bits in (32, 72, 200):
        kept = cut(said, model, most_bits)
        assert len(encode_text(kept, model, most_bits)) <= most_bits
        assert said.split()[: len(kept.split())] == kept.split()
        longer = said.split()[: len(kept.split()) + 1]
        if len(longer) > len(kept.split()):
            refused(lambda: encode_text(" ".join(longer), model, most_bits), "bits")  # noqa: B023
        assert decode_text(encode_text(kept, model), model) == kept


def test_both_in_the_codec(
    captioning: Path, painting: Path, pictures: tuple[Tensor, Tensor]
) -> None:
    captioner, painter = TransformersCaptioner(captioning), DiffusersInpainting(painting)
    codec = Generative("chest", generator=painter, captioner=captioner, steps=2)
    assert painter.fingerprint in codec.fingerprint and captioner.fingerprint in codec.fingerprint
    images, masks = pictures
    tx = codec.encode(images, cbr=1 / 16, snr_db=12.0, roi=masks.float())
    rx = channels.link("awgn")(tx, 12.0, seed=1)
    shown, _, made_up = codec.decode_with_made_up(rx)
    assert made_up is not None
    key = region_pixels(key_region(masks))
    for text, whole in zip(made_up.texts, captioner(images, key), strict=True):
        assert text is not None and whole.startswith(text) and text
    own = Generative("chest", generator=Generator((8, 8, 8, 8)), captioner=captioner)
    real = ~made_up.painted
    assert torch.equal(own.decode(rx)[real], shown[real])
    assert torch.equal(codec.decode(rx), shown)


def rewritten(folder: Path, name: str, **told: Any) -> None:
    said = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).write_text(json.dumps(said | told), encoding="utf-8")


@pytest.mark.parametrize("build", [TransformersCaptioner, DiffusersInpainting])
def test_what_is_no_folder_of_a_model(tmp_path: Path, build: Any) -> None:
    refused(lambda: build(tmp_path / "nowhere"), "no folder here: .* never looked up online")
    refused(lambda: build("org/model"), "org/model is no folder here")
    refused(lambda: build("org/model" * 1000), "no folder here")
    refused(lambda: build(7), "loaded from a folder")
    refused(lambda: build(tmp_path), "holds no model: no readable")
    for name in ("config.json", "model_index.json"):
        (tmp_path / name).write_text("{", encoding="utf-8")
    refused(lambda: build(tmp_path), "holds no model: no readable")
    for name in ("config.json", "model_index.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    refused(lambda: build(tmp_path), "holds no weights in safetensors")


def test_pickles_and_damage_are_refused(captioning: Path, painting: Path, tmp_path: Path) -> None:
    spoilt = shutil.copytree(captioning, tmp_path / "captioner")
    weights = spoilt / "model.safetensors"
    torch.save(load_file(weights), spoilt / "pytorch_model.bin")
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refused(lambda: TransformersCaptioner(spoilt), "cannot be loaded")
    weights.unlink()
    refused(lambda: TransformersCaptioner(spoilt), r"pickles \(.bin, .pt\) are not read")
    weights.write_bytes(whole)
    rewritten(spoilt, "config.json", model_type="gpt2")
    refused(lambda: TransformersCaptioner(spoilt), "unknown model_type 'gpt2'")
    part = shutil.copytree(painting, tmp_path / "inpainting")
    torch.save({}, part / "vae" / "diffusion_pytorch_model.bin")
    (part / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    refused(lambda: DiffusersInpainting(part), "cannot be loaded")
    rewritten(part, "model_index.json", unet=["os", "system"])
    refused(lambda: DiffusersInpainting(part), "only parts of diffusers and transformers")
    rewritten(part, "model_index.json", _class_name="FluxPipeline")
    refused(lambda: DiffusersInpainting(part), "unknown pipeline 'FluxPipeline'")


def test_weights_that_are_missing_are_not_made_up(captioning: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    spoilt = shutil.copytree(captioning, tmp_path / "captioner")
    weights = load_file(spoilt / "model.safetensors")
    del weights[next(name for name in weights if "attn" in name)]
    save_file(weights, spoilt / "model.safetensors", {"format": "pt"})
    refused(lambda: TransformersCaptioner(spoilt), "lacks weights, ")


def test_scenes_and_options_out_of_range(
    captioning: Path, painting: Path, pictures: tuple[Tensor, Tensor]
) -> None:
    images, masks = pictures
    refused(lambda: TransformersCaptioner(captioning)(images, masks[:1]), "differ in shape")
    refused(lambda: TransformersCaptioner(captioning, most_tokens=0), "most_tokens")
    painter = DiffusersInpainting(painting)
    refused(lambda: painter.paint(images, masks, ["dark"], seed=1), "do not belong together")
    refused(lambda: painter.paint(images, masks, ["dark"] * 2, seed=1, steps=0), "steps")
    refused(lambda: DiffusersInpainting(painting, guidance=0), "guidance")


def test_libraries_come_when_first_used_and_one_that_lacks_is_named(
    captioning: Path, painting: Path
) -> None:
    done = ran(
        "import sys\nfrom channels import InputError\n"
        "from semcom.generative.foreign import DiffusersInpainting, TransformersCaptioner\n"
        "print('transformers' in sys.modules, 'diffusers' in sys.modules)\n"
        "sys.modules['transformers'] = sys.modules['diffusers'] = None\n"
        f"for build, folder in ((TransformersCaptioner, {str(captioning)!r}),"
        f" (DiffusersInpainting, {str(painting)!r})):\n"
        "    try:\n        build(folder)\n    except InputError as error:\n        print(error)\n"
    )
    first, *said = done.stdout.splitlines()
    assert first == "False False", done.stderr
    assert [line.split()[:3] for line in said] == [
        ["this", "needs", "transformers"],
        ["this", "needs", "diffusers"],
    ]
    assert all(line.endswith('pip install "semcom[generative]"') for line in said)
