"""The sampler on real small models: equal to transformers when greedy, the same alone and in company, and it honours every option."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from makar.errors import DataError, UnsupportedError
from makar.families.transformer.options import TextOptions
from makar.families.transformer.sampler import POSITIONS_STEP, Pace, TransformerSampler
from makar.families.transformer.sampling import LogitsHook

from .decoding_models import END, Example, decode_bytes, make_example

GREEDY = TextOptions(temperature=0.0, max_tokens=30)
DRAWN = TextOptions(temperature=1.0, top_p=1.0, max_tokens=30)
PROMPTS = [[1, 2, 3], [65] * 20, [], [200, 100], list(range(40))]


@pytest.fixture(params=["mainstream", "compact", "llama", "qwen2"])
def example(request: pytest.FixtureRequest) -> Example:
    return make_example(request.param)


def make_sampler(example: Example, **arguments: Any) -> TransformerSampler:
    hooks = arguments.pop("hooks", ())
    return TransformerSampler(
        example.shape,
        example.tensors,
        end_tokens=(END,),
        decode_tokens=decode_bytes,
        hooks=hooks,
        pace=Pace(interval_seconds=0.0, **arguments),
    )


def continuations(
    sampler: TransformerSampler, options: TextOptions, prompts: list[list[int]], seeds: list[int]
) -> list[tuple[list[int], str]]:
    batches = [{"target": torch.tensor(prompt)} if prompt else {} for prompt in prompts]
    tokens: list[list[int]] = [[] for _ in prompts]
    texts = [b""] * len(prompts)
    ended: list[int] = []
    for index, slots, finished in sampler.sample(options, batches, seeds):
        assert index not in ended
        tokens[index] += slots["target"].tolist()
        texts[index] += slots["text"].tobytes()
        ended += [index] * finished
    assert sorted(ended) == list(range(len(prompts)))
    return [(row, text.decode()) for row, text in zip(tokens, texts)]


@torch.no_grad()
def test_greedy_tokens_are_those_of_transformers(example: Example) -> None:
    for prompt in ([1, 2, 3], [65] * 20):
        ids = torch.tensor([prompt])
        wanted = example.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=30,
            eos_token_id=END,
            pad_token_id=END,
        )[0, len(prompt) :].tolist()
        wanted = wanted[: wanted.index(END)] if END in wanted else wanted
        assert continuations(make_sampler(example), GREEDY, [prompt], [0])[0][0] == wanted


@pytest.mark.parametrize(
    "options", [GREEDY, DRAWN, DRAWN.changed(precision="int8"), DRAWN.changed(precision="bfloat16")]
)
def test_text_is_the_same_alone_in_a_batch_and_waiting_for_a_slot(example: Example, options: TextOptions) -> None:
    seeds = [11, 12, 13, 14, 15]
    together = continuations(make_sampler(example), options, PROMPTS, seeds)
    queued = continuations(make_sampler(example, slots=2), options, PROMPTS, seeds)
    alone = [continuations(make_sampler(example), options, [p], [s])[0] for p, s in zip(PROMPTS, seeds)]
    assert together == alone == queued
    assert len({text for _, text in together}) == 5


def test_same_seed_gives_same_text_and_another_seed_another(example: Example) -> None:
    sampler = make_sampler(example)
    first, again, other = (continuations(sampler, DRAWN, [[1, 2]], [seed])[0] for seed in (7, 7, 8))
    assert first == again != other


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 7},
        {"temperature": 0.4},
        {"temperature": 0.0},
        {"top_k": 3},
        {"top_p": 0.3},
        {"min_p": 0.5},
        {"repetition_penalty": 5.0},
        {"precision": "int8"},
        {"precision": "bfloat16"},
        {"stretch": 2.0},
    ],
)
def test_every_option_changes_the_text(change: dict) -> None:
    sampler = make_sampler(make_example("mainstream", context=512))
    options = DRAWN.changed(max_tokens=200)
    seeds = [1, 2, 3]
    plain = continuations(sampler, options, [[1, 2]] * 3, seeds)
    assert continuations(sampler, options.changed(**change), [[1, 2]] * 3, seeds) != plain


def test_stop_text_ends_the_text_before_it(example: Example) -> None:
    sampler = make_sampler(example)
    whole = continuations(sampler, DRAWN, [[1, 2]], [3])[0][1]
    stop = whole[5:8]
    tokens, text = continuations(sampler, DRAWN.changed(stop=(stop,)), [[1, 2]], [3])[0]
    assert text == whole[: whole.index(stop)]
    assert decode_bytes(np.array(tokens)) == text


def test_end_token_ends_the_text_and_is_not_part_of_it(example: Example) -> None:
    def end_at_ten(logits: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        return torch.where(torch.arange(len(logits)) == (END if len(history) == 10 else 65), 0.0, -100.0)

    hooks: list[LogitsHook] = [end_at_ten]
    tokens, text = continuations(make_sampler(example, hooks=hooks), GREEDY, [[1, 2, 3]], [0])[0]
    assert (tokens, text) == ([65] * 7, "A" * 7)


def test_full_context_keeps_its_last_half_and_goes_on(example: Example) -> None:
    context = example.shape.context_length
    sampler = make_sampler(example)
    tokens = continuations(sampler, GREEDY.changed(max_tokens=context + 10), [[1, 2]], [0])[0][0]
    assert len(tokens) == context + 10
    # The first token that does not fit is number context + 1: from there the text goes on from the last half.
    history = [1, 2, *tokens[: context - 1]]
    assert len(history) == context + 1
    kept = history[-(context // 2) :]
    wanted = continuations(sampler, GREEDY.changed(max_tokens=11), [kept], [0])[0][0]
    assert tokens[context - 1 :] == wanted
    long_prompt = continuations(sampler, GREEDY.changed(max_tokens=11), [history], [0])[0][0]
    assert long_prompt == wanted


def test_pieces_are_streamed_as_they_come(example: Example) -> None:
    pieces = list(make_sampler(example).sample(DRAWN, [{"target": torch.tensor([1])}], [0]))
    assert len(pieces) > 5
    assert [finished for *_, finished in pieces] == [False] * (len(pieces) - 1) + [True]
    for _, slots, finished in pieces:
        assert slots["target"].dtype == np.int64
        assert slots["text"].dtype == np.uint8
        if not finished:
            assert not slots["text"].tobytes().decode().endswith("\ufffd")


def test_block_steps_of_other_devices_give_the_same_text(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = continuations(make_sampler(example), DRAWN, PROMPTS, [1, 2, 3, 4, 5])
    # Other devices have no NumPy view of the cache; taking it away takes their path on this one.
    from makar.families.transformer import reading as module

    class PlainCache(module.KeyValueCache):
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.arrays = []

    monkeypatch.setattr(module, "KeyValueCache", PlainCache)
    assert continuations(make_sampler(example), DRAWN, PROMPTS, [1, 2, 3, 4, 5]) == wanted


@pytest.mark.parametrize(
    ("prompts", "seeds", "error"),
    [
        ([{"target": torch.tensor([END + 1])}], [0], DataError),
        ([{"target": torch.tensor([[1]])}], [0], DataError),
        ([{"target": torch.tensor([0.5])}], [0], DataError),
        ([{}], [0, 1], DataError),
        ([{"caption": torch.tensor([1])}], [0], UnsupportedError),
    ],
)
def test_wrong_prompts_are_refused(prompts: list, seeds: list, error: type[Exception]) -> None:
    with pytest.raises(error):
        make_sampler(make_example("mainstream")).sample(GREEDY, prompts, seeds)


def test_foreign_options_are_refused() -> None:
    with pytest.raises(UnsupportedError):
        make_sampler(make_example("mainstream")).sample({"temperature": 1}, [{}], [0])


def test_a_context_that_a_file_only_states_sets_nothing_aside(example: Example) -> None:
    large = dataclasses.replace(example, shape=dataclasses.replace(example.shape, context_length=1 << 20))
    sampler = make_sampler(large)
    wanted = continuations(make_sampler(example), GREEDY, [[1, 2, 3]], [0])
    assert continuations(sampler, GREEDY, [[1, 2, 3]], [0]) == wanted
    assert len(sampler.weights("float32", positions=7).rotations) == POSITIONS_STEP
    first = sampler.weights("float32", positions=7).rotations
    further = sampler.weights("float32", positions=POSITIONS_STEP + 1).rotations
    assert len(further) == 2 * POSITIONS_STEP
    assert torch.equal(further[:POSITIONS_STEP], first)
    assert len(make_sampler(example).weights("float32", positions=10**9).rotations) == example.shape.context_length
