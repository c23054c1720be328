"""The suffix array finds exactly the matches that a search by hand finds."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings, strategies

from makar.novelty.suffix_shard import BREAK, SuffixShard, write_shard


def longest_by_hand(words: list[int], query: list[int], position: int) -> int:
    best = 0
    for start in range(len(words)):
        length = 0
        while (
            start + length < len(words)
            and position + length < len(query)
            and words[start + length] == query[position + length] != 0
        ):
            length += 1
        best = max(best, length)
    return best


@settings(max_examples=60, deadline=None)
@given(
    words=strategies.lists(strategies.integers(0, 4), min_size=1, max_size=80),
    query=strategies.lists(strategies.sampled_from([BREAK, 1, 2, 3, 4, 65535]), min_size=1, max_size=50),
)
def test_lengths_and_places_are_those_of_a_search_by_hand(tmp_path_factory, words: list[int], query: list[int]) -> None:
    path = tmp_path_factory.mktemp("shard") / "shard"
    write_shard(path, np.array(words, np.uint16))
    lengths, places = SuffixShard(path).longest_matches(np.array(query, np.int32))
    for position, (length, place) in enumerate(zip(lengths, places)):
        assert length == longest_by_hand(words, query, position)
        assert words[place : place + length] == query[position : position + length]


def test_a_match_longer_than_a_block_is_found_whole(tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(1, 60000, 5000).astype(np.uint16)
    write_shard(tmp_path / "shard", words)
    lengths, places = SuffixShard(tmp_path / "shard").longest_matches(words[1000:4000].astype(np.int32))
    assert lengths[0] == 3000
    assert places[0] == 1000
    assert (lengths == np.arange(3000, 0, -1)).mean() > 0.99
