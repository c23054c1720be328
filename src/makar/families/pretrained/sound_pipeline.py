"""A pipeline of diffusers that makes sounds of what is described, as it came: AudioLDM, AudioLDM 2, MusicLDM, Stable Audio.

Sources: Liu et al. 2023, arXiv 2301.12503 (AudioLDM) and arXiv 2308.05734 (AudioLDM 2); Evans et al. 2024, arXiv 2407.14358 (Stable Audio
Open). Noise is drawn on the CPU for each seed alone; what further parts draw by themselves follows from the same seed. A description that
no reader of the pipeline reads whole is refused.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from makar.errors import ArtifactError
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.folder import PipelineFolder, read_folder
from makar.families.pretrained.opening import diffusers
from makar.families.pretrained.pipeline import PipelineAsItCame, made_by
from makar.families.pretrained.sound_config import SoundPipelineConfig
from makar.families.pretrained.sound_pipeline_options import SoundPipelineOptions
from makar.families.pretrained.words import arguments_of, avoided, described
from makar.provenance.pipelines import content_hash, hashed_files
from makar.tensor_spec import TARGET

LENGTHS = ("audio_length_in_s", "audio_end_in_s")
"""What such pipelines call the length of a sound."""


def describe_sound_pipeline(folder: Path) -> SoundPipelineConfig:
    """Return the configuration of the folder of a pipeline of sound as it is.

    Raises:
        ArtifactError: It must not be opened, or does not say how many samples a second it makes.
    """
    diffusers()
    looked = read_folder(folder)
    rate, channels = _rate_and_channels(looked)
    return SoundPipelineConfig(
        base=content_hash(hashed_files(folder, looked.files)),
        architecture=looked.pipeline,
        rate_hz=rate,
        channels=channels,
        weights=sum(looked.weights().values()),
    )


def _rate_and_channels(folder: PipelineFolder) -> tuple[int, int]:
    vocoder, autoencoder = folder.settings("vocoder"), folder.settings("vae")
    found = (vocoder or autoencoder).get("sampling_rate"), 1 if vocoder else autoencoder.get("audio_channels", 1)
    rate, channels = found
    if type(rate) is not int or not 1000 <= rate <= 192_000 or channels not in (1, 2):
        raise ArtifactError(
            f"{folder.path} makes sounds of {channels!r} channels and {rate!r} samples a second",
            expected="one channel or two, 1000 to 192000 samples",
            do="get the whole folder again",
        )
    return rate, int(channels)


class SoundPipeline(PipelineAsItCame):
    """A pipeline of sound.

    Args:
        config: Names the folder by its hash.
    """

    options: ClassVar[type[SoundPipelineOptions]] = SoundPipelineOptions
    config: SoundPipelineConfig

    def __init__(self, config: SoundPipelineConfig) -> None:
        super().__init__(config, weights=config.weights, describe=lambda folder: describe_sound_pipeline(folder.path))

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler of sounds."""
        del codec
        refuse_hook(hook)
        return SoundPipelineSampler(self.pipeline, config=self.config)


class SoundPipelineSampler(Sampler):
    """Makes sounds, one after the other.

    Args:
        pipeline: As it was opened.
        config: Its rate and channels.
    """

    def __init__(self, pipeline: Any, *, config: SoundPipelineConfig) -> None:
        self._pipeline = pipeline
        self._config = config

    def sample(
        self, options: SoundPipelineOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make a sound of every description.

        Yields:
            (index, {"target": float32 ``[samples, channels]``}, True), in order.

        Raises:
            UnsupportedError: There is no description, or it, the length or a control cannot be honoured.
        """
        texts = described(prompts, self._pipeline)
        call = self._call(options)
        for index, (text, seed) in enumerate(zip(texts, seeds, strict=True)):
            yield index, {TARGET: self._made(text, options, call, seed)}, True

    def _call(self, options: SoundPipelineOptions) -> Mapping[str, Any]:
        known = arguments_of(self._pipeline)
        length = next(name for name in LENGTHS if name in known)
        call: dict[str, Any] = {length: options.seconds}
        if options.steps is not None:
            call["num_inference_steps"] = options.steps
        if options.guidance is not None:
            call["guidance_scale"] = options.guidance
        return call | avoided(options.negative_prompt, call, self._pipeline)

    def _made(self, text: str, options: SoundPipelineOptions, call: Mapping[str, Any], seed: int) -> np.ndarray:
        made = made_by(self._pipeline, text, call, seed=seed).audios[0]
        samples = np.asarray(made.float().cpu() if isinstance(made, torch.Tensor) else made, np.float32)
        whole = samples.T if samples.ndim == 2 else samples[:, None]
        return np.ascontiguousarray(whole[: max(1, round(options.seconds * self._config.rate_hz))])
