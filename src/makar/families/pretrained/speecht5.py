"""A SpeechT5 as it came: text in, a picture frame after frame, in the voice of a vector; its vocoder plays the picture.

Source: Ao et al. 2022, arXiv 2110.07205; the vocoder is HiFi-GAN (Kong et al. 2020, arXiv 2010.05646). Both are checkpoints: the vocoder
stands in the folder ``vocoder`` of the first, and a voice is a file ``voices/NAME.npy`` with the vector of a speaker. What a frame is told
of the one before is thinned at random in speech as in training (as in Tacotron 2), so that the seed matters.
"""

import io
from typing import Any

import numpy as np
import torch

from makar.errors import ArtifactError, UnsupportedError
from makar.families.pretrained.checkpoint_folder import read_checkpoint
from makar.families.pretrained.checkpoint_settings import complete_settings
from makar.families.pretrained.drawing import drawn_from
from makar.families.pretrained.letter_pieces import LetterPieces
from makar.families.pretrained.sound_config import SpeakerConfig
from makar.families.pretrained.sound_opening import VOCODER, VOICES
from makar.families.pretrained.speaker_options import SpeakerOptions
from makar.families.pretrained.speaking import SpeakingCheckpoint
from makar.families.pretrained.text_opening import open_network
from makar.provenance.folder import read_limited

PIECES = "spm_char.model"
HIFIGAN = "SpeechT5HifiGan"


class Speecht5Checkpoint(SpeakingCheckpoint):
    """A SpeechT5 that speaks.

    Args:
        config: Names the folder by its hash.

    Raises:
        ArtifactError: It has no tokenizer of letters, or its vocoder plays other pictures.
    """

    def __init__(self, config: SpeakerConfig) -> None:
        super().__init__(config)
        settings, path = complete_settings(self.folder), self.folder.path
        if not (path / PIECES).is_file():
            raise ArtifactError(f"{path} has no tokenizer", expected=PIECES, do="get the whole folder again")
        self._pieces = LetterPieces.read((path / PIECES).read_bytes())
        self._end, self._width = int(settings["eos_token_id"]), int(settings["speaker_embedding_dim"])
        vocoder = read_checkpoint(path / VOCODER)
        if vocoder.architecture != HIFIGAN:
            raise ArtifactError(f"the vocoder of {path} is a {vocoder.architecture}", expected=HIFIGAN)
        self._vocoder, _ = open_network(vocoder, precision=self._precision)
        bands = complete_settings(vocoder)["model_in_dim"]
        if bands != settings["num_mel_bins"]:
            raise ArtifactError(f"the vocoder of {path} plays {bands} bands", expected=f"{settings['num_mel_bins']}")

    def check(self, text: str, options: SpeakerOptions, *, speed: float) -> None:
        """Refuse letters that it was never taught, and what it has no way to do.

        Raises:
            UnsupportedError: There are some, or a speed or noise is asked for.
            UsageError: There is nothing to speak.
        """
        if speed != 1:
            raise UnsupportedError(f"speed {speed:g} of a SpeechT5", expected="1: it speaks as fast as it learned")
        given = [name for name in ("noise", "rhythm_noise") if options.to_dictionary()[name] is not None]
        if given:
            raise UnsupportedError(f"{given[0]} of a SpeechT5", expected="label, and a seed")
        if not self.config.voices:
            raise UnsupportedError(
                f"{self.folder.path.name} speaks in the voice of a vector, and there is none",
                expected=f"{VOICES}/NAME.npy in it, with {self._width} numbers",
                do="put the vector of a speaker there, such as those of the recordings of CMU ARCTIC",
            )
        self.refuse_letters(self._pieces.plain(text), self._pieces.letters)

    def speak(self, text: str, options: SpeakerOptions, *, voice: int, speed: float, seed: int) -> np.ndarray:
        """Return samples of a part of a text, float32 ``[samples]``."""
        del options, speed
        network: Any = self.network
        vector = torch.from_numpy(self._vector(self.config.voices[voice]))[None]
        tokens = torch.tensor([[*self._pieces.encode(text), self._end]], device=network.device)
        with drawn_from(seed), torch.inference_mode():
            made = network.generate_speech(tokens, vector.to(network.device, network.dtype), vocoder=self._vocoder)
        samples: np.ndarray = made.float().cpu().numpy()
        return samples

    def _vector(self, name: str) -> np.ndarray:
        path = self.folder.path / VOICES / f"{name}.npy"
        try:
            found = np.load(io.BytesIO(read_limited(path.resolve())), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ArtifactError(f"{path} is no vector: {str(error)[:80]}", expected=f"{self._width} numbers") from error
        if found.dtype.kind not in "fiu" or found.size != self._width or not np.isfinite(found).all():
            raise ArtifactError(
                f"{path} holds {found.dtype} {list(found.shape)}", expected=f"{self._width} numbers of a speaker"
            )
        return found.reshape(-1).astype(np.float32)
