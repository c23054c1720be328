"""The one way from a sampler to an asset: options, prompts, seeds, drawing, guards, novelty, manifest, signature.

Everything that leaves Makar comes through here, so that what is evaluated is what is served and nothing unmarked leaves. Decisions: the
seed of the n-th asset for one prompt is ``seed + n``, whatever other prompts are asked for, so that any asset can be made again alone;
a text asset is the prompt and its continuation, and its manifest says how many characters were given; a watermark of text is a hook on
the logits, later marks on finished content belong between drawing and guards.
"""

from collections.abc import Iterator
from typing import Any

from makar.artifacts.artifact import Artifact
from makar.codecs.prosody import AS_IT_IS
from makar.config import Config
from makar.errors import CopyRefusedError, UnsupportedError
from makar.families.logits_hook import LogitsHook
from makar.generation.asset import Asset
from makar.generation.cloning import read_example
from makar.generation.finishing import read_finishing
from makar.generation.form import read_form
from makar.generation.guards import MOST_ATTEMPTS, Draft, NoveltyCheck, first_refusal
from makar.generation.jobs import Job, make_jobs
from makar.generation.previewing import Previewable
from makar.generation.prompt_file import with_own_options
from makar.generation.prompts import Prompts, read_prompts
from makar.generation.request import Request
from makar.generation.speaking import Speaks, read_manner, speak
from makar.generation.steering import read_steering
from makar.generation.syntax import read_syntax
from makar.generation.vocoding import read_vocoder

TOGETHER = 64


def generate(
    artifact: Artifact,
    *,
    prompts: Prompts = None,
    count: int = 1,
    seed: int = 0,
    options: dict[str, Any] | Config | None = None,
    novelty: NoveltyCheck | None = None,
    refuse_copies: bool = False,
    hook: LogitsHook | None = None,
) -> Iterator[Asset]:
    """Make new content.

    Args:
        artifact: The model.
        prompts: What to start from (see ``read_prompts``); ``None`` for nothing.
        count: Assets for each prompt.
        seed: Seed of the first asset of a prompt; the next has ``seed + 1``.
        options: Sampling controls by name, or an instance of the family's options; for images also ``palette`` and ``svg``, for music
            ``player``, for video ``format`` (see ``finishing``), for speech ``speed``, ``pitch`` and ``energy`` (see ``speaking``) and
            ``example`` (see ``cloning``), for speech and sounds ``vocoder`` (see ``vocoding``), for text a form: ``json_schema``,
            ``regex``, ``choice`` or ``tools`` (see ``form``), and ``frequency_penalty``, ``presence_penalty`` and ``logit_bias`` (see
            ``steering``) and ``syntax``, for text or code that goes on as source of a language (see ``syntax``).
        novelty: Compares each asset with the training data; ``None`` where that is not on this machine.
        refuse_copies: Draw again what is too close to the training data, up to 8 times an asset.
        hook: Reshapes the logits of every token before it is drawn: a watermark.

    Yields:
        Signed assets, prompt after prompt, in the order of their seeds; ``previewing.shown`` shows them in the making.

    Raises:
        UnsupportedError: A control or prompt that this model cannot honour; the message names what it can.
        CopyRefusedError: Every draw for an asset was too close to the training data.
    """
    # A function with yield would check nothing before the first asset is asked for.
    form, controls = read_form(with_own_options(prompts, options))
    finishing, controls = read_finishing(controls, medium=artifact.medium)
    steering, controls = read_steering(controls)
    held, controls = read_syntax(controls, form)
    manner, controls = read_manner(controls)
    example, controls = read_example(controls)
    vocoder, controls = read_vocoder(controls)
    request = Request(
        artifact,
        options=controls,
        novelty=novelty,
        refuse_copies=refuse_copies,
        hook=hook,
        finishing=finishing,
        form=held,
        steering=steering,
    )
    if vocoder is not None:
        request.use_vocoder(vocoder)
    if isinstance(request.codec, Speaks):
        return speak(request, prompts, count=count, seed=seed, manner=manner or AS_IT_IS, example=example)
    if example is not None:
        raise UnsupportedError(
            "an example of a voice for a model that does not speak", expected="a model of the recipe speech-clone"
        )
    if manner is not None:
        raise UnsupportedError(
            "a speed, pitch or energy of a model that does not speak", expected="a model of the recipe speech"
        )
    jobs = make_jobs(read_prompts(prompts, request.codec, request.family), count, seed)
    return Previewable(make_assets(request, jobs), request.show)


def make_assets(request: Request, jobs: list[Job]) -> Iterator[Asset]:
    """Draw, judge and sign: what no guard refuses becomes an asset.

    Args:
        request: The request in force.
        jobs: What to make.

    Yields:
        One asset a job, in their order.

    Raises:
        CopyRefusedError: Every draw for an asset was refused.
    """
    for start in range(0, len(jobs), TOGETHER):
        # What comes after one that is missing is not given: the order is all that says which asset is whose.
        given = 0
        for position, asset in make_together(request, jobs[start : start + TOGETHER]):
            if position == given:
                yield asset
                given += 1


def make_together(request: Request, jobs: list[Job]) -> Iterator[tuple[int, Asset]]:
    """Draw, judge and sign jobs that are computed side by side.

    Args:
        request: The request in force.
        jobs: What to make, at most ``TOGETHER`` for the memory's sake.

    Yields:
        (position of the job, its asset), in order.

    Raises:
        CopyRefusedError: Every draw for some of the jobs was refused; what the others gave has been given before.
    """
    waiting = list(range(len(jobs)))
    passed: dict[int, tuple[Draft, int]] = {}
    reason = ""
    given = 0
    for attempt in range(MOST_ATTEMPTS):
        refused = []
        for position, slots in request.draw([jobs[index] for index in waiting], attempt):
            index = waiting[position]
            draft = request.draft(jobs[index].prompt, slots)
            refusal = first_refusal(request.guards, draft)
            if refusal is not None:
                reason = refusal
                refused.append(index)
                continue
            passed[index] = (draft, attempt)
            while given in passed:
                found, drawn = passed.pop(given)
                yield given, request.asset(jobs[given], found, drawn)
                given += 1
        waiting = sorted(refused)
        if not waiting:
            return
    for index in sorted(passed):
        found, drawn = passed[index]
        yield index, request.asset(jobs[index], found, drawn)
    seeds = ", ".join(str(jobs[index].seed) for index in waiting)
    raise CopyRefusedError(
        f"all {MOST_ATTEMPTS} draws for seed {seeds} were refused: {reason}",
        expected="content that passes every guard",
        do="use another seed or prompt, raise the temperature, or train on more data",
    )
