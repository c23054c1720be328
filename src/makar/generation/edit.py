"""``edit``: changing what is there, through the same one way to an asset as making something new; of text see ``text_edit``.

What is to be done follows from the request (``edit_request``), what the model sees and where its pixels go from ``inpainting``,
``enlarging``, ``colouring`` and ``frames``. Every asset states the operation, its settings and the sha256 of what was given, and carries
the public mark of a composite.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from makar.artifacts.artifact import Artifact
from makar.data.record import WRITTEN
from makar.errors import UnsupportedError, UsageError
from makar.families.family import Batch
from makar.generation.able import check_edit
from makar.generation.asset import Asset
from makar.generation.change import Change, unchanged
from makar.generation.colouring import coloured
from makar.generation.edit_request import EditRequest, operation_of, read_request
from makar.generation.enlarging import check_factor, enlarged
from makar.generation.frames import frames_between_images, frames_between_seeds
from makar.generation.generate import make_assets
from makar.generation.given_image import GivenImage, read_given_image
from makar.generation.guards import NoveltyCheck
from makar.generation.image_slots import encoded, fit_of, image_size, map_of, source_of
from makar.generation.in_parts import made_in_parts
from makar.generation.inpainting import inpainting
from makar.generation.jobs import Job, check_count_and_seed
from makar.generation.music_edit import edit_music
from makar.generation.previewing import Previewable
from makar.generation.prompts import Prompt, Prompts, read_prompts
from makar.generation.request import Request, option_names
from makar.generation.sound_edit import edit_sound
from makar.generation.structure_edit import edit_structure
from makar.generation.text_edit import edit_text
from makar.generation.video_edit import edit_video
from makar.tensor_spec import REFERENCE, SOURCE

STRENGTH = "strength"
OPERATION = "edit"
"""Control of families that can do several things with one ``source``: which of them."""


def edit(
    artifact: Artifact,
    how: EditRequest | Mapping[str, Any],
    *,
    prompts: Prompts = None,
    count: int = 1,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    novelty: NoveltyCheck | None = None,
) -> Iterator[Asset]:
    """Change an image, a file of text, or a piece of music.

    Args:
        artifact: The model.
        how: The image or file (``image``) and what is to be done with it; see ``EditRequest`` and ``TextEditRequest``.
        prompts: What it is to become: a class or a description, where the model takes one.
        count: Variants for each prompt.
        seed: Seed of the first variant; the next has ``seed + 1``.
        options: Sampling controls by name, ``strength`` among them.
        novelty: Compares what the model made with the training data; ``None`` where that is not on this machine.

    Yields:
        Signed assets, prompt after prompt, in the order of their seeds; frames in their order.

    Raises:
        UsageError: Nothing or contradicting things are asked for, or a mask or box does not fit the image.
        UnsupportedError: The model cannot do it; the message names what it can and recipes that can.
        DataError: A file cannot be read as an image.
    """
    if artifact.medium == "music":
        return edit_music(artifact, how, prompts=prompts, count=count, seed=seed, options=options, novelty=novelty)
    if artifact.medium == "sound":
        return edit_sound(artifact, how, prompts=prompts, count=count, seed=seed, options=options, novelty=novelty)
    if artifact.medium == "structure":
        return edit_structure(artifact, how, prompts=prompts, count=count, seed=seed, options=options, novelty=novelty)
    if artifact.medium == "video":
        return edit_video(artifact, how, prompts=prompts, count=count, seed=seed, options=options, novelty=novelty)
    if artifact.medium in WRITTEN:
        if prompts is not None:
            raise UnsupportedError("a prompt for a change of text", expected="what stands around the hole")
        words = dict(how.to_dictionary() if isinstance(how, EditRequest) else how)
        source = words.pop("image", None)
        return edit_text(artifact, source, words, count=count, seed=seed, options=options, novelty=novelty)
    if artifact.medium != "image":
        raise UnsupportedError(
            f"a model of {artifact.medium} changes nothing",
            expected="a model of images, sounds, structures, videos or code",
        )
    asked = read_request(how)
    check_count_and_seed(count, seed)
    controls = {name: value for name, value in (options or {}).items() if value is not None}
    given = None if asked.image is None else read_given_image(asked.image)
    config = artifact.recipe.stages[-1].family
    operation = operation_of(
        asked,
        has_strength=STRENGTH in controls,
        is_transparent=given is not None and bool(given.transparent.any()),
        able=config.edits,
    )
    check_edit(operation, config, medium="image")
    if OPERATION in option_names(artifact.family()):
        controls[OPERATION] = operation
    request = Request(artifact, options=controls, novelty=novelty, refuse_copies=False)
    stated: dict[str, Any] = {"operation": operation, "settings": asked.stated()}
    if given is not None:
        stated["source"] = given.stated
    if operation.startswith("interpolate"):
        if prompts is not None or count != 1:
            raise UsageError(
                "a prompt or a count for frames between two ends",
                expected="one row of frames, of a class given as a label",
            )
        if given is None:
            return frames_between_seeds(request, asked, seed=seed, stated=stated)
        return _frames(request, given, asked, seed=seed, stated=stated)
    assert given is not None
    chosen = read_prompts(prompts, request.codec, request.family)
    pixels, size = given.pixels, image_size(request.codec)
    jobs = _jobs(chosen, {}, None, count=count, seed=seed)
    if operation == "enlarge":
        factor = asked.enlarge or 1
        check_factor(factor, config, request.codec)
        return made_in_parts(
            request, jobs, whole=lambda make: enlarged(pixels, make, size=size, factor=factor), stated=stated
        )
    if operation == "colour":
        fit = fit_of(request.codec)
        return made_in_parts(
            request, jobs, whole=lambda make: coloured(pixels, make, size=size, fit=fit), stated=stated
        )
    slots, change = _one_image(request, given, asked, operation, stated)
    made = make_assets(request, _jobs(chosen, slots, change, count=count, seed=seed))
    return Previewable(made, request.show)


def _one_image(
    request: Request, given: GivenImage, asked: EditRequest, operation: str, stated: dict[str, Any]
) -> tuple[Batch, Change]:
    """Return what the sampler gets and what becomes of its answer, for an operation with one image in and one out."""
    if operation == "inpaint":
        slots, change = inpainting(given, asked, request.codec)
        return slots, Change(finish=change.finish, stated=stated | change.stated)
    if asked.photo:
        return {SOURCE: map_of(given.pixels, request.codec)}, Change(finish=unchanged, stated=stated)
    slots = {SOURCE: source_of(given.pixels, request.codec, request.family)}
    if operation == "restyle":
        reference = read_given_image(asked.reference)
        slots[REFERENCE] = encoded(reference.pixels, request.codec)
        stated = stated | {"reference": reference.stated}
    return slots, Change(finish=unchanged, stated=stated)


def _frames(
    request: Request, given: GivenImage, asked: EditRequest, *, seed: int, stated: dict[str, Any]
) -> Iterator[Asset]:
    other = read_given_image(asked.to)
    first, last = (source_of(image.pixels, request.codec, request.family) for image in (given, other))
    return frames_between_images(request, (first, last), asked, seed=seed, stated=stated | {"to": other.stated})


def _jobs(prompts: list[Prompt], slots: Batch, change: Change | None, *, count: int, seed: int) -> list[Job]:
    return [
        Job(Prompt(stated=prompt.stated, slots={**prompt.slots, **slots}, change=change), seed + number)
        for prompt in prompts
        for number in range(count)
    ]
