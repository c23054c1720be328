"""From the folder of a checkpoint to its configuration, to its network and to its tokenizer, by transformers.

The classes are those of transformers, found by name in its own tables; the configuration is built from the fields that its class states
(an allow-list: what else stands in ``config.json``, such as the name of code or of an attention kernel, is left out); weights are
safetensors, nothing is downloaded, no code of the folder is run. A head whose weights are missing is refused: transformers would draw it.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from makar.codecs.pretrained_text import TOKENIZER_FILE, TOKENS_FILE, SpecialTokens
from makar.errors import ArtifactError, IntegrityError, TensorMismatchError, UnsupportedError
from makar.families.pretrained.checkpoint_folder import CheckpointFolder, is_checkpoint, read_checkpoint, table_of
from makar.families.pretrained.checkpoint_settings import (
    OPENING_ERRORS,
    known_types,
    learning_settings,
    quiet_transformers,
    settings_of,
    transformers,
)
from makar.families.pretrained.sentence_layout import is_sentence_folder, read_layout
from makar.families.pretrained.text_config import CAUSAL, VECTORS, PretrainedTextConfig
from makar.provenance.ledger import known_place
from makar.provenance.pipelines import content_hash, hashed_files

TABLES = {
    "causal": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "seq2seq": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "masked": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "classification": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "tagging": "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
    "answers": "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES",
}
"""By task: the table of transformers with the classes that have such a head."""
OWN_FIELDS = ("adapter", "recompute", "network")
"""Fields of a configuration that do not follow from the folder."""
CONTEXT_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", "max_sequence_length")
WIDTH_FIELDS = ("word_embed_proj_dim", "hidden_size", "n_embd", "d_model", "dim")
"""Numbers of the stream before the output layer; OPT's first name is that of networks that narrow it there."""
OFFSET_TYPES = ("roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer", "xmod")
"""Types whose positions begin behind the number of the padding token, so that the last ones are never used."""
TURNED_TYPES = ("gpt2", "openai-gpt", "imagegpt")
"""Types whose weights stand on their side, inputs by outputs."""
NO_LIMIT = 1 << 30
"""Tokenizers without a limit state a number far beyond."""
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt")
POOLER = "pooler."


def describe_checkpoint(folder: Path) -> PretrainedTextConfig:
    """Return the configuration of a folder as it is.

    Raises:
        ArtifactError: It must not be opened; the message says why.
        UnsupportedError: It is no network for text; the message says what it is.
    """
    looked = read_checkpoint(folder)
    task = task_of(looked)
    settings = settings_of(looked)
    stated = settings.to_dict()
    labels = stated.get("id2label") if task in ("classification", "tagging") else None
    vocabulary = stated.get("vocab_size")
    linears = _linears(looked) if task == CAUSAL else {}
    context = _context(looked, stated)
    width = next((int(stated[name]) for name in WIDTH_FIELDS if isinstance(stated.get(name), int)), 0)
    if task == VECTORS:
        looked, layout = dataclasses.replace(looked, architecture=_headless(looked)[0]), read_layout(folder)
        width = layout.width_from(int(settings.hidden_size))
        context = min(filter(None, (layout.most_tokens, context)), default=0)
    return PretrainedTextConfig(
        base=content_hash(hashed_files(folder, looked.files)),
        architecture=looked.architecture,
        task=task,
        vocabulary=vocabulary if isinstance(vocabulary, int) else 0,
        context=context,
        width=width,
        weights=weights_of(looked),
        labels=tuple(str(labels[number]) for number in sorted(labels)) if labels else (),
        linears=tuple(linears),
        inputs=tuple(one for one, _ in linears.values()),
        outputs=tuple(other for _, other in linears.values()),
    )


class NamesCheckpoint(Protocol):
    """A configuration that names the folder of a checkpoint."""

    @property
    def base(self) -> str: ...

    @property
    def architecture(self) -> str: ...

    def to_dictionary(self) -> dict[str, Any]: ...


def checkpoint_of(
    config: NamesCheckpoint, *, describe: Callable[[Path], NamesCheckpoint] = describe_checkpoint
) -> CheckpointFolder:
    """Find and check the folder that a configuration names by its hash.

    Args:
        config: The configuration.
        describe: From a folder to its configuration as it is.

    Raises:
        ArtifactError: It is not known on this machine.
        IntegrityError: What is there is another one, or the configuration describes another.
    """
    place = known_place("artifact", config.base)
    if place is None or not is_checkpoint(Path(place)):
        raise ArtifactError(
            f"the checkpoint {config.base[:16]} that this model is made from is not on this machine",
            expected=f"the folder of that {config.architecture}",
            do="get it, and make it known: makar generate FOLDER",
        )
    described = describe(Path(place))
    if described.base != config.base:
        raise IntegrityError(
            f"{place} is another checkpoint than the one that this model is made from",
            expected=f"files with the hash {config.base[:16]}",
            do="get the one that it was made from",
        )
    ours, theirs = config.to_dictionary(), described.to_dictionary()
    # What was learned before widths were noted says 0.
    free = {*OWN_FIELDS, *(() if ours.get("width") else ("width",))}
    if wrong := [name for name in ours if ours[name] != theirs[name] and name not in free]:
        raise IntegrityError(
            f"the configuration says of its base {wrong[0]} {ours[wrong[0]]!r}",
            expected=repr(theirs[wrong[0]]),
            do="do not trust this model",
        )
    return read_checkpoint(Path(place))


def open_network(folder: CheckpointFolder, *, precision: str, learns: bool = False) -> tuple[Any, tuple[str, ...]]:
    """Open the network of a folder that was checked.

    Args:
        folder: The folder.
        precision: Number format of the weights.
        learns: Whether anything is learned over it.

    Returns:
        The network, ready to be asked, and the names of tensors of the folder that it has no place for.

    Raises:
        TensorMismatchError: The folder lacks tensors of the network.
        ArtifactError: transformers cannot open it.
    """
    import torch

    kind = getattr(transformers(), folder.architecture)
    try:
        with quiet_transformers():
            network, found = kind.from_pretrained(
                str(folder.path),
                config=learning_settings(folder) if learns else settings_of(folder),
                dtype=getattr(torch, precision),
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except OPENING_ERRORS as error:
        raise ArtifactError(
            f"{folder.path} cannot be opened as a {folder.architecture}: {str(error).strip()}",
            do="get the whole folder again, or a newer transformers",
        ) from error
    # What BERT puts on its first token is not asked for by whoever takes the vectors of all tokens, and often not saved.
    missing = sorted(name for name in found["missing_keys"] if not name.startswith(POOLER))
    if missing:
        shown = ", ".join(missing[:6]) + (" ..." if len(missing) > 6 else "")
        raise TensorMismatchError(
            f"{folder.path} lacks {len(missing)} tensors of a {folder.architecture}: {shown}",
            expected="all of them: what is missing would be drawn at random",
            do="get a checkpoint that was trained with this head",
        )
    return network.requires_grad_(False).eval(), tuple(sorted(found["unexpected_keys"]))


def open_tokenizer(folder: CheckpointFolder) -> Any:
    """Return the tokenizer of a folder as transformers has it.

    Raises:
        ArtifactError: There is none, or transformers cannot open it.
    """
    if not any(name in VOCABULARIES or name.endswith((".model", ".spm")) for name in folder.files):
        # transformers would make an empty one.
        raise ArtifactError(
            f"{folder.path} has no tokenizer",
            expected="tokenizer.json, or a vocabulary",
            do="get the whole folder again",
        )
    try:
        with quiet_transformers():
            return transformers().AutoTokenizer.from_pretrained(
                str(folder.path), config=settings_of(folder), local_files_only=True, trust_remote_code=False
            )
    except OPENING_ERRORS as error:
        raise ArtifactError(
            f"the tokenizer of {folder.path} cannot be opened: {str(error).strip()}",
            expected="tokenizer.json, or the vocabulary of a tokenizer that transformers knows",
            do="get the whole folder again",
        ) from error


def tokenizer_files(folder: CheckpointFolder) -> dict[str, bytes]:
    """Return the files of the codec ``checkpoint-tokens`` from a folder.

    Raises:
        ArtifactError: There is no tokenizer, or transformers cannot open it.
        UnsupportedError: Its tokenizer has no form as ``tokenizer.json``.
    """
    opened = open_tokenizer(folder)
    if not opened.is_fast:
        raise UnsupportedError(
            f"the tokenizer {type(opened).__name__} has no form as tokenizer.json", expected="a fast tokenizer"
        )
    special = {key: str(value) for key, value in opened.special_tokens_map.items() if isinstance(value, str)}
    tokens = SpecialTokens(
        begin=opened.bos_token_id,
        ends=_ends(folder, opened.eos_token_id, opened.sep_token_id, opened.pad_token_id),
        mask=opened.mask_token_id,
        chat_template=opened.chat_template if isinstance(opened.chat_template, str) else None,
        texts=special,
    )
    return {TOKENIZER_FILE: opened.backend_tokenizer.to_str().encode(), TOKENS_FILE: tokens.to_json()}


def _ends(folder: CheckpointFolder, end: int | None, separator: int | None, padding: int | None) -> tuple[int, ...]:
    """Return every token that ends a text: the tokenizer's first, then what the folder says of generation."""
    found: list[int] = [] if end is None else [end]
    for stated in (folder.generation().get("eos_token_id"), folder.settings.get("eos_token_id")):
        listed = stated if isinstance(stated, list) else [stated]
        found += [token for token in listed if type(token) is int and token not in found]
    if not found:
        # Tokenizers of encoders name no end; what separates texts there, or fills up, comes nearest.
        found = [token for token in (separator, padding) if token is not None][:1]
    if not found:
        raise UnsupportedError(f"the tokenizer of {folder.path} says no token that ends a text", expected="eos_token")
    return tuple(found)


def task_of(folder: CheckpointFolder) -> str:
    """Return what the class of a folder is for, one of ``TABLES``.

    Raises:
        UnsupportedError: Something else, or it is unknown to this transformers.
    """
    # Whoever says how vectors are made of a network means these, whatever its head is for.
    headless = _headless(folder)
    if is_sentence_folder(folder.path) and headless:
        return VECTORS
    for task in TABLES:
        if folder.architecture in classes_of(folder, task):
            return task
    if folder.architecture in headless and classes_of(folder, "masked"):
        return VECTORS
    heads = "causal, masked and seq2seq language models, classifiers, taggers, models that find answers, encoders"
    if folder.model_type not in known_types():
        raise UnsupportedError(
            f'{folder.path} is of the type "{folder.model_type}", which this transformers does not know',
            expected=heads,
            do="get a newer transformers; code that comes with a model is not run",
        )
    raise UnsupportedError(f"{folder.path} is a {folder.architecture}", expected=heads)


def classes_of(folder: CheckpointFolder, task: str) -> tuple[str, ...]:
    """Return the classes of transformers that do a task with a network of the type of a folder."""
    transformers()
    from transformers.models.auto import modeling_auto

    classes = getattr(modeling_auto, TABLES[task]).get(folder.model_type)
    return (classes,) if isinstance(classes, str) else tuple(classes or ())


def _headless(folder: CheckpointFolder) -> tuple[str, ...]:
    """Return the classes without a head of the type of a folder, the one that it names first; none where it does more than read a text."""
    from transformers.models.auto import modeling_auto

    encoders = modeling_auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES
    reads = (encoders, *(getattr(modeling_auto, TABLES[task]) for task in ("masked", CAUSAL)))
    if not any(folder.model_type in table for table in reads):
        return ()
    found: str | Sequence[str] | None = encoders.get(folder.model_type)
    if not found and not settings_of(folder).is_encoder_decoder:
        found = modeling_auto.MODEL_MAPPING_NAMES.get(folder.model_type)
    classes = (found,) if isinstance(found, str) else tuple(found or ())
    return tuple(sorted(classes, key=lambda name: name != folder.architecture))


def _context(folder: CheckpointFolder, stated: dict[str, Any]) -> int:
    limit = next((int(stated[name]) for name in CONTEXT_FIELDS if isinstance(stated.get(name), int)), 0)
    if folder.model_type in OFFSET_TYPES and limit:
        limit -= int(stated.get("pad_token_id") or 0) + 1
    path = folder.path / "tokenizer_config.json"
    if path.is_file():
        of_tokenizer = table_of(path).get("model_max_length")
        if isinstance(of_tokenizer, int | float) and 0 < of_tokenizer < NO_LIMIT:
            limit = min(limit or NO_LIMIT, int(of_tokenizer))
    return max(0, min(limit, NO_LIMIT - 1))


def _linears(folder: CheckpointFolder) -> dict[str, tuple[int, int]]:
    """Return inputs and outputs of the layers in the blocks by name, summed over the blocks."""
    found: dict[str, tuple[int, int]] = {}
    for name, shape in folder.shapes().items():
        parts = name.split(".")
        if parts[-1] != "weight" or len(shape) != 2 or not any(part.isdigit() for part in parts):
            continue
        outputs, inputs = reversed(shape) if folder.model_type in TURNED_TYPES else shape
        before = found.get(parts[-2], (0, 0))
        found[parts[-2]] = (before[0] + inputs, before[1] + outputs)
    return found


def weights_of(folder: CheckpointFolder) -> int:
    """Return the number of weights that the files of a folder hold."""
    return sum(math.prod(shape) for shape in folder.shapes().values())
