"""A VITS as it came, as the more than a thousand languages of MMS have it: text in, samples out.

Source: Kim et al. 2021, arXiv 2106.06103; Pratap et al. 2023, arXiv 2305.13516 (MMS). The rhythm and the sound are drawn, both from the
seed. Checkpoints that want the text in phones of espeak-ng (its licence keeps it out of here) or romanised by uroman are refused, or told
what to give instead.
"""

import numpy as np
import torch

from makar.errors import UnsupportedError
from makar.families.pretrained.drawing import drawn_from
from makar.families.pretrained.sound_config import SpeakerConfig
from makar.families.pretrained.speaker_options import SpeakerOptions
from makar.families.pretrained.speaking import SpeakingCheckpoint
from makar.families.pretrained.text_opening import open_tokenizer


class VitsCheckpoint(SpeakingCheckpoint):
    """A VITS.

    Args:
        config: Names the folder by its hash.
    """

    def __init__(self, config: SpeakerConfig) -> None:
        super().__init__(config)
        self._tokenizer = open_tokenizer(self.folder)
        self._noise = float(self.network.noise_scale), float(self.network.noise_scale_duration)
        self._rate = float(self.network.speaking_rate)

    def check(self, text: str, options: SpeakerOptions, *, speed: float) -> None:
        """Refuse letters that it was never taught.

        Raises:
            UnsupportedError: There are some.
            UsageError: There is nothing to speak.
        """
        del options, speed
        tokenizer = self._tokenizer
        if tokenizer.is_uroman and not text.isascii():
            raise UnsupportedError(
                f"{self.folder.path.name} reads {tokenizer.language or 'its language'} in Latin letters",
                expected="a text that uroman, or a person, romanised",
            )
        known = set(tokenizer.get_vocab())
        self.refuse_letters(tokenizer.normalize_text(text) if tokenizer.normalize else text, known)

    def speak(self, text: str, options: SpeakerOptions, *, voice: int, speed: float, seed: int) -> np.ndarray:
        """Return samples of a part of a text, float32 ``[samples]``."""
        network, usual = self.network, self._noise
        given = self._tokenizer(text, return_tensors="pt").to(network.device)
        with drawn_from(seed), torch.inference_mode():
            # The class has no arguments for them; whoever comes next has the lock, and sets them anew.
            network.noise_scale = usual[0] if options.noise is None else options.noise
            network.noise_scale_duration = usual[1] if options.rhythm_noise is None else options.rhythm_noise
            made = network(**given, speaker_id=voice if self.config.voices else None, speaking_rate=self._rate * speed)
        samples: np.ndarray = made.waveform[0].float().cpu().numpy()
        return samples
