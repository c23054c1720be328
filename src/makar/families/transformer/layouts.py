"""The names and settings under which `transformers` knows the layouts: Qwen3, Llama, Qwen2 (mainstream) and NanoChat (compact).

Products that are one matrix here (queries, keys and values; gate and input) are several there, one above the other.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from makar.families.transformer.config import TransformerConfig

COMPACT = ("NanoChatForCausalLM", "nanochat")
NORMED = ("Qwen3ForCausalLM", "qwen3")
PLAIN = ("LlamaForCausalLM", "llama")
BIASED = ("Qwen2ForCausalLM", "qwen2")


def architecture_of(config: TransformerConfig) -> tuple[str, str]:
    """Return class and type of a network in transformers."""
    if config.layout == "compact":
        return COMPACT
    if config.query_key_norm:
        return NORMED
    return BIASED if config.biased else PLAIN


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
        if config.biased:
            rows = [(f"{there}.self_attn.q_proj.bias", query_rows)]
            rows += [(f"{there}.self_attn.{name}_proj.bias", shared_rows) for name in ("k", "v")]
            yield f"{here}.attention.projected_bias", rows
        if gained and config.query_key_norm:
            yield f"{here}.attention.query_gain", [(f"{there}.self_attn.q_norm.weight", config.head_width)]
            yield f"{here}.attention.key_gain", [(f"{there}.self_attn.k_norm.weight", config.head_width)]
        if gained:
            yield f"{here}.attention_gain", [(f"{there}.input_layernorm.weight", config.width)]
            yield f"{here}.feed_forward_gain", [(f"{there}.post_attention_layernorm.weight", config.width)]
    if gained:
        yield "final_gain", [("model.norm.weight", config.width)]
    if not config.tied:
        yield "separate_head", [("lm_head.weight", config.vocabulary)]


def transformers_settings(config: TransformerConfig, *, tokens: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``config.json`` says.

    Args:
        config: Sizes and layout.
        tokens: Numbers of the tokens that begin, end and fill up a text, by their names there.
    """
    architecture, kind = architecture_of(config)
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
        "rope_parameters": {**rope_scaling(config.rotary_scaling), "rope_theta": config.rotary_base},
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


LLAMA_3 = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
"""What transformers calls the four numbers of ``rotary_scaling``."""


def rope_scaling(numbers: tuple[float, ...]) -> dict[str, Any]:
    """Return what transformers calls a ``rotary_scaling``."""
    if not numbers:
        return {"rope_type": "default"}
    if len(numbers) == 1:
        return {"rope_type": "linear", "factor": numbers[0]}
    *factors, context = numbers
    return {"rope_type": "llama3", **dict(zip(LLAMA_3, [*factors, int(context)]))}


def settings_files(config: TransformerConfig, codec: "NamesTokens") -> dict[str, bytes]:
    """Return config.json, generation_config.json and tokenizer_config.json.

    Args:
        config: Sizes and layout.
        codec: Says which tokens begin and end a text.
    """
    settings = transformers_settings(config, tokens=codec.token_numbers())
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.context,
        **codec.token_names(),
        "clean_up_tokenization_spaces": False,
    }
    generation = {"do_sample": True, **codec.token_numbers()}
    files = {"config.json": settings, "generation_config.json": generation, "tokenizer_config.json": tokenizer}
    return {name: json.dumps(values, indent=2).encode() for name, values in files.items()}


class NamesTokens(Protocol):
    """A codec of text that other programs can use."""

    end_token: int

    def token_numbers(self) -> dict[str, Any]:
        """Return ``bos_token_id``, ``eos_token_id`` and ``pad_token_id``."""

    def token_names(self) -> dict[str, Any]:
        """Return what ``tokenizer_config.json`` says of special tokens."""
