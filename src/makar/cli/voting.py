"""``generate --vote``: several answers of a model of text, and the one that most agree on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from makar.cli.output import note, print_json
from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.api.model import Model


def check_vote(others: Mapping[str, bool]) -> None:
    """Refuse the options that say nothing to a vote, whose result is one answer and no asset.

    Args:
        others: By name, whether an option was given.

    Raises:
        UsageError: One was.
    """
    if given := [name for name, is_given in others.items() if is_given]:
        raise UsageError(
            f"--vote with {given[0]}", expected="one of them", do="--json shows how the answers were counted"
        )


def answer_of_most(
    maker: "Model",
    words: list[Any],
    *,
    template: str | None,
    answer: str | None,
    count: int,
    seed: int,
    options: dict[str, Any],
    json: bool,
) -> None:
    """Draw answers to one prompt and show the one that most agree on.

    Args:
        maker: The model.
        words: The prompts; there must be one.
        template: The prompt that they fill.
        answer: An expression that finds the answer in a text.
        count: How many are drawn.
        seed: Of the first.
        options: Controls of the model.
        json: Whether JSON is shown.

    Raises:
        UsageError: There is another number of prompts.
    """
    import dataclasses

    from makar.api.prompts import agree, prompt
    from makar.generation.answers import reader

    if len(words) != 1:
        raise UsageError(f"--vote for {len(words)} prompts", expected="one prompt")
    read = reader(answer) if answer is not None or template is None else prompt(template).answer_in
    found, _ = agree(maker, words[0], count=count, answer=read, seed=seed, options=options)
    if json:
        print_json(dataclasses.asdict(found))
        return
    print(found.answer)
    note("[" + ", ".join(f"{number} of {count}: {text or 'no answer'}" for text, number in found.counts.items()) + "]")
