"""Blind comparisons of models by people, in any medium, and what came out: a ranking with intervals and how far people agree.

from makar.api import arena
session = arena.begin(["new", "old"], prompts="prompts.txt")
shown = arena.next_pair(session.id, rater="ann")     # .left and .right, whose they are is not said
arena.judge(shown.pair.id, "left", consent=True)
arena.ranking(session=session.id).to_dictionary()
"""

import dataclasses
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.data.feedback.judgement import ORDERS, PAIR, RATES, STARS, THUMB, Judged, Judgement
from makar.data.feedback.preferences import share_of
from makar.data.feedback.sessions import TIE, Pair, Session, Sessions
from makar.data.feedback.table import FeedbackTable, Wanted
from makar.errors import EmptyDataError, UnsupportedError

if TYPE_CHECKING:
    from makar.api.model import Model
    from makar.evaluation.arena import Ranking
    from makar.evaluation.rater_agreement import Agreement

SAME = "the same"
"""Note of a pair that was not shown, because both answers are the same."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """Two answers to compare.

    Attributes:
        pair: Which; its id is given back with the verdict.
        prompt: What was asked.
        left: One answer.
        right: The other.
        judged: How many pairs of the session were judged before.
    """

    pair: Pair
    prompt: str
    left: Judged
    right: Judged
    judged: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What people said of models.

    Attributes:
        ranking: By pairs, orders and edits.
        agreement: Of pairs that several people judged: who won; of thumbs and stars: the share.
        raters: How many people judged.
    """

    ranking: "Ranking"
    agreement: "dict[str, Agreement]"
    raters: int

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = {name: one.to_dictionary() for name, one in self.agreement.items()}
        return self.ranking.to_dictionary() | {"agreement": found, "raters": self.raters}


def begin(
    models: Sequence[str | Path],
    *,
    prompts: str | Path | Sequence[str] = (),
    rounds: int = 1,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Session:
    """Begin a blind comparison; the models answer when their answers are wanted.

    Args:
        models: Names or folders of two or more models of one medium.
        prompts: What they are asked, or a file of it (see ``makar.api.blind.read_prompts``); none asks for anything.
        rounds: Answers to each prompt, with different seeds.
        seed: Of the first.
        options: Controls of the models.

    Raises:
        UsageError: There are too few or too many models or prompts.
        UnsupportedError: They make different things.
    """
    from makar.api.blind import read_prompts
    from makar.api.model import load

    asked = read_prompts(prompts) if isinstance(prompts, str | Path) else list(prompts)
    media = {str(name): load(name).medium for name in models}
    if len(set(media.values())) > 1:
        kinds = ", ".join(f"{name} makes {medium}" for name, medium in media.items())
        raise UnsupportedError(kinds, expected="models of one medium")
    session = Session(
        models=tuple(str(name) for name in models),
        prompts=tuple(asked) or ("",),
        medium=next(iter(media.values()), "text"),
        rounds=rounds,
        seed=seed,
        options=dict(options or {}),
    )
    Sessions(FeedbackTable()).begin(session)
    return session


def next_pair(
    session: str, *, rater: str, answer: "Callable[[Session, int, int], Judged | None] | None" = None
) -> Shown | None:
    """Return the next two answers for a rater; ``None`` where everything was shown, or an answer is not there.

    Args:
        session: Id of the comparison.
        rater: Who is to compare.
        answer: Gives the answer of a model of the session (its number) to a unit, or ``None`` where it is not there yet; without it the
            model is loaded here and asked.

    Raises:
        UsageError: There is no such comparison.
    """
    sessions = Sessions(FeedbackTable())
    found = sessions.one(session)
    asked: Callable[[Session, int, int], Judged | None] = answer or Answering()
    while (pair := sessions.draw(found, rater)) is not None:
        items = []
        for model in (pair.first, pair.second):
            known = sessions.answer(found, pair.unit, model)
            if known is None:
                known = asked(found, pair.unit, model)
                if known is None:
                    return None
                sessions.keep_answer(found, pair.unit, model, known)
            items.append(known)
        if not are_same(*items):
            return Shown(
                pair=pair,
                prompt=found.prompt_of(pair.unit),
                left=items[0],
                right=items[1],
                judged=sessions.judged(found),
            )
        sessions.judge(pair, TIE, consent=False, note=SAME)
    return None


def are_same(one: Judged, other: Judged) -> bool:
    """Return whether nobody could tell two answers apart."""
    if one.text is not None and other.text is not None:
        return one.text.strip() == other.text.strip()
    return one.hash == other.hash


class Answering:
    """Has models answer in this process; each is loaded once."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}

    def __call__(self, session: Session, unit: int, model: int) -> Judged:
        """Return what a model of a session answers in a unit."""
        from makar.api.feedback import file_of, signed_item
        from makar.api.model import load
        from makar.provenance.content import Drawing, Structure
        from makar.provenance.embedding import png_bytes

        name = session.models[model]
        if name not in self._models:
            self._models[name] = load(name)
        prompt = session.prompt_of(unit) or None
        (asset,) = self._models[name].generate(prompt, seed=session.seed_of(unit), options=session.options)
        if isinstance(asset.content, str):
            item, _ = signed_item(asset.signed, text=asset.content)
        elif isinstance(asset.content, Structure):
            item, _ = signed_item(asset.signed, text=asset.content.file.decode("ascii"))
        elif (file := file_of(asset.content)) is not None:
            item, _ = signed_item(asset.signed, file=file)
        elif isinstance(asset.content, Drawing):
            raise UnsupportedError("drawings in a blind comparison", expected="images of pixels: without svg")
        else:
            item, _ = signed_item(asset.signed, png=png_bytes(asset.content, asset.signed))
        return dataclasses.replace(item, model=name)


def judge(pair: str, said: str, *, consent: bool, note: str = "") -> Judgement:
    """Keep what a rater says of a pair: ``"left"``, ``"right"`` or ``"tie"``.

    Raises:
        UsageError: There is no such pair, or it was judged already.
    """
    sessions = Sessions(FeedbackTable())
    return sessions.judge(sessions.pair(pair), said, consent=consent, note=note)


def ranking(*, session: str = "", medium: str = "", rater: str = "", seed: int = 0) -> Outcome:
    """Return what people said of models.

    Args:
        session: Only what was said in this comparison.
        medium: Only of this medium.
        rater: Only what this person said.
        seed: Of the resampling.

    Raises:
        EmptyDataError: Nothing was said of two models.
    """
    return outcome_of(FeedbackTable().rows(Wanted(session=session, medium=medium, rater=rater)), seed=seed)


def outcome_of(judgements: Sequence[Judgement], *, seed: int = 0) -> Outcome:
    """Return what judgements say of models; see ``ranking``."""
    from makar.evaluation.arena import Comparison, rank
    from makar.evaluation.rater_agreement import agreement

    comparisons: list[Comparison] = []
    called = names_of(judgements)
    pairs: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    rated: dict[str, dict[str, float]] = defaultdict(dict)
    for one in judgements:
        if one.kind in RATES:
            rated[f"{one.kind} {one.items[0].hash}"][one.rater] = share_of(one)
            continue
        compared = _compared(one, called)
        comparisons += compared
        if one.kind == PAIR and len(compared) == 1 and not _was_not_shown(one):
            first, second = (item.hash for item in one.items)
            won = compared[0].won
            # Who stood on the left is no part of what was said.
            pairs[min(first, second), max(first, second)][one.rater] = won if first < second else 1 - won
    if not comparisons and not rated:
        raise EmptyDataError(
            "nobody has compared two models yet", expected="judgements", do="makar feedback compare A B"
        )
    found = {"pairs": agreement(list(pairs.values()), are_names=True)}
    for kind in (THUMB, STARS):
        units = [unit for name, unit in rated.items() if name.startswith(f"{kind} ")]
        found["stars" if kind == STARS else "thumbs"] = agreement(units, are_names=False)
    return Outcome(ranking=rank(comparisons, seed=seed), agreement=found, raters=len({one.rater for one in judgements}))


def names_of(judgements: Sequence[Judgement]) -> dict[tuple[str, str], str]:
    """Return what models are called, by name and hash: by the name, and where several had it, by the beginning of the hash too."""
    known = {(item.model, item.model_hash) for one in judgements for item in one.items if item.model}
    many = Counter(name for name, _ in known)
    return {(name, hash_): name if many[name] == 1 else f"{name} {hash_[:8]}" for name, hash_ in known}


def _was_not_shown(judgement: Judgement) -> bool:
    """Return whether ``next_pair`` said it of two equal answers, which nobody saw; people cannot agree on these."""
    return bool(judgement.session) and judgement.note == SAME and not judgement.consent


def _compared(judgement: Judgement, called: Mapping[tuple[str, str], str]) -> "list[Any]":
    """Return the comparisons of models that an order holds; an edit compares a model with a person, and is none."""
    from makar.evaluation.arena import FIRST, SECOND, TIE, Comparison

    assert judgement.kind in ORDERS, "thumbs and stars compare nothing"
    group = f"{judgement.session} {judgement.prompt_text} {sorted(item.hash for item in judgement.items)}"
    found = []
    for place, one in enumerate(judgement.items):
        for later, other in enumerate(judgement.items[place + 1 :], place + 1):
            models = [called.get((item.model, item.model_hash), "") for item in (one, other)]
            if all(models) and models[0] != models[1]:
                mine, theirs = judgement.value[place], judgement.value[later]
                won = TIE if mine == theirs else FIRST if mine < theirs else SECOND
                found.append(Comparison(first=models[0], second=models[1], won=won, group=group))
    return found


def unsigned_png(png: bytes) -> bytes:
    """Return an image without its manifest, which names the model; the mark that a machine made it stays."""
    import numpy as np
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    from makar.provenance.embedding import XMP_KEYWORD, XMP_PACKET

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        pixels = np.asarray(image)
    marks = PngInfo()
    marks.add_itxt(XMP_KEYWORD, XMP_PACKET)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=marks)
    return buffer.getvalue()
