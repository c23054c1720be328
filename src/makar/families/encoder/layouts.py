"""The names and settings under which `transformers` knows these encoders: ModernBERT with its heads.

Every block attends to the whole text (``full_attention``), a text is read as the mean of its tokens, and the vocabulary is that of the
text codec with the two further tokens behind it.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from makar.families.encoder.config import EncoderConfig

MASK_NAME, PADDING_NAME = "<|mask|>", "<|pad|>"
END_NAME = "<|endoftext|>"
_BLOCKS = {
    "attention_gain": "attn_norm.weight",
    "projected.weight": "attn.Wqkv.weight",
    "output.weight": "attn.Wo.weight",
    "feed_forward_gain": "mlp_norm.weight",
    "inner.weight": "mlp.Wi.weight",
    "outer.weight": "mlp.Wo.weight",
}
_NAMES = {
    "network.encoder.embeddings": "model.embeddings.tok_embeddings.weight",
    "network.encoder.embedding_gain": "model.embeddings.norm.weight",
    "network.encoder.final_gain": "model.final_norm.weight",
    "network.head.dense.weight": "head.dense.weight",
    "network.head.gain": "head.norm.weight",
    "network.head.classifier.weight": "classifier.weight",
    "network.head.constants": "classifier.bias",
}
_BLOCK = re.compile(r"network\.encoder\.blocks\.(\d+)\.(.+)")


def saved_name(name: str) -> str:
    """Return the name under which a parameter of a family is saved.

    >>> saved_name("network.encoder.blocks.1.inner.weight")
    'model.layers.1.mlp.Wi.weight'
    """
    found = _BLOCK.fullmatch(name)
    return f"model.layers.{found[1]}.{_BLOCKS[found[2]]}" if found else _NAMES.get(name, name)


def encoder_settings(config: EncoderConfig, *, architecture: str, end_token: int) -> dict[str, Any]:
    """Return what ``config.json`` says of any of them.

    Args:
        config: Sizes.
        architecture: Class of transformers.
        end_token: The token that ends a text.
    """
    rotary = {"rope_type": "default", "rope_theta": config.rotary_base}
    return {
        "architectures": [architecture],
        "model_type": "modernbert",
        "vocab_size": config.rows,
        "hidden_size": config.width,
        "intermediate_size": config.hidden_width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "hidden_activation": "gelu",
        "classifier_activation": "gelu",
        "max_position_embeddings": config.length,
        "layer_types": ["full_attention"] * config.depth,
        "rope_parameters": {"full_attention": rotary, "sliding_attention": rotary},
        "norm_eps": config.norm_epsilon,
        "norm_bias": False,
        "attention_bias": False,
        "mlp_bias": False,
        "classifier_bias": False,
        "decoder_bias": False,
        "classifier_pooling": "mean",
        "tie_word_embeddings": True,
        "pad_token_id": config.padding_token,
        "cls_token_id": end_token,
        "sep_token_id": end_token,
        "bos_token_id": end_token,
        "eos_token_id": end_token,
        "dtype": "float32",
    }


def labels_settings(names: Sequence[str]) -> dict[str, Any]:
    """Return how ``config.json`` names what a head tells apart."""
    return {
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
    }


def tokenizer_files(config: EncoderConfig, codec: Any) -> dict[str, bytes]:
    """Return ``tokenizer.json`` with the two further tokens, and ``tokenizer_config.json``.

    Args:
        config: Sizes.
        codec: A codec with ``tokenizer_json``.
    """
    values = json.loads(codec.tokenizer_json())
    for number, name in ((config.mask_token, MASK_NAME), (config.padding_token, PADDING_NAME)):
        values["added_tokens"].append(
            {
                "id": number,
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        )
    said = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.length,
        "mask_token": MASK_NAME,
        "pad_token": PADDING_NAME,
        "eos_token": END_NAME,
        "sep_token": END_NAME,
        "clean_up_tokenization_spaces": False,
    }
    return {"tokenizer.json": json.dumps(values).encode(), "tokenizer_config.json": json.dumps(said, indent=2).encode()}
