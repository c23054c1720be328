"""The names and settings under which `transformers` knows the two layouts: Qwen3ForCausalLM and NanoChatForCausalLM.

Products that are one matrix here (queries, keys and values; gate and input) are several there, one above the other.
"""

import json
from collections.abc import Iterator
from typing import Any

from makar.families.transformer.config import TransformerConfig

ARCHITECTURES = {"mainstream": ("Qwen3ForCausalLM", "qwen3"), "compact": ("NanoChatForCausalLM", "nanochat")}


def saved_names(config: TransformerConfig) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Yield for each parameter of the network its name and the names it is saved under, each with its number of rows."""
    query_rows, shared_rows = config.heads * config.head_width, config.shared_heads * config.head_width
    gained = config.layout == "mainstream"
    yield "embeddings", [("model.embed_tokens.weight", config.vocabulary)]
    for index in range(config.depth):
        here, there = f"blocks.{index}", f"model.layers.{index}"
        projections = [(f"{there}.self_attn.{name}_proj.weight", shared_rows) for name in ("k", "v")]
        yield (
            f"{here}.attention.projected.weight",
            [(f"{there}.self_attn.q_proj.weight", query_rows), *projections],
        )
        yield f"{here}.attention.output.weight", [(f"{there}.self_attn.o_proj.weight", config.width)]
        inputs = ("gate_proj", "up_proj") if gained else ("fc1",)
        yield (
            f"{here}.feed_forward.input.weight",
            [(f"{there}.mlp.{name}.weight", config.hidden_width) for name in inputs],
        )
        output = "down_proj" if gained else "fc2"
        yield f"{here}.feed_forward.output.weight", [(f"{there}.mlp.{output}.weight", config.width)]
        if gained:
            yield f"{here}.attention.query_gain", [(f"{there}.self_attn.q_norm.weight", config.head_width)]
            yield f"{here}.attention.key_gain", [(f"{there}.self_attn.k_norm.weight", config.head_width)]
            yield f"{here}.attention_gain", [(f"{there}.input_layernorm.weight", config.width)]
            yield f"{here}.feed_forward_gain", [(f"{there}.post_attention_layernorm.weight", config.width)]
    if gained:
        yield "final_gain", [("model.norm.weight", config.width)]
    if not config.tied:
        yield "separate_head", [("lm_head.weight", config.vocabulary)]


def transformers_settings(config: TransformerConfig, *, end_token: int) -> dict[str, Any]:
    """Return what ``config.json`` says.

    Args:
        config: Sizes and layout.
        end_token: The token that ends a text.
    """
    architecture, kind = ARCHITECTURES[config.layout]
    tokens = {"bos_token_id": end_token, "eos_token_id": end_token, "pad_token_id": end_token}
    settings: dict[str, Any] = {
        "architectures": [architecture],
        "model_type": kind,
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "intermediate_size": config.hidden_width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.shared_heads,
        "head_dim": config.head_width,
        "hidden_act": "silu" if config.layout == "mainstream" else "relu2",
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rotary_base},
        # Readers that predate rope_parameters, llama.cpp among them, look for this one.
        "rope_theta": config.rotary_base,
        "tie_word_embeddings": config.tied,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "dtype": "float32",
        **tokens,
    }
    if config.layout == "compact":
        settings["final_logit_softcapping"] = config.logit_cap or None
    return settings


def settings_files(config: TransformerConfig, *, end_token: int, end_name: str) -> dict[str, bytes]:
    """Return config.json, generation_config.json and tokenizer_config.json.

    Args:
        config: Sizes and layout.
        end_token: The token that ends a text.
        end_name: Its name in the tokenizer.
    """
    settings = transformers_settings(config, end_token=end_token)
    tokens = {name: settings[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.context,
        "bos_token": end_name,
        "eos_token": end_name,
        "pad_token": end_name,
        "clean_up_tokenization_spaces": False,
    }
    generation = {"do_sample": True, **tokens}
    files = {"config.json": settings, "generation_config.json": generation, "tokenizer_config.json": tokenizer}
    return {name: json.dumps(values, indent=2).encode() for name, values in files.items()}
