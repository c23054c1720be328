"""Images from a pretrained pipeline: the call of diffusers, with one generator a seed on the CPU.

Noise is drawn for each seed alone, so an image depends neither on the batch it is made in nor on the device. An image that is given is
changed by the pipeline that diffusers has for that; what is known stays as it is, bit for bit.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from makar.errors import MakarError, UnsupportedError
from makar.families.edits import EDITS
from makar.families.estimates import Estimate, Watcher
from makar.families.family import Batch, Sampler
from makar.families.pretrained.config import CREATE, PretrainedConfig
from makar.families.pretrained.opening import quiet
from makar.families.pretrained.options import PretrainedOptions
from makar.families.pretrained.solvers import scheduler_for
from makar.families.pretrained.tasks import Tasks
from makar.families.pretrained.watching import watch_steps
from makar.families.pretrained.words import arguments_of, asked_of, prompt_of
from makar.tensor_spec import KNOWN, MASK, SOURCE, TARGET

TOGETHER = 4
"""Images of one call: more need memory and are hardly faster."""


class PretrainedSampler(Sampler):
    """Makes images.

    Args:
        tasks: The opened pipeline in its forms.
        config: Sizes and abilities.
    """

    def __init__(self, tasks: Tasks, *, config: PretrainedConfig) -> None:
        self._tasks = tasks
        self._config = config
        self._watching: tuple[Watcher, int] | None = None

    def watch(self, watcher: Watcher, *, most: int) -> None:
        """Tell a watcher at some steps what each image is expected to become; see ``makar.families.estimates``.

        Raises:
            UnsupportedError: Nothing can be said of this pipeline before it is done, or may not: its safety checker has to look first.
        """
        if not self._config.previews or has_checker(self._tasks.opened):
            raise UnsupportedError(
                f"previews of {self._config.pipeline}"
                + (" with a safety checker, which looks at what is finished" if self._config.previews else ""),
                expected="a form of Stable Diffusion without one",
            )
        self._watching = watcher, most

    def sample(
        self, options: PretrainedOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one image for every seed, from nothing or from what its prompt hands in.

        Yields:
            (index, {"target": float32 ``[3, height, width]`` in -1..1}, True), in order.

        Raises:
            UnsupportedError: A control, an edit or a slot that this pipeline cannot honour.
            MakarError: The safety checker of the folder refused an image.
        """
        task = self._task(options, prompts)
        pipeline = self._tasks.pipeline(task)
        words = [prompt_of(prompt, pipeline) for prompt in prompts]
        fixed = asked_of(options, pipeline) | self._size(options, task, pipeline)
        # Before the first image: what is refused must cost nothing.
        scheduler_for(options, self._tasks.scheduler)
        for start in range(0, len(seeds), TOGETHER):
            part = slice(start, start + TOGETHER)
            pipeline.scheduler = scheduler_for(options, self._tasks.scheduler)
            self._watch(pipeline, task, prompts[part], start)
            images = self._make(pipeline, task, options, fixed, words[part], prompts[part], seeds[part])
            for offset, image in enumerate(images):
                yield start + offset, {TARGET: image}, True

    def _watch(self, pipeline: Any, task: str, prompts: list[Batch], start: int) -> None:
        if self._watching is None:
            return
        watcher, most = self._watching

        def tell(images: list[np.ndarray], step: int, steps: int) -> None:
            for offset, image in enumerate(_whole(task, images, prompts)):
                watcher(Estimate(index=start + offset, slots={TARGET: image}, step=step, steps=steps))

        watch_steps(pipeline, most=most, tell=tell)

    def _task(self, options: PretrainedOptions, prompts: list[Batch]) -> str:
        sets = {frozenset(prompt) & {SOURCE, KNOWN, MASK} for prompt in prompts} or {frozenset()}
        if len(sets) > 1:
            raise UnsupportedError("different edits in one call", expected="the same for every image")
        slots = next(iter(sets))
        able = [name for name in self._config.edits if frozenset(EDITS[name].slots) == slots]
        task = options.edit or (able[0] if slots and able else CREATE)
        if slots and (task not in able):
            raise UnsupportedError(
                f"this pipeline cannot use {', '.join(sorted(slots))} so", expected=", ".join(self._config.edits)
            )
        if not slots and (task != CREATE or CREATE not in self._config.abilities):
            raise UnsupportedError(
                "this pipeline was asked for an image without being given one"
                if options.edit or not self._config.edits
                else "this pipeline makes nothing from words alone",
                expected=f"an image to change: {', '.join(self._config.edits)}",
            )
        if options.strength is not None and task != "image-to-image":
            raise UnsupportedError(f"strength {options.strength:g} for {task}", expected="an image to begin from")
        if options.control_scale is not None and task != "control":
            raise UnsupportedError(f"control_scale {options.control_scale:g} for {task}", expected="a map that steers")
        return task

    def _size(self, options: PretrainedOptions, task: str, pipeline: Any) -> dict[str, Any]:
        factor = self._config.latent_factor
        asked = {"height": options.height, "width": options.width}
        if task != CREATE and any(asked.values()):
            raise UnsupportedError(
                "a size for an image that is given", expected="no width and height: it keeps the size it has"
            )
        for name, value in asked.items():
            if value is not None and value % factor:
                raise UnsupportedError(f"{name} {value}", expected=f"a multiple of {factor}")
        own = {"height": self._config.height, "width": self._config.width}
        known = arguments_of(pipeline)
        return {name: asked[name] or own[name] for name in own if name in known}

    def _make(
        self,
        pipeline: Any,
        task: str,
        options: PretrainedOptions,
        fixed: dict[str, Any],
        words: list[str],
        prompts: list[Batch],
        seeds: list[int],
    ) -> list[np.ndarray]:
        if task == "image-to-image" and options.strength == 0:
            return [prompt[SOURCE].float().numpy() for prompt in prompts]
        call = {
            **fixed,
            **self._given(pipeline, task, fixed, prompts),
            "prompt": words,
            "generator": [torch.Generator().manual_seed(seed) for seed in seeds],
            "output_type": "np",
        }
        if options.negative_prompt is not None:
            call["negative_prompt"] = [options.negative_prompt] * len(words)
        try:
            with quiet(), torch.inference_mode():
                made = pipeline(**call)
        except (ValueError, TypeError) as error:
            raise UnsupportedError(f"{type(pipeline).__name__} cannot do this: {error}") from error
        if "nsfw_content_detected" in made and any(made["nsfw_content_detected"] or ()):
            refused = [str(seed) for seed, is_bad in zip(seeds, made["nsfw_content_detected"], strict=True) if is_bad]
            raise MakarError(
                f"the safety checker of the pipeline refused the image of seed {', '.join(refused)}",
                expected="an image that it lets pass",
                do="use another prompt or seed",
            )
        images = [2 * image.astype(np.float32).transpose(2, 0, 1) - 1 for image in np.asarray(made["images"])]
        return _whole(task, images, prompts)

    def _given(self, pipeline: Any, task: str, fixed: dict[str, Any], prompts: list[Batch]) -> dict[str, Any]:
        """Return what is handed in, as the call wants it: images from 0 to 1."""
        known = arguments_of(pipeline)
        if task == CREATE:
            return {}
        if task == "inpaint":
            # From pure noise: nothing of what was there shines through.
            whole = {"strength": 1.0} if "strength" in known else {}
            masks = torch.stack([prompt[MASK] for prompt in prompts]).float()
            return {"image": _pictures(prompts, KNOWN), "mask_image": masks, **whole}
        if task == "control":
            return {"control_image" if "control_image" in known else "image": _pictures(prompts, SOURCE)}
        strength = float(fixed.get("strength", known["strength"]))
        steps = int(fixed.get("num_inference_steps", known["num_inference_steps"]))
        if int(steps * strength) < 1:
            raise UnsupportedError(
                f"strength {strength:g} of {steps} steps leaves no step", expected=f"at least {1 / strength:.0f} steps"
            )
        return {"image": _pictures(prompts, SOURCE)}


def has_checker(pipeline: Any) -> bool:
    """Return whether a pipeline judges its images before it gives them."""
    return pipeline.components.get("safety_checker") is not None


def _whole(task: str, images: list[np.ndarray], prompts: list[Batch]) -> list[np.ndarray]:
    """Return images with what is known of them in its place."""
    if task != "inpaint":
        return images
    return [
        np.where(prompt[MASK].numpy() > 0, image, prompt[KNOWN].float().numpy())
        for image, prompt in zip(images, prompts, strict=True)
    ]


def _pictures(prompts: list[Batch], slot: str) -> Tensor:
    return (torch.stack([prompt[slot] for prompt in prompts]).float().clamp(-1, 1) + 1) / 2
