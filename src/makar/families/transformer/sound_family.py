"""Sounds as the second half of a stream: a decoder transformer reads class, caption, guide and words and predicts all codebooks.

The vectors of a step's tokens are added up, one table a codebook; from the stream one head a codebook predicts the next step, and the loss
is the mean surprise over the codebooks (Copet et al. 2023, arXiv 2306.05284, section 2). The text stands before the sound in the same
stream where MusicGen looks at it by cross-attention, and the guide is added at its own moment, as the upsampler of Jukebox has it
(Dhariwal et al. 2020, arXiv 2005.00341, section 4.2). So are words, since it is known when each of their units is sung: that paper learns
by attention where in a whole song the singer is (section 5). Class and caption are forgotten in a share of the examples, for guidance (Ho
and Salimans 2022, arXiv 2207.12598), words with them, and so may be the guide, where a sound can also be made without one.
"""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from makar.families.asked import Asking
from makar.families.family import Batch, Family, Loss, OnnxPart, ParameterGroup, Phase
from makar.families.logits_hook import LogitsHook
from makar.families.transformer.delay import delayed
from makar.families.transformer.family import PRECISIONS
from makar.families.transformer.network import TransformerNetwork
from makar.families.transformer.objective import parameter_groups
from makar.families.transformer.sound_config import SoundTransformerConfig
from makar.families.transformer.sound_options import SoundTokenOptions
from makar.families.transformer.sound_sampler import SoundTokenSampler
from makar.families.transformer.sound_stream import guide_rows, lyric_rows, table_rows
from makar.families.transformer.worded_stream import TextRows, some_forgotten, text_rows
from makar.nn.cross_entropy import linear_cross_entropy
from makar.tensor_spec import CAPTION, CLASS, LYRICS, SOURCE, TARGET

UNIT = "nats/token"
GUIDE_DEVIATION = 0.3
"""Of the first vectors of a guide; those of tokens have 0.8."""


class SoundTransformerFamily(Family):
    """A decoder transformer over several streams of sound tokens.

    Args:
        config: Sizes, bound to what the codec makes.
    """

    options: ClassVar[type[SoundTokenOptions]] = SoundTokenOptions
    concurrent: ClassVar[bool] = True

    def __init__(self, config: SoundTransformerConfig) -> None:
        super().__init__()
        self.config: SoundTransformerConfig = config
        self.precision = "float32"
        self.network = TransformerNetwork(config.decoder)
        self.guide = nn.Parameter(torch.zeros(config.guide_rows, config.width)) if config.guide_rows else None
        self.lyrics = nn.Parameter(torch.zeros(config.lyric_rows, config.width)) if config.lyric_rows else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight."""
        self.network.initialise(generator)
        if self.guide is not None:
            with torch.no_grad():
                self.guide.normal_(std=GUIDE_DEVIATION, generator=generator)
        if self.lyrics is not None:
            with torch.no_grad():
                self.lyrics.normal_(std=GUIDE_DEVIATION * self.config.lyric_places**-0.5, generator=generator)

    def phases(self) -> list[Phase]:
        """Return the one phase: every parameter minimises the surprise at all codebooks."""
        groups = list(parameter_groups(self.network))
        beside = [one for one in (self.guide, self.lyrics) if one is not None]
        if beside:
            groups.append(ParameterGroup(parameters=beside, weight_decay=0.0))
        return [Phase(name="next_step", groups=groups, loss=self._loss)]

    def _loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        config, device = self.config, batch[TARGET].device
        count, guide = len(batch[TARGET]), batch.get(SOURCE)
        label, caption = some_forgotten(
            config, batch=count, label=batch.get(CLASS), caption=batch.get(CAPTION), generator=generator
        )
        if guide is not None and config.source_dropout:
            hidden = (torch.rand(count, generator=generator) < config.source_dropout).to(device)
            guide = torch.where(hidden[:, None, None], config.source_codes, guide)
        lyrics = batch.get(LYRICS)
        if lyrics is not None:
            hidden = (torch.rand(count, generator=generator) < config.lyric_dropout).to(device)
            # Guidance leads away from what knows neither.
            hidden = hidden if label is None else hidden | (label == config.classes)
            lyrics = torch.where(hidden[:, None], config.lyric_units, lyrics)
        told = Told(label=label, caption=caption, guide=guide, lyrics=lyrics)
        return self._surprise(batch[TARGET], told, generator=generator)

    def validation_loss(self, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surprise with every class, caption, guide and word known."""
        del generator
        told = Told(
            label=batch.get(CLASS), caption=batch.get(CAPTION), guide=batch.get(SOURCE), lyrics=batch.get(LYRICS)
        )
        with torch.no_grad():
            return self._surprise(batch[TARGET], told, generator=None)

    def _surprise(self, codes: Tensor, told: "Told", *, generator: torch.Generator | None) -> Loss:
        config = self.config
        text = text_rows(config, batch=len(codes), label=told.label, caption=told.caption)
        text = TextRows(tokens=text.tokens.to(codes.device), end=text.end.to(codes.device))
        x = self._predicting(codes, text, self.beside_vectors(told.guide, told.lyrics), generator)
        head = self.network.head
        losses = []
        for number in range(config.codebooks):
            start = config.content_start + number * (config.codes + 1)
            seen = x[:, number : number + config.moments].flatten(0, 1)
            losses.append(linear_cross_entropy(seen, head[start : start + config.codes], codes[:, number].flatten()))
        metrics = {f"codebook_{number + 1}": float(loss.detach()) for number, loss in enumerate(losses)}
        return Loss(value=torch.stack(losses).mean(), count=codes.numel(), unit=UNIT, metrics=metrics)

    def _predicting(
        self, codes: Tensor, text: TextRows, told: Tensor | None, generator: torch.Generator | None
    ) -> Float[Tensor, "batch steps width"]:
        """Return the stream at the positions that predict the steps."""
        config = self.config
        # The last step predicts nothing.
        sounds = self.step_vectors(delayed(codes, nothing=config.codes)[..., :-1])
        vectors = functional.embedding(text.tokens, self.network.embeddings)
        vectors = functional.pad(vectors, (0, 0, 0, config.content_positions - 1))
        # What fills up the end of a short text must not stand beneath the first steps of its sound.
        is_text = torch.arange(vectors.shape[1], device=codes.device) <= text.end[:, None]
        positions = text.end[:, None] + torch.arange(config.content_positions, device=codes.device)
        beside = functional.pad(sounds, (0, 0, 1, 0))
        if told is not None:
            beside = beside + told
        index = positions[..., None].expand(-1, -1, vectors.shape[-1])
        stream = self.network.stream_of(
            (vectors * is_text[..., None]).scatter_add(1, index, beside),
            dtype=PRECISIONS[self.precision],
            generator=generator,
        )
        return stream.gather(1, index)

    def step_vectors(self, steps: Int[Tensor, "*batch codebooks steps"]) -> Float[Tensor, "*batch steps width"]:
        """Return what enters for steps: the sum of the vectors of their tokens, of the length of one."""
        found = functional.embedding(table_rows(self.config, steps), self.network.embeddings)
        return found.sum(-3) * self.config.codebooks**-0.5

    def beside_vectors(
        self,
        guide: Int[Tensor, "*batch source_codebooks source_moments"] | None,
        lyrics: Int[Tensor, "*batch lyric_frames"] | None,
    ) -> Float[Tensor, "*batch steps width"] | None:
        """Return what guide and words add to every step; ``None`` without both."""
        found: Tensor | None = None
        if guide is not None and self.guide is not None:
            found = functional.embedding(guide_rows(self.config, guide), self.guide).sum(-3)
        if lyrics is not None and self.lyrics is not None:
            words = functional.embedding(lyric_rows(self.config, lyrics), self.lyrics).sum(-3)
            found = words if found is None else found + words
        return found

    def sampler(self, codec: Any, *, hook: LogitsHook | None = None) -> SoundTokenSampler:
        """Return a sampler over a copy of the current weights; the hook sees the logits of every codebook, after the filters."""
        config = self.config
        counts: dict[str, int] = codec.class_counts if config.classes else {}
        encode: Callable[[str], Any] | None = codec.encode_caption if config.caption_length else None
        return SoundTokenSampler(
            config,
            self.network,
            guide=None if self.guide is None else self.guide.detach(),
            lyrics=None if self.lyrics is None else self.lyrics.detach(),
            asking=Asking(config, class_counts=counts, encode_caption=encode),
            codec=codec,
            hooks=() if hook is None else (hook,),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights under the names of the family's parts."""
        return dict(self.state_dict())

    def onnx_parts(self) -> list[OnnxPart]:
        """Return the network from text, all tokens, a guide and words to the logits of every codebook at every step."""
        config = self.config
        text = torch.zeros(2, 3 + config.longest_text, dtype=torch.int64)
        steps = torch.arange(2 * config.codebooks * (config.content_positions - 1)) % config.codes
        inputs = {"text": text, "steps": steps.view(2, config.codebooks, config.content_positions - 1)}
        if config.source_codes:
            sizes = (2, config.source_codebooks, config.source_moments)
            inputs["guide"] = torch.zeros(sizes, dtype=torch.int64)
        if config.lyric_units:
            inputs["lyrics"] = torch.zeros(2, config.lyric_frames, dtype=torch.int64)
        dynamic = {name: {0: "batch", **({1: "length"} if name == "text" else {})} for name in inputs}
        module = _SoundLogits(copy.deepcopy(self)).eval()
        return [OnnxPart(name="model", module=module, inputs=inputs, outputs=("logits",), dynamic=dynamic)]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """What is told of the sounds of a batch, ``None`` for what the model does not know.

    Attributes:
        label: Classes ``[batch]``.
        caption: Caption tokens ``[batch, caption_length]``.
        guide: Tokens of the guide ``[batch, source_codebooks, source_moments]``.
        lyrics: Units of the words ``[batch, lyric_frames]``.
    """

    label: Tensor | None
    caption: Tensor | None
    guide: Tensor | None
    lyrics: Tensor | None


class _SoundLogits(nn.Module):
    """From the text and all steps, of which later ones count for nothing, to the logits of every codebook."""

    def __init__(self, family: SoundTransformerFamily) -> None:
        super().__init__()
        self.family = family

    def forward(
        self,
        text: Int[Tensor, "batch length"],
        steps: Int[Tensor, "batch codebooks steps_before"],
        guide: Int[Tensor, "batch source_codebooks source_moments"] | None = None,
        lyrics: Int[Tensor, "batch lyric_frames"] | None = None,
    ) -> Float[Tensor, "batch codebooks steps codes"]:
        family, config = self.family, self.family.config
        if guide is not None and not config.source_codes:
            # Inputs of an exported network come by their order, and there is one less.
            guide, lyrics = None, guide
        vectors = functional.embedding(text, family.network.embeddings)
        sounds = family.step_vectors(steps)
        beside = family.beside_vectors(guide, lyrics)
        if beside is not None:
            vectors = torch.cat([vectors[:, :-1], vectors[:, -1:] + beside[:, :1]], 1)
            sounds = sounds + beside[:, 1:]
        stream = family.network.stream_of(torch.cat([vectors, sounds], 1))[:, text.shape[1] - 1 :]
        logits = stream @ family.network.head[config.content_start :].T
        by_codebook = logits.unflatten(-1, (config.codebooks, config.codes + 1))
        return by_codebook[..., : config.codes].transpose(1, 2)
