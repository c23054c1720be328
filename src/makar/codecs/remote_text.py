"""What is sent to an endpoint, as tokens: the bytes of a text, or of the turns of a conversation as JSON behind an end token.

No text holds an end token, so a conversation cannot be mistaken for a text, nor the other way.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from makar.codecs.codec import UnlearnedCodec
from makar.codecs.remote_text_config import RemoteTextCodecConfig
from makar.codecs.text import TextCodec
from makar.codecs.text_config import ByteCodecConfig
from makar.data.record import Record
from makar.tensor_spec import TensorSpec


class RemoteTextCodec(UnlearnedCodec):
    """Turns text and turns into bytes.

    Args:
        config: Nothing to set.
    """

    text_is_a_turn = True
    """What is asked is said to the model, and its answer does not repeat it."""

    def __init__(self, config: RemoteTextCodecConfig) -> None:
        self.config: RemoteTextCodecConfig = config
        self._bytes = TextCodec.fit(ByteCodecConfig(), iter(()))

    @property
    def spec(self) -> TensorSpec:
        """One slot ``target`` of bytes along ``length``."""
        return self._bytes.spec

    def encode(self, record: Record) -> dict[str, np.ndarray]:
        """Return the bytes of a record and the end token."""
        return self._bytes.encode(record)

    def encode_text(self, text: str) -> np.ndarray:
        """Return the bytes of a text, int64 ``[length]``."""
        return self._bytes.encode_text(text)

    def encode_turns(self, messages: Sequence[Mapping[str, str]]) -> np.ndarray:
        """Return the turns of a conversation, int64 ``[length]``."""
        written = json.dumps([dict(turn) for turn in messages], ensure_ascii=False)
        return np.concatenate([[self._bytes.end_token], self._bytes.encode_text(written)])

    def turns_of(self, tokens: np.ndarray) -> list[dict[str, str]]:
        """Return the turns that tokens stand for; a text alone is said by the user."""
        if len(tokens) and int(tokens[0]) == self._bytes.end_token:
            turns: list[dict[str, str]] = json.loads(self._bytes.decode_tokens(tokens[1:]))
            return turns
        return [{"role": "user", "content": self._bytes.decode_tokens(tokens)}]

    def token_byte_lengths(self) -> np.ndarray:
        """Return how many bytes each token stands for, int64 ``[vocabulary]``: one, and none for the end token."""
        return self._bytes.token_byte_lengths()

    def decode(self, slots: dict[str, np.ndarray]) -> str:
        """Return the text of ``target`` up to its first end token."""
        return self._bytes.decode(slots)
