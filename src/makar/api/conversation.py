"""A conversation with a model in Python: ``model.chat()``, in which turns are said and answered.

talk = model.chat(system="You are a tutor.")
print(talk.reply("What is a fugue?"))
for piece in talk.say("And a canon?"):
    print(piece, end="")
talk.save("talk.jsonl")
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.errors import UsageError

if TYPE_CHECKING:
    from makar.artifacts.artifact import Artifact
    from makar.generation.asset import Asset
    from makar.generation.guards import NoveltyCheck


class Conversation:
    """One conversation.

    Args:
        artifact: The opened model.
        system: What the model is told before; ``None`` for nothing.
        options: Sampling controls by name.
        seed: Seed of the first answer.
        history: A file that ``save`` wrote, to go on with.
        novelty: Compares answers with the training data.
    """

    def __init__(
        self,
        artifact: "Artifact",
        *,
        system: str | None,
        options: Mapping[str, Any] | None,
        seed: int,
        history: str | Path | None,
        novelty: "NoveltyCheck | None",
    ) -> None:
        from makar.generation.chat import Chat
        from makar.generation.transcript import read_transcript

        before = [] if history is None else read_transcript(Path(history))
        if system is not None and any(turn["role"] == "system" for turn in before):
            raise UsageError("a system prompt for a conversation that has one", expected="one of them")
        self._chat = Chat(artifact, system=system, options=options, seed=seed, novelty=novelty)
        self._chat.messages += before

    @property
    def messages(self) -> list[dict[str, str]]:
        """Every turn so far: ``role`` and ``content``."""
        return self._chat.messages

    @property
    def answers(self) -> "list[Asset]":
        """The whole answers as signed assets."""
        return self._chat.answers

    @property
    def left_out(self) -> int:
        """Turns that did not fit into the context at the last answer."""
        return self._chat.left_out

    @property
    def is_cut(self) -> bool:
        """Whether what was said last was itself longer than the context, so that the model sees its end only."""
        return self._chat.is_cut

    def say(self, text: str) -> Iterator[str]:
        """Say something and give the answer piece by piece; who stops early breaks the answer off."""
        return self._chat.say(text)

    def reply(self, text: str) -> str:
        """Say something and return the whole answer."""
        return self._chat.reply(text)

    def save(self, path: str | Path) -> Path:
        """Write the conversation, a line of JSON with ``messages``, and its signed manifest beside it.

        Args:
            path: A file that does not exist.

        Raises:
            UsageError: The file exists, or nothing was said yet.
        """
        return self._chat.transcript().save(path)
