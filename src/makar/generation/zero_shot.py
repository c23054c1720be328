"""Labels for texts from a model that was not trained for them: the label that it finds likeliest behind the text.

A prompt file is filled with the text (``classify`` unless another is given), solved examples before it where there are some, and every
label is asked how likely it is after it: p(label | prompt). A model likes some words more than others whatever the text says, so that is
divided by how likely they are anyway:

* ``contextual``: q(label) ~ p(label | prompt) / p(label | prompt without content), the mean over three texts that say nothing, "N/A",
  "[MASK]" and an empty one (Zhao et al. 2021, arXiv 2102.09690, section 5).
* ``pmi``: q(label) ~ p(label | prompt) / p(label | the end of the prompt alone), which takes one question less each (Holtzman et al. 2021,
  arXiv 2104.08315, equation 4).
* ``none``: the likelihood itself.

Examples are chosen at random, by similarity to the text (Liu et al. 2021, arXiv 2101.06804), or so that they differ from each other
(farthest first); labels take turns in each, as far as there are examples. Similarity is that of words weighted by rarity (TF-IDF), so that
nothing needs a second model. The most similar stands last, next to the text.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.errors import DataError, EmptyDataError, UsageError
from makar.generation.given_texts import given_texts
from makar.generation.prompt_file import ANSWER, PromptFile, read_prompt
from makar.generation.text_likelihood import TextLikelihood

PROMPT = "classify"
NOTHING = ("N/A", "[MASK]", "")
PICKS = ("random", "similar", "diverse")
CALIBRATIONS = ("contextual", "pmi", "none")
SHOTS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """A text with its label."""

    text: str
    label: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Guidance:
    """How labels are asked for.

    Attributes:
        prompt: With one place without default, for the text.
        examples: Solved examples to choose from; empty for none.
        shots: How many stand before each text.
        pick: One of ``PICKS``.
        calibration: One of ``CALIBRATIONS``.
    """

    prompt: PromptFile
    examples: tuple[Example, ...] = ()
    shots: int = SHOTS
    pick: str = "random"
    calibration: str = "contextual"


class Labeller:
    """Asks a model for the likeliest label.

    Args:
        likelihood: The model.
        labels: At least two.
        guidance: How to ask.
        seed: Seed of the choice of examples.

    Raises:
        UsageError: The labels, the prompt or a name of a way cannot be used.
        DataError: An example has a label that is none of them.
    """

    def __init__(self, likelihood: TextLikelihood, labels: Sequence[str], guidance: Guidance, *, seed: int = 0) -> None:
        open_places = guidance.prompt.open_variables({})
        if len(open_places) != 1:
            raise UsageError(
                f'the prompt "{guidance.prompt.name}" has {len(open_places)} places without a default',
                expected="one, for the text",
            )
        if len(labels) < 2 or len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
            raise UsageError(f"the labels {', '.join(map(repr, labels))}", expected="at least two different labels")
        if foreign := sorted({one.label for one in guidance.examples} - set(labels)):
            raise DataError(f'an example has the label "{foreign[0]}"', expected=f"one of {', '.join(labels)}")
        for value, able, what in (
            (guidance.pick, PICKS, "way to pick examples"),
            (guidance.calibration, CALIBRATIONS, "calibration"),
        ):
            if value not in able:
                raise UsageError(f'the {what} "{value}"', expected=f"one of {', '.join(able)}")
        self._likelihood, self._labels, self._guidance = likelihood, tuple(labels), guidance
        self._place = open_places[0]
        self._draws = np.random.default_rng(seed)
        self._vectors = _Vectors([one.text for one in guidance.examples]) if guidance.examples else None
        self._order = self._fixed_order() if guidance.pick != "similar" else None

    def shares(self, text: str, values: Mapping[str, str] | None = None) -> dict[str, float]:
        """Return the share of each label, together 1.

        Args:
            text: The text.
            values: What stands in the other places of the prompt; ``None`` leaves them their defaults.
        """
        examples, around = self._chosen(text), dict(values or {})
        logits = self._asked(text, examples, around)
        if self._guidance.calibration == "contextual":
            empty = [_normal(self._asked(nothing, examples, around)) for nothing in NOTHING]
            logits = logits - np.log(np.mean(np.exp(empty), axis=0))
        elif self._guidance.calibration == "pmi":
            end = self._guidance.prompt.fill({**around, self._place: ""}, examples=()).text.rsplit("\n", 1)[-1]
            logits = logits - self._label_logits(end)
        return dict(zip(self._labels, map(float, np.exp(_normal(logits)))))

    def _asked(self, text: str, examples: Sequence[Example], around: Mapping[str, str]) -> np.ndarray:
        solved = tuple({self._place: one.text, ANSWER: one.label} for one in examples)
        shown = solved or self._guidance.prompt.examples
        return self._label_logits(self._guidance.prompt.fill({**around, self._place: text}, examples=shown).text)

    def _label_logits(self, before: str) -> np.ndarray:
        space = "" if before[-1:].isspace() else " "
        return -np.array([self._likelihood.nats(space + label, given=before) for label in self._labels])

    def _chosen(self, text: str) -> list[Example]:
        examples = self._guidance.examples
        if self._vectors is None:
            return []
        order = self._order
        if order is None:
            order = list(np.argsort(-self._vectors.similar(text), kind="stable"))
        # What is asked about must not be among its own examples.
        order = [place for place in order if examples[place].text != text]
        chosen = [examples[place] for place in self._in_turns(order)[: self._guidance.shots]]
        return chosen[::-1] if self._order is None else chosen

    def _fixed_order(self) -> list[int]:
        """Return the places of the examples in the order in which they are taken for any text."""
        if self._vectors is None:
            return []
        count = len(self._guidance.examples)
        order = list(self._draws.permutation(count))
        if self._guidance.pick == "diverse":
            order = self._vectors.farthest_first(order[0], min(count, 4 * self._guidance.shots))
        return order

    def _in_turns(self, order: Sequence[int]) -> list[int]:
        """Return the places so that every label comes once before any comes twice, otherwise in their order."""
        by_label: dict[str, list[int]] = {}
        for place in order:
            by_label.setdefault(self._guidance.examples[place].label, []).append(place)
        rounds = max(map(len, by_label.values()), default=0)
        return [row[turn] for turn in range(rounds) for row in by_label.values() if turn < len(row)]


def label_texts(
    artifact: Artifact,
    inputs: Sequence[Any] | Any,
    *,
    labels: Sequence[str] | str,
    guidance: Guidance | None = None,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Give each text the likeliest of some labels.

    Args:
        artifact: A model that continues text, or fills in masked words; it need not know the labels.
        inputs: Texts, files or folders of text, or several of these.
        labels: At least two; a text is split at its commas.
        guidance: How to ask; ``None`` asks with the prompt ``classify`` and no examples.
        seed: Seed of the choice of examples.

    Yields:
        One dictionary a text: ``input``, ``what``, ``label``, ``probability``, ``probabilities``; where prompt and text are
        longer than the model looks back ``left_out_tokens``, how many at the beginning were not read.

    Raises:
        UnsupportedError: The model does not say how likely a text is.
        UsageError: The labels or the guidance cannot be used.
        EmptyDataError: There is no text.
    """
    listed = [part.strip() for part in labels.split(",")] if isinstance(labels, str) else list(labels)
    asked = Guidance(prompt=read_prompt(PROMPT)) if guidance is None else guidance
    likelihood = TextLikelihood(artifact)
    labeller = Labeller(likelihood, listed, asked, seed=seed)
    texts = list(given_texts(inputs))
    if not texts:
        raise EmptyDataError("there is no text to look at", expected="a text, a file, or a folder that has some")
    return _rows(labeller, likelihood, texts)


def _rows(labeller: Labeller, likelihood: TextLikelihood, texts: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    for name, text in texts:
        likelihood.left_out = 0
        shares = labeller.shares(text)
        label = max(shares, key=lambda one: shares[one])
        yield {
            "input": name,
            "what": "label",
            "label": label,
            "probability": shares[label],
            "probabilities": shares,
        } | ({"left_out_tokens": likelihood.left_out} if likelihood.left_out else {})


class _Vectors:
    """Texts as words weighted by rarity."""

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b|[^\w\s]")
        self._rows = self._words.fit_transform([text or "." for text in texts])

    def similar(self, text: str) -> np.ndarray:
        """Return the cosine of each text to another."""
        return np.asarray((self._rows @ self._words.transform([text]).T).todense()).ravel()

    def farthest_first(self, first: int, count: int) -> list[int]:
        """Return places from a first one on, each the farthest from those before it (Gonzalez 1985)."""
        order = [int(first)]
        nearest = np.asarray((self._rows @ self._rows[first].T).todense()).ravel()
        while len(order) < count:
            nearest[order] = np.inf
            place = int(nearest.argmin())
            order.append(place)
            nearest = np.maximum(nearest, np.asarray((self._rows @ self._rows[place].T).todense()).ravel())
        return order


def _normal(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max()
    normal: np.ndarray = shifted - np.log(np.exp(shifted).sum())
    return normal
