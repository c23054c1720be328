"""The shape of a decoder transformer and its weights in the order that fast decoding wants: fused, folded, interleaved.

Two layouts are read under the tensor names of the transformers library: ``mainstream`` (Qwen3ForCausalLM; without norms of queries and
keys LlamaForCausalLM and MistralForCausalLM, with biases instead of them Qwen2ForCausalLM) and ``compact`` (NanoChatForCausalLM).
Decisions, each exact up to rounding:

* Query, key and value are one product, gate and up are another: fewer, larger products.
* The weight of an RMS norm is folded into the columns of the product that follows it (x * g) W = x (g W).
* The two halves that rotary embedding pairs (Su et al. 2021, arXiv:2104.09864, equation 34) are stored side by side, so that a
  head is a vector of complex numbers and the rotation is one complex product. Queries and keys are permuted alike: scores stay.
* ``compact`` rotates by the negative angle and normalises after rotating; a rotation keeps the length, so both layouts become
  "normalise, scale by a gain, rotate". Its norm after the embedding is applied to the table once.
* The scale head_width ** -0.5 of the scores is part of the gain of the queries.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from makar.errors import TensorMismatchError, UnsupportedError
from makar.families.transformer.layouts import LLAMA_3
from makar.families.transformer.quantised import Product, pack_product
from makar.nn.rotary import rotary_frequencies

Layout = Literal["mainstream", "compact"]
LAYOUTS: dict[str, Layout] = {
    "qwen3": "mainstream",
    "llama": "mainstream",
    "mistral": "mainstream",
    "qwen2": "mainstream",
    "nanochat": "compact",
}
PLAIN_TYPES = ("llama", "mistral", "qwen2")
"""Types without norms of queries and keys."""
BIASED_TYPES = ("qwen2",)
"""Types with biases of queries, keys and values."""
SCALINGS = ("default", "linear", "llama3")
ACTIVATIONS = {"mainstream": "silu", "compact": "relu2"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """The numbers that fix a decoder.

    Attributes:
        layout: ``"mainstream"`` (Qwen3) or ``"compact"`` (NanoChat).
        vocabulary: Number of tokens.
        width: Size of the residual stream.
        depth: Number of layers.
        heads: Query heads.
        key_value_heads: Key and value heads; divides ``heads``.
        head_width: Size of one head; even.
        hidden_width: Size of the hidden layer of the feed-forward network.
        context_length: Positions that the model was made for.
        rope_theta: Base of the rotary frequencies.
        norm_epsilon: Added to the mean square in every norm.
        softcap: Logits are ``softcap * tanh(logits / softcap)``; 0 leaves them.
        tied: Whether the head is the embedding.
        normed: Whether queries and keys are normalised.
        biased: Whether queries, keys and values have biases.
        rope_scaling: See ``makar.nn.rotary.rotary_frequencies``.
    """

    layout: Layout
    vocabulary: int
    width: int
    depth: int
    heads: int
    key_value_heads: int
    head_width: int
    hidden_width: int
    context_length: int
    rope_theta: float
    norm_epsilon: float
    softcap: float
    tied: bool
    normed: bool = True
    biased: bool = False
    rope_scaling: tuple[float, ...] = ()

    @classmethod
    def from_transformers(cls, config: Mapping[str, Any]) -> Self:
        """Read the ``config.json`` of a saved model.

        Raises:
            UnsupportedError: The model is of another type or uses what the decoder does not compute.
        """
        kind = str(config.get("model_type"))
        layout = LAYOUTS.get(kind)
        if layout is None:
            raise UnsupportedError(
                f'model_type is "{config.get("model_type")}"', expected="one of: " + ", ".join(LAYOUTS)
            )
        rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
        unsupported = {
            # Qwen 2 has its biases whatever is said here; elsewhere they would also be behind the attention.
            "attention_bias": bool(config.get("attention_bias")) and kind not in BIASED_TYPES,
            "mlp_bias": bool(config.get("mlp_bias")),
            "use_sliding_window": bool(config.get("use_sliding_window")),
            "rope_type": rope.get("rope_type", "default") not in SCALINGS,
            "hidden_act": config.get("hidden_act", ACTIVATIONS[layout]) != ACTIVATIONS[layout],
        }
        used = [name for name, is_used in unsupported.items() if is_used]
        if used:
            raise UnsupportedError(
                f"the model sets {', '.join(used)}", expected=f"plain rotary embedding, no bias, {ACTIVATIONS[layout]}"
            )
        heads = config["num_attention_heads"]
        context = config["max_position_embeddings"]
        if kind == "mistral":
            # Within its window a network with a sliding window is one without.
            context = min(context, config.get("sliding_window") or context)
        return cls(
            layout=layout,
            vocabulary=config["vocab_size"],
            width=config["hidden_size"],
            depth=config["num_hidden_layers"],
            heads=heads,
            key_value_heads=config.get("num_key_value_heads") or heads,
            head_width=config.get("head_dim") or config["hidden_size"] // heads,
            hidden_width=config["intermediate_size"],
            context_length=context,
            rope_theta=float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0),
            norm_epsilon=float(config["rms_norm_eps"]),
            softcap=float(config.get("final_logit_softcapping") or 0.0) if layout == "compact" else 0.0,
            tied=bool(config.get("tie_word_embeddings", False)),
            normed=kind not in PLAIN_TYPES,
            biased=kind in BIASED_TYPES,
            rope_scaling=_scaling(rope),
        )

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor that the decoder needs, by its name in transformers."""
        query, shared = self.heads * self.head_width, self.key_value_heads * self.head_width
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocabulary, self.width)}
        for layer in range(self.depth):
            name = f"model.layers.{layer}."
            shapes[name + "self_attn.q_proj.weight"] = (query, self.width)
            shapes[name + "self_attn.k_proj.weight"] = (shared, self.width)
            shapes[name + "self_attn.v_proj.weight"] = (shared, self.width)
            shapes[name + "self_attn.o_proj.weight"] = (self.width, query)
            if self.layout == "compact":
                shapes[name + "mlp.fc1.weight"] = (self.hidden_width, self.width)
                shapes[name + "mlp.fc2.weight"] = (self.width, self.hidden_width)
                continue
            if self.biased:
                shapes |= {
                    f"{name}self_attn.{part}_proj.bias": (rows,) for part, rows in zip("qkv", (query, shared, shared))
                }
            if self.normed:
                shapes[name + "self_attn.q_norm.weight"] = (self.head_width,)
                shapes[name + "self_attn.k_norm.weight"] = (self.head_width,)
            shapes[name + "input_layernorm.weight"] = (self.width,)
            shapes[name + "post_attention_layernorm.weight"] = (self.width,)
            shapes[name + "mlp.gate_proj.weight"] = (self.hidden_width, self.width)
            shapes[name + "mlp.up_proj.weight"] = (self.hidden_width, self.width)
            shapes[name + "mlp.down_proj.weight"] = (self.width, self.hidden_width)
        if self.layout == "mainstream":
            shapes["model.norm.weight"] = (self.width,)
        if not self.tied:
            shapes["lm_head.weight"] = (self.vocabulary, self.width)
        return shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerWeights:
    """One layer.

    Attributes:
        attend: width -> queries, keys, values.
        merge: heads -> width.
        expand: width -> gate and up (mainstream), or hidden (compact).
        contract: hidden -> width.
        gain: What a query or key, normalised or not, is multiplied with.
        bias: What is added to queries, keys and values; ``None`` for nothing.
    """

    attend: Product
    merge: Product
    expand: Product
    contract: Product
    gain: Float[Tensor, "query_and_key_heads head_width"]
    bias: Float[Tensor, " query_key_value"] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderWeights:
    """A whole decoder, ready to run.

    Attributes:
        embedding: What enters the first layer, by token.
        rotations: exp(i * position * frequency), sign by layout; as far as they were asked for.
        score_bound: No attention score can be larger (Cauchy-Schwarz on normalised queries and keys; infinite where they are not).
    """

    shape: DecoderShape
    embedding: Float[Tensor, "vocabulary width"]
    layers: tuple[LayerWeights, ...]
    head: Product
    rotations: Complex[Tensor, "positions half_head_width"]
    score_bound: float

    def reaching(self, positions: int) -> Self:
        """Return the same weights with rotations for at least so many positions, or for the whole context if that is less."""
        wanted = min(positions, self.shape.context_length)
        if len(self.rotations) >= wanted:
            return self
        return dataclasses.replace(self, rotations=_rotations(self.shape, wanted).to(self.rotations.device))

    def stretched(self, factor: float) -> Self:
        """Return the same weights for a context that is longer by a factor, with slower rotations; 1 changes nothing.

        The base of the frequencies becomes base * factor ** (d / (d - 2)) for heads of width d: fast rotations, which tell neighbours
        apart, stay nearly as they were learned, and the slowest turns as far at the new end as it did at the old one.

        Source: Peng et al. 2023, arXiv 2309.00071, section 3.1 (scaling "aware of the neural tangent kernel").
        """
        if factor == 1:
            return self
        width = self.shape.head_width
        shape = dataclasses.replace(
            self.shape,
            context_length=int(self.shape.context_length * factor),
            rope_theta=self.shape.rope_theta * factor ** (width / max(1, width - 2)),
        )
        made = _rotations(shape, len(self.rotations)).to(self.rotations.device)
        return dataclasses.replace(self, shape=shape, rotations=made)


def pack_weights(
    shape: DecoderShape,
    tensors: Mapping[str, Tensor],
    *,
    precision: str = "float32",
    device: str = "cpu",
    positions: int | None = None,
) -> DecoderWeights:
    """Fuse, fold and interleave the tensors of a model.

    Args:
        shape: The numbers of the model.
        tensors: Its tensors by their names in transformers; ``lm_head.weight`` may come along when it is tied.
        precision: Of ``quantised.PRECISIONS``.
        device: Where to run.
        positions: How far the rotations reach; ``None`` is the whole context. See ``DecoderWeights.reaching``.

    Raises:
        TensorMismatchError: Tensors are missing, unexpected or of another shape.
    """
    _check(shape, tensors)

    def get(name: str) -> Tensor:
        return tensors[name].detach().to(device=device, dtype=torch.float32)

    def pack(weight: Tensor) -> Product:
        return pack_product(weight, precision=precision)

    half = shape.head_width // 2
    paired = torch.arange(shape.head_width, device=device).view(2, half).t().reshape(-1)

    def interleaved(weight: Tensor) -> Tensor:
        return weight.view(-1, shape.head_width, *weight.shape[1:])[:, paired].reshape(weight.shape)

    ones = torch.ones(shape.width, device=device)
    layers, bound = [], 0.0
    for index in range(shape.depth):
        name = f"model.layers.{index}."
        attention = name + "self_attn."
        mainstream = shape.layout == "mainstream"
        before = get(name + "input_layernorm.weight") if mainstream else ones
        after = get(name + "post_attention_layernorm.weight") if mainstream else ones
        plain = torch.ones(shape.head_width, device=device)
        has_gains = mainstream and shape.normed
        query_gain = (get(attention + "q_norm.weight") if has_gains else plain)[paired] * shape.head_width**-0.5
        key_gain = (get(attention + "k_norm.weight") if has_gains else plain)[paired]
        gain = torch.cat([query_gain.expand(shape.heads, -1), key_gain.expand(shape.key_value_heads, -1)])
        largest = shape.head_width * float(query_gain.abs().max() * key_gain.abs().max())
        bound = max(bound, largest) if shape.normed else float("inf")
        bias = None
        if shape.biased:
            query, key, value = (get(f"{attention}{part}_proj.bias") for part in "qkv")
            bias = torch.cat([interleaved(query), interleaved(key), value])
        attend = torch.cat(
            [
                interleaved(get(attention + "q_proj.weight")),
                interleaved(get(attention + "k_proj.weight")),
                get(attention + "v_proj.weight"),
            ]
        )
        if mainstream:
            expand = torch.cat([get(name + "mlp.gate_proj.weight"), get(name + "mlp.up_proj.weight")])
            contract = get(name + "mlp.down_proj.weight")
        else:
            expand, contract = get(name + "mlp.fc1.weight"), get(name + "mlp.fc2.weight")
        layers.append(
            LayerWeights(
                attend=pack(attend * before),
                merge=pack(get(attention + "o_proj.weight")),
                expand=pack(expand * after),
                contract=pack(contract),
                gain=gain.contiguous(),
                bias=bias,
            )
        )
    embedding = get("model.embed_tokens.weight")
    head = embedding if shape.tied else get("lm_head.weight")
    if shape.layout == "compact":
        embedding = embedding * torch.rsqrt(embedding.pow(2).mean(-1, keepdim=True) + shape.norm_epsilon)
    else:
        head = head * get("model.norm.weight")
    return DecoderWeights(
        shape=shape,
        embedding=embedding.contiguous(),
        layers=tuple(layers),
        head=pack(head),
        rotations=_rotations(shape, shape.context_length if positions is None else positions).to(device),
        score_bound=bound,
    )


def _rotations(shape: DecoderShape, positions: int) -> Tensor:
    # The same float32 arithmetic as transformers, so that far positions do not drift apart.
    frequencies = rotary_frequencies(shape.head_width, base=shape.rope_theta, scaling=shape.rope_scaling)
    angles = torch.arange(min(positions, shape.context_length), dtype=torch.float32)[:, None] * frequencies
    sign = 1.0 if shape.layout == "mainstream" else -1.0
    return torch.complex(angles.cos(), angles.sin() * sign)


def _scaling(rope: Mapping[str, Any]) -> tuple[float, ...]:
    kind = rope.get("rope_type", "default")
    if kind == "llama3":
        return tuple(float(rope[name]) for name in LLAMA_3)
    return (float(rope["factor"]),) if kind == "linear" else ()


def _check(shape: DecoderShape, tensors: Mapping[str, Tensor]) -> None:
    wanted = shape.tensor_shapes()
    known = {*wanted, "lm_head.weight"} if shape.tied else set(wanted)
    wrong = [f"missing {name} {size}" for name, size in wanted.items() if name not in tensors]
    wrong += [f"unexpected {name}" for name in tensors if name not in known]
    wrong += [
        f"{name} is {tuple(tensors[name].shape)}, not {size}"
        for name, size in wanted.items()
        if name in tensors and tuple(tensors[name].shape) != size
    ]
    if wrong:
        raise TensorMismatchError("; ".join(wrong), expected=f"the {len(wanted)} tensors of layout {shape.layout}")
