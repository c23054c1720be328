"""One request in force: the model with its checked controls, what is to be made, drawing it, and signing what passed."""

import collections
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import FunctionType
from typing import Any, Protocol, runtime_checkable

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.artifacts.save import utc_now
from makar.codecs.codec import Codec
from makar.config import Config
from makar.data.backbone import Backbone
from makar.data.clip import Clip
from makar.data.sound import Sound
from makar.errors import UnknownNameError, UnsupportedError
from makar.families.estimates import Estimate
from makar.families.family import Family, Sampler
from makar.families.logits_hook import Constraint, LogitsHook
from makar.generation.asset import Asset
from makar.generation.filming import filmed
from makar.generation.finished_example import Slots, decode_example, join_slots
from makar.generation.finishing import Finishing
from makar.generation.form import Form, refuse_stops
from makar.generation.form_constraint import FormConstraint
from makar.generation.guards import (
    CopyGuard,
    Draft,
    Guard,
    NoveltyCheck,
    first_refusal,
    seed_of_attempt,
    shareable_novelty,
)
from makar.generation.jobs import Job
from makar.generation.modelling import modelled
from makar.generation.piece import written_piece
from makar.generation.previewing import Previews, Steps, watched
from makar.generation.prompts import Prompt
from makar.generation.reach import unread_tokens
from makar.generation.recording import compared, recorded
from makar.generation.steering import Likelihoods, Steered, Steering
from makar.generation.syntax import Syntax
from makar.generation.syntax_constraint import SyntaxConstraint, syntax_constraint
from makar.generation.vocoding import Vocoder, played_by
from makar.nn.threads import threads_for
from makar.provenance import manifest as signing
from makar.provenance.consent import check_still_agreed
from makar.provenance.content import Film, describe_content
from makar.provenance.embedding import COMPOSITE_SOURCE_TYPE, SOURCE_TYPE
from makar.provenance.keys import signing_key
from makar.tensor_spec import SOURCE, TARGET
from makar.version import VERSION

GUARDS: tuple[Guard, ...] = ()
"""Guards that look at every draft of every medium, in order; safety filters go here."""

STATED = "stated"
"""Slot with what a sampler has to say of an example in its manifest, as bytes of JSON."""


@runtime_checkable
class Interpolates(Protocol):
    """A sampler that can go from one seed to another."""

    def interpolate(self, options: Any, *, first_seed: int, last_seed: int, count: int) -> np.ndarray:
        """Return the examples on the way, ends included, ``[count, ...]`` in the range of the spec."""


@runtime_checkable
class RunsTogether(Protocol):
    """A family whose samplers can share one running batch."""

    def together(self) -> AbstractContextManager[None]:
        """Let the samplers that are made meanwhile, in any thread, share it."""


class Request:
    """What is the same for every asset of one call.

    Args:
        artifact: The model.
        options: Sampling controls.
        novelty: Compares with the training data, ``None`` where that is not here.
        refuse_copies: Whether copies of it are refused.
        hook: Reshapes logits before a token is drawn: the place of a watermark; the manifest names it.
        finishing: What is done to every image after it was judged; ``None`` for nothing.
        form: The form that every text must have, or the syntax that it must have together with its prompt; ``None`` for any.
        steering: Biases and penalties of texts; ``None`` for none.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        options: dict[str, Any] | Config | None,
        novelty: NoveltyCheck | None,
        refuse_copies: bool,
        hook: LogitsHook | None = None,
        finishing: Finishing | None = None,
        form: Form | Syntax | None = None,
        steering: Steering | None = None,
    ) -> None:
        if refuse_copies and novelty is None:
            raise UnsupportedError(
                "copies cannot be refused: the training data is not indexed here",
                expected="a model trained on this machine whose index is still there",
            )
        check_still_agreed(artifact.manifest["data"])
        check_writes(artifact)
        self.artifact = artifact
        self.codec: Codec = artifact.codec()
        self.family: Family = artifact.family()
        self.options = read_options(options, self.family)
        self.novelty = novelty
        self.guards: tuple[Guard, ...] = (*GUARDS, CopyGuard()) if refuse_copies else GUARDS
        self.hook = hook
        self.finishing = Finishing() if finishing is None else finishing
        self.constraint = self._constraint(form) if isinstance(form, Form) else None
        self.syntax = self._syntax(form) if isinstance(form, Syntax) else None
        self.steering = Steering() if steering is None else steering
        self.likelihoods: Likelihoods | None = None
        if not self.steering.does_nothing:
            if hook is not None:
                raise UnsupportedError("biases or penalties and a hook on the logits at once", expected="one of them")
            self.steering.check_tokens(self.codec.spec[TARGET].vocabulary or 0)
        self.sampler: Sampler = self._sampler()
        self.key = signing_key()
        self.vocoder: Vocoder | None = None
        self._previews: Previews | Steps | None = None

    def show(self, previews: Previews | Steps) -> None:
        """Show what is not finished yet, or say how far it is, of all that is drawn from now on.

        Raises:
            UnsupportedError: The model comes to nothing step by step.
        """
        watched(self.sampler)
        self._previews = previews

    def use_vocoder(self, vocoder: Vocoder) -> None:
        """Let another model find how the pictures of this one sound.

        Raises:
            UnsupportedError: This one makes no such pictures.
        """
        self.codec = played_by(self.codec, vocoder)
        self.vocoder = vocoder

    def record_likelihoods(self, most: int, *, within: Constraint | None = None) -> Likelihoods:
        """Keep how likely the tokens of the next text are, which is to be the only one.

        Args:
            most: Alternatives that are kept at every place.
            within: What the text is held to instead of a form.

        Raises:
            UnsupportedError: The model writes a text from another, several at once.
        """
        if SOURCE in self.family.config.accepts():
            raise UnsupportedError(
                "likelihoods of tokens of a model that writes a text from another",
                expected="a model that continues text",
            )
        self.likelihoods = Likelihoods(most)
        self.sampler = self._sampler(within)
        return self.likelihoods

    def _sampler(self, within: Constraint | None = None) -> Sampler:
        hook: LogitsHook | None = self.constraint or self.syntax or self.hook
        if not self.steering.does_nothing or self.likelihoods is not None:
            hook = Steered(self.steering, within=within or self.constraint or self.syntax, likelihoods=self.likelihoods)
        return self.family.sampler(self.codec, hook=hook)

    def _constraint(self, form: Form) -> FormConstraint:
        if self.hook is not None:
            raise UnsupportedError(f"a {form.kind} and a hook on the logits at once", expected="one of them")
        refuse_stops(form, self.options)
        values = self.options.to_dictionary()
        if "max_tokens" not in values:
            raise UnsupportedError(f"a {form.kind} of a model that writes no text", expected="a model of text or code")
        return FormConstraint(form, self.codec, limit=values["max_tokens"])

    def _syntax(self, syntax: Syntax) -> SyntaxConstraint:
        if self.hook is not None:
            raise UnsupportedError(
                f"the syntax of {syntax.language} and a hook on the logits at once", expected="one of them"
            )
        return syntax_constraint(syntax.language, self.codec, self.family.config, self.options)

    def draw(self, jobs: list[Job], attempt: int) -> Iterator[tuple[int, Slots]]:
        """Yield (position in ``jobs``, finished example), in the order in which they are finished."""
        if self.syntax is not None:
            self.syntax.check(job.prompt for job in jobs)
        parts: dict[int, list[Slots]] = collections.defaultdict(list)
        seeds = [seed_of_attempt(job.seed, attempt) for job in jobs]
        prompts = [job.prompt.slots for job in jobs]
        if (previews := self._previews) is not None:
            watched(self.sampler).watch(
                lambda found: self._preview(jobs[found.index], found, attempt, previews), most=previews.most
            )
        with self._threads():
            for index, slots, is_finished in self.sampler.sample(self.options, prompts, seeds):
                parts[index].append(slots)
                if is_finished:
                    yield index, join_slots(parts.pop(index))

    def _preview(self, job: Job, found: Estimate, attempt: int, previews: Previews | Steps) -> None:
        if isinstance(previews, Steps):
            previews.tell(found.step, found.steps)
            return
        draft = self.draft(job.prompt, found.slots, is_compared=bool(self.guards))
        if first_refusal(self.guards, draft) is None:
            previews.show(self.asset(job, draft, attempt, estimate=found))

    def draw_pieces(self, job: Job) -> Iterator[tuple[Slots, Slots | None]]:
        """Yield (what is new, the whole example once it is finished) of one example."""
        if self.syntax is not None:
            self.syntax.check([job.prompt])
        parts: list[Slots] = []
        with self._threads():
            for _, slots, is_finished in self.sampler.sample(self.options, [job.prompt.slots], [job.seed]):
                parts.append(slots)
                yield slots, join_slots(parts) if is_finished else None

    def draw_between(self, first_seed: int, last_seed: int, count: int) -> list[Slots]:
        """Return the examples on the way from one seed to another.

        Raises:
            UnsupportedError: The sampler knows no such way.
        """
        if not isinstance(self.sampler, Interpolates):
            raise UnsupportedError("this model knows no way from one seed to another", expected="a model of images")
        with self._threads():
            points = self.sampler.interpolate(self.options, first_seed=first_seed, last_seed=last_seed, count=count)
        return [{TARGET: point} for point in points]

    def _threads(self) -> AbstractContextManager[None]:
        """Use the threads that suit this model while it samples."""
        return threads_for(
            self.family.config.computed_weights(), convolutional=self.codec.spec[TARGET].kind == "values"
        )

    def draft(self, prompt: Prompt, slots: Slots, *, is_compared: bool = True) -> Draft:
        """Turn a finished example into content and, unless it is a preview, compare it with the training data."""
        content, new_content = decode_example(self.codec, prompt, slots)
        if self.constraint is not None:
            self.constraint.check(slots[TARGET])
            # What has the form is the answer alone.
            content = new_content = self.constraint.form.finish(new_content)
        whole = content if prompt.change is None else prompt.change.finish(content)
        draft = self.judged(whole, new_content, is_compared=is_compared)
        said = slots.get(STATED)
        return draft if said is None else dataclasses.replace(draft, stated=json.loads(said.astype(np.uint8).tobytes()))

    def judged(self, content: Any, new_content: Any, *, is_compared: bool = True) -> Draft:
        """Compare what the model made with the training data."""
        index = self.novelty if is_compared else None
        finding = None if index is None else index.check(compared(new_content, self.codec))
        # Music leaves as a file; what of it is words stays within.
        made = self.finishing.finish(content)
        made = written_piece(made, player=self.finishing.player) if self.artifact.medium == "music" else made
        return Draft(content=made, new_content=new_content, novelty=finding)

    def asset(self, job: Job, draft: Draft, attempt: int, *, estimate: Estimate | None = None) -> Asset:
        """Sign what passed every guard; an ``estimate`` is a preview, and its manifest says so."""
        made = self.artifact.manifest
        novelty = draft.novelty.to_dictionary() if draft.novelty is not None else None
        change = job.prompt.change
        is_composite = change is not None and change.is_composite
        source_type = COMPOSITE_SOURCE_TYPE if is_composite else SOURCE_TYPE
        content = draft.content
        if isinstance(content, Sound):
            content = recorded(content, source_type)
        elif isinstance(content, Clip):
            heard = None if change is None else change.sound
            content = filmed(content, source_type, self.finishing.form, sound=heard)
        elif isinstance(content, Backbone):
            content = modelled(content, source_type, self.finishing.form)
        # A voice that is shown is a film, whatever its model makes.
        medium = "video" if isinstance(content, Film) else self.artifact.medium
        statement: dict[str, Any] = {
            "schema": signing.SCHEMA,
            "type": "asset",
            "system": {"name": "makar", "version": VERSION},
            "source_type": source_type,
            "time_utc": utc_now(),
            "medium": medium,
            "artifact": {"hash": self.artifact.hash, "name": self.artifact.name},
            "run": made["run"],
            "data": made["data"],
            "previous": self.artifact.hash,
            "prompt": job.prompt.stated,
            "continues_characters": len(draft.content) - len(draft.new_content)
            if isinstance(draft.content, str) and change is None
            else 0,
            "settings": self.options.to_dictionary(),
            "seed": job.seed,
            "between": None if job.between is None else dataclasses.asdict(job.between),
            "attempt": attempt,
            "hook": None if self.hook is None else _name_of(self.hook),
            "guards": [guard.name for guard in self.guards],
            "novelty": shareable_novelty(novelty),
            "content": describe_content(content),
        }
        if self.family.computing:
            statement["computing"] = self.family.computing
        if job.prompt.origin is not None:
            statement["template"] = dict(job.prompt.origin)
        if unread := unread_tokens(job.prompt, self.family.config, self.options):
            statement["unread_tokens"] = unread
        if self.constraint is not None:
            statement["form"] = self.constraint.form.stated
        if self.syntax is not None:
            statement["syntax"] = self.syntax.stated(draft.content, draft.new_content)
        if not self.steering.does_nothing:
            statement["steering"] = self.steering.to_dictionary()
        if draft.stated:
            statement["service"] = dict(draft.stated)
        if change is not None:
            figures = {} if change.measured is None else change.measured(draft.content)
            statement["edit"] = {**change.stated, **figures}
        if self.vocoder is not None:
            statement["vocoder"] = self.vocoder.stated
        if estimate is not None:
            statement["estimate"] = {"step": estimate.step, "steps": estimate.steps}
        if self.finishing.stated:
            statement["finish"] = self.finishing.stated
        statement["id"] = hashlib.sha256(signing.canonical_json(statement)).hexdigest()[:32]
        signed = signing.sign(statement, self.key)
        return Asset(content=content, medium=medium, signed=signed, novelty=novelty)


def read_options(options: dict[str, Any] | Config | None, family: Family) -> Config:
    """Return the family's options from plain values; what the family does not know is refused.

    Raises:
        UnsupportedError: A control that this model cannot honour; the message names what it can.
        ConfigError: A value of the wrong type or out of range.
    """
    if isinstance(options, Config):
        if not isinstance(options, family.options):
            raise UnsupportedError(f"options of kind {type(options).__name__}", expected=family.options.__name__)
        return options
    try:
        return family.options.from_dictionary(options or {})
    except UnknownNameError as error:
        if error.kind != f"setting of {family.options.__name__}":
            raise
        raise UnsupportedError(
            f'this model has no control "{error.name}"', expected=error.expected, do=error.do
        ) from error


def running_batch(artifact: Artifact) -> AbstractContextManager[None]:
    """Let the requests for one model, made in several threads meanwhile, share one running batch.

    Raises:
        UnsupportedError: The model has none.
    """
    family = artifact.family()
    if not isinstance(family, RunsTogether):
        raise UnsupportedError(
            f"{artifact.name} has no running batch", expected="a model of text of Makar's own", do="ask one at a time"
        )
    return family.together()


def check_writes(artifact: Artifact) -> None:
    """Refuse a model of text that only reads, whatever control comes with the question.

    Raises:
        UnsupportedError: It writes nothing; the message says what it says of texts instead.
    """
    config, family = artifact.family_config, artifact.family()
    # What writes without a beginning of its own has at least a control of how.
    if artifact.medium not in ("text", "code") or family.creates or option_names(family):
        return
    raise UnsupportedError(
        f"{artifact.name} reads texts and writes none: it is a {config.kind}, which says {' and '.join(config.predictions)}",
        expected="a model that writes",
        do=f'makar predict {artifact.name} TEXT; to write texts, train with the recipe "text"',
    )


def option_names(family: Family) -> set[str]:
    """Return the names of the sampling controls that a family honours."""
    return {field.name for field in dataclasses.fields(family.options)}


def _name_of(hook: LogitsHook) -> str:
    return hook.__name__ if isinstance(hook, FunctionType) else type(hook).__name__
