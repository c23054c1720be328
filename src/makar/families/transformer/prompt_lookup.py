"""Guesses of the next tokens from repeats: what followed the last few tokens where they stood before, in the prompt or in what was written.

Edits, summaries, code and answers repeat much of what they were given. A guess costs a look into a table; the network then reads all
guessed tokens in one step, which is little dearer than a step with one token, because it reads its weights once. The sampler keeps a guess
only while the token that it would have chosen anyway is the guessed one, with the same numbers and the same draws, so the text is the
same with and without guesses, whatever the temperature and the hooks.

The length of a guess follows what came true: twice as long after one that came true as a whole, as long as what came true otherwise.
Where less than a fifth of what was guessed comes true guessing pauses, for twice as long every time.

Source: Saxena 2023, "Prompt lookup decoding"; Leviathan et al. 2023, arXiv 2211.17192 (guess and verify).
"""

from collections.abc import Sequence

MATCHES = (8, 4, 2)
"""Lengths of what must stand there before, in tokens; the longest that is found decides."""
FIRST_GUESS = 4
"""Tokens of the first guess."""
WATCHED = 32
"""Guessed tokens after which it is judged whether guessing pays."""
LEAST_SHARE = 0.2
"""Share of them that has to come true."""
FIRST_PAUSE = 64
"""Tokens that are written without guesses when it does not."""


class PromptLookup:
    """Remembers where every row of tokens of one text stood last.

    Args:
        tokens: The prompt.
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens: list[int] = []
        self._places: dict[tuple[int, ...], int] = {}
        """By row of tokens: where what follows it begins."""
        self._length = FIRST_GUESS
        self._guessed = self._right = 0
        self._pause, self._paused_until = FIRST_PAUSE, 0
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """Take the next token of the text."""
        self._tokens.append(token)
        # What ends with the last token has no token behind it yet, so that it is entered one token later.
        end = len(self._tokens) - 1
        for length in MATCHES:
            if end >= length:
                self._places[tuple(self._tokens[end - length : end])] = end

    def guess(self, most: int) -> list[int]:
        """Return at most so many tokens that may come next; none where nothing is known or guessing does not pay."""
        if most < 1 or len(self._tokens) < self._paused_until:
            return []
        for length in MATCHES:
            place = self._places.get(tuple(self._tokens[-length:])) if len(self._tokens) >= length else None
            if place is not None:
                return self._tokens[place : place + min(most, self._length)]
        return []

    def judge(self, guessed: int, right: int) -> None:
        """Say how many tokens of the last guess came true.

        Args:
            guessed: Its tokens.
            right: How many of them were chosen, from the first on.
        """
        self._length = self._length * 2 if right == guessed else max(2, right)
        self._guessed += guessed
        self._right += right
        if self._guessed >= WATCHED:
            if self._right < LEAST_SHARE * self._guessed:
                self._paused_until = len(self._tokens) + self._pause
                self._pause *= 2
            self._guessed = self._right = 0
