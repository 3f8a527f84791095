"""A real but random (English-only) Whisper model of 1 MB, so that the whole path through CTranslate2 runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import whisper_spec
from ctranslate2.specs.model_spec import LayerSpec
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

WIDTH, HEADS, LAYERS = 32, 2, 2


def make(folder: Path, *, seed: int = 0) -> Path:
    """Write the model's files into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>"]
    names += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    names += ["<|notimestamps|>", *(f"<|{n * 0.02:.2f}|>" for n in range(1501))]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    tokenizer.save(str(folder / "tokenizer.json"))

    rng = np.random.default_rng(seed)
    spec = whisper_spec.WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)
    _fill(spec.encoder, rng)
    _fill(spec.decoder, rng)
    for conv, width in ((spec.encoder.conv1, 80), (spec.encoder.conv2, WIDTH)):
        conv.weight, conv.bias = _random(rng, WIDTH, width, 3), _random(rng, WIDTH)
    spec.encoder.position_encodings.encodings = _random(rng, 1500, WIDTH)
    spec.decoder.position_encodings.encodings = _random(rng, 448, WIDTH)
    size = tokenizer.get_vocab_size()
    spec.decoder.embeddings.weight = _random(rng, size, WIDTH)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    ids = tokenizer.token_to_id
    spec.config.lang_ids = [ids("<|en|>")]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [ids("<|endoftext|>")]
    spec.config.alignment_heads = [(1, 0), (1, 1)]
    spec.register_vocabulary([tokenizer.id_to_token(at) for at in range(size)])
    spec.validate()
    spec.save(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": 80}), encoding="utf-8")
    return folder


def _random(rng: np.random.Generator, *shape: int) -> Any:
    return rng.normal(0, 0.3, shape).astype(np.float32)


def _fill(spec: LayerSpec, rng: np.random.Generator, name: str = "") -> None:
    """Random weights for the attention, feed-forward and normalisation layers below ``spec``."""
    kind = type(spec).__name__
    if kind == "LayerNormSpec":
        spec.gamma, spec.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    elif kind == "LinearSpec" and name != "projection":
        rows, columns = {"linear_0": (4 * WIDTH, WIDTH), "linear_1": (WIDTH, 4 * WIDTH)}.get(
            name, (WIDTH, WIDTH)
        )
        spec.weight, spec.bias = _random(rng, rows, columns), _random(rng, rows)
    elif kind == "MultiHeadAttentionSpec":
        _fill(spec.layer_norm, rng)
        for at, linear in enumerate(spec.linear):
            rows = WIDTH
            if len(spec.linear) == 2 and at == 0:
                rows = 3 * WIDTH  # self attention: query, key and value in one
            elif len(spec.linear) == 3 and at == 1:
                rows = 2 * WIDTH  # cross attention: key and value
            linear.weight, linear.bias = _random(rng, rows, WIDTH), _random(rng, rows)
    else:
        for key, value in vars(spec).items():
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, LayerSpec):
                    _fill(child, rng, key)
