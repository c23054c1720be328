"""A conversation with a model: turns in, streamed answers out, every answer a signed asset.

How turns are put to a model, and what is left out of a long conversation, is said in ``turns``; ``left_out`` says how many. One request
serves the whole conversation, and a family may have a sampler for it that does not read again what it read for an earlier turn. An answer
that is broken off stays in the conversation as far as it came.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from makar.artifacts.artifact import Artifact
from makar.errors import UnsupportedError, UsageError
from makar.families.family import Sampler
from makar.generation.asset import Asset
from makar.generation.guards import Draft, NoveltyCheck
from makar.generation.jobs import Job
from makar.generation.prompts import Prompt, Prompts, knows_turns
from makar.generation.request import Request, check_writes, option_names, read_options
from makar.generation.stream import stream_request
from makar.generation.transcript import transcript_text
from makar.generation.turns import ASSISTANT, PLAIN_STOP, SYSTEM, USER, fit_turns


@runtime_checkable
class SamplesConversations(Protocol):
    """A family that has a sampler for one conversation."""

    def conversation_sampler(self, codec: Any) -> Sampler:
        """Return a sampler that does not read again what it has read."""


class Chat:
    """One conversation.

    Args:
        artifact: A model of text.
        system: What the model is told before the conversation; ``None`` for nothing.
        options: Sampling controls by name.
        seed: Seed of the first answer; the next has the next.
        novelty: Compares answers with the training data.

    Raises:
        UnsupportedError: The model makes no text, or a control cannot be honoured.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        system: str | None = None,
        options: Mapping[str, Any] | None = None,
        seed: int = 0,
        novelty: NoveltyCheck | None = None,
    ) -> None:
        if artifact.medium not in ("text", "code"):
            raise UnsupportedError(f"a conversation with a model of {artifact.medium}", expected="a model of text")
        check_writes(artifact)
        if not knows_turns(artifact.codec()) and "stop" not in option_names(artifact.family()):
            raise UnsupportedError(
                f"a conversation with {artifact.name}, which makes one text from another",
                expected="a model that answers, or goes on with a text",
                do=f"makar generate {artifact.name} TEXT",
            )
        self.artifact = artifact
        self.messages: list[dict[str, str]] = [] if system is None else [{"role": SYSTEM, "content": system}]
        self.left_out = 0
        """Turns that did not fit into the context at the last answer."""
        self.is_cut = False
        """Whether what was said last was itself too long, so that the model sees its end only."""
        self.answers: list[Asset] = []
        """The whole answers in order; those that were broken off are no assets."""
        self._options = dict(options or {})
        self._seed = seed
        codec, family = artifact.codec(), artifact.family()
        self._knows_turns = knows_turns(codec)
        if not self._knows_turns:
            # As the family reads it: a text alone is refused and not taken letter by letter.
            given = read_options(self._options, family).to_dictionary().get("stop", ())
            self._options["stop"] = (*given, PLAIN_STOP)
        # Once, so that what a control has to say is said before the first question.
        self._request = Request(artifact, options=dict(self._options), novelty=novelty, refuse_copies=False)
        if isinstance(family, SamplesConversations):
            self._request.sampler = family.conversation_sampler(codec)

    def say(self, text: str) -> Iterator[str]:
        """Say something and give the answer piece by piece.

        Args:
            text: What the user says.

        Yields:
            Pieces of the answer; a consumer that stops early breaks the answer off.

        Raises:
            UsageError: The text is empty.
            UnsupportedError: The conversation cannot be put to this model.
        """
        if not text.strip():
            raise UsageError("nothing was said", expected="at least one word")
        turns = [*self.messages, {"role": USER, "content": text}]
        fitted = fit_turns(turns, self._request)
        self.left_out, self.is_cut = fitted.left_out, fitted.is_cut
        self.messages = turns
        return self._answer(fitted.prompt)

    def _answer(self, prompt: Prompts) -> Iterator[str]:
        said = ""
        try:
            seed = self._seed + len(self.messages) // 2
            for piece in stream_request(self._request, prompt, seed=seed):
                if isinstance(piece, Asset):
                    self.answers.append(piece)
                    continue
                # In plain form the answer begins behind the space after the colon.
                shown = piece if said or self._knows_turns else piece.lstrip()
                said += shown
                if shown:
                    yield shown
        finally:
            self.messages = [*self.messages, {"role": ASSISTANT, "content": said.strip()}]

    def reply(self, text: str) -> str:
        """Say something and return the whole answer."""
        return "".join(self.say(text)).strip()

    def transcript(self) -> Asset:
        """Return the conversation as one signed asset: a line of JSON with ``messages``, as conversations are trained on.

        Raises:
            UsageError: Nothing was said yet.
        """
        if not any(turn["role"] == ASSISTANT for turn in self.messages):
            raise UsageError("there is no conversation to keep", expected="at least one answer")
        text = transcript_text(self.messages)
        stated = Prompt(stated={"conversation": [answer.id for answer in self.answers]}, slots={})
        draft = Draft(content=text, new_content=text, novelty=None)
        return self._request.asset(Job(stated, self._seed), draft, 0)
