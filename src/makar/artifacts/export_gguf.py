"""``export --to gguf``: one file that llama.cpp and the programs around it open, read back and compared before it is accepted.

Decisions. (1) Only models of text and of conversations of layout ``mainstream`` have a form there: ``qwen3``, ``qwen2`` or ``llama``, by
what their attention has; the chat template of one that talks goes with it. (2) Weights are written in float32, exactly, or in float16,
bfloat16 or int8 (``Q8_0``: blocks of 32 with a scale each); vectors stay float32, and rows that no blocks divide become float16, as
``llama-quantize`` has it. For ``llama`` the rows of queries and keys stand in the other order that llama.cpp rotates them in. (3) The
vocabulary has to be pairs of bytes whose words are cut in a way that llama.cpp knows by name; every other would be cut differently there,
without a word, so it is refused. A file for an engine that is given tokens (``write_gguf`` without a vocabulary) says that it has none
and holds a model of any vocabulary.

Source: the GGUF format of llama.cpp (docs/gguf.md of ggml), written and read by its package ``gguf``.
"""

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from torch import Tensor

from makar.artifacts.artifact import CARD_NAME, Artifact, read_plain
from makar.artifacts.folders import new_folder, write_file
from makar.codecs.chat import ChatCodec
from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.codecs.text import TextCodec
from makar.errors import ArtifactError, MissingExtraError, UnknownNameError, UnsupportedError
from makar.families.conversation.config import writer_of
from makar.families.conversation.speaking import SpeakingFamily
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.layouts import architecture_of
from makar.nn.rotary import rotary_frequencies
from makar.provenance.folder import MANIFEST_NAME

FILE_NAME = "model.gguf"
PROVENANCE_NAME = "provenance.json"
_START = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {_START + r"\p{N}" + _REST: "qwen2", _START + r"\p{N}{1,3}" + _REST: "llama-bpe"}
"""Patterns that cut words, and the names that llama.cpp has for them; that of GPT-2 is built into the pre-tokenizer of bytes."""
NORMAL, CONTROL, OWN, UNUSED = 1, 3, 4, 5
"""Types of tokens in GGUF."""

PRECISIONS = {
    "float32": ("F32", "ALL_F32", 0.0),
    "float16": ("F16", "MOSTLY_F16", 2.0**-11),
    "bfloat16": ("BF16", "MOSTLY_BF16", 2.0**-8),
    "int8": ("Q8_0", "MOSTLY_Q8_0", 1 / 220),
}
"""By name: the type of a matrix in GGUF, that of the file, and the largest error as a share of the largest number of a row."""
SMALLEST = 1e-6
"""Added to that error: what float16 has no numbers for any more."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """A vocabulary as GGUF holds it.

    Attributes:
        cut: Name of the way in which words are cut.
        tokens: Name of every token.
        types: Type of every token.
        merges: Pairs in the order in which they are joined.
    """

    cut: str
    tokens: list[str]
    types: list[int]
    merges: list[str]


def export_gguf(artifact: Artifact, folder: Path, *, precision: str = "float32") -> None:
    """Write a model as one GGUF file beside its signed manifest and its card.

    Args:
        artifact: The model.
        folder: A new or empty folder.
        precision: Number format of the matrices, of ``PRECISIONS``.

    Raises:
        UnknownNameError: There is no such number format.
        UnsupportedError: Its layout or its vocabulary has no form there.
        MissingExtraError: The package is absent.
        ArtifactError: What was written reads back differently.
    """
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, PRECISIONS)
    mainstream_config(artifact)
    codec = artifact.codec()
    assert isinstance(codec, TextCodec | PretrainedTextCodec | ChatCodec), "a decoder of text has one of these codecs"
    vocabulary = vocabulary_of(codec)
    with new_folder(folder, replaces=None) as building:
        write_gguf(building / FILE_NAME, artifact, vocabulary, precision=precision)
        write_file(building, PROVENANCE_NAME, read_plain(artifact.path / MANIFEST_NAME))
        if (artifact.path / CARD_NAME).is_file():
            write_file(building, CARD_NAME, read_plain(artifact.path / CARD_NAME))


def mainstream_config(artifact: Artifact) -> TransformerConfig:
    """Return the configuration of a model that has a form in GGUF.

    Raises:
        UnsupportedError: It has none.
    """
    config = writer_of(artifact.family_config)
    if not isinstance(config, TransformerConfig) or config.layout != "mainstream":
        layout = config.layout if isinstance(config, TransformerConfig) else (config or artifact.family_config).kind
        raise UnsupportedError(
            f"a model of {layout} has no form in GGUF", expected="a model of text or conversations, layout mainstream"
        )
    return config


def write_gguf(path: Path, artifact: Artifact, vocabulary: Vocabulary | None, *, precision: str) -> None:
    """Write one GGUF file, read it back and compare it.

    Args:
        path: The file.
        artifact: A model for which ``mainstream_config`` has an answer; of an adapter, the merged one.
        vocabulary: Of its codec; ``None`` for a file that is given tokens and makes tokens.
        precision: Number format of the matrices, of ``PRECISIONS``.

    Raises:
        MissingExtraError: The package is absent.
        ArtifactError: What was written reads back differently.
    """
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError("gguf", extra="gguf")
    config = mainstream_config(artifact)
    family = artifact.family("cpu")
    # A head of values beside the network is of no use to who writes with it.
    tensors = gguf_tensors((family.writer if isinstance(family, SpeakingFamily) else family).tensors(), config)
    _write(path, config, artifact, vocabulary, tensors, precision)
    _check(path, vocabulary, tensors, precision)


def vocabulary_of(codec: TextCodec | PretrainedTextCodec | ChatCodec) -> Vocabulary:
    """Return the vocabulary of a codec.

    Raises:
        UnsupportedError: llama.cpp would read text as other tokens.
    """
    # The tokens of the roles were added to the tokenizer of what is said.
    tokenizer: Tokenizer = (codec.text if isinstance(codec, ChatCodec) else codec).tokenizer
    stated = json.loads(tokenizer.to_str())
    model, cut = stated["model"], _cut_of(stated.get("pre_tokenizer"))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model.get("merges") or ()]
    if model.get("type") != "BPE" or cut is None or not merges or model.get("byte_fallback"):
        raise UnsupportedError(
            f'the vocabulary of codec "{codec.config.kind}" has no form in GGUF',
            expected="pairs of bytes, whose words are cut as by GPT-2, Qwen 2 or Llama 3",
            do='train with --set \'stages.0.codec={"kind": "bpe"}\'; or makar export --to transformers',
        )
    added = tokenizer.get_added_tokens_decoder()
    tokens, types = [], []
    for number in range(codec.vocabulary):
        name = tokenizer.id_to_token(number)
        tokens.append(f"[UNUSED{number}]" if name is None else name)
        kind = (CONTROL if added[number].special else OWN) if number in added else NORMAL
        types.append(UNUSED if name is None else kind)
    return Vocabulary(cut=cut, tokens=tokens, types=types, merges=merges)


def _cut_of(stated: Any) -> str | None:
    parts = stated.get("pretokenizers", [stated]) if isinstance(stated, dict) else []
    if [part.get("type") for part in parts] == ["ByteLevel"]:
        is_usual = parts[0].get("use_regex", True) and not parts[0].get("add_prefix_space")
        return "gpt-2" if is_usual else None
    if [part.get("type") for part in parts] == ["Split", "ByteLevel"] and not parts[1].get("use_regex", True):
        return PATTERNS.get(str(parts[0].get("pattern", {}).get("Regex")))
    return None


def gguf_tensors(tensors: dict[str, Tensor], config: TransformerConfig) -> dict[str, np.ndarray]:
    """Return the tensors under their names in GGUF, float32, in the order of rows that llama.cpp wants."""
    import gguf

    architecture = {"qwen3": "QWEN3", "qwen2": "QWEN2", "llama": "LLAMA"}[architecture_of(config)[1]]
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture], config.depth)
    found: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        values = tensor.detach().float().numpy()
        if architecture == "LLAMA" and name.endswith(("q_proj.weight", "k_proj.weight")):
            # Channels i and i + n share a plane with us, neighbours do there.
            values = values.reshape(-1, 2, config.head_width // 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
        theirs = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert theirs is not None, f"GGUF has no name for {name}"
        found[theirs] = np.ascontiguousarray(values)
    if len(config.rotary_scaling) == 4:
        usual, scaled = (
            rotary_frequencies(config.head_width, base=config.rotary_base, scaling=scaling).numpy()
            for scaling in ((), config.rotary_scaling)
        )
        found["rope_freqs.weight"] = usual / scaled
    return found


def _write(
    path: Path,
    config: TransformerConfig,
    artifact: Artifact,
    vocabulary: Vocabulary | None,
    tensors: dict[str, np.ndarray],
    precision: str,
) -> None:
    import gguf
    from gguf.quants import quantize

    writer = gguf.GGUFWriter(path, architecture_of(config)[1])
    writer.add_name(artifact.name)
    writer.add_file_type(gguf.LlamaFileType[PRECISIONS[precision][1]])
    writer.add_vocab_size(config.vocabulary)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.depth)
    writer.add_feed_forward_length(config.hidden_width)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.shared_heads)
    writer.add_key_length(config.head_width)
    writer.add_value_length(config.head_width)
    writer.add_rope_dimension_count(config.head_width)
    writer.add_rope_freq_base(config.rotary_base)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)
    if len(config.rotary_scaling) == 1:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rotary_scaling[0])
    if vocabulary is None:
        writer.add_tokenizer_model("no_vocab")
    else:
        _add_vocabulary(writer, vocabulary, artifact.codec())
    for key, values in tensors.items():
        kind = gguf.GGMLQuantizationType[type_of(values, precision)]
        # Numbers too large for float16 become infinite and are found when the file is read back.
        with np.errstate(over="ignore"):
            writer.add_tensor(key, quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: Any, vocabulary: Vocabulary, codec: Any) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.cut)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    text = codec.text if isinstance(codec, ChatCodec) else codec
    writer.add_bos_token_id(text.begin_token)
    writer.add_eos_token_id(codec.end_token)
    # Nothing stands before the token of a role; a text begins where another one ends.
    writer.add_add_bos_token(len(text.encode_text("")) > 0 or isinstance(codec, TextCodec))
    template = codec.chat_template if isinstance(codec, ChatCodec) else codec.token_names().get("chat_template")
    if template is not None:
        writer.add_chat_template(template)


def type_of(values: np.ndarray, precision: str) -> str:
    """Return the type in which a tensor is written: vectors as they are, matrices in the format asked for where it can hold them."""
    if values.ndim < 2:
        return "F32"
    name = PRECISIONS[precision][0]
    return "F16" if name == "Q8_0" and values.shape[-1] % 32 else name


def _check(path: Path, vocabulary: Vocabulary | None, tensors: dict[str, np.ndarray], precision: str) -> None:
    """Read the file back and compare every tensor, as nearly as its number format can say it, and the tokens."""
    import gguf
    from gguf.quants import dequantize

    reader = gguf.GGUFReader(path)
    read = {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    wrong = sorted(set(read) ^ set(tensors))
    for name, values in tensors.items():
        share = PRECISIONS[precision][2] if values.ndim > 1 else 0.0
        allowed = share * np.abs(values).max(-1, keepdims=True, initial=0.0) + (SMALLEST if share else 0.0)
        # Not the other way round: what is no number is wrong too.
        if name in read and not (np.abs(read[name].reshape(values.shape) - values) <= allowed).all():
            wrong.append(name)
    if vocabulary is not None:
        tokens = reader.fields["tokenizer.ggml.tokens"]
        if [str(bytes(tokens.parts[at]), "utf-8") for at in tokens.data] != vocabulary.tokens:
            wrong.append("tokens")
    if wrong:
        raise ArtifactError(f"{path.name} reads back differently: {', '.join(wrong[:6])}", expected="what was written")
