"""Measures an encoder that finds hidden words, on held-out text: how often it finds the token and how surprised it is at it.

One token in seven is hidden, always the same ones, each window by itself, and compared with what a sceptic would say: the most frequent
token, and the one that came most often between the same two neighbours in the training text.
"""

import collections

import numpy as np
import torch

from makar.data.store import Store
from makar.errors import UnsupportedError
from makar.evaluation.bootstrap import ratio_interval
from makar.evaluation.findings import Findings, Score
from makar.evaluation.material import Material
from makar.families.encoder.bert import BertFamily
from makar.nn.threads import threads_for
from makar.tensor_spec import TARGET

HIDDEN_EVERY = 7
MOST_WINDOWS = 400
TOGETHER = 32
MOST_COUNTED = 1 << 21
"""Training tokens that the baselines are counted on."""


def evaluate_masks(material: Material) -> Findings:
    """Measure an encoder that finds hidden words.

    Args:
        material: The model and its data.

    Raises:
        UnsupportedError: The model is of another kind, or weights of the Inception network were given.
    """
    family = material.artifact.family()
    if not isinstance(family, BertFamily):
        raise UnsupportedError(f"hidden words by a model of family {family.config.kind}", expected="bert")
    if material.inception is not None:
        raise UnsupportedError("the Inception network for a model that makes no images", expected="no file of weights")
    windows = _windows(material.held_out, family.config.length)
    places = np.arange(HIDDEN_EVERY // 2, windows.shape[1], HIDDEN_EVERY)
    if not len(places):
        places = np.array([windows.shape[1] // 2])
    right = windows[:, places]
    found, surprise = _found(material, family, windows, places)
    each = np.full(len(windows), len(places), np.float64)
    guesses = {} if material.train is None else _guesses(material.train, windows, places)
    scores = (
        Score(
            key="masked_accuracy",
            name="Hidden tokens found",
            interval=ratio_interval((found == right).sum(1), each),
            better="higher",
            meaning=f"Share of held-out tokens, one in {HIDDEN_EVERY}, that are the likeliest by what stands on both sides.",
            baselines=tuple((name, ratio_interval((guess == right).sum(1), each)) for name, guess in guesses.items()),
        ),
        Score(
            key="masked_nats",
            name="Surprise at hidden tokens",
            interval=ratio_interval(surprise.sum(1), each),
            better="lower",
            meaning="Mean over hidden tokens; it depends on the vocabulary.",
            unit="nats/token",
        ),
    )
    lines = tuple(
        f"{score.name}: {score.interval.value:.3f} ({score.interval.low:.3f} to {score.interval.high:.3f})"
        + "".join(f"; {name}: {interval.value:.3f}" for name, interval in score.baselines)
        + "."
        for score in scores
    )
    return Findings(verdict=lines, scores=scores, details={"windows": len(windows), "hidden": int(right.size)})


def _windows(store: Store, length: int) -> np.ndarray:
    """Return windows of a stream spread over it, int64 ``[windows, length]``; a short stream is one shorter window."""
    stream = np.asarray(store.columns[TARGET].values).reshape(-1)
    length = min(length, len(stream))
    count = len(stream) // length
    chosen = np.unique(np.linspace(0, count - 1, min(count, MOST_WINDOWS)).astype(np.int64))
    return np.stack([stream[start * length : (start + 1) * length] for start in chosen.tolist()]).astype(np.int64)


def _found(
    material: Material, family: BertFamily, windows: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    device = family.network.encoder.embeddings.device
    found, surprise = [], []
    with threads_for(family.config.parameter_count()), torch.no_grad():
        for start in range(0, len(windows), TOGETHER):
            material.say("finding hidden words", start, len(windows))
            right = torch.from_numpy(windows[start : start + TOGETHER]).to(device)
            read = right.clone()
            read[:, places] = family.config.mask_token
            shares = family.network(read)[:, places, : family.config.vocabulary].log_softmax(-1)
            found.append(shares.argmax(-1).cpu().numpy())
            surprise.append(-shares.gather(2, right[:, places][..., None])[..., 0].double().cpu().numpy())
    return np.concatenate(found), np.concatenate(surprise)


def _guesses(train: Store, windows: np.ndarray, places: np.ndarray) -> dict[str, np.ndarray]:
    stream = np.asarray(train.columns[TARGET].values).reshape(-1)[:MOST_COUNTED].astype(np.int64)
    usual = int(np.bincount(stream).argmax())
    wanted = {
        (row[place - 1], row[place + 1]) for row in windows.tolist() for place in places if 0 < place < len(row) - 1
    }
    between: dict[tuple[int, int], collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for left, middle, right in zip(stream[:-2].tolist(), stream[1:-1].tolist(), stream[2:].tolist()):
        if (left, right) in wanted:
            between[left, right][middle] += 1
    best = {pair: counts.most_common(1)[0][0] for pair, counts in between.items()}
    guess = np.full((len(windows), len(places)), usual)
    for number, row in enumerate(windows.tolist()):
        for column, place in enumerate(places):
            if 0 < place < len(row) - 1:
                guess[number, column] = best.get((row[place - 1], row[place + 1]), usual)
    return {"most frequent token": np.full_like(guess, usual), "most frequent between the same neighbours": guess}
