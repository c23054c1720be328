"""The plan for this data, this machine and this time: recipe, sizes, number format, threads, and what to expect of them.

Two moments. ``choose_recipe`` needs the inspection only and settles medium and codec. ``size_recipe`` comes when the store is finished
(or, for ``makar plan``, with sizes estimated from the inspection) and settles everything else: a family sized for the arithmetic that
fits into the time, by the rule of its recipe, at the speed that a probe measures or a table assumes. With ``--steps`` the sizes
come from the data alone, one thread is used and nothing is measured, so that the same command gives the same bits. A stage that begins from
a saved model has the sizes of that. No torch is imported unless the probe runs.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from makar import registry
from makar.codecs.backbone_config import BackboneCodecConfig, choose_backbone_codec
from makar.codecs.chat_config import ChatCodecConfig, chat_spec
from makar.codecs.codec import CodecConfig, LearnedCodecConfig
from makar.codecs.image_config import HALVES, PAIRED, ImageCodecConfig, choose_image_codec, without_pairs
from makar.codecs.labelled_text_config import LabelledTextCodecConfig, one_class
from makar.codecs.pair_config import PairCodecConfig, choose_pair_codec
from makar.codecs.sound_config import SoundCodecConfig, choose_sound_codec
from makar.codecs.speech_config import SpeechCodecConfig, choose_spoken_codec
from makar.codecs.text_config import BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig, choose_text_codec
from makar.codecs.transcript_config import TranscriptCodecConfig
from makar.codecs.video_config import VideoCodecConfig, choose_video_codec, with_usual_rate
from makar.codecs.wave_config import WaveCodecConfig, choose_wave_codec
from makar.config import with_settings
from makar.errors import UnsupportedError, UsageError
from makar.families.family_config import FamilyConfig
from makar.recipe import KEPT, NOTHING, Origin, Recipe, Stage, check_fit, check_rows, check_task
from makar.recipes.for_task import RECIPES, reading_for, recipe_for, recipe_of_items
from makar.recipes.growing import grown_recipe
from makar.tensor_spec import TARGET, TensorSpec
from makar.training.data_size import DataSize, estimated_size, text_bytes
from makar.training.expectation import WORKING_SHARE, expectation, measured_rate
from makar.training.machine import (
    ASSUMED_OPERATIONS_PER_SECOND,
    check_room,
    free_memory_bytes,
    has_cuda,
    likely_precision,
)
from makar.training.plan import TrainingPlan
from makar.training.prediction import memory_bytes

if TYPE_CHECKING:
    from makar.data.dataset import DataSet
    from makar.training.probe import Measurement

LABELLING = (
    *(ImageCodecConfig, SoundCodecConfig, SpeechCodecConfig, VideoCodecConfig, WaveCodecConfig),
    BackboneCodecConfig,
)
"""Settings of codecs that can learn classes."""

MOST_CLASSES = 1000
LONGEST_SIDE = 32
"""Of images, in pixels, where the recipe does not ask for more."""
PROBE_SHARE, LONGEST_PROBE_SECONDS = 0.03, 8.0
SURPRISE = 1.35
"""A measured speed further than this from the assumed one sizes the model again."""
STEPS_OPERATIONS = (1e13, 3e14)
TOKENS_A_PARAMETER = 20.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for.

    Attributes:
        seconds: Wall-clock budget; either this or ``steps``.
        steps: Fixed number of steps.
        recipe: Name; ``None`` chooses by medium and labels.
        seed: Seed of every draw.
        settings: ``PATH=VALUE`` changes to the recipe.
        probe: Whether to measure the machine.
        origin: The model to begin from.
        adapter: Kind of adapter of it that is to be learned; ``None`` trains the model itself.
    """

    seconds: float | None = None
    steps: int | None = None
    recipe: str | None = None
    seed: int = 0
    settings: tuple[str, ...] = ()
    probe: bool = True
    origin: Origin | None = None
    adapter: str | None = None


def plan_training(dataset: "DataSet", request: Request) -> TrainingPlan:
    """Plan a training before any store is built, with sizes estimated from the inspection.

    Args:
        dataset: An opened data set.
        request: What was asked for.

    Raises:
        ConfigError: Neither or both of ``seconds`` and ``steps`` were given.
        OutOfMemoryError: The machine has too little memory.
        OutOfSpaceError: The disk has too little space.
    """
    chosen = choose_recipe(dataset, request)
    sizes = [estimated_size(plain_codec(stage.codec), dataset) for stage in chosen.stages]
    specs = [_begun_spec(stage, size, request.origin) for stage, size in zip(chosen.stages, sizes, strict=True)]
    return size_recipe(chosen, request, size=sizes[0], plain_specs=specs)


def choose_recipe(dataset: "DataSet", request: Request) -> Recipe:
    """Return the recipe for a data set, its codec chosen by size and shape of the data.

    Raises:
        UnknownNameError: There is no such recipe.
        UnsupportedError: The recipe is for another medium, needs labels that are not there, or needs a model to begin from or none.
    """
    if request.origin is not None:
        grown = grown_recipe(
            request.origin,
            name=request.recipe,
            adapter=request.adapter,
            medium=dataset.medium,
            task=dataset.task,
            settings=request.settings,
        )
        return _at_usual_rate(grown, dataset)
    if request.adapter is not None:
        raise UsageError(
            f"--adapter {request.adapter} of nothing", expected="a model that it adapts", do="--from MODEL"
        )
    inspection = dataset.inspection
    documents = max(1, inspection.documents)
    by_items = recipe_of_items(
        dataset.medium,
        is_labelled=_is_labelled(inspection.labels, inspection.used),
        captioned=inspection.captions / documents,
        timed=inspection.times.get("recordings", 0) / documents,
    )
    by_task = recipe_for(dataset.medium, dataset.task)
    # What people like is learned by a model that makes it.
    name = request.recipe or (by_task if dataset.task else by_items or by_task)
    recipe: Recipe = registry.load("recipes", name)()
    if recipe.grown:
        raise UnsupportedError(f'recipe "{name}" begins from a saved model', expected="one", do="--from MODEL")
    media = {medium for stage in recipe.stages for medium in stage.codec.content_media}
    if dataset.medium not in media:
        raise UnsupportedError(
            f'recipe "{name}" learns from {recipe.medium}, the data is {dataset.medium}',
            expected=f"{dataset.medium} data with recipe {RECIPES[dataset.medium]}",
        )
    recipe = reading_for(recipe, dataset.task)
    check_task(recipe, dataset.task)
    # What an image is made from decides what is needed of the data and which part of an image counts.
    recipe = with_settings(recipe, [text for text in request.settings if text.partition("=")[0].endswith(".source")])
    stages = [
        stage if stage.family.keeps_codec else stage.changed(codec=_chosen_codec(stage.codec, dataset, recipe=name))
        for stage in recipe.stages
    ]
    chosen: Recipe = with_settings(recipe.changed(stages=tuple(stages)), list(request.settings))
    return chosen.changed(medium=dataset.medium)


def _at_usual_rate(recipe: Recipe, dataset: "DataSet") -> Recipe:
    """Return a recipe that begins from a model, its clips at a rate that suits the data where none was chosen."""
    stages = [
        stage.changed(codec=with_usual_rate(stage.codec, dataset.inspection.sizes))
        if isinstance(stage.codec, VideoCodecConfig)
        else stage
        for stage in recipe.stages
    ]
    usual: Recipe = recipe.changed(stages=tuple(stages))
    return usual


def _chosen_codec(codec: CodecConfig, dataset: "DataSet", *, recipe: str) -> CodecConfig:
    """Return a codec with the sizes that suit a data set; of a learned one, the codec below it."""
    if isinstance(codec, LearnedCodecConfig):
        return codec.changed(base=_chosen_codec(codec.base, dataset, recipe=recipe))
    inspection = dataset.inspection
    if isinstance(codec, ChatCodecConfig):
        check_rows(codec, dataset.task, medium=dataset.medium, recipe=recipe)
        return codec.changed(base=_chosen_codec(codec.base, dataset, recipe=recipe))
    if isinstance(codec, LABELLING):
        if codec.use_labels and not _is_labelled(inspection.labels, inspection.used):
            raise UnsupportedError(
                f'recipe "{recipe}" needs a class for every {dataset.medium}',
                expected=f"{dataset.medium}s in one folder a class, or a table with labels",
                do=f"use --recipe {RECIPES[dataset.medium]}",
            )
        is_sung = isinstance(codec, SoundCodecConfig) and codec.use_lyrics
        described = ImageCodecConfig | SoundCodecConfig | VideoCodecConfig
        reads = is_sung or (isinstance(codec, described) and codec.use_captions)
        if reads and not inspection.captions:
            raise UnsupportedError(
                f'recipe "{recipe}" needs {"the words of songs" if is_sung else "captions"}',
                expected=f"a .txt beside every {dataset.medium}, or a table with a column of captions",
                do=f"use --recipe {dataset.medium}",
            )
    if isinstance(codec, SpeechCodecConfig | TranscriptCodecConfig):
        if not inspection.captions and not (isinstance(codec, SpeechCodecConfig) and inspection.times):
            raise UnsupportedError(
                f'recipe "{recipe}" needs the words of every recording',
                expected="a .txt beside every recording, or a metadata table with a column of text",
                do="use --recipe sound",
            )
        return choose_spoken_codec(inspection.sizes, codec)
    if isinstance(codec, SoundCodecConfig):
        return choose_sound_codec(inspection.sizes, codec)
    if isinstance(codec, WaveCodecConfig):
        return choose_wave_codec(inspection.sizes, codec)
    if isinstance(codec, BackboneCodecConfig):
        return choose_backbone_codec(inspection.sizes, codec)
    if isinstance(codec, VideoCodecConfig):
        return choose_video_codec(inspection.sizes, codec)
    if isinstance(codec, ImageCodecConfig):
        if codec.source in PAIRED and not inspection.pairs.get("count"):
            raise without_pairs(inspection.pairs, recipe)
        sizes = inspection.sizes
        return choose_image_codec(
            sizes["height"]["median"],
            width=sizes["width"]["median"] // (2 if codec.source in HALVES else 1),
            codec=codec,
            largest=max(LONGEST_SIDE, codec.height, codec.width),
        )
    if isinstance(codec, ByteCodecConfig | CharacterCodecConfig | BpeCodecConfig):
        # A recipe that fills holes needs the codec of code, whatever it reads.
        fills_holes = isinstance(codec, BpeCodecConfig) and codec.infill
        return choose_text_codec(text_bytes(dataset), "code" if fills_holes else dataset.medium)
    if isinstance(codec, LabelledTextCodecConfig) and list(inspection.labels.values()) == [inspection.used]:
        raise one_class(next(iter(inspection.labels)))
    if isinstance(codec, PairCodecConfig):
        return choose_pair_codec(text_bytes(dataset), codec)
    return codec


def plain_codec(codec: CodecConfig) -> CodecConfig:
    """Return the codec of the content itself, below any learned one."""
    return plain_codec(codec.base) if isinstance(codec, LearnedCodecConfig) else codec


def size_recipe(
    recipe: Recipe,
    request: Request,
    *,
    size: DataSize,
    plain_specs: Sequence[TensorSpec] | None = None,
    store_is_finished: bool = False,
) -> TrainingPlan:
    """Fill in sizes, machine and expectations.

    Args:
        recipe: From ``choose_recipe``.
        request: What was asked for.
        size: From ``measured_size`` or ``estimated_size``, of the first stage.
        plain_specs: What the ``plain_codec`` of every stage makes; by default what that of the first one does.
        store_is_finished: Whether the store's bytes are on the disk already.

    Raises:
        ConfigError: Codec and family do not fit.
        OutOfMemoryError: The machine has too little memory.
        OutOfSpaceError: The disk has too little space.
    """
    begin = time.monotonic()
    device = "cuda" if has_cuda() else "cpu"
    measures = request.probe and request.seconds is not None
    stages: list[Stage] = []
    measured = []
    specs = plain_specs or [size.spec] * len(recipe.stages)
    for index, stage in enumerate(recipe.stages):
        if stage.begins == KEPT:
            stages.append(stage)
            continue
        size = dataclasses.replace(size, spec=_learned_spec(stage.codec, specs[index], stages))
        wanted = stage.optimisation.precision
        precision = wanted if wanted != "auto" else likely_precision(device)
        rate = ASSUMED_OPERATIONS_PER_SECOND.get((device, precision), 1e11)
        sized = _sized(stage, request, size, index=index, operations=_operations(stage, request, size, rate))
        if measures:
            found = _measure(sized, request, size, device)
            actual = measured_rate(sized, found)
            if stage.begins == NOTHING and not 1 / SURPRISE < actual / rate < SURPRISE:
                sized = _sized(stage, request, size, index=index, operations=_operations(stage, request, size, actual))
                found = _measure(sized, request, size, device, again=found)
            measured.append(found)
        stages.append(sized)
    if request.seconds is not None:
        stages = [_fitting(stage, device) for stage in stages]
    complete: Recipe = recipe.changed(stages=tuple(stages))
    # The last stage is the model; what its steps like best decides for the whole run.
    judged = measured[-1] if measured else None
    wanted = complete.stages[-1].optimisation.precision
    plan = TrainingPlan(
        recipe=complete,
        seconds=request.seconds,
        steps=request.steps,
        seed=request.seed,
        device=device,
        threads=judged.best.threads if judged else 1,
        workers=judged.best.workers if judged else 1,
        precision=judged.best.precision if judged else (wanted if wanted != "auto" else likely_precision(device)),
        data_fingerprint=size.fingerprint,
    )
    plan = plan.changed(predicted=expectation(plan, size, judged, probe_seconds=time.monotonic() - begin))
    check_room(plan.predicted, store_bytes=0 if not store_is_finished else size.store_bytes, device=device)
    return plan


def _begun_spec(stage: Stage, size: DataSize, origin: Origin | None) -> TensorSpec:
    """Return what the codec of a stage will make, as far as it is known before the data is read."""
    if origin is None or stage.begins == NOTHING:
        return size.spec
    # A model of clips may begin with the codec of one of images.
    if stage.codec.kind == origin.model.codec.kind or isinstance(stage.codec, VideoCodecConfig):
        return origin.plain_spec(stage)
    if isinstance(stage.codec, ChatCodecConfig):
        known = origin.plain_spec(stage)[TARGET].vocabulary or 0
        return chat_spec(stage.codec.makes, vocabulary=known, usual=size.spec[TARGET].usual)
    # Classes of a new head are guessed from the inspection.
    return size.spec


def _learned_spec(codec: CodecConfig, plain: TensorSpec, stages: Sequence[Stage]) -> TensorSpec:
    """Return what a codec will make, from what its plain codec makes and the sizes of the stages it works through."""
    if not isinstance(codec, LearnedCodecConfig):
        return plain
    family: FamilyConfig = next(stage.family for stage in stages if stage.name == codec.component)
    # What does not fit is found now and not when the first stage has been trained.
    return codec.spec_over(_learned_spec(codec.base, plain, stages), family)


def _operations(stage: Stage, request: Request, size: DataSize, rate: float) -> float:
    """Return the arithmetic to size the model for."""
    if request.seconds is not None:
        return rate * request.seconds * WORKING_SHARE * stage.share
    # The data seen about four times by a model with a twentieth as many parameters: 6 N D with D = 4 U, N = D / 20.
    seen = 4.0 * size.items
    operations = 6.0 * seen * seen / TOKENS_A_PARAMETER
    return min(STEPS_OPERATIONS[1], max(STEPS_OPERATIONS[0], operations))


def _sized(stage: Stage, request: Request, size: DataSize, *, index: int, operations: float) -> Stage:
    """Return the stage with family and optimisation for so much arithmetic, the settings of the user on top."""
    if stage.begins != NOTHING:
        stage = stage.changed(family=stage.family.completed(size.spec))
        if stage.family.batching == "ragged":
            # How long rows usually are follows from the data, whoever made the weights.
            stage = stage.changed(family=stage.family.bound_to(size.spec))
        check_fit(stage, size.spec)
        return stage
    kind = stage.family.kind
    rule = registry.load("sizings", kind if kind in registry.names("sizings") else registry.ANY)
    family, optimisation = rule(stage, operations=operations, items=size.items, spec=size.spec)
    sized = stage.changed(family=family.bound_to(size.spec), optimisation=optimisation)
    # Sizing must not undo what the user set; all of it together, because a width may fit its own heads alone.
    prefix = f"stages.{index}."
    own = [setting.removeprefix(prefix) for setting in request.settings if setting.startswith(prefix)]
    sized = with_settings(sized, [setting for setting in own if setting.startswith(("family.", "optimisation."))])
    check_fit(sized, size.spec)
    return sized


def _measure(
    stage: Stage, request: Request, size: DataSize, device: str, *, again: "Measurement | None" = None
) -> "Measurement":
    from makar.training.probe import probe

    limit = min(LONGEST_PROBE_SECONDS, PROBE_SHARE * (request.seconds or 0.0) * stage.share)
    return probe(
        stage.family,
        optimisation=stage.optimisation,
        spec=size.spec,
        device=device,
        limit_seconds=limit if again is None else limit / 3,
        ways=None if again is None else [again.best],
    )


def _fitting(stage: Stage, device: str) -> Stage:
    """Cut the batch into more parts until a part fits into the memory that is free."""
    optimisation, parameters = stage.optimisation, stage.family.parameter_count()
    free = free_memory_bytes(device)
    while optimisation.batch_size > 1 and free < memory_bytes(
        parameters,
        activation_bytes=stage.family.activation_bytes(),
        batch_size=optimisation.batch_size,
        frozen_bytes=stage.family.frozen_bytes(),
    ):
        optimisation = optimisation.changed(
            batch_size=optimisation.batch_size // 2, accumulate=optimisation.accumulate * 2
        )
    return stage.changed(optimisation=optimisation)


def _is_labelled(labels: Mapping[str, int], used: int) -> bool:
    return 2 <= len(labels) <= MOST_CLASSES and sum(labels.values()) >= used
