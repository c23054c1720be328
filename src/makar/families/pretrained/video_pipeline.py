"""A pipeline of diffusers that makes clips of what is described, as it came: Wan, LTX, CogVideoX.

Sources: Wan team 2025, arXiv 2503.20314; HaCohen et al. 2024, arXiv 2501.00103 (LTX); Yang et al. 2024, arXiv 2408.06072 (CogVideoX).
Noise is drawn on the CPU for each seed alone. Such pipelines round how many frames they are asked for; what they would not make is refused,
so that a clip is as long as it was asked to be. On a device that they do not fit on as a whole, one component at a time is there.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from torch import nn

from makar.errors import UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.pretrained.folder import PipelineFolder
from makar.families.pretrained.opening import diffusers
from makar.families.pretrained.pipeline import PipelineAsItCame, made_by
from makar.families.pretrained.video_config import RATES_HZ, VideoPipelineConfig
from makar.families.pretrained.video_options import VideoPipelineOptions
from makar.families.pretrained.words import avoided, described
from makar.provenance.pipelines import content_hash, hashed_files
from makar.tensor_spec import TARGET

NAMES = {
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "frames": "num_frames",
    "width": "width",
    "height": "height",
}
"""Our controls and the arguments of a pipeline's call."""

TOGETHER = {
    "WanPipeline": "vae_scale_factor_temporal",
    "LTXPipeline": "vae_temporal_compression_ratio",
    "CogVideoXPipeline": "vae_scale_factor_temporal",
}
"""By class: what it calls the frames that its autoencoder keeps as one, behind the first."""

HELD_SHARE = 0.8
HALF_BYTES = 2


def describe_video_pipeline(folder: PipelineFolder) -> VideoPipelineConfig:
    """Return the configuration of a folder that was looked at.

    Raises:
        MissingExtraError: diffusers is absent.
    """
    diffusers()
    return VideoPipelineConfig(
        base=content_hash(hashed_files(folder.path, folder.files)),
        architecture=folder.pipeline,
        rate_hz=RATES_HZ[folder.pipeline],
        weights=sum(folder.weights().values()),
    )


class VideoPipeline(PipelineAsItCame):
    """A pipeline of video.

    Args:
        config: Names the folder by its hash.
    """

    options: ClassVar[type[VideoPipelineOptions]] = VideoPipelineOptions
    config: VideoPipelineConfig

    def __init__(self, config: VideoPipelineConfig) -> None:
        super().__init__(config, weights=config.weights, describe=describe_video_pipeline)
        self._waits = self.device_name == "cuda" and HALF_BYTES * config.weights > HELD_SHARE * self.free_bytes
        if self._waits:
            # diffusers moves the parts, each when its turn comes.
            self.pipeline.enable_model_cpu_offload()
            self.networks = nn.ModuleList()

    @property
    def computing(self) -> dict[str, Any]:
        """The number format of the weights, and what waits in the memory of the machine."""
        return {**super().computing, "offload": "component" if self._waits else "none"}

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> Sampler:
        """Return a sampler of clips."""
        del codec
        refuse_hook(hook)
        return VideoPipelineSampler(self.pipeline)


class VideoPipelineSampler(Sampler):
    """Makes clips, one after the other.

    Args:
        pipeline: As it was opened.
    """

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def sample(
        self, options: VideoPipelineOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make a clip of every description.

        Yields:
            (index, {"target": float32 ``[frames, height, width, 3]`` in -1..1}, True), in order.

        Raises:
            UnsupportedError: There is no description, or it, a size or a control cannot be honoured.
        """
        texts = described(prompts, self._pipeline)
        call = self._call(options)
        for index, (text, seed) in enumerate(zip(texts, seeds, strict=True)):
            yield index, {TARGET: self._made(text, call, seed)}, True

    def _call(self, options: VideoPipelineOptions) -> Mapping[str, Any]:
        given = options.to_dictionary()
        call: dict[str, Any] = {theirs: given[ours] for ours, theirs in NAMES.items() if given[ours] is not None}
        together = int(getattr(self._pipeline, TOGETHER[type(self._pipeline).__name__]))
        if options.frames is not None and (options.frames - 1) % together:
            below = (options.frames - 1) // together * together + 1
            raise UnsupportedError(
                f"{options.frames} frames of a {type(self._pipeline).__name__}",
                expected=f"{below} or {below + together}",
            )
        return call | avoided(options.negative_prompt, call, self._pipeline)

    def _made(self, text: str, call: Mapping[str, Any], seed: int) -> np.ndarray:
        made = made_by(self._pipeline, text, {**call, "output_type": "np"}, seed=seed).frames[0]
        return 2 * np.asarray(made, np.float32) - 1
