"""Tokens in, text out in pieces that never have to be taken back: whole characters, and nothing of a stop text.

Tokens wait while their text ends in U+FFFD, which is what an unfinished UTF-8 character decodes to, or ends in something that could
become a stop text. Tokens are released whole, so that released tokens decode to the released text.
"""

from collections.abc import Callable, Sequence

import numpy as np

UNFINISHED = "\ufffd"


class TextStream:
    """Turns tokens into text as they come.

    Args:
        decode_tokens: From tokens to text; the text of a sequence must be that of its parts where these end between characters.
        stop: Texts that end the stream and are not part of it.
    """

    def __init__(self, decode_tokens: Callable[[np.ndarray], str], *, stop: Sequence[str] = ()) -> None:
        self.stopped = False
        """Whether a stop text has come; later tokens are refused."""
        self._decode = decode_tokens
        self._stop = tuple(stop)
        self._pending: list[int] = []
        self._ready: list[int] = []
        self._text = ""

    def add(self, token: int) -> None:
        """Take the next token; sets ``stopped`` when a stop text is complete."""
        self._pending.append(token)
        # Without stop texts nothing depends on the text until somebody asks for it.
        if self._stop:
            self._release(final=False)

    def take(self) -> tuple[list[int], str]:
        """Return the tokens that became final since the last call, and their text."""
        if not self._stop:
            self._release(final=False)
        return self._hand_over()

    def finish(self) -> tuple[list[int], str]:
        """Return everything that is left, broken characters included."""
        self._release(final=True)
        return self._hand_over()

    def _hand_over(self) -> tuple[list[int], str]:
        tokens, text = self._ready, self._text
        self._ready, self._text = [], ""
        return tokens, text

    def _release(self, *, final: bool) -> None:
        if not self._pending or self.stopped:
            return
        text = self._decode(np.array(self._pending, dtype=np.int64))
        found = [place for place in (text.find(stop) for stop in self._stop) if place >= 0]
        if found:
            self.stopped = True
            self._text += text[: min(found)]
            self._ready += self._covering(min(found))
        elif final or not self._may_change(text):
            self._text += text
            self._ready += self._pending
            self._pending = []

    def _may_change(self, text: str) -> bool:
        return text.endswith(UNFINISHED) or any(
            text.endswith(stop[:length]) for stop in self._stop for length in range(1, len(stop))
        )

    def _covering(self, characters: int) -> list[int]:
        for count in range(len(self._pending) + 1):
            if len(self._decode(np.array(self._pending[:count], dtype=np.int64))) >= characters:
                return self._pending[:count]
        return self._pending
