"""Sounds by WaveNet from seeds: clips side by side, one sample after the other, of a class, or as a picture sounds."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.family import Batch, Sampler
from makar.families.labels import asked_class, refuse_other_slots
from makar.families.waveform.wavenet_cache import WavenetCache, drawn
from makar.families.waveform.wavenet_config import LEVELS, WavenetConfig
from makar.families.waveform.wavenet_network import WavenetNetwork
from makar.families.waveform.wavenet_options import WavenetOptions
from makar.tensor_spec import CLASS, SOURCE, TARGET

TOGETHER = 16
"""Clips side by side: 16 are four times as many samples a second as one, and 64 hardly more."""


class WavenetSampler(Sampler):
    """Makes sounds.

    Args:
        network: The network.
        class_counts: Training sounds of each class by name.
        rate_hz: Samples a second, which a length in seconds is counted with.
    """

    def __init__(self, network: WavenetNetwork, *, class_counts: Mapping[str, int], rate_hz: int) -> None:
        self._network = network
        self._config: WavenetConfig = network.config
        self._class_counts = class_counts
        self._rate_hz = rate_hz

    def sample(
        self, options: WavenetOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one sound for every seed.

        Yields:
            (index, {"target": int64 ``[samples]`` of steps}, True), in order.

        Raises:
            UnsupportedError: A slot or a control that this model cannot honour; or it needs a picture and there is none.
            UnknownNameError: The label is not a class of the model.
        """
        given = prompts or [{} for _ in seeds]
        read = [self._read(options, prompt, seed) for prompt, seed in zip(given, seeds, strict=True)]
        for start in range(0, len(seeds), TOGETHER):
            part = read[start : start + TOGETHER]
            made = self.make(
                [number for number, _, _ in part],
                [picture for _, picture, _ in part],
                [generator for _, _, generator in part],
                options=options,
            )
            for offset, steps in enumerate(made):
                yield start + offset, {TARGET: steps}, True

    def make(
        self,
        classes: list[int],
        pictures: list[Tensor | None],
        generators: list[torch.Generator],
        *,
        options: WavenetOptions,
    ) -> np.ndarray:
        """Return sounds made side by side, int64 ``[batch, samples]``.

        Args:
            classes: Number of the class of each.
            pictures: ``[bands, frames]`` in -1..1 of each, of one length; ``None`` where the model is given none.
            generators: Source of the draws of each.
            options: The controls.
        """
        told, hop, count = self._told(classes, pictures), self._config.hop, self._samples(options, pictures)
        uniform = torch.stack(
            [torch.rand(count, generator=generator, dtype=torch.float64) for generator in generators]
        ).numpy()
        cache = WavenetCache(self._network, batch=len(classes), temperature=options.temperature)
        if told is not None:
            cache.tell(told[:, 0])
        made = np.empty((len(classes), count), np.int64)
        latest = np.full(len(classes), LEVELS)
        for time in range(count):
            if told is not None and hop and (time + hop // 2) % hop == 0:
                cache.tell(told[:, min((time + hop // 2) // hop, told.shape[1] - 1)])
            latest = drawn(cache.step(latest), uniform[:, time], greedy=options.temperature == 0)
            made[:, time] = latest
        return made

    def _told(self, classes: list[int], pictures: list[Tensor | None]) -> np.ndarray | None:
        device = self._network.logits.weight.device
        numbers = torch.tensor(classes, device=device) if self._config.classes else None
        shown = [picture for picture in pictures if picture is not None]
        with torch.inference_mode():
            told = self._network.told(numbers, torch.stack(shown).to(device) if shown else None)
        return None if told is None else told.double().cpu().numpy()

    def _samples(self, options: WavenetOptions, pictures: list[Tensor | None]) -> int:
        asked = None if options.seconds is None else max(1, round(options.seconds * self._rate_hz))
        picture = pictures[0]
        if picture is None:
            return asked or self._config.samples
        most = int(picture.shape[1]) * self._config.hop
        return min(asked or most, most)

    def _read(self, options: WavenetOptions, prompt: Batch, seed: int) -> tuple[int, Tensor | None, torch.Generator]:
        config = self._config
        known = (CLASS, *((SOURCE,) if config.bands else ()))
        refuse_other_slots(prompt, known, expected="a class at most" if not config.bands else "a picture of a sound")
        picture = prompt.get(SOURCE)
        if config.bands and picture is None:
            raise UnsupportedError(
                "this model makes no sound from nothing: it finds how a picture sounds",
                expected="a sound to begin from, or a model of speech that it speaks for",
                do='train with the recipe "wavenet" for sounds from nothing, with "speech" for texts',
            )
        if picture is not None and (picture.ndim != 2 or picture.shape[0] != config.bands):
            raise UnsupportedError(f"a picture of shape {tuple(picture.shape)}", expected=f"[{config.bands}, frames]")
        generator = torch.Generator().manual_seed(seed)
        draw = torch.rand((), generator=generator)
        return asked_class(options, prompt, draw, class_counts=self._class_counts), picture, generator
