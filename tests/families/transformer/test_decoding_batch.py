"""The running batch: guesses, company, the moment of joining and blocks that are kept change speed and never the text."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from makar.errors import DataError
from makar.families.transformer import decoding_batch
from makar.families.transformer import sampler as sampler_module
from makar.families.transformer.cache import KeyValueCache
from makar.families.transformer.decoder import pack_weights
from makar.families.transformer.decoding_batch import BLOCK, DecodingBatch, Writing
from makar.families.transformer.options import TextOptions
from makar.families.transformer.reading import WeightsReader
from makar.families.transformer.sampling import Greedy
from makar.families.transformer.shared_decoding import SharedDecoding
from makar.families.transformer.text_stream import TextStream

from .decoding_models import END, decode_bytes, make_example
from .test_sampler import DRAWN, GREEDY, continuations, make_sampler

REPEATS = [list(b"one two three four. one two three four. one two") + [5] * 12, [7, 8, 9] * 9]


@pytest.mark.parametrize("precision", ["float32", "float32-batched", "bfloat16", "int8"])
@pytest.mark.parametrize("options", [GREEDY, DRAWN.changed(temperature=0.3, repetition_penalty=1.1)])
@pytest.mark.parametrize("layout", ["mainstream", "compact"])
def test_the_text_is_the_same_with_and_without_guesses(layout: str, options: TextOptions, precision: str) -> None:
    example = make_example(layout, context=96)
    asked = options.changed(max_tokens=60, precision=precision)
    plain = continuations(make_sampler(example, guesses=0), asked, REPEATS, [1, 2])
    assert continuations(make_sampler(example), asked, REPEATS, [1, 2]) == plain


def batch_of(example: Any, *, guesses: int = 15, slots: int = 1, capacity: int = 512) -> DecodingBatch:
    weights = pack_weights(example.shape, example.tensors, positions=capacity)
    return DecodingBatch(WeightsReader(weights, slots=slots, capacity=capacity), guesses=guesses)


def writing_of(prompt: list[int], *, limit: int = 40, chain: tuple = (Greedy(),)) -> Writing:
    stream = TextStream(decode_bytes)
    settings: dict[str, Any] = {"chain": chain, "seed": 0, "stream": stream, "end_tokens": (END,), "limit": limit}
    return Writing(0, list(prompt), **settings, interval_seconds=0.0)


def written(batch: DecodingBatch, writing: Writing) -> list[int]:
    start = len(writing.tokens)
    batch.join(writing)
    while not writing.is_finished:
        batch.step()
    return writing.tokens[start:]


def test_pieces_come_less_often_where_many_texts_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(decoding_batch.time, "monotonic", lambda: now[0])
    settings: dict[str, Any] = {"chain": (Greedy(),), "seed": 0, "end_tokens": (END,), "limit": 40}
    writing = Writing(0, [1], **settings, stream=TextStream(decode_bytes), interval_seconds=1.0)
    logits = torch.zeros(256)
    logits[ord("a")] = 1.0

    def shown_after(seconds: float, company: int) -> bool:
        now[0] += seconds
        writing.choose(logits)
        return writing.take(company=company) is not None

    assert shown_after(0.0, 1)
    assert not shown_after(0.9, 8) and shown_after(0.2, 8)
    assert not shown_after(3.0, 32) and shown_after(1.1, 32)


def test_a_text_that_repeats_takes_fewer_steps() -> None:
    example = make_example("mainstream", context=512)

    def repeat(logits: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        return torch.where(torch.arange(len(logits)) == history[-20], 0.0, -100.0)

    prompt = list(range(20)) * 2
    plain, quick = (batch_of(example, guesses=guesses) for guesses in (0, 15))
    tokens = written(plain, writing_of(prompt, chain=(repeat, Greedy())))
    assert written(quick, writing_of(prompt, chain=(repeat, Greedy()))) == tokens == (list(range(20)) * 2)
    assert plain.steps == 39 and quick.steps <= 6


@pytest.mark.parametrize("precision", ["float32", "float32-batched", "int8"])
@pytest.mark.parametrize("layout", ["mainstream", "compact"])
def test_prompts_that_are_read_together_are_computed_as_if_alone(layout: str, precision: str) -> None:
    example = make_example(layout, context=512)
    weights = pack_weights(example.shape, example.tensors, precision=precision, positions=512)
    # Of different lengths, and one of them goes on from what stands in its slot already.
    begun, rows = [5, 6, 7], [[1, 2, 3, 4, 5, 6, 7], [9], [token % 250 for token in range(BLOCK)], [8, 8, 1]]

    def reader() -> WeightsReader:
        made = WeightsReader(weights, slots=len(rows), capacity=512)
        made.read([begun], [3])
        return made

    alone = []
    for slot, row in enumerate(rows):
        one = reader()
        alone.append((one.read([row], [slot])[0], one.append([[4, 2]], [slot])[0].clone()))
    together = reader()
    found = together.read(rows, range(len(rows)))
    assert together.lengths == [7, 1, BLOCK, 6]
    for slot, (after, further) in enumerate(alone):
        assert torch.equal(found[slot], after)
        assert torch.equal(together.append([[4, 2]], [slot])[0], further)


def test_prompts_of_several_blocks_are_read_together() -> None:
    example = make_example("mainstream", context=1024)
    prompts = [[(number + token) % 250 for token in range(length)] for number, length in enumerate((300, 3, 140, 256))]
    alone = [written(batch_of(example), writing_of(prompt, limit=5)) for prompt in prompts]
    batch = batch_of(example, slots=4)
    writings = [writing_of(prompt, limit=5) for prompt in prompts]
    for writing in writings:
        batch.join(writing)
    while batch.is_busy:
        batch.step()
    assert [writing.tokens[-5:] for writing in writings] == alone


def test_nobody_waits_for_the_whole_of_a_long_prompt() -> None:
    example = make_example("mainstream", context=1024)
    batch = batch_of(example, slots=2, guesses=0, capacity=1024)
    quick, long = writing_of([1, 2, 3]), writing_of([token % 250 for token in range(4 * BLOCK)])
    batch.join(quick)
    batch.step()
    batch.join(long)
    for step in range(1, 5):
        batch.step()
        assert len(quick.tokens) == 4 + step and (len(long.tokens) > 4 * BLOCK) == (step == 4)
    # One that leaves while it is read gives its place to the next.
    third = writing_of([9 + token % 240 for token in range(2 * BLOCK)])
    batch.leave(long)
    batch.join(third)
    batch.step()
    batch.leave(third)
    again = [9 + token % 240 for token in range(2 * BLOCK + 3)]
    before = batch.reread
    assert written(batch, writing_of(again)) == written(batch_of(example), writing_of(again))
    assert batch.reread == before + BLOCK


def test_whole_blocks_in_common_are_not_read_again() -> None:
    example = make_example("mainstream", context=1024)
    first = [token % 250 for token in range(2 * BLOCK + 9)]
    alone = written(batch_of(example), writing_of([*first, 3, 1, 4]))
    batch = batch_of(example)
    answer = written(batch, writing_of(first))
    assert batch.reread == 0
    assert written(batch, writing_of([*first, 3, 1, 4])) == alone
    assert batch.reread == 2 * BLOCK
    # What differs in the second block shares the first, and a prompt of whole blocks still reads its last one.
    written(batch, writing_of([*first[: BLOCK + 5], 77]))
    assert batch.reread == 3 * BLOCK
    written(batch, writing_of(first[:BLOCK]))
    assert batch.reread == 3 * BLOCK
    assert len(answer) > 0


def test_threads_share_a_batch_and_get_the_texts_that_they_get_alone() -> None:
    example = make_example("mainstream", context=128)
    shared = SharedDecoding()
    prompts = [[number, 2, 3] for number in range(6)]
    options = [DRAWN.changed(temperature=0.5 + number / 10, max_tokens=20 + 5 * number) for number in range(6)]
    alone = [continuations(make_sampler(example), one, [p], [9])[0] for one, p in zip(options, prompts)]
    found: dict[int, Any] = {}

    def ask(number: int) -> None:
        sampler = make_sampler(example, shared=shared, slots=4)
        found[number] = continuations(sampler, options[number], [prompts[number]], [9])[0]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(6)] == alone


def test_a_request_that_is_dropped_leaves_and_one_that_fails_harms_no_other() -> None:
    example = make_example("mainstream", context=128)
    shared = SharedDecoding()

    def fail(logits: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        raise DataError("no token fits")

    dropped = make_sampler(example, shared=shared, slots=2).sample(DRAWN, [{}], [0])
    failing = make_sampler(example, shared=shared, slots=2, hooks=[fail]).sample(DRAWN, [{}], [0])
    next(dropped)
    with pytest.raises(DataError, match="no token fits"):
        list(failing)
    dropped.close()
    alone = continuations(make_sampler(example), DRAWN, [[1], [2], [3]], [4, 5, 6])
    assert continuations(make_sampler(example, shared=shared, slots=2), DRAWN, [[1], [2], [3]], [4, 5, 6]) == alone


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says what a process has in memory")
def test_places_that_no_text_has_reached_take_no_memory() -> None:
    before = resident()
    cache = KeyValueCache(depth=2, slots=4, heads=4, capacity=1 << 16, head_width=64)
    assert 2 * cache.layers[0].nbytes == 1 << 30 and resident() - before < 1 << 26
    assert not cache.keys(1)[3, :, :8].any()


def test_a_long_context_leaves_room_for_fewer_texts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    example, room = make_example("mainstream", context=96), sampler_module.psutil.virtual_memory()
    sampler = make_sampler(example, shared=SharedDecoding(), slots=4)
    shape = sampler.shape
    each = 8 * shape.depth * shape.key_value_heads * shape.head_width * 96
    texts = continuations(make_sampler(example), GREEDY, [[1], [2], [3]], [0, 0, 0])
    monkeypatch.setattr(sampler_module.psutil, "virtual_memory", lambda: room._replace(total=4 * each))
    assert continuations(sampler, GREEDY, [[1], [2], [3]], [0, 0, 0]) == texts
    assert sampler._batch(GREEDY, slots=4)._reader.slots == 2


def test_a_batch_of_another_stretch_in_which_nobody_writes_is_let_go() -> None:
    example, shared = make_example("mainstream", context=96), SharedDecoding()
    for stretch in (1.0, 1.5, 2.0):
        for _ in shared.follow(("float32", stretch), lambda: batch_of(example), [writing_of([1, 2], limit=3)]):
            pass
    assert list(shared._batches) == [("float32", 2.0)]


def test_after_an_error_every_text_is_read_anew_and_ends_as_it_would_have() -> None:
    example = make_example("mainstream", context=512)
    prompts = [[*range(1, 140), 7], [*range(1, 140), 9]]
    alone = [written(batch_of(example), writing_of(prompt, limit=12)) for prompt in prompts]
    batch = batch_of(example, slots=2, guesses=0)
    texts = [writing_of(prompt, limit=12) for prompt in prompts]
    reader = batch._reader
    read, asked = reader.read, []

    def failing(rows: list[list[int]], slots: list[int]) -> Any:
        asked.extend(slots)
        if len(asked) == 4:
            raise MemoryError
        return read(rows, slots)

    reader.read = failing  # type: ignore[method-assign]
    for text in texts:
        batch.join(text)
    batch.step()
    with pytest.raises(MemoryError):
        batch.step()
    while batch.is_busy:
        batch.step()
    assert [text.tokens[len(prompt) :] for text, prompt in zip(texts, prompts)] == alone


def test_a_stretched_context_holds_more_and_the_plain_one_is_refused_nothing() -> None:
    example = make_example("mainstream", context=32)
    long = [token % 250 for token in range(50)]
    sampler = make_sampler(example)
    kept = continuations(sampler, GREEDY, [long[-16:]], [0])
    assert continuations(sampler, GREEDY, [long], [0]) == kept
    wide = GREEDY.changed(stretch=4.0)
    assert continuations(sampler, wide, [long], [0]) != continuations(sampler, wide, [long[-16:]], [0])
    weights = sampler.weights("float32", positions=128, stretch=4.0)
    assert len(weights.rotations) == weights.shape.context_length == 128
    assert len(sampler.weights("float32", positions=128).rotations) == 32
    # The slowest rotation turns as far at the new end as it did at the old one.
    plain = make_example("mainstream", context=128)
    slow = make_sampler(plain).weights("float32", positions=128).rotations[32, -1].angle()
    assert weights.rotations[128 - 1, -1].angle() == pytest.approx(float(slow) * 127 / 128, rel=1e-3)
