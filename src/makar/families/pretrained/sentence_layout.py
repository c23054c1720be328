"""What the folder of a sentence encoder says of how vectors of tokens become that of a text, in the layout of sentence-transformers.

``modules.json`` lists what is done in order: a network of transformers (in the folder itself), pooling, layers that are applied to the
vector, and its length. Names of classes are compared with a list and nothing is imported by them. A plain encoder has no such file; its
vectors are the mean over tokens, or what ``1_Pooling/config.json`` says. No torch.

Source: the folders that sentence-transformers 2 to 6 saves (https://sbert.net).
"""

import dataclasses
from pathlib import Path
from typing import Any

from makar.errors import ArtifactError, UnsupportedError
from makar.provenance.folder import is_safe_name, read_limited
from makar.provenance.manifest import read_strict_json

MODULES_NAME, POOLING_NAME, SETTINGS_NAME = "modules.json", "1_Pooling/config.json", "config.json"
PROMPTS_NAME, TOKENS_NAME = "config_sentence_transformers.json", "sentence_bert_config.json"
DENSE_WEIGHTS = "model.safetensors"
LIBRARY = "sentence_transformers."
POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""By name in folders of older versions: how vectors of tokens become one; several are put behind one another in this order."""
ACTIVATIONS = {
    "torch.nn.modules.activation.Tanh": "Tanh",
    "torch.nn.modules.linear.Identity": "Identity",
    "torch.nn.modules.activation.ReLU": "ReLU",
    "torch.nn.modules.activation.GELU": "GELU",
}
QUESTION, PASSAGES = "query", ("document", "passage", "corpus")
"""Names of the prompts of a question and of what is looked through, of which the first that there is counts."""
ANEW = "save it anew with a version of sentence-transformers from 2 on"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer that is applied to the vector of a text.

    Attributes:
        folder: Where its weights are.
        inputs: Numbers that it takes.
        outputs: Numbers that it gives.
        has_bias: Whether something is added.
        activation: Name of its class in torch.
    """

    folder: str
    inputs: int
    outputs: int
    has_bias: bool
    activation: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SentenceLayout:
    """How vectors of texts are made.

    Attributes:
        pooling: Names of how the vectors of tokens become one.
        layers: What is applied to that.
        width: Numbers that are kept of the outcome; 0 keeps all.
        most_tokens: Tokens that are read at once; 0 leaves that to the network.
        is_lowered: Whether texts are read in small letters.
        prompts: What is put before a text, by the name of what it is for.
        usual_prompt: Name of the prompt of a text that is for nothing in particular; empty for none.
    """

    pooling: tuple[str, ...] = ("mean",)
    layers: tuple[Layer, ...] = ()
    width: int = 0
    most_tokens: int = 0
    is_lowered: bool = False
    prompts: dict[str, str] = dataclasses.field(default_factory=dict)
    usual_prompt: str = ""

    def width_from(self, hidden: int) -> int:
        """Return how many numbers a vector has where that of a token has so many.

        Raises:
            ArtifactError: A layer takes another number.
        """
        width = hidden * len(self.pooling)
        for layer in self.layers:
            if layer.inputs != width:
                raise ArtifactError(
                    f"the layer {layer.folder} takes {layer.inputs} numbers", expected=str(width), do="get it again"
                )
            width = layer.outputs
        return min(self.width or width, width)

    def before(self, *, is_question: bool, is_passage: bool) -> str:
        """Return what is put before a text: a question, what is looked through, or neither, as is done where there is no own prompt."""
        names = (QUESTION,) if is_question else PASSAGES if is_passage else ()
        return next((self.prompts[name] for name in (*names, self.usual_prompt) if name in self.prompts), "")


def is_sentence_folder(folder: Path) -> bool:
    """Return whether a folder says how vectors of texts are made."""
    return (folder / MODULES_NAME).is_file() or (folder / POOLING_NAME).is_file()


def sentence_files(folder: Path) -> list[str]:
    """Return the files in folders below that belong to a sentence encoder; nothing for any other checkpoint."""
    layout = read_layout(folder) if is_sentence_folder(folder) else SentenceLayout()
    names = [f"{layer.folder}/{name}" for layer in layout.layers for name in (SETTINGS_NAME, DENSE_WEIGHTS)]
    pooling = [f"{place}/{SETTINGS_NAME}" for kind, place in _modules(folder) if kind == "Pooling"]
    return names + pooling


def read_layout(folder: Path) -> SentenceLayout:
    """Read how vectors of texts are made; for a plain encoder without a word of it the mean over tokens.

    Raises:
        ArtifactError: The files are broken, lead out of the folder, or weights are no safetensors.
        UnsupportedError: Something is done that is not known here.
    """
    pooling: tuple[str, ...] = ("mean",)
    layers: list[Layer] = []
    for number, (kind, place) in enumerate(_modules(folder)):
        if (kind == "Transformer") != (number == 0) or kind not in ("Transformer", "Pooling", "Dense", "Normalize"):
            raise UnsupportedError(
                f"{folder} makes vectors by {kind} in place {number}",
                expected="Transformer, Pooling, then Dense or Normalize",
            )
        if kind == "Transformer" and place:
            raise UnsupportedError(
                f"{folder} keeps its network in {place}, as the first version of sentence-transformers did",
                expected="config.json in the folder itself",
                do=ANEW,
            )
        if kind == "Pooling":
            pooling = _pooling(folder / place / SETTINGS_NAME)
        elif kind == "Dense":
            layers.append(_layer(folder, place))
    told = _table(folder / PROMPTS_NAME)
    prompts, usual = told.get("prompts") or {}, told.get("default_prompt_name") or ""
    if not isinstance(prompts, dict) or not all(isinstance(one, str) for one in [*prompts.values(), usual]):
        raise ArtifactError(f"{PROMPTS_NAME} has prompts that are no texts", do="get the model again")
    read = _table(folder / TOKENS_NAME)
    reads = list(read.get("modality_config") or {"text": {}})
    if "text" not in reads or "message" in reads:
        raise UnsupportedError(
            f"{folder} reads {' and '.join(map(str, reads))}",
            expected="text as it is: none that is put into a chat template first, and no other medium alone",
        )
    return SentenceLayout(
        pooling=pooling,
        layers=tuple(layers),
        width=_count(told.get("truncate_dim")),
        most_tokens=_count(read.get("max_seq_length")),
        is_lowered=read.get("do_lower_case") is True,
        prompts={str(name): text for name, text in prompts.items()},
        usual_prompt=usual,
    )


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Return class and folder of what is done, in order."""
    path = folder / MODULES_NAME
    if not path.is_file():
        plain = [("Transformer", "")]
        return [*plain, ("Pooling", "1_Pooling")] if (folder / POOLING_NAME).is_file() else plain
    listed = read_strict_json(read_limited(path.resolve()))
    found: list[tuple[str, str]] = []
    for row in listed if isinstance(listed, list) else [None]:
        kind, place = (row.get("type"), row.get("path")) if isinstance(row, dict) else (None, None)
        is_known = isinstance(kind, str) and kind.startswith(LIBRARY)
        # A folder without files, as that of Normalize, is lost where folders are kept by git.
        if not is_known or not isinstance(place, str) or (place and (not is_safe_name(place) or "/" in place)):
            raise ArtifactError(
                f"{path} lists {str(row)[:80]}",
                expected="classes of sentence_transformers, and folders inside",
                do="code of others is not run",
            )
        found.append((str(kind).rpartition(".")[2], place))
    return found


def _pooling(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise ArtifactError(
            f"there is no {path}", expected="how vectors of tokens are pooled", do="get the whole folder again"
        )
    settings = _table(path)
    stated = settings.get("pooling_mode")
    listed = [stated] if isinstance(stated, str) else stated
    if listed is None:
        # Older folders say yes or no of each.
        listed = [mode for name, mode in POOLINGS.items() if settings.get(name)] or ["mean"]
    if not isinstance(listed, list) or not listed or not set(map(str, listed)) <= set(POOLINGS.values()):
        raise UnsupportedError(f"{path} pools by {listed!r:.60}", expected=", ".join(POOLINGS.values()))
    if settings.get("include_prompt") is False:
        raise UnsupportedError(
            f"{path} leaves prompts out of the mean", expected="a model that reads them with the text"
        )
    return tuple(map(str, listed))


def _layer(folder: Path, place: str) -> Layer:
    settings, weights = _table(folder / place / SETTINGS_NAME), folder / place / DENSE_WEIGHTS
    activation = str(settings.get("activation_function") or "torch.nn.modules.linear.Identity")
    usual = settings.get("module_input_name", "sentence_embedding") == "sentence_embedding"
    if activation not in ACTIVATIONS or settings.get("use_residual") or not usual:
        raise UnsupportedError(
            f"the layer {place} of {folder} computes {activation}" + ("" if usual else " of tokens"),
            expected=f"of a whole text, one of {', '.join(ACTIVATIONS)}, and nothing beside it",
        )
    if not weights.is_file():
        raise ArtifactError(
            f"the layer {place} of {folder} has no {DENSE_WEIGHTS}",
            expected="safetensors: pickles run code when they are opened",
            do=ANEW,
        )
    inputs, outputs = _count(settings.get("in_features")), _count(settings.get("out_features"))
    return Layer(
        folder=place,
        inputs=inputs,
        outputs=outputs,
        has_bias=settings.get("bias") is not False,
        activation=ACTIVATIONS[activation],
    )


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _table(path: Path) -> dict[str, Any]:
    """Return the settings of a file; empty where there is none."""
    if not path.is_file():
        return {}
    values = read_strict_json(read_limited(path.resolve()))
    if not isinstance(values, dict):
        raise ArtifactError(f"{path} is no table of settings", do="get the model again")
    return values
