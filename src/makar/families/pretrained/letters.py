"""A checkpoint that hears letters over time as it came: wav2vec 2.0, HuBERT, WavLM and their kin with a head of letters.

It is trained as our own recogniser is (connectionist temporal classification: Graves et al. 2006), so the same search finds the transcript
and the times of its words; here the likeliest token counts at every step, as the checkpoints are usually asked. What is longer than half a
minute is heard in windows of which a quarter overlaps, and of a step that two windows hear, that one counts which lies further from an end.
Windows begin at whole steps: the network takes a step every so many samples whatever it hears (Baevski et al. 2020, arXiv 2006.11477).
"""

import math

import numpy as np
import torch

from makar.data.sound import Sound
from makar.errors import UnsupportedError
from makar.families.pretrained.checkpoint_settings import complete_settings
from makar.families.pretrained.sound_config import ListenerConfig
from makar.families.pretrained.sound_family import ListeningCheckpoint
from makar.families.pretrained.sound_opening import extractor_of
from makar.families.pretrained.text_opening import open_tokenizer
from makar.families.recogniser.heard import Heard
from makar.tensor_spec import PADDING_TOKEN

SILENT = 1e-4
"""The loudest sample of a window in which nothing is said: -80 dB."""

NOT_SAID = -100.0
"""Logarithm of the chance of a letter in silence."""

ALPHABET = "Wav2Vec2CTCTokenizer"


class LetterCheckpoint(ListeningCheckpoint):
    """A checkpoint with a head of letters.

    Args:
        config: Names the folder by its hash.

    Raises:
        UnsupportedError: Its tokenizer is no alphabet.
    """

    def __init__(self, config: ListenerConfig) -> None:
        super().__init__(config)
        self._prepare = extractor_of(self.folder)
        tokenizer, stated = open_tokenizer(self.folder), complete_settings(self.folder)
        strides, kernels = stated["conv_stride"], stated["conv_kernel"]
        if type(tokenizer).__name__ != ALPHABET:
            raise UnsupportedError(f"the tokenizer {type(tokenizer).__name__}", expected=f"an alphabet: {ALPHABET}")
        self._step = math.prod(strides)
        self._field = 1 + sum((kernel - 1) * math.prod(strides[:at]) for at, kernel in enumerate(kernels))
        nothing, count = int(stated["pad_token_id"]), int(stated["vocab_size"])
        # Where nothing new is heard comes first, as everywhere here.
        self._order = [nothing, *(number for number in range(count) if number != nothing)]
        special = set(tokenizer.all_special_ids) - {tokenizer.word_delimiter_token_id}
        names = tokenizer.convert_ids_to_tokens(self._order)
        letters = [
            ""
            if number in special
            else tokenizer.replace_word_delimiter_char
            if name == tokenizer.word_delimiter_token
            else name
            for number, name in zip(self._order, names, strict=True)
        ]
        self._letters = [letter.lower() for letter in letters] if tokenizer.do_lower_case else letters

    @torch.inference_mode()
    def hear(self, sound: Sound) -> Heard:
        """Return how likely every letter is at every step.

        Args:
            sound: One channel, at the rate of the configuration.
        """
        samples = sound.mono()
        samples = np.pad(samples, (0, max(0, self._field - len(samples))))
        steps = (len(samples) - self._field) // self._step + 1
        window = max(4, round(self.config.seconds * self.config.rate_hz / self._step))
        shared = window // 4
        begins = range(0, max(1, steps - shared), window - shared)
        chances = np.full((steps, len(self._order)), NOT_SAID, np.float32)
        chances[:, PADDING_TOKEN] = 0.0
        for begin in begins:
            first = begin * self._step
            part = samples[first : first + (window - 1) * self._step + self._field]
            if np.abs(part).max() <= SILENT:
                continue
            left = begin + (shared // 2 if begin else 0)
            right = min(begin + window, steps)
            # The next window overwrites the half of what they share that lies nearer to this one's end.
            chances[left:right] = self._chances(part)[left - begin : right - begin]
        return Heard(
            chances=chances,
            step_seconds=self._step / self.config.rate_hz,
            spell=lambda tokens: [self._letters[token] for token in np.asarray(tokens, np.int64).tolist()],
            beam=1,
            windows=len(begins),
        )

    def _chances(self, samples: np.ndarray) -> np.ndarray:
        made = self._prepare(samples, sampling_rate=self.config.rate_hz, return_tensors="pt")
        given = {name: value.to(self.network.device) for name, value in made.items()}
        given["input_values"] = given["input_values"].to(self.network.dtype)
        logits = self.network(**given).logits[0]
        found: np.ndarray = logits.float().log_softmax(-1).cpu().numpy()[:, self._order]
        return found
