"""The vocoder as a family: how a picture of bands and time sounds, found by one network in one go.

It lowers a distance of spectra at several resolutions, and with judges also what they say. A picture that was made by a model of speech is
heard as one that was taken of a recording.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from makar.errors import UnsupportedError
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.labels import refuse_other_slots
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.waveform.settling import settled
from makar.families.waveform.spectral_losses import Judges, spectral_distance
from makar.families.waveform.spectrum_network import SpectrumNetwork
from makar.families.waveform.vocoder_config import VocoderConfig
from makar.families.waveform.vocoder_options import VocoderOptions
from makar.tensor_spec import SOURCE, TARGET

UNIT = "distance of spectra"
HEARD = -0.8
"""Of a picture: what is darker is silence."""


class VocoderFamily(Family):
    """A vocoder.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[VocoderOptions]] = VocoderOptions
    creates: ClassVar[bool] = False
    concurrent: ClassVar[bool] = True

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config: VocoderConfig = config
        self.network = SpectrumNetwork(
            config.bands, channels=config.channels, blocks=config.blocks, hop=config.hop, rate_hz=config.rate_hz
        )
        self.judges = Judges(config.judge_channels, hop=config.hop) if config.judge_channels else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.network.initialise(generator)
        if self.judges is not None:
            self.judges.initialise(generator)

    def phases(self) -> list[Phase]:
        """Return the vocoder, and the judges where there are any."""
        own = ParameterGroup(parameters=list(self.network.parameters()))
        making = Phase(name="vocoder", groups=[own], loss=self._make)
        if self.judges is None:
            return [making]
        judging = ParameterGroup(parameters=list(self.judges.parameters()))
        # The log shows the loss of the first.
        return [making, Phase(name="judges", groups=[judging], loss=self._judge, optimiser="judges", averaged=False)]

    def prepare(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Cut a window out of every sound, where it is still heard."""
        config = self.config
        heard = (batch[SOURCE].amax(1) > HEARD).cpu()
        last = (heard * torch.arange(1, config.frames + 1)).amax(1)
        draws = torch.rand(len(last), generator=generator)
        start = (draws * (last - config.window + 1).clamp(min=1)).long().to(batch[SOURCE].device)
        frames = start[:, None] + torch.arange(config.window, device=start.device)
        samples = (start * config.hop)[:, None] + torch.arange(config.window * config.hop, device=start.device)
        return {
            SOURCE: batch[SOURCE].gather(2, frames[:, None].expand(-1, config.bands, -1)),
            TARGET: batch[TARGET].gather(1, samples),
        }

    def _make(self, batch: Batch, generator: torch.Generator) -> Loss:
        del generator
        made, real = self.network(batch[SOURCE]), batch[TARGET]
        distance = self._distance(made, real)
        value = distance
        if self.judges is not None:
            value = value + self.config.judged * self.judges.making_loss(made, real)
        return Loss(value=value, count=len(made), unit=UNIT, metrics={"distance": float(distance.detach())})

    def _judge(self, batch: Batch, generator: torch.Generator) -> Loss:
        del generator
        assert self.judges is not None
        with torch.no_grad():
            made = self.network(batch[SOURCE])
        value = self.judges.judging_loss(made, batch[TARGET])
        return Loss(value=value, count=len(made), unit="squared error of the judges")

    def _distance(self, made: Tensor, real: Tensor) -> Tensor:
        config = self.config
        return spectral_distance(made, real, hop=config.hop, bands=config.bands, rate_hz=config.rate_hz)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the distance of held-out windows."""
        with torch.no_grad():
            cut = self.prepare(batch, generator)
            value = self._distance(self.network(cut[SOURCE]), cut[TARGET])
        return Loss(value=value, count=len(cut[TARGET]), unit=UNIT)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> "VocoderSampler":
        """Return a sampler over the current weights."""
        refuse_hook(hook)
        return VocoderSampler(self.network, config=self.config, loudest_db=codec.config.loudest_db)

    def tensors(self) -> dict[str, Tensor]:
        """Return every weight, those of the judges too, so that a training can go on."""
        return dict(self.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network up to sizes and phases; the inverse transform is left to the program that runs it."""
        config = self.config
        network = SpectrumNetwork(
            config.bands, channels=config.channels, blocks=config.blocks, hop=config.hop, rate_hz=config.rate_hz
        ).eval()
        network.load_state_dict(
            {name: value.detach().float().cpu() for name, value in self.network.state_dict().items()}
        )
        return [
            OnnxPart(
                name="spectrum",
                module=_Spectrum(network),
                inputs={"picture": torch.zeros(2, config.bands, config.frames)},
                outputs=("log_sizes", "phases"),
                dynamic={"picture": {0: "batch"}},
            )
        ]


class VocoderSampler(Sampler):
    """Makes sounds of pictures.

    Args:
        network: The network.
        config: Its sizes.
        loudest_db: Loudness of white in the pictures.
    """

    def __init__(self, network: SpectrumNetwork, *, config: VocoderConfig, loudest_db: float) -> None:
        self._network, self._config, self._loudest_db = network, config, loudest_db

    def sample(
        self, options: VocoderOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make the sound of every picture; nothing is drawn.

        Yields:
            (index, {"target": float32 ``[frames * hop]``}, True), in order.

        Raises:
            UnsupportedError: There is no picture, or something else.
        """
        config = self._config
        for index, prompt in enumerate(prompts or [{} for _ in seeds]):
            refuse_other_slots(prompt, (SOURCE,), expected="a picture of a sound")
            picture = prompt.get(SOURCE)
            if picture is None:
                raise UnsupportedError(
                    "this model makes no sound from nothing: it finds how a picture sounds",
                    expected="a sound to begin from, or a model of speech that it speaks for",
                    do='train with the recipe "speech" for texts, with "sound" for sounds from nothing',
                )
            if picture.ndim != 2 or picture.shape[0] != config.bands:
                raise UnsupportedError(
                    f"a picture of shape {tuple(picture.shape)}", expected=f"[{config.bands}, frames]"
                )
            with torch.inference_mode():
                made = self._network(picture[None].to(self._network.window.device))[0].float().cpu()
                if options.rounds:
                    made = settled(
                        made,
                        picture,
                        rate_hz=config.rate_hz,
                        hop=config.hop,
                        loudest_db=self._loudest_db,
                        rounds=options.rounds,
                    )
            yield index, {TARGET: made.numpy()}, True


class _Spectrum(torch.nn.Module):
    def __init__(self, network: SpectrumNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Return log sizes and phases."""
        return self.network.spectrum(picture)
