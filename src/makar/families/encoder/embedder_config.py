"""Settings of the encoder that makes a vector of a text; no torch."""

import dataclasses
from typing import ClassVar, Literal, Self

from makar.codecs.similar_text_config import PAIRS, TEXT, pair_spec
from makar.config import setting
from makar.errors import ConfigError
from makar.families.encoder.config import FURTHER_TOKENS, HEAD_WIDTH, ReaderConfig
from makar.tensor_spec import SOURCE, TARGET, Slot, TensorSpec

CROPS, DROPOUT = "crops", "dropout"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbedderConfig(ReaderConfig):
    """An encoder of which texts that mean the like have vectors in like directions."""

    kind: ClassVar[str] = "embedder"
    target: ClassVar[str] = "makar.families.encoder.embedder:EmbedderFamily"
    predictions: ClassVar[tuple[str, ...]] = ("vector",)

    learns: str = setting(PAIRS, meaning="from pairs of texts, or from parts of any text", choices=(PAIRS, TEXT))
    views: str = setting(
        CROPS,
        meaning="of any text, what belongs together: two parts of one document, or one part read twice with other dropout",
        choices=(CROPS, DROPOUT),
    )
    least_crop: float = setting(
        0.05,
        meaning="the shortest part as a share of its document in a window; the longest is half",
        minimum=0.01,
        maximum=0.5,
    )
    temperature: float = setting(
        0.05, meaning="what cosines are divided by before they compete", minimum=1e-3, maximum=10.0
    )
    weighted: bool = setting(
        True, meaning="whether each token has a weight in the mean, learned, rare ones more at the start"
    )

    @property
    def batching(self) -> Literal["items", "windows"]:  # type: ignore[override]
        """Pairs are drawn whole, parts are cut from windows of one stream."""
        return "items" if self.learns == PAIRS else "windows"

    @property
    def item_name(self) -> str:  # type: ignore[override]
        """What is counted."""
        return "text" if self.learns == PAIRS else "token"

    @property
    def window_length(self) -> int:
        """Positions of a window, twice what is read at once; 1 for pairs."""
        return 1 if self.learns == PAIRS else 2 * self.length

    def accepts(self) -> TensorSpec:
        """Return pairs of rows with how alike they are, or a stream of text."""
        tokens = self.vocabulary + FURTHER_TOKENS if self.vocabulary else None
        if self.learns != PAIRS:
            return TensorSpec({TARGET: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=tokens)})
        made = pair_spec(tokens or 2, self.length).slots
        rows = {name: dataclasses.replace(made[name], vocabulary=tokens) for name in (SOURCE, TARGET)}
        return TensorSpec({**made, **rows})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return a copy with vocabulary and length of what a codec makes, which learns from what there is.

        Raises:
            ConfigError: It makes no tokens.
        """
        if TARGET not in made or made[TARGET].kind != "tokens":
            raise ConfigError("the codec makes no texts", expected='codec "similar-text"')
        return self.changed(**self.sizes_of(made[TARGET]), learns=PAIRS if SOURCE in made else TEXT)

    def completed(self, made: TensorSpec) -> Self:
        """Return a copy that learns from what the new data are."""
        return self.changed(learns=PAIRS if SOURCE in made else TEXT)

    def with_width(self, width: int) -> Self:
        """Return the copy that is so wide; vectors of so many numbers want width more than depth."""
        heads = max(1, width // (HEAD_WIDTH if width < 512 else 2 * HEAD_WIDTH))
        return self.changed(width=width, heads=heads, depth=max(1, width // 256), hidden=0)

    def head_count(self) -> int:
        """Return the weights of the mean: one a token, or none."""
        return self.rows if self.weighted else 0

    def head_operations(self) -> float:
        """Return the multiplications of the mean of one text."""
        return float(self.length * self.width)

    def training_operations(self) -> float:
        """Return operations to train on one pair, or on one token of a window, from which two parts are read."""
        return 2.0 * self.text_operations() / self.window_length

    def activation_bytes(self) -> float:
        """Return an estimate of the bytes that training keeps for the two texts of an example."""
        return 2.0 * super().activation_bytes()
