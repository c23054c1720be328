"""Tacotron as a family: frames of speech, some at once, from what was said before and from what is spoken now.

The loss is the mean squared difference of frames before and after they are mended (section 2.2 of arXiv 1712.05884), while something is
spoken, and the cross-entropy of having said all.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase, Sampler
from makar.families.labels import asked_class, told_of_frames
from makar.families.logits_hook import LogitsHook, refuse_hook
from makar.families.spoken_frames import is_spoken
from makar.families.tacotron.config import TacotronConfig
from makar.families.tacotron.network import State, TacotronNetwork
from makar.families.tacotron.options import TacotronOptions
from makar.tensor_spec import CLASS, SOURCE, TARGET

UNIT = "mse"
SILENT = -1.0
STOP_WEIGHT = 0.1
TOGETHER = 16


class TacotronFamily(Family):
    """A Tacotron.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[TacotronOptions]] = TacotronOptions
    creates: ClassVar[bool] = False
    concurrent: ClassVar[bool] = True

    def __init__(self, config: TacotronConfig) -> None:
        super().__init__()
        self.config: TacotronConfig = config
        self.network = TacotronNetwork(config)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.network.initialise(generator)

    def phases(self) -> list[Phase]:
        """One phase: the next frames."""
        return [Phase(name="next frames", groups=[ParameterGroup(parameters=list(self.parameters()))], loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        config, network = self.config, self.network
        frames = batch[TARGET][:, :, 0].transpose(1, 2)
        told = network.read(batch[SOURCE][:, :, 0], batch[CLASS] if config.classes else None)
        # What stands before a step is the last frame of the one before it.
        before = F.pad(frames[:, config.together - 1 :: config.together][:, :-1], (0, 0, 1, 0), value=SILENT)
        kept = network.kept((len(frames), told.shape[1]), generator).to(frames.device)
        said, stops, _ = network.say(network.see(before, kept), told, None)
        mended = network.mend(said)
        spoken = is_spoken(batch[SOURCE])
        weight = spoken[:, :, None] / (spoken.sum() * config.bands).clamp(min=1)
        first, second = ((made - frames).square().mul(weight).sum() for made in (said, mended))
        has_ended = ~spoken[:, :: config.together]
        stop = F.binary_cross_entropy_with_logits(stops, has_ended.float())
        value = first + second + STOP_WEIGHT * stop
        return Loss(
            value=value, count=len(frames), unit=UNIT, metrics={"mended": float(second.detach()), "stop": float(stop.detach())}
        )  # fmt: skip

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the same of held-out recordings."""
        with torch.no_grad():
            return self._loss(batch, generator)

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> "TacotronSampler":
        """Return a sampler over the current weights."""
        refuse_hook(hook)
        return TacotronSampler(self.network, class_counts=codec.class_counts)

    def tensors(self) -> dict[str, Tensor]:
        """Return every weight."""
        return dict(self.network.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the reader, a step of the decoder, and what mends."""
        config = self.config
        network = TacotronNetwork(config).eval()
        network.load_state_dict({name: value.detach().float().cpu() for name, value in self.tensors().items()})
        told = torch.zeros(1, 1, config.together * config.channels)
        reading: dict[str, Tensor] = {"planes": torch.zeros(1, config.planes, config.frames)}
        if config.classes:
            reading["classes"] = torch.zeros(1, dtype=torch.int64)
        state = torch.zeros(2, 1, config.recurrent)
        return [
            OnnxPart(name="read", module=_Reader(network), inputs=reading, outputs=("told",), dynamic={}),
            OnnxPart(
                name="step",
                module=_Step(network),
                inputs={
                    "before": torch.zeros(1, 1, config.bands),
                    "told": told,
                    "kept": torch.ones(1, 1, 2, config.narrow),
                    "hidden": state,
                    "cell": state.clone(),
                },
                outputs=("frames", "stop", "next_hidden", "next_cell"),
                dynamic={},
            ),
            OnnxPart(
                name="mend",
                module=_Mender(network),
                inputs={"frames": torch.zeros(1, config.frames, config.bands)},
                outputs=("mended",),
                dynamic={},
            ),
        ]


class TacotronSampler(Sampler):
    """Speaks.

    Args:
        network: The network.
        class_counts: Training recordings of each voice by name.
    """

    def __init__(self, network: TacotronNetwork, *, class_counts: dict[str, int]) -> None:
        self._network, self._config, self._class_counts = network, network.config, class_counts

    def sample(
        self, options: TacotronOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Speak what every prompt says of its frames.

        Yields:
            (index, {"target": float32 ``[bands, 1, frames]`` in -1..1}, True), in order.

        Raises:
            UnsupportedError: Nothing is said of the frames, or a slot or control that this model cannot honour.
            UnknownNameError: There is no such voice.
        """
        read = [
            self._read(options, prompt, seed)
            for prompt, seed in zip(prompts or [{} for _ in seeds], seeds, strict=True)
        ]
        for start in range(0, len(seeds), TOGETHER):
            part = read[start : start + TOGETHER]
            made = self._spoken(
                options,
                torch.stack([source for source, _, _ in part]),
                torch.tensor([number for _, number, _ in part]),
                torch.cat([kept for _, _, kept in part]),
            )
            for offset, frames in enumerate(made):
                yield start + offset, {TARGET: frames}, True

    def _spoken(self, options: TacotronOptions, source: Tensor, classes: Tensor, kept: Tensor) -> np.ndarray:
        network, config = self._network, self._config
        device = network.saying.weight.device
        with torch.inference_mode():
            told = network.read(source[:, :, 0].to(device), classes.to(device) if config.classes else None)
            kept = kept.to(device)
            before = torch.full((len(source), 1, config.bands), SILENT, device=device)
            state: State | None = None
            goes_on = torch.ones(len(source), 1, 1, dtype=torch.bool, device=device)
            said = []
            for step in range(told.shape[1]):
                seen = network.see(before, kept[:, step : step + 1])
                frames, stop, state = network.say(seen, told[:, step : step + 1], state)
                goes_on = goes_on & (torch.sigmoid(stop) <= options.stop)[:, :, None]
                said.append(torch.where(goes_on, frames, SILENT))
                before = said[-1][:, -1:]
                if not goes_on.any():
                    break
            whole = torch.cat(said, dim=1)
            mended = torch.where((whole == SILENT).all(2, keepdim=True), SILENT, network.mend(whole))
            after = told.shape[1] * config.together - whole.shape[1]
            made = F.pad(mended, (0, 0, 0, after), value=SILENT).clamp(-1, 1)
        result: np.ndarray = made.transpose(1, 2)[:, :, None].float().cpu().numpy()
        return result

    def _read(self, options: TacotronOptions, prompt: Batch, seed: int) -> tuple[Tensor, int, Tensor]:
        config = self._config
        source = told_of_frames(prompt, planes=config.planes, frames=config.frames)
        generator = torch.Generator().manual_seed(seed)
        draw = torch.rand((), generator=generator)
        number = asked_class(options, prompt, draw, class_counts=self._class_counts)
        return source, number, self._network.kept((1, config.frames // config.together), generator)


class _Reader(torch.nn.Module):
    def __init__(self, network: TacotronNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, planes: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return what the decoder is told in every step."""
        return self.network.read(planes, classes)


class _Step(torch.nn.Module):
    def __init__(self, network: TacotronNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, before: Tensor, told: Tensor, kept: Tensor, hidden: Tensor, cell: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return frames, the logit of stopping, and the state."""
        frames, stop, state = self.network.say(self.network.see(before, kept), told, (hidden, cell))
        return frames, stop, *state


class _Mender(torch.nn.Module):
    def __init__(self, network: TacotronNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        """Return mended frames."""
        return self.network.mend(frames)
