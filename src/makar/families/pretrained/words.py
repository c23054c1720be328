"""What images, sounds and clips are asked to be, read from prompt and controls of a pretrained pipeline; what would be ignored is refused.

CLIP reads 77 tokens and cuts the rest off. A prompt that no text encoder of the pipeline reads whole is refused; where T5 stands beside
CLIP (Stable Diffusion 3, Flux) it reads what CLIP cannot.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from makar.codecs.prompted_image import words_of
from makar.errors import UnsupportedError
from makar.families.family import Batch
from makar.families.pretrained.options import PretrainedOptions
from makar.tensor_spec import CAPTION, KNOWN, MASK, SOURCE

TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
NAMES = {
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "true_guidance": "true_cfg_scale",
    "negative_prompt": "negative_prompt",
    "control_scale": "controlnet_conditioning_scale",
    "strength": "strength",
}
"""Our controls and the arguments of a pipeline's call."""


def arguments_of(pipeline: Any) -> Mapping[str, Any]:
    """Return the arguments that a pipeline takes, by name, with their defaults."""
    return {name: one.default for name, one in inspect.signature(type(pipeline).__call__).parameters.items()}


def prompt_of(slots: Batch, pipeline: Any) -> str:
    """Return the text of a prompt.

    Raises:
        UnsupportedError: It is longer than the pipeline reads, or there is something else.
    """
    foreign = set(slots) - {CAPTION, SOURCE, KNOWN, MASK}
    if foreign:
        raise UnsupportedError(f"this model cannot use {', '.join(sorted(foreign))}", expected="a description")
    words = words_of(slots[CAPTION].numpy()) if CAPTION in slots else ""
    check_length(words, pipeline)
    return words


def check_length(words: str, pipeline: Any) -> None:
    """Refuse text of which the end would be ignored.

    Raises:
        UnsupportedError: No text encoder reads it whole.
    """
    limits = []
    for name in TOKENIZERS:
        tokenizer = pipeline.components.get(name)
        if tokenizer is None:
            continue
        # Only CLIP has one limit in its tokenizer; what others read, the call of the pipeline says.
        most = arguments_of(pipeline).get("max_sequence_length")
        limit = int(tokenizer.model_max_length if most is None or "CLIP" in type(tokenizer).__name__ else most)
        count = len(tokenizer(words, truncation=False, verbose=False).input_ids)
        limits.append((count, limit))
    if limits and all(count > limit for count, limit in limits):
        count, limit = max(limits, key=lambda one: one[1])
        raise UnsupportedError(f"a prompt of {count} tokens", expected=f"at most {limit}", do="say it in fewer words")


def asked_of(options: PretrainedOptions, pipeline: Any) -> dict[str, Any]:
    """Return the arguments for a pipeline's call that the controls ask for.

    Raises:
        UnsupportedError: The pipeline has no such control, or it would change nothing.
    """
    known = arguments_of(pipeline)
    given = {name: value for name in NAMES if (value := options.to_dictionary()[name]) is not None}
    kind = type(pipeline).__name__
    for name in given:
        if NAMES[name] not in known:
            able = [ours for ours, theirs in NAMES.items() if theirs in known]
            raise UnsupportedError(f"{kind} has no {name} here", expected=f"one of: {', '.join(able)}")
    if options.negative_prompt is not None:
        check_length(options.negative_prompt, pipeline)
        name = "true_guidance" if NAMES["true_guidance"] in known else "guidance"
        weight = given.get(name, known[NAMES[name]])
        if not weight > 1:
            raise UnsupportedError(
                f"a negative prompt with {name} {weight:g}", expected=f"{name} above 1, which leads away from it"
            )
    return {NAMES[name]: value for name, value in given.items()}


def described(prompts: Sequence[Batch], pipeline: Any) -> list[str]:
    """Return the descriptions of what a pipeline as it came is to make.

    Raises:
        UnsupportedError: There is none, it is too long to be read whole, or something else is given.
    """
    texts = []
    for prompt in prompts:
        if unknown := set(prompt) - {CAPTION}:
            raise UnsupportedError(f"this model cannot use {', '.join(sorted(unknown))}", expected="a description")
        if CAPTION not in prompt:
            raise UnsupportedError("this pipeline makes nothing without words", expected="a description")
        texts.append(words_of(prompt[CAPTION].numpy()))
        check_length(texts[-1], pipeline)
    return texts


def avoided(negative: str | None, call: Mapping[str, Any], pipeline: Any) -> dict[str, Any]:
    """Return the argument that names what is to be avoided; none where nothing is.

    Args:
        negative: What is to be avoided.
        call: The other arguments, the weight of the words among them where it was given.
        pipeline: The pipeline.

    Raises:
        UnsupportedError: Words have no weight, so nothing can be avoided, or it is too long to be read whole.
    """
    if negative is None:
        return {}
    weight = call.get("guidance_scale", arguments_of(pipeline)["guidance_scale"])
    if not weight > 1:
        raise UnsupportedError(f"a negative prompt with guidance {weight:g}", expected="guidance above 1")
    check_length(negative, pipeline)
    return {"negative_prompt": negative}
