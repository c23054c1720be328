"""The names and settings under which `transformers` knows the network: T5ForConditionalGeneration, version 1.1, gated by a SiLU.

Products that are one matrix here (queries, keys and values; gate and values) are several there, one above the other; queries are divided
by eight there, which is exact.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from makar.families.seq2seq.config import Seq2seqConfig
from makar.families.seq2seq.network import QUERY_SCALE
from makar.tensor_spec import END_TOKEN, PADDING_TOKEN

USUAL_BEAMS = 5
COPYING = "copying."
"""How the names of what T5 does not have begin."""


@dataclasses.dataclass(frozen=True)
class Part:
    """One tensor of the saved model: its name, its rows in the matrix here, and what these are multiplied with on saving."""

    name: str
    rows: int
    scale: float = 1.0


def saved_names(config: Seq2seqConfig) -> Iterator[tuple[str, list[Part]]]:
    """Yield for each parameter of the network its name and the parts it is saved in."""
    width, hidden = config.width, config.hidden_width
    yield "embeddings", [Part("shared.weight", config.vocabulary)]
    for side, depth in (("encoder", config.encoder_depth), ("decoder", config.decoder_depth)):
        distances = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        yield f"{side}_distances.table", [Part(distances, config.buckets)]
        for index in range(depth):
            here, there = f"{side}.{index}", f"{side}.block.{index}.layer"
            own = f"{there}.0.SelfAttention"
            yield (
                f"{here}.attention.projected.weight",
                [
                    Part(f"{own}.q.weight", width, QUERY_SCALE),
                    Part(f"{own}.k.weight", width),
                    Part(f"{own}.v.weight", width),
                ],
            )
            yield f"{here}.attention.output.weight", [Part(f"{own}.o.weight", width)]
            yield f"{here}.attention_gain", [Part(f"{there}.0.layer_norm.weight", width)]
            last = 1
            if side == "decoder":
                last, other = 2, f"{there}.1.EncDecAttention"
                yield f"{here}.crossing.queries.weight", [Part(f"{other}.q.weight", width, QUERY_SCALE)]
                yield f"{here}.crossing.read.weight", [Part(f"{other}.{name}.weight", width) for name in ("k", "v")]
                yield f"{here}.crossing.output.weight", [Part(f"{other}.o.weight", width)]
                yield f"{here}.crossing_gain", [Part(f"{there}.1.layer_norm.weight", width)]
            inner = f"{there}.{last}.DenseReluDense"
            yield (
                f"{here}.feed_forward.input.weight",
                [Part(f"{inner}.{name}.weight", hidden) for name in ("wi_0", "wi_1")],
            )
            yield f"{here}.feed_forward.output.weight", [Part(f"{inner}.wo.weight", width)]
            yield f"{here}.feed_forward_gain", [Part(f"{there}.{last}.layer_norm.weight", width)]
        yield f"{side}_gain", [Part(f"{side}.final_layer_norm.weight", width)]
    if not config.tied:
        yield "separate_head", [Part("lm_head.weight", config.vocabulary)]
    if config.copies:
        rows = {"queries.weight": width, "keys.weight": width, "gate": width, "offset": 1}
        for name, count in rows.items():
            yield f"{COPYING}{name}", [Part(f"{COPYING}{name}", count)]


def settings_files(config: Seq2seqConfig, *, end_name: str, padding_name: str, rare_run: int) -> dict[str, bytes]:
    """Return config.json, generation_config.json and tokenizer_config.json.

    Args:
        config: Sizes.
        end_name: Name of the end token in the tokenizer.
        padding_name: Name of what fills up.
        rare_run: Shortest run of tokens that no text is to have twice; 0 for none.
    """
    tokens = {"pad_token_id": PADDING_TOKEN, "eos_token_id": END_TOKEN, "decoder_start_token_id": PADDING_TOKEN}
    settings: dict[str, Any] = {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "is_encoder_decoder": True,
        "vocab_size": config.vocabulary,
        "d_model": config.width,
        "d_kv": config.head_width,
        "d_ff": config.hidden_width,
        "num_layers": config.encoder_depth,
        "num_decoder_layers": config.decoder_depth,
        "num_heads": config.heads,
        "relative_attention_num_buckets": config.buckets,
        "relative_attention_max_distance": config.farthest,
        "dropout_rate": config.dropout,
        "layer_norm_epsilon": config.norm_epsilon,
        "feed_forward_proj": "gated-silu",
        "tie_word_embeddings": config.tied,
        "scale_decoder_outputs": config.tied,
        "dtype": "float32",
        **tokens,
    }
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": end_name,
        "pad_token": padding_name,
        "clean_up_tokenization_spaces": False,
    }
    generation = {"num_beams": USUAL_BEAMS, "no_repeat_ngram_size": rare_run, **tokens}
    files = {"config.json": settings, "generation_config.json": generation, "tokenizer_config.json": tokenizer}
    return {name: json.dumps(values, indent=2).encode() for name, values in files.items()}
