"""A sentence encoder of others as a maker of vectors of texts: the network of transformers, pooling, layers, length 1.

The pooled vectors are those of sentence-transformers (Reimers and Gurevych 2019, Sentence-BERT, arXiv 1908.10084, section 3); that library
is not needed. Two things differ: every vector has length 1, and a text that is longer than what is read at once is not cut off but read in
windows, whose vectors are averaged.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.errors import ArtifactError, UnsupportedError
from makar.families.pretrained.sentence_layout import DENSE_WEIGHTS, Layer, read_layout
from makar.families.pretrained.text_config import PretrainedTextConfig
from makar.families.pretrained.text_family import PretrainedTextFamily
from makar.families.pretrained.windows import windows_of

NOTHING = -1
"""What fills rows up: no number of a token, since some tokenizers fill up with the token that ends texts."""

Tokens = Float[Tensor, "batch length hidden"]
Exists = Bool[Tensor, "batch length"]
Pooled = Float[Tensor, "batch hidden"]


class VectorCheckpoint(PretrainedTextFamily):
    """A checkpoint that makes vectors of texts.

    Args:
        config: Names the folder by its hash.

    Raises:
        ArtifactError: The folder is not on this machine, another one, or its layers do not fit together.
        UnsupportedError: The network cannot tell what only fills a row up.
    """

    def __init__(self, config: PretrainedTextConfig) -> None:
        super().__init__(config)
        if "attention_mask" not in inspect.signature(self.network.forward).parameters:
            raise UnsupportedError(
                f"a {config.architecture} reads what only fills rows up like everything else",
                expected="a network that takes an attention mask",
            )
        self.layout = read_layout(self.folder.path)
        self.vector_width, self.padding_token = config.width, NOTHING
        opened = [_opened(self.folder.path / layer.folder / DENSE_WEIGHTS, layer) for layer in self.layout.layers]
        self.layers = nn.Sequential(*opened).requires_grad_(False).to(self.network.device)
        filled = self.folder.settings.get("pad_token_id")
        self._filled_with = filled if type(filled) is int and filled >= 0 else 0

    def rows_of(
        self, text: str, codec: PretrainedTextCodec, *, is_question: bool, is_passage: bool
    ) -> list[Int[np.ndarray, " length"]]:
        """Return a text as rows of tokens, each no longer than what is read at once, with the prompt that it wants before it.

        Args:
            text: The text.
            codec: The tokenizer.
            is_question: Whether something is looked for with it.
            is_passage: Whether it is looked through.
        """
        whole = self.layout.before(is_question=is_question, is_passage=is_passage) + text
        encoding = codec.encode_places(whole.lower() if self.layout.is_lowered else whole)
        return [np.array(ids, np.int64) for ids, _, _ in windows_of(encoding, self.config.context)]

    def vectors(self, tokens: Int[Tensor, "batch length"]) -> Float[Tensor, "batch width"]:
        """Return the vectors of rows, each of length 1."""
        exists = tokens != NOTHING
        given = tokens.masked_fill(~exists, self._filled_with)
        with torch.no_grad():
            made: Any = self.network(input_ids=given, attention_mask=exists.long())
            stream = made["last_hidden_state"].float()
            pooled = torch.cat([POOLING[name](stream, exists) for name in self.layout.pooling], -1)
            return functional.normalize(self.layers(pooled)[:, : self.vector_width], dim=-1)


def _opened(weights: Any, layer: Layer) -> nn.Sequential:
    from safetensors.torch import load_file

    linear = nn.Linear(layer.inputs, layer.outputs, bias=layer.has_bias)
    found = {name.removeprefix("linear."): value.float() for name, value in load_file(weights).items()}
    own = linear.state_dict()
    if {name: value.shape for name, value in found.items()} != {name: value.shape for name, value in own.items()}:
        raise ArtifactError(
            f"{weights} holds {', '.join(sorted(found))}",
            expected=f"the weights of {layer.inputs} by {layer.outputs} numbers",
            do="get the model again",
        )
    linear.load_state_dict(found)
    return nn.Sequential(linear, getattr(nn, layer.activation)())


def _first(stream: Tokens, exists: Exists) -> Pooled:
    del exists
    return stream[:, 0]


def _last(stream: Tokens, exists: Exists) -> Pooled:
    return stream[torch.arange(len(stream), device=stream.device), exists.sum(1) - 1]


def _largest(stream: Tokens, exists: Exists) -> Pooled:
    return stream.masked_fill(~exists[..., None], -torch.inf).amax(1)


def _mean(stream: Tokens, exists: Exists) -> Pooled:
    return (stream * exists[..., None]).sum(1) / exists.sum(1, keepdim=True)


def _mean_of_root(stream: Tokens, exists: Exists) -> Pooled:
    return (stream * exists[..., None]).sum(1) / exists.sum(1, keepdim=True).sqrt()


def _later_more(stream: Tokens, exists: Exists) -> Pooled:
    weights = exists * torch.arange(1, exists.shape[1] + 1, device=stream.device)
    return (stream * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


POOLING: dict[str, Callable[[Tokens, Exists], Pooled]] = {
    "cls": _first,
    "max": _largest,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_of_root,
    "weightedmean": _later_more,
    "lasttoken": _last,
}
