"""Draws the tokens of sounds, all sounds of a batch one step further at a time, guided where asked, piece by piece where they are long.

Guidance works on logits: what is asked for has l = u + g (c - u) with the logits c of the stream that is told and u of the one that is not
(Ho and Salimans 2022, arXiv 2207.12598); both streams go through the same tokens and the same guide. Each sound has a generator of
its own and rows that are computed as if they were alone. A sound that is longer than what was learned at once is written in windows,
each of which begins with the second half of the one before (Copet et al. 2023, arXiv 2306.05284, section 3.1). A guide that is not given,
or ends too early, is drawn by the stage that the codec works through, where there is one, and is hidden where there is none. Words are sung
at the pace that the codec learned from songs, and a sound is as long as they need; where none are given they are hidden.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from makar.codecs.codec import Codec
from makar.codecs.hearing_config import HearingConfig
from makar.errors import UnsupportedError
from makar.families.asked import Asked, Asking
from makar.families.family import Batch, Sampler
from makar.families.logits_hook import LogitsHook
from makar.families.transformer.decoder import DecoderShape, pack_weights
from makar.families.transformer.layouts import transformers_settings
from makar.families.transformer.network import TransformerNetwork
from makar.families.transformer.options import TextOptions
from makar.families.transformer.prefix_decoder import PrefixDecoder
from makar.families.transformer.quantised import pack_product
from makar.families.transformer.sampling import choose, strategies
from makar.families.transformer.sound_config import SoundTransformerConfig
from makar.families.transformer.sound_options import SoundTokenOptions
from makar.families.transformer.sound_stream import guide_rows, lyric_rows, table_rows
from makar.families.transformer.worded_stream import text_rows, without_caption
from makar.tensor_spec import CAPTION, CLASS, KNOWN, LYRICS, SOURCE, TARGET

PAUSE = 0
"""The unit in which nothing is sung."""

TOGETHER = 16
"""Sounds drawn together; more would only need more memory, as rows are computed one by one."""


@runtime_checkable
class ImaginesGuides(Protocol):
    """A codec that draws the guide of sounds from what they are asked to be."""

    def imagine_from(self, prompts: Sequence[Batch], seeds: Sequence[int], options: Mapping[str, Any]) -> list[Tensor]:
        """Return one guide an example, int64 ``[source_codebooks, moments]``."""


@runtime_checkable
class ReadsLyrics(Protocol):
    """A codec that knows when the units of words are sung."""

    def encode_lyrics(self, text: str) -> np.ndarray:
        """Return the unit of every frame for as long as the words last, int64 ``[frames]``."""


@dataclasses.dataclass(kw_only=True)
class _Sound:
    """One sound in the making: its tokens so far ``[codebooks, moments]``, its guide and its words, as long as it will be."""

    index: int
    asked: Asked
    generator: torch.Generator
    tokens: Int[Tensor, "codebooks moments"]
    guide: Int[Tensor, "source_codebooks source_moments"] | None
    lyrics: Int[Tensor, " lyric_frames"] | None
    wanted: int


class SoundTokenSampler(Sampler):
    """Makes sounds as rows of tokens.

    Args:
        config: Sizes of the model.
        network: The decoder; its weights are copied.
        guide: Vectors of the guide, ``None`` without one.
        lyrics: Vectors of the words, ``None`` without any.
        asking: Reads what sounds are asked to be.
        codec: The codec of the model: how long its sounds last, and what draws their guides.
        hooks: Applied to the logits of every codebook after the filters.
    """

    def __init__(
        self,
        config: SoundTransformerConfig,
        network: TransformerNetwork,
        *,
        guide: Float[Tensor, "guide_rows width"] | None,
        lyrics: Float[Tensor, "lyric_rows width"] | None,
        asking: Asking,
        codec: Codec,
        hooks: Sequence[LogitsHook] = (),
    ) -> None:
        self._config = config
        self._guide = guide
        self._lyrics = lyrics
        self._asking = asking
        self._codec = codec
        self._hooks = tuple(hooks)
        shape = DecoderShape.from_transformers(transformers_settings(config.decoder, tokens={}))
        device = str(network.embeddings.device)
        packed = pack_weights(shape, network.saved_tensors(), device=device)
        # Only sound tokens are ever drawn.
        rows = network.head[config.content_start :].detach()
        self._weights = dataclasses.replace(
            packed, head=pack_product(rows, precision="float32"), shape=dataclasses.replace(shape, vocabulary=len(rows))
        )

    def sample(
        self, options: SoundTokenOptions, prompts: list[Batch], seeds: list[int]
    ) -> Iterator[tuple[int, dict[str, np.ndarray], bool]]:
        """Make one sound for every seed, from nothing or going on from the ``known`` tokens of its prompt, along its ``source``.

        Yields:
            (index, {"target": int64 ``[codebooks, moments]``}, True), in order.

        Raises:
            UnsupportedError: Guidance, a label or a slot that this model cannot honour, or seconds of a model that knows none.
            UnknownNameError: The label is not a class of the model.
        """
        whole = prompts or [{} for _ in seeds]
        sounds = [self._begun(options, index, whole[index], seed) for index, seed in enumerate(seeds)]
        self._complete_guides(sounds, seeds)
        # Sounds of one batch take the same steps.
        for _, same in itertools.groupby(sounds, key=lambda sound: (sound.tokens.shape[1], sound.wanted)):
            group = list(same)
            for start in range(0, len(group), TOGETHER):
                part = group[start : start + TOGETHER]
                while part[0].tokens.shape[1] < part[0].wanted:
                    self._write_window(options, part)
                for sound in part:
                    yield sound.index, {TARGET: sound.tokens.numpy()}, True

    def _begun(self, options: SoundTokenOptions, index: int, prompt: Batch, seed: int) -> _Sound:
        config = self._config
        generator = torch.Generator().manual_seed(seed)
        draw = torch.rand((), generator=generator)
        rest = {name: value for name, value in prompt.items() if name not in (KNOWN, SOURCE, LYRICS)}
        guide, known = prompt.get(SOURCE), prompt.get(KNOWN)
        if guide is not None and not config.source_codes:
            raise UnsupportedError("a guide for a model that follows none", expected="a class or a caption at most")
        asked = self._asking.read(options, rest, draw, is_edit=guide is not None or known is not None)
        tokens = torch.zeros(config.codebooks, 0, dtype=torch.int64) if known is None else known.cpu().long()
        if tokens.ndim != 2 or len(tokens) != config.codebooks:
            raise UnsupportedError(
                f"known tokens of shape {list(tokens.shape)}", expected=f"{config.codebooks} rows, as many as codebooks"
            )
        if guide is not None and (guide.ndim != 2 or len(guide) != config.source_codebooks):
            raise UnsupportedError(f"a guide of shape {list(guide.shape)}", expected=f"{config.source_codebooks} rows")
        lyrics = self._sung(options, prompt.get(LYRICS), tokens.shape[1])
        return _Sound(
            index=index,
            asked=asked,
            generator=generator,
            tokens=tokens,
            guide=None if guide is None else guide.cpu().long(),
            lyrics=lyrics,
            wanted=self._wanted(options, tokens.shape[1], lyrics),
        )

    def _sung(self, options: SoundTokenOptions, given: Tensor | None, known: int) -> Tensor | None:
        """Return the unit of every frame, ``None`` where nothing is said of words; what is asked for is sung behind what is known."""
        config = self._config
        if not config.lyric_units and (given is not None or options.lyrics is not None):
            raise UnsupportedError(
                "words to sing for a model that learned none", do='train it on songs with the recipe "jukebox-lyrics"'
            )
        if given is not None and options.lyrics is not None:
            raise UnsupportedError("words to sing were given twice", expected="one of them")
        if given is not None:
            return given.cpu().long()
        if options.lyrics is None:
            return None
        assert isinstance(self._codec.plain, ReadsLyrics), "words come from a codec"
        before = torch.full((known * config.lyric_frames // config.moments,), config.lyric_units)
        return torch.cat([before, torch.from_numpy(self._codec.plain.encode_lyrics(options.lyrics))])

    def _wanted(self, options: SoundTokenOptions, known: int, lyrics: Tensor | None) -> int:
        """Return how many moments a sound will have: what was learned at once, half of it more than is known, or as long as it is sung."""
        moments = self._config.moments
        sung = 0 if lyrics is None else math.ceil(len(lyrics) * moments / self._config.lyric_frames)
        if options.seconds is None:
            return max(sung, known + max(1, moments // 2) if known else moments)
        heard = self._codec.plain.config
        if not isinstance(heard, HearingConfig):
            raise UnsupportedError("seconds of a model that knows none", expected="a model of sounds")
        wanted = math.ceil(options.seconds / heard.seconds * moments)
        if wanted <= known:
            raise UnsupportedError(
                f"{options.seconds:g} seconds of a sound that is as long already",
                expected="more seconds than there are",
            )
        if wanted < sung:
            raise UnsupportedError(
                f"{options.seconds:g} seconds for words that take {sung * heard.seconds / moments:.1f} to sing",
                expected="more seconds, or fewer words",
            )
        return wanted

    def _complete_guides(self, sounds: list[_Sound], seeds: list[int]) -> None:
        """Give every sound a guide for all of its moments."""
        config = self._config
        if not config.source_codes:
            return
        for sound in sounds:
            length = math.ceil(sound.wanted * config.source_moments / config.moments)
            given = sound.guide if sound.guide is not None else torch.zeros(config.source_codebooks, 0).long()
            if given.shape[1] < length and isinstance(self._codec, ImaginesGuides):
                label, caption = sound.asked
                prompt: Batch = {KNOWN: given} if given.shape[1] else {}
                if label is not None and label < config.classes:
                    prompt[CLASS] = torch.tensor(label)
                if caption is not None:
                    prompt[CAPTION] = caption
                if sound.lyrics is not None:
                    prompt[LYRICS] = sound.lyrics
                heard = self._codec.plain.config
                assert isinstance(heard, HearingConfig), "guides are of sounds"
                seconds = heard.seconds * sound.wanted / config.moments
                controls = {} if length == config.source_moments and not given.shape[1] else {"seconds": seconds}
                (given,) = self._codec.imagine_from([prompt], [seeds[sound.index]], controls)
            missing = length - given.shape[1]
            hidden = torch.full((config.source_codebooks, max(0, missing)), config.source_codes)
            sound.guide = torch.cat([given[:, :length], hidden], 1)

    @torch.inference_mode()
    def _write_window(self, options: SoundTokenOptions, sounds: list[_Sound]) -> None:
        """Add as many moments to sounds as fit behind what they look back on."""
        config = self._config
        had, wanted = sounds[0].tokens.shape[1], sounds[0].wanted
        kept = min(had, config.moments // 2)
        first = had - kept
        moments = min(first + config.moments, wanted) - first
        codes = torch.full((len(sounds), config.codebooks, moments + config.codebooks - 1), config.codes)
        for row, sound in enumerate(sounds):
            for number in range(config.codebooks):
                codes[row, number, number : number + kept] = sound.tokens[number, first:]
        guidance = self._asking.guidance(options, [sound.asked for sound in sounds])
        told = [sound.asked for sound in sounds]
        untold = [self._asking.nothing(options.negative_prompt)] * len(sounds) if guidance != 1.0 else []
        beside = [self._beside(sound, first, is_told=True) for sound in sounds]
        beside += [self._beside(sound, first, is_told=False) for sound in sounds if untold]
        decoder = PrefixDecoder(
            self._weights, rows=len(beside), positions=config.longest_text + moments + config.codebooks
        )
        begun = [decoder.begin(row, self._beginning(asked, beside[row])) for row, asked in enumerate([*told, *untold])]
        logits = torch.stack(begun)
        chain = strategies(
            TextOptions(temperature=options.temperature, top_k=options.top_k, top_p=options.top_p), self._hooks
        )
        for step in range(codes.shape[2]):
            for row, sound in enumerate(sounds):
                found = logits[row]
                if untold:
                    without = logits[len(sounds) + row]
                    found = without + guidance * (found - without)
                by_codebook = found.view(config.codebooks, config.codes + 1)
                for number in range(config.codebooks):
                    # Where the codebook has begun, has not ended and nothing is known.
                    if kept <= step - number < moments:
                        history = codes[row, number, number:step].tolist()
                        one = by_codebook[number, : config.codes].clone()
                        codes[row, number, step] = choose(one, history, chain=chain, generator=sound.generator)
            if step + 1 < codes.shape[2]:
                vectors = self._step_vectors(codes[:, :, step]).repeat(2 if untold else 1, 1)
                place = [rows[min(step + 1, len(rows) - 1)] for rows in beside]
                logits = decoder.step(range(len(beside)), vectors + torch.stack(place))
        for row, sound in enumerate(sounds):
            new = [codes[row, number, number + kept : number + moments] for number in range(config.codebooks)]
            sound.tokens = torch.cat([sound.tokens, torch.stack(new)], 1)

    def _step_vectors(self, codes: Int[Tensor, "sounds codebooks"]) -> Float[Tensor, "sounds width"]:
        rows = table_rows(self._config, codes[..., None])[..., 0].to(self._weights.embedding.device)
        return self._weights.embedding[rows].sum(1) * self._config.codebooks**-0.5

    def _beside(self, sound: _Sound, first: int, *, is_told: bool) -> Float[Tensor, "steps width"]:
        """Return what guide and words add to the steps of a window; what is untold is not told the words."""
        config, embedding = self._config, self._weights.embedding
        found = torch.zeros(1, embedding.shape[1], device=embedding.device)
        if self._guide is not None and sound.guide is not None:
            window = _window(sound.guide, first, config.source_moments, config.moments, hidden=config.source_codes)
            found = self._guide[guide_rows(config, window).to(self._guide.device)].sum(0)
        if self._lyrics is not None:
            words = sound.lyrics if is_told and sound.lyrics is not None else torch.zeros(0, dtype=torch.int64)
            # Behind words that were given nothing is sung.
            after = PAUSE if len(words) else config.lyric_units
            window = _window(words, first, config.lyric_frames, config.moments, hidden=after)
            found = found + self._lyrics[lyric_rows(config, window).to(self._lyrics.device)].sum(0)
        return found

    def _beginning(self, asked: Asked, beside: Float[Tensor, "steps width"]) -> Float[Tensor, "length width"]:
        """Return the vectors of class, caption and the end of the text, which predicts the first step."""
        config = self._config
        label, caption = asked
        if config.caption_length and caption is None:
            caption = without_caption(config.caption_length)
        rows = text_rows(
            config,
            batch=1,
            label=torch.tensor([config.classes if label is None else label]) if config.classes else None,
            caption=caption.cpu()[None] if caption is not None and config.caption_length else None,
        )
        vectors = self._weights.embedding[rows.tokens[0].to(self._weights.embedding.device)].clone()
        vectors[-1] += beside[0]
        return vectors


def _window(
    told: Int[Tensor, "*rows length"], first: int, length: int, moments: int, *, hidden: int
) -> Int[Tensor, "*rows window"]:
    """Return what is told of the moments from ``first`` on, ``hidden`` behind its end.

    Args:
        told: Of all moments.
        first: The first moment.
        length: How much is told of so many moments as a window has.
        moments: Moments of a window.
        hidden: What stands where nothing is told.
    """
    start = first * length // moments
    window = told[..., start : start + length]
    return torch.cat([window, torch.full((*told.shape[:-1], length - window.shape[-1]), hidden)], -1)
