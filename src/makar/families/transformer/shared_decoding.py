"""One running batch that the requests of many threads share: each joins when it comes, and none waits for another to end.

There is no thread of its own. Whoever finds nothing new for itself computes the next step for all and takes what is its own; the others
find theirs done. A request that is dropped in the middle leaves at once. Steps are exact by text (``decoding_batch``), so sharing changes
speed and nothing else.
"""

import threading
from collections.abc import Callable, Iterator, Sequence

from makar.families.transformer.decoding_batch import DecodingBatch, Writing


class SharedDecoding:
    """The running batches of one model, one for each arithmetic that was asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches: dict[tuple[str, float], DecodingBatch] = {}

    def follow(
        self, kind: tuple[str, float], make: Callable[[], DecodingBatch], writings: Sequence[Writing]
    ) -> Iterator[tuple[Writing, list[int], str, bool]]:
        """Take part with some texts until all of them are finished.

        Args:
            kind: Names the batch: precision and stretch.
            make: Makes it when it is asked for first.
            writings: The texts.

        Yields:
            (text, new tokens, their text, whether it is finished with them).
        """
        with self._lock:
            batch = self._batches.get(kind)
            if batch is None:
                # One of another kind in which nobody writes gives its memory back.
                self._batches = {other: one for other, one in self._batches.items() if one.is_busy}
                batch = self._batches[kind] = make()
            for writing in writings:
                batch.join(writing)
        open_ones = list(writings)
        try:
            while open_ones:
                # Tokens are taken under the lock too: another thread may be adding the next ones.
                with self._lock:
                    if not any(writing.has_news for writing in open_ones):
                        batch.step()
                    # So is it noted who is finished: meanwhile another thread may end a text whose last piece is not taken.
                    news = [
                        (one, one.take(company=batch.company), one.is_finished) for one in open_ones if one.has_news
                    ]
                ended = [writing for writing, _, is_finished in news if is_finished]
                open_ones = [writing for writing in open_ones if writing not in ended]
                for writing, piece, is_finished in news:
                    if piece is not None:
                        yield writing, *piece, is_finished
        finally:
            with self._lock:
                for writing in open_ones:
                    batch.leave(writing)
