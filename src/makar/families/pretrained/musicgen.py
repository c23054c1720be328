"""A MusicGen as it came: music or sounds of what is described, as tokens in several streams that a codec turns into samples.

Source: Copet et al. 2023, arXiv 2306.05284; guidance by Ho and Salimans 2022, arXiv 2207.12598. The tokens of a moment are written one step
after the other, stream by stream (its section 2.2), so a sound of n moments takes n steps and one more for each further stream. They are
drawn by the loop of transformers, from the seed; of the folder's own settings of generation only numbers of tokens and strengths are taken.
"""

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch

from makar.codecs.prompted_image import words_of
from makar.errors import ArtifactError, UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.checkpoint_settings import quiet_transformers, transformers
from makar.families.pretrained.drawing import drawn_from
from makar.families.pretrained.music_options import MusicOptions
from makar.families.pretrained.sound_config import MusicConfig
from makar.families.pretrained.sound_family import SoundCheckpoint
from makar.families.pretrained.text_opening import open_tokenizer
from makar.tensor_spec import CAPTION, TARGET

USUAL_GUIDANCE, USUAL_TOP_K = 3.0, 250
"""Of the paper, section 4.1, where a folder says nothing."""

NUMBERS = ("pad_token_id", "bos_token_id", "decoder_start_token_id")


class MusicCheckpoint(SoundCheckpoint):
    """A MusicGen.

    Args:
        config: Names the folder by its hash.
    """

    options: ClassVar[type[MusicOptions]] = MusicOptions
    config: MusicConfig

    def __init__(self, config: MusicConfig) -> None:
        super().__init__(config)
        self.tokenizer = open_tokenizer(self.folder)
        said = self.folder.generation()
        stated = {name: said.get(name, self.network.config.decoder.to_dict().get(name)) for name in NUMBERS}
        if any(type(number) is not int for number in stated.values()):
            raise ArtifactError(
                f"{self.folder.path} does not say which token begins a sound", expected=", ".join(NUMBERS)
            )
        self.numbers: dict[str, int] = stated
        # What else a folder says of generation would be taken wherever a call says nothing.
        self.network.generation_config = transformers().GenerationConfig(**stated)
        guidance, top_k = said.get("guidance_scale"), said.get("top_k")
        self.usual_guidance = float(guidance) if isinstance(guidance, int | float) else USUAL_GUIDANCE
        self.usual_top_k = top_k if type(top_k) is int and top_k >= 0 else USUAL_TOP_K

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler of sounds."""
        del codec
        refuse_hook(hook)
        return MusicSampler(self)


class MusicSampler(Sampler):
    """Makes sounds, one after the other.

    Args:
        family: The checkpoint.
    """

    def __init__(self, family: MusicCheckpoint) -> None:
        self._family = family

    def sample(
        self, options: MusicOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make a sound of every prompt, of anything where there is none.

        Yields:
            (index, {"target": float32 ``[samples, channels]``}, True), in order.

        Raises:
            UnsupportedError: A prompt, a length or a control that the checkpoint cannot honour.
        """
        config = self._family.config
        if options.seconds > config.longest_seconds:
            raise UnsupportedError(
                f"{options.seconds:g} seconds of {self._family.folder.path.name}",
                expected=f"at most {config.longest_seconds:.1f}",
            )
        texts = []
        for prompt in prompts:
            if unknown := set(prompt) - {CAPTION}:
                raise UnsupportedError(f"this model cannot use {', '.join(sorted(unknown))}", expected="a description")
            texts.append(words_of(prompt[CAPTION].numpy()) if CAPTION in prompt else "")
        if "" in texts and options.guidance not in (None, 1.0):
            raise UnsupportedError(f"guidance {options.guidance:g} without a description", expected="a prompt")
        for index, (text, seed) in enumerate(zip(texts, seeds, strict=True)):
            yield index, {TARGET: self._made(text, options, seed)}, True

    def _made(self, text: str, options: MusicOptions, seed: int) -> np.ndarray:
        family, config = self._family, self._family.config
        length = max(1, round(options.seconds * config.rate_hz))
        moments = max(config.streams, -(-length // config.hop))
        network, guidance = family.network, family.usual_guidance if options.guidance is None else options.guidance
        with quiet_transformers(), drawn_from(seed), torch.inference_mode():
            if text:
                given = dict(family.tokenizer(text, return_tensors="pt").to(network.device))
            else:
                given, guidance = _nothing(network), 1.0
            settings = transformers().GenerationConfig(
                **family.numbers,
                max_new_tokens=moments + config.streams - 1,
                guidance_scale=guidance,
                **_drawing(options, family.usual_top_k),
            )
            made = network.generate(**given, generation_config=settings)
        samples: np.ndarray = made[0].float().cpu().numpy().T[:length]
        return np.ascontiguousarray(samples, np.float32)


def _drawing(options: MusicOptions, usual_top_k: int) -> dict[str, Any]:
    if options.temperature == 0:
        return {"do_sample": False}
    return {
        "do_sample": True,
        "temperature": options.temperature,
        "top_k": usual_top_k if options.top_k is None else options.top_k,
        "top_p": options.top_p,
    }


def _nothing(network: Any) -> dict[str, Any]:
    """Return what stands for no description, as the arguments of ``generate``."""
    found = network.get_unconditional_inputs(num_samples=1)
    known = inspect.signature(network.forward).parameters
    return {name: value for name, value in found.items() if name in known and value is not None}
