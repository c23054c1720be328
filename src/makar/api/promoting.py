"""``promote NEW NAME``: a better model takes the name of the one that it was compared with; ``promote NAME --rollback`` takes it back.

The verdict is that of ``evaluate --against`` for models of text, and what people said in blind comparisons of the two, for any medium; of
images, copies of training images are counted too. Only what is better, and surely worse at nothing, takes the place.

Nothing is lost: the old model stays beside it as ``NAME.before-HASH``, where ``verify`` finds it. What was done stands in
``promotions.jsonl`` of Makar's folder, written before anything is moved, so that a call that was killed in between can be taken back like
any other. Folders change names in one step each; a server that holds the model goes on with the old one until it loads it anew.
"""

import dataclasses
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from makar.api.arena import outcome_of
from makar.api.data import Source
from makar.api.model import Model, load
from makar.api.promotion import weigh
from makar.api.promotion_journal import note_promotion, read_journal, write_journal
from makar.api.stores import OnEvent
from makar.data.feedback.table import FeedbackTable
from makar.errors import UnknownNameError, UsageError
from makar.home import models_folder
from makar.novelty.lineage import LineageIndex
from makar.training.lock import locked
from makar.training.progress import ignore_event

if TYPE_CHECKING:
    from makar.evaluation.promotion import Check, Promotion

COPIES_LOOKED_AT = 16
HASH_DIGITS = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Promoted:
    """What came of a promotion.

    Attributes:
        verdict: Every check, and whether the new model takes the place.
        kept_as: Name of the model that had it; ``None`` where it still has it.
    """

    verdict: "Promotion"
    kept_as: str | None

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return self.verdict.to_dictionary() | {"kept_as": self.kept_as}


def promote(
    new: str | Path,
    name: str,
    *,
    data: Source | None = None,
    suites: str | Path | None = None,
    samples: int = 0,
    seed: int = 0,
    on_event: OnEvent = ignore_event,
) -> Promoted:
    """Let a model take the name of another one where it is better.

    Args:
        new: The model.
        name: The name that it is to have, which another model has.
        data: What models of text are measured on; ``None`` takes the held-out part of what the new one learned from.
        suites: Folder of tables of bias and safety that models of text are asked; without it these are unknown.
        samples: Texts or images that each makes, and most items of each test in the suites; 0 takes the usual number.
        seed: Of these.
        on_event: Called with what is being measured.

    Raises:
        UsageError: Both are the same model, or the name is that of no folder of models.
    """
    made, old = load(new), load(name)
    place = models_folder() / name
    if Path(name).name != name or old.path != place or made.hash == old.hash or made.path == place:
        raise UsageError(
            f"{made.short_name} in the place of {name}",
            expected="another model, and the name of a saved one",
            do="makar list models",
        )
    verdict = weighed(made, old, data, suites=suites, samples=samples, seed=seed, on_event=on_event)
    if not verdict.keeps:
        return Promoted(verdict=verdict, kept_as=None)
    kept_as = f"{name}.before-{old.hash[:HASH_DIGITS]}"
    with locked(models_folder()):
        coming = models_folder() / f".{name}.coming-{made.hash[:HASH_DIGITS]}"
        shutil.rmtree(coming, ignore_errors=True)
        shutil.copytree(made.path, coming)
        entry = {"name": name, "new": made.hash, "old": old.hash, "from": made.short_name, "kept_as": kept_as}
        note_promotion(
            entry | {"time": datetime.now(UTC).isoformat(timespec="seconds"), "verdict": verdict.to_dictionary()}
        )
        if (models_folder() / kept_as).exists():
            # It had been promoted and taken back before: this is the same model.
            shutil.rmtree(models_folder() / kept_as)
        place.rename(models_folder() / kept_as)
        coming.rename(place)
    return Promoted(verdict=verdict, kept_as=kept_as)


def roll_back(name: str) -> str:
    """Give a name back to the model that had it before the last promotion; returns what the other one is called now.

    Raises:
        UsageError: Nothing was promoted to that name, or the model before is gone.
    """
    with locked(models_folder()):
        entries = read_journal()
        open_ones = [one for one in entries if one["name"] == name and not one.get("taken_back")]
        if not open_ones:
            known = {one["name"] for one in entries if not one.get("taken_back")}
            raise UnknownNameError("promoted name", name, known)
        last = open_ones[-1]
        before, place = models_folder() / last["kept_as"], models_folder() / name
        after = models_folder() / f"{name}.after-{last['new'][:HASH_DIGITS]}"
        if before.is_dir():
            if place.exists():
                shutil.rmtree(after, ignore_errors=True)
                place.rename(after)
            before.rename(place)
        elif not place.is_dir() or load(place).hash != last["old"]:
            raise UsageError(f"{last['kept_as']} is gone", expected="the model that had the name before")
        # Killed between two names: what was to come is of no use any more.
        shutil.rmtree(models_folder() / f".{name}.coming-{last['new'][:HASH_DIGITS]}", ignore_errors=True)
        last["taken_back"] = True
        write_journal(entries)
    return after.name


def weighed(
    new: Model,
    old: Model,
    data: Source | None,
    *,
    suites: str | Path | None = None,
    samples: int,
    seed: int,
    on_event: OnEvent = ignore_event,
) -> "Promotion":
    """Return every check of a model against the one whose place it would take; see ``promote`` for the arguments."""
    from makar.evaluation.promotion import Promotion

    checks: list[Check] = []
    if new.makes_text:
        found = weigh(new.path, old.path, data, suites=suites, samples=samples, seed=seed, on_event=on_event)
        checks += found.checks
    elif data is not None or suites is not None:
        raise UsageError(
            f"{'suites' if data is None else 'data'} for a model of images",
            expected="none: people say which images are better",
        )
    else:
        checks.append(_copies(new, old, samples=samples or COPIES_LOOKED_AT, seed=seed))
    checks.append(people_check(new, old))
    return Promotion(new=new.short_name, old=old.short_name, checks=tuple(checks))


def people_check(new: Model, old: Model) -> "Check":
    """Return how often people prefer what a model makes to what another one does, less one half."""
    from makar.evaluation.bootstrap import Interval
    from makar.evaluation.promotion import BETTER, Check

    name = "people prefer it, of blind comparisons, beyond one half"
    hashes = {new.hash, old.hash}
    said = [
        dataclasses.replace(
            one, items=tuple(dataclasses.replace(item, model=item.model_hash[:12]) for item in one.items)
        )
        for one in FeedbackTable().rows()
        if one.session and {item.model_hash for item in one.items} <= hashes
    ]
    duel = outcome_of(said).ranking.duel(new.hash[:12], old.hash[:12]) if said else None
    if duel is None:
        do = f"makar feedback compare {new.short_name} {old.short_name}"
        return Check(name=name, wanted=BETTER, gain=None, unit="share", why=f"nobody compared them: {do}")
    rate = np.array(dataclasses.astuple(duel.win_rate)) - 0.5
    value, low, high = rate if duel.better == new.hash[:12] else -rate[[0, 2, 1]]
    return Check(name=name, wanted=BETTER, gain=Interval(float(value), float(low), float(high)), unit="share")


def _copies(new: Model, old: Model, *, samples: int, seed: int) -> "Check":
    """Return how much fewer images of a model are copies of training images than of another one.

    Both are compared with what either of them learned from: a model that was tuned on rated images of the old one is near to these by
    birth, and so is the old one.
    """
    from makar.evaluation.bootstrap import mean_interval
    from makar.evaluation.promotion import NOT_WORSE, Check
    from makar.generation.generate import generate

    name = "images that are copies of training images"
    ours, theirs = new.novelty_index(), old.novelty_index()
    if ours is None or theirs is None or new.medium != old.medium:
        why = "the training data is not on this machine" if new.medium == old.medium else "they make different things"
        return Check(name=name, wanted=NOT_WORSE, gain=None, unit="share", why=why)
    index = LineageIndex(ours, [theirs], uncovered="")
    found = [
        np.array([bool((asset.novelty or {}).get("is_copy")) for asset in made], float)
        for made in (generate(model.artifact, count=samples, seed=seed, novelty=index) for model in (new, old))
    ]
    return Check(name=name, wanted=NOT_WORSE, gain=mean_interval(found[1] - found[0]), unit="share")
