"""llama.cpp as the reader of a running batch: it computes logits from a GGUF file, and everything else stays ours.

Decisions. (1) Only what is computed comes from there: tokens go in and logits come out, so the tokenizer, seeds, filters, stop texts,
forms, likelihoods and watermarks are those of every other engine, and none of them has to be refused. (2) Every text is computed in a
call of its own: over several rows llama.cpp takes other products, whose rounding would let the company of a text change it. (3) Keys and
values are float32 with float32 weights, otherwise float16. (4) They are made for whole texts at once, so there are only as many slots as
``MOST_BYTES`` hold.

Source: llama.h of llama.cpp, through the package ``llama_cpp`` (llama-cpp-python 0.3.36).
"""

import ctypes
import importlib.util
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from makar.errors import ArtifactError, MakarError, MissingExtraError, UnsupportedError
from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.decoding_batch import BLOCK
from makar.families.transformer.reading import EngineReaders, Reader

NAME = "llama.cpp"
PACKAGE, DISTRIBUTION, EXTRA = "llama_cpp", "llama-cpp-python", "llamacpp"
MOST_BYTES = 1 << 28
"""Of the keys and values of several texts at once; those beyond wait for a slot."""
LARGEST_BYTES = 1 << 32
"""Of the keys and values of one text of the whole context."""


class LlamaReaders(EngineReaders):
    """The readers of one model.

    Args:
        config: Its sizes.
        file_of: From a number format to the GGUF file of the model in it; called when one is asked for first.

    Raises:
        MissingExtraError: The package is absent.
        MakarError: It cannot be loaded.
    """

    def __init__(self, config: TransformerConfig, file_of: Callable[[str], Path]) -> None:
        if importlib.util.find_spec(PACKAGE) is None:
            raise MissingExtraError(PACKAGE, extra=EXTRA)
        self.stated = {"engine": NAME, "engine_version": str(vars(_library()).get("__version__", "unknown"))}
        self._config = config
        self._file_of = file_of
        self._models: dict[str, _Model] = {}

    def reader(self, precision: str, *, slots: int, stretch: float) -> Reader:
        """Return a reader of the whole context.

        Raises:
            UnsupportedError: A stretched context of a model whose rotations are scaled by wavelength, or one that takes too much memory.
            ArtifactError: llama.cpp does not open the file.
        """
        config = self._config
        if stretch != 1 and len(config.rotary_scaling) == 4:
            raise UnsupportedError(
                "a stretched context of this model in llama.cpp",
                expected="stretch 1, because its rotations are scaled by wavelength in the file",
                do="--engine torch stretches it",
            )
        capacity = int(config.context * stretch)
        number_bytes = 4 if precision == "float32" else 2
        each = 2 * config.depth * config.shared_heads * config.head_width * number_bytes * capacity
        if each > LARGEST_BYTES:
            raise UnsupportedError(
                f"keys and values of {capacity} positions in llama.cpp, {each >> 20} MB",
                expected=f"at most {LARGEST_BYTES >> 20} MB",
                do="--engine torch takes memory only for what a text has",
            )
        model = self._models.get(precision)
        if model is None:
            model = self._models[precision] = _Model(self._file_of(precision), config.vocabulary)
        base = config.rotary_base * stretch ** (config.head_width / max(1, config.head_width - 2))
        settings = {
            "n_seq_max": max(1, min(slots, MOST_BYTES // each)),
            "type_k": model.library.GGML_TYPE_F32 if number_bytes == 4 else model.library.GGML_TYPE_F16,
            # 0 takes the base that the file says.
            "rope_freq_base": 0.0 if stretch == 1 else base,
        }
        return LlamaReader(model, capacity=capacity, settings=settings)


class _Model:
    """An open GGUF file.

    Args:
        path: The file; it was written here.
        vocabulary: Rows that it must have.
    """

    def __init__(self, path: Path, vocabulary: int) -> None:
        self.library = _library()
        self.vocabulary = vocabulary
        self.pointer = self.library.llama_model_load_from_file(
            str(path).encode(), self.library.llama_model_default_params()
        )
        if not self.pointer:
            raise ArtifactError(
                f"llama.cpp does not open {path}: {_SAID[-1] if _SAID else 'it says nothing'}",
                do=f"delete {path.parent}; it is written again",
            )
        weakref.finalize(self, self.library.llama_model_free, self.pointer)
        found = self.library.llama_vocab_n_tokens(self.library.llama_model_get_vocab(self.pointer))
        if found != vocabulary:
            raise ArtifactError(f"{path} has {found} tokens", expected=str(vocabulary), do=f"delete {path.parent}")


class LlamaReader(Reader):
    """Slots of one context of llama.cpp.

    Args:
        model: The open file.
        capacity: Positions a slot.
        settings: Further parameters of the context.

    Raises:
        MakarError: llama.cpp makes no such context; mostly there is too little memory.
    """

    def __init__(self, model: _Model, *, capacity: int, settings: dict[str, Any]) -> None:
        self.slots = int(settings["n_seq_max"])
        self.capacity = capacity
        self.lengths = [0] * self.slots
        self._there = [0] * self.slots
        """By slot: positions that have keys and values, those included that ``lengths`` forgot."""
        self._model = model
        library = self._library = model.library
        parameters = library.llama_context_default_params()
        for name, value in settings.items():
            setattr(parameters, name, value)
        parameters.type_v = parameters.type_k
        # A part of its own for every slot: what one text has does not move the others.
        parameters.kv_unified = False
        parameters.n_ctx = self.slots * (-(-capacity // 256) * 256)
        parameters.n_batch = parameters.n_ubatch = BLOCK
        parameters.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._threads = parameters.n_threads = parameters.n_threads_batch = torch.get_num_threads()
        self._context = library.llama_init_from_model(model.pointer, parameters)
        if not self._context:
            raise MakarError(
                f"llama.cpp has no room for {self.slots} texts of {capacity} positions: {_SAID[-1] if _SAID else ''}",
                do="free some memory, or --engine torch",
            )
        weakref.finalize(self, library.llama_free, self._context)
        self._memory = library.llama_get_memory(self._context)
        self._batch = library.llama_batch_init(BLOCK, 0, 1)
        weakref.finalize(self, library.llama_batch_free, self._batch)

    def read(self, rows: Sequence[Sequence[int]], slots: Sequence[int]) -> Sequence[Tensor]:
        """Append a row of tokens to each slot and return the logits after the last of each, float32 ``[vocabulary]``."""
        found = []
        for row, slot in zip(rows, slots):
            self._decode(row, slot, is_last_only=True)
            found.append(self._logits(len(row) - 1))
        return found

    def append(self, rows: Sequence[Sequence[int]], slots: Sequence[int]) -> Sequence[Tensor]:
        """Append a row of tokens to each slot and return the logits after every one of them, ``[tokens, vocabulary]`` a row."""
        found = []
        for row, slot in zip(rows, slots):
            self._decode(row, slot, is_last_only=False)
            found.append(torch.stack([self._logits(place) for place in range(len(row))]))
        return found

    def _decode(self, tokens: Sequence[int], slot: int, *, is_last_only: bool) -> None:
        start = self.lengths[slot]
        if start < self._there[slot]:
            self._library.llama_memory_seq_rm(self._memory, slot, start, -1)
        threads = torch.get_num_threads()
        if threads != self._threads:
            self._library.llama_set_n_threads(self._context, threads, threads)
            self._threads = threads
        batch = self._batch
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place] = token
            batch.pos[place] = start + place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = slot
            batch.logits[place] = not is_last_only or place == len(tokens) - 1
        code = self._library.llama_decode(self._context, batch)
        if code != 0:
            # What stands there is not known any more.
            self._library.llama_memory_seq_rm(self._memory, slot, 0, -1)
            self.lengths[slot] = self._there[slot] = 0
            raise MakarError(
                f"llama.cpp ended with code {code}: {_SAID[-1] if _SAID else ''}", do="ask again, or --engine torch"
            )
        self.lengths[slot] = self._there[slot] = start + len(tokens)

    def _logits(self, place: int) -> Tensor:
        pointer = self._library.llama_get_logits_ith(self._context, place)
        return torch.from_numpy(np.ctypeslib.as_array(pointer, shape=(self._model.vocabulary,)).copy())


_SAID: list[str] = []
"""The last warning or error of llama.cpp, which otherwise writes hundreds of lines to stderr."""
_KEPT: list[Any] = []
"""What llama.cpp calls has to stay."""


def _library() -> Any:
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as error:
        # Its shared library is missing, or was made for another machine.
        raise MakarError(
            f"llama.cpp cannot be loaded: {error}",
            do=f"pip install --force-reinstall --no-binary {DISTRIBUTION} 'makar[{EXTRA}]'",
        ) from error
    if not _KEPT:

        def hear(level: int, text: bytes, _: ctypes.c_void_p) -> None:
            if level in (2, 3):
                _SAID[:] = [text.decode("utf-8", "replace").strip()]

        _KEPT.append(llama_cpp.llama_log_callback(hear))
        llama_cpp.llama_log_set(_KEPT[0], ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
    return llama_cpp
