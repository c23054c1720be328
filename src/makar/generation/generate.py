"""The one way from a sampler to an asset: options, prompts, seeds, drawing, guards, novelty, manifest, signature.

Everything that leaves Makar comes through here, so that what is evaluated is what is served and nothing unmarked leaves. Decisions: the
seed of the n-th asset for one prompt is ``seed + n``, whatever other prompts are asked for, so that any asset can be made again alone;
a text asset is the prompt and its continuation, and its manifest says how many characters were given; later marks on the content
(watermarks) belong between drawing and guards.
"""

import collections
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from makar.artifacts.artifact import Artifact
from makar.artifacts.save import utc_now
from makar.codecs.codec import Codec
from makar.config import Config
from makar.errors import CopyRefusedError, UnknownNameError, UnsupportedError, UsageError
from makar.families.family import Family, Sampler
from makar.generation.asset import Asset
from makar.generation.guards import CopyGuard, Draft, Guard, NoveltyCheck, first_refusal, seed_of_attempt
from makar.generation.prompts import Prompt, Prompts, read_prompts
from makar.provenance import manifest as signing
from makar.provenance.content import describe_content
from makar.provenance.embedding import SOURCE_TYPE
from makar.provenance.keys import signing_key
from makar.provenance.manifest import canonical_json
from makar.tensor_spec import TARGET
from makar.version import VERSION

MOST_ATTEMPTS = 8
TOGETHER = 64
LARGEST_SEED = 1 << 62

GUARDS: tuple[Guard, ...] = ()
"""Guards that look at every draft of every medium, in order; safety filters go here."""


def generate(
    artifact: Artifact,
    *,
    prompts: Prompts = None,
    count: int = 1,
    seed: int = 0,
    options: dict[str, Any] | Config | None = None,
    novelty: NoveltyCheck | None = None,
    refuse_copies: bool = False,
) -> Iterator[Asset]:
    """Make new content.

    Args:
        artifact: The model.
        prompts: What to start from (see ``read_prompts``); ``None`` for nothing.
        count: Assets for each prompt.
        seed: Seed of the first asset of a prompt; the next has ``seed + 1``.
        options: Sampling controls by name, or an instance of the family's options.
        novelty: Compares each asset with the training data; ``None`` where that is not on this machine.
        refuse_copies: Draw again what is too close to the training data, up to 8 times an asset.

    Yields:
        Signed assets, prompt after prompt, in the order of their seeds.

    Raises:
        UnsupportedError: A control or prompt that this model cannot honour; the message names what it can.
        CopyRefusedError: Every draw for an asset was too close to the training data.
    """
    # A function with yield would check nothing before the first asset is asked for.
    request = _Request(artifact, options, novelty, refuse_copies)
    jobs = _jobs(read_prompts(prompts, request.codec, request.family), count, seed)
    return _make(request, jobs)


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


class _Request:
    """What is the same for every asset of one call."""

    def __init__(self, artifact: Artifact, options: Any, novelty: NoveltyCheck | None, refuse_copies: bool) -> None:
        if refuse_copies and novelty is None:
            raise UnsupportedError(
                "copies cannot be refused: the training data is not indexed here",
                expected="a model trained on this machine whose index is still there",
            )
        self.artifact = artifact
        self.codec: Codec = artifact.codec()
        self.family: Family = artifact.family()
        self.options = read_options(options, self.family)
        self.novelty = novelty
        self.guards: tuple[Guard, ...] = (*GUARDS, CopyGuard()) if refuse_copies else GUARDS
        self.sampler: Sampler = self.family.sampler(self.codec)
        self.key = signing_key()

    def draft(self, prompt: Prompt, slots: dict[str, np.ndarray]) -> Draft:
        """Turn a finished example into content and compare it with the training data."""
        content, new_content = decode_example(self.codec, prompt, slots)
        finding = self.novelty.check(new_content) if self.novelty is not None else None
        return Draft(content=content, new_content=new_content, novelty=finding)

    def asset(self, job: "_Job", draft: Draft, attempt: int) -> Asset:
        """Sign what passed every guard."""
        made = self.artifact.manifest
        novelty = draft.novelty.to_dictionary() if draft.novelty is not None else None
        statement: dict[str, Any] = {
            "schema": signing.SCHEMA,
            "type": "asset",
            "system": {"name": "makar", "version": VERSION},
            "source_type": SOURCE_TYPE,
            "time_utc": utc_now(),
            "medium": self.artifact.medium,
            "artifact": {"hash": self.artifact.hash, "name": self.artifact.name},
            "run": made["run"],
            "data": made["data"],
            "previous": self.artifact.hash,
            "prompt": job.prompt.stated,
            "continues_characters": len(draft.content) - len(draft.new_content)
            if isinstance(draft.content, str)
            else 0,
            "settings": self.options.to_dictionary(),
            "seed": job.seed,
            "attempt": attempt,
            "guards": [guard.name for guard in self.guards],
            "novelty": novelty,
            "content": describe_content(draft.content),
        }
        statement["id"] = hashlib.sha256(canonical_json(statement)).hexdigest()[:32]
        return Asset(
            content=draft.content,
            medium=self.artifact.medium,
            signed=signing.sign(statement, self.key),
            novelty=novelty,
        )


class _Job:
    """One asset to make."""

    def __init__(self, prompt: Prompt, seed: int) -> None:
        self.prompt = prompt
        self.seed = seed


def decode_example(codec: Codec, prompt: Prompt, slots: dict[str, np.ndarray]) -> tuple[Any, Any]:
    """Return (whole content, what the model made of it) of one finished example."""
    given = prompt.tokens
    if given is None:
        content = codec.decode(slots)
        return content, content
    whole = codec.decode({**slots, TARGET: np.concatenate([given, slots[TARGET]])})
    before = codec.decode({TARGET: given})
    # Bytes at the seam can join into one character; then the new part begins before it.
    length = next((i for i, (a, b) in enumerate(zip(before, whole)) if a != b), min(len(before), len(whole)))
    return whole, whole[length:]


def _jobs(prompts: list[Prompt], count: int, seed: int) -> list[_Job]:
    if count < 1:
        raise UsageError(f"{count} assets", expected="at least 1")
    if not 0 <= seed < LARGEST_SEED:
        raise UsageError(f"the seed {seed}", expected=f"0 to {LARGEST_SEED - 1}")
    jobs = []
    # The same prompt twice asks for two different assets.
    used: collections.Counter[bytes] = collections.Counter()
    for prompt in prompts:
        name = canonical_json(prompt.stated)
        for _ in range(count):
            jobs.append(_Job(prompt, seed + used[name]))
            used[name] += 1
    return jobs


def _make(request: _Request, jobs: list[_Job]) -> Iterator[Asset]:
    for start in range(0, len(jobs), TOGETHER):
        part = jobs[start : start + TOGETHER]
        waiting = {index: job.seed for index, job in enumerate(part)}
        passed: dict[int, tuple[Draft, int]] = {}
        reason = ""
        given = 0
        for attempt in range(MOST_ATTEMPTS):
            drawn = _draw(request, [part[index] for index in waiting], attempt)
            indices = list(waiting)
            for position, slots in drawn:
                index = indices[position]
                draft = request.draft(part[index].prompt, slots)
                refused = first_refusal(request.guards, draft)
                if refused is not None:
                    reason = refused
                    continue
                passed[index] = (draft, attempt)
                del waiting[index]
                while given in passed:
                    yield request.asset(part[given], *passed.pop(given))
                    given += 1
            if not waiting:
                break
        if waiting:
            seeds = ", ".join(str(seed) for seed in waiting.values())
            raise CopyRefusedError(
                f"all {MOST_ATTEMPTS} draws for seed {seeds} were refused: {reason}",
                expected="content that passes every guard",
                do="use another seed or prompt, raise the temperature, or train on more data",
            )


def _draw(request: _Request, jobs: list[_Job], attempt: int) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    prompts = [job.prompt.slots for job in jobs]
    seeds = [seed_of_attempt(job.seed, attempt) for job in jobs]
    parts: dict[int, list[dict[str, np.ndarray]]] = collections.defaultdict(list)
    for index, slots, is_finished in request.sampler.sample(request.options, prompts, seeds):
        parts[index].append(slots)
        if is_finished:
            yield index, join_slots(parts.pop(index))


def join_slots(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join what a streaming sampler gave piece by piece along the first axis."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts if name in part]) for name in parts[0]}
