"""VITS as a family: from what is spoken to samples in one model, by latents that a flow joins to the text.

The loss is the distance of spectra of a window of samples, the divergence of posterior and prior (equations 3 and 4 of arXiv 2106.06103,
with latents drawn once), and with judges what they say (its equations 7 to 9, with judges of spectra).
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.labels import asked_class, told_of_frames
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.spoken_frames import is_spoken
from makar.families.waveform.spectral_losses import Judges, spectral_distance
from makar.families.waveform.vits_config import VitsConfig
from makar.families.waveform.vits_network import VitsNetwork
from makar.families.waveform.vits_options import VitsOptions
from makar.tensor_spec import CLASS, SOURCE, TARGET, WAVE

UNIT = "distance of spectra and nats a latent"
START, NOISE = "start", "noise"
"""What ``prepare`` adds: where a window begins, and the draw of the latents."""


class VitsFamily(Family):
    """A VITS.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[VitsOptions]] = VitsOptions
    creates: ClassVar[bool] = False
    concurrent: ClassVar[bool] = True

    def __init__(self, config: VitsConfig) -> None:
        super().__init__()
        self.config: VitsConfig = config
        self.network = VitsNetwork(config)
        self.judges = Judges(config.judge_channels, hop=config.hop) if config.judge_channels else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.network.initialise(generator)
        if self.judges is not None:
            self.judges.initialise(generator)

    def phases(self) -> list[Phase]:
        """Return the networks that speak, and the judges where there are any."""
        making = Phase(
            name="speech", groups=[ParameterGroup(parameters=list(self.network.parameters()))], loss=self._make
        )
        if self.judges is None:
            return [making]
        judging = ParameterGroup(parameters=list(self.judges.parameters()))
        # The log shows the loss of the first.
        return [making, Phase(name="judges", groups=[judging], loss=self._judge, optimiser="judges", averaged=False)]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Draw where a window begins, inside of what is spoken, and the noise of the latents: for all phases the same."""
        config, device = self.config, batch[TARGET].device
        spoken = is_spoken(batch[SOURCE]).sum(1).cpu()
        draws = torch.rand(len(spoken), generator=generator)
        start = (draws * (spoken - config.window + 1).clamp(min=1)).long()
        noise = torch.randn(len(spoken), config.latent_channels, config.frames, generator=generator)
        return {**batch, START: start.to(device), NOISE: noise.to(device)}

    def _window(self, batch: Batch, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return made and real samples of the windows."""
        config, start = self.config, batch[START]
        frames = start[:, None] + torch.arange(config.window, device=start.device)
        samples = (start * config.hop)[:, None] + torch.arange(config.window * config.hop, device=start.device)
        part = latents.gather(2, frames[:, None].expand(-1, config.latent_channels, -1))
        return self.network.decode(part, self._classes(batch)), batch[WAVE].gather(1, samples)

    def _latents(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return drawn latents of recordings, and the logarithms of their deviations."""
        mean, log_deviation = self.network.seen(batch[TARGET][:, :, 0], self._classes(batch))
        return mean + log_deviation.exp() * batch[NOISE], log_deviation

    def _classes(self, batch: Batch) -> Tensor | None:
        return batch[CLASS] if self.config.classes else None

    def _divergence(self, batch: Batch, latents: Tensor, log_deviation: Tensor) -> Tensor:
        """Return nats a latent of posterior over prior where something is spoken."""
        expected, log_spread = self.network.expected(batch[SOURCE][:, :, 0], self._classes(batch))
        moved = self.network.to_prior(latents)
        nats = log_spread - log_deviation - 0.5 * batch[NOISE].square()
        nats = nats + 0.5 * (moved - expected).square() * torch.exp(-2 * log_spread)
        spoken = is_spoken(batch[SOURCE])[:, None]
        return (nats * spoken).sum() / (spoken.sum() * self.config.latent_channels).clamp(min=1)

    def _loss(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the distance, the divergence, and made and real samples of windows."""
        config = self.config
        latents, log_deviation = self._latents(batch)
        made, real = self._window(batch, latents)
        distance = spectral_distance(made, real, hop=config.hop, bands=config.bands, rate_hz=config.rate_hz)
        return distance, self._divergence(batch, latents, log_deviation), made, real

    def _make(self, batch: Batch, generator: torch.Generator) -> Loss:
        del generator
        config = self.config
        distance, divergence, made, real = self._loss(batch)
        value = distance + config.divergence * divergence
        if self.judges is not None:
            value = value + config.judged * self.judges.making_loss(made, real)
        metrics = {"distance": float(distance.detach()), "divergence": float(divergence.detach())}
        return Loss(value=value, count=len(made), unit=UNIT, metrics=metrics)

    def _judge(self, batch: Batch, generator: torch.Generator) -> Loss:
        del generator
        assert self.judges is not None
        with torch.no_grad():
            made, real = self._window(batch, self._latents(batch)[0])
        return Loss(value=self.judges.judging_loss(made, real), count=len(made), unit="squared error of the judges")

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the distance and the divergence of held-out recordings, without the judges."""
        with torch.no_grad():
            distance, divergence, made, _ = self._loss(self.prepare(batch, generator))
            value = distance + self.config.divergence * divergence
        return Loss(value=value, count=len(made), unit=UNIT)

    def rebuild(self, picture: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return samples ``[batch, samples]`` of recordings by way of their mean latents.

        Args:
            picture: ``[batch, bands, frames]`` in -1..1.
            classes: Numbers of the voices, where there are several.
        """
        with torch.inference_mode():
            return self.network.decode(self.network.seen(picture, classes)[0], classes)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> "VitsSampler":
        """Return a sampler over the current weights."""
        refuse_hook(hook)
        return VitsSampler(self.network, codec=codec)

    def tensors(self) -> dict[str, Tensor]:
        """Return every weight, those of the judges too, so that a training can go on."""
        return dict(self.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return from what is spoken and noise to log sizes and phases; the inverse transform is left to the program that runs it."""
        config = self.config
        network = VitsNetwork(config).eval()
        network.load_state_dict(
            {name: value.detach().float().cpu() for name, value in self.network.state_dict().items()}
        )
        inputs = {
            "planes": torch.zeros(1, config.planes, config.frames),
            "noise": torch.zeros(1, config.latent_channels, config.frames),
        }
        if config.classes:
            inputs["classes"] = torch.zeros(1, dtype=torch.int64)
        return [
            OnnxPart(
                name="spectrum", module=_Speaking(network), inputs=inputs, outputs=("log_sizes", "phases"), dynamic={}
            )
        ]


class VitsSampler(Sampler):
    """Speaks.

    Args:
        network: The network.
        codec: The codec of speech, which takes the picture of what was made.
    """

    def __init__(self, network: VitsNetwork, *, codec: Any) -> None:
        self._network, self._config, self._codec = network, network.config, codec

    def sample(
        self, options: VitsOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Speak what every prompt says of its frames.

        Yields:
            (index, {"wave": float32 ``[samples]``, "target": its picture, float32 ``[bands, 1, frames]``}, True), in order.

        Raises:
            UnsupportedError: Nothing is said of the frames, or a slot or control that this model cannot honour.
            UnknownNameError: There is no such voice.
        """
        for index, (prompt, seed) in enumerate(zip(prompts or [{} for _ in seeds], seeds, strict=True)):
            source, number, noise = self._read(options, prompt, seed)
            device = next(self._network.parameters()).device
            classes = torch.tensor([number], device=device) if self._config.classes else None
            with torch.inference_mode():
                mean, log_spread = self._network.expected(source[None, :, 0].to(device), classes)
                drawn = mean + options.temperature * log_spread.exp() * noise[None].to(device)
                samples = self._network.decode(self._network.from_prior(drawn), classes)[0]
            # Behind the end nothing was learned.
            spoken = int(is_spoken(source[None]).sum()) * self._config.hop
            wave = torch.where(torch.arange(len(samples)) < spoken, samples.float().cpu(), 0.0).clamp(-1, 1).numpy()
            yield index, {WAVE: wave, TARGET: self._codec.picture_of_samples(wave)}, True

    def _read(self, options: VitsOptions, prompt: Batch, seed: int) -> tuple[Tensor, int, Tensor]:
        config = self._config
        source = told_of_frames(prompt, planes=config.planes, frames=config.frames)
        generator = torch.Generator().manual_seed(seed)
        draw = torch.rand((), generator=generator)
        number = asked_class(options, prompt, draw, class_counts=self._codec.class_counts)
        return source, number, torch.randn(config.latent_channels, config.frames, generator=generator)


class _Speaking(torch.nn.Module):
    def __init__(self, network: VitsNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, planes: Tensor, noise: Tensor, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return log sizes and phases."""
        network = self.network
        mean, log_spread = network.expected(planes, classes)
        latents = network.from_prior(mean + log_spread.exp() * noise)
        voice = None if network.of_decoder is None or classes is None else network.of_decoder(classes)
        return network.decoder.spectrum(latents if voice is None else latents + voice[:, :, None])
