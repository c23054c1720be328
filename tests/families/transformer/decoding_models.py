"""Small real models of all layouts, made by transformers, with their tensors and shape."""

import dataclasses
import functools
from typing import Any

import numpy as np
import torch
import transformers

from makar.families.transformer.decoder import DecoderShape

END = 256
"""Bytes are tokens 0 to 255; this ends a text."""
VOCABULARY = 257


@dataclasses.dataclass(frozen=True)
class Example:
    """A model of transformers and the same for the decoder."""

    model: Any
    shape: DecoderShape
    tensors: dict[str, torch.Tensor]


@functools.cache
def make_example(layout: str, *, tied: bool = True, context: int = 64) -> Example:
    """Return a model with random weights and uneven norms; its logits are far enough apart for a clear choice."""
    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "initializer_range": 0.15,
    }
    torch.manual_seed(3)
    if layout in ("llama", "qwen2"):
        kind = {"llama": "Llama", "qwen2": "Qwen2"}[layout]
        # Heads that are wider than their share, rotations that are scaled as in Llama 3.1.
        more = {"head_dim": 16} if layout == "llama" else {}
        scaled = {
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 4.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        }
        config = getattr(transformers, f"{kind}Config")(
            **sizes, **more, tie_word_embeddings=tied, rope_parameters=scaled, pad_token_id=END, eos_token_id=END
        )
        model: Any = getattr(transformers, f"{kind}ForCausalLM")(config)
    elif layout == "mainstream":
        config = transformers.Qwen3Config(**sizes, head_dim=16, tie_word_embeddings=tied)
        model = transformers.Qwen3ForCausalLM(config)
    else:
        config = transformers.NanoChatConfig(**sizes, pad_token_id=END, eos_token_id=END)
        model = transformers.NanoChatForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data.normal_(std=0.5)
        if "norm" in name:
            parameter.data.uniform_(0.5, 1.5)
    model.eval()
    return Example(model, DecoderShape.from_transformers(config.to_dict()), dict(model.state_dict()))


def decode_bytes(tokens: np.ndarray) -> str:
    """Decode as a byte codec does."""
    return bytes(int(token) for token in tokens if token < END).decode(errors="replace")
