"""How the turns of a conversation are written in tokens: by a token for each role, or by the chat template of a checkpoint.

Of a template only its own words are known, not where it puts what: an answer is what follows the place where the template lets the
assistant begin, up to the first token that ends a text, and of a whole conversation those answers are learned that stand in it just so.
Templates that write earlier turns differently from the last (without what was thought) have only their last answer learned.
"""

import abc
from collections.abc import Mapping, Sequence

import numpy as np
from tokenizers import AddedToken

from makar.codecs.chat_config import CHAT_TEMPLATE, END_NAME, ROLES
from makar.codecs.chat_template import render_turns
from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.codecs.text import TextCodec
from makar.errors import UnsupportedError

Message = Mapping[str, str]
TextTokens = TextCodec | PretrainedTextCodec


class Turns(abc.ABC):
    """Writes turns in tokens.

    Attributes:
        text: The codec of what is said.
        chat_template: The Jinja template with which others write the same.
        special: Tokens that are no text.
        begin: The token that an answer to nothing begins with.
        end: The token that ends a turn.
        filling: A token that ends nothing, for filling rows up.
    """

    text: TextTokens
    chat_template: str
    special: tuple[int, ...]
    begin: int
    end: int
    filling: int

    @property
    @abc.abstractmethod
    def vocabulary(self) -> int:
        """Number of tokens."""

    @abc.abstractmethod
    def prompt(self, messages: Sequence[Message]) -> np.ndarray:
        """Return the tokens of turns up to where the next answer begins, int64 ``[length]``.

        Raises:
            UnsupportedError: A turn cannot be written.
        """

    @abc.abstractmethod
    def conversation(self, messages: Sequence[Message]) -> tuple[np.ndarray, np.ndarray]:
        """Return the tokens of a whole conversation, and 1 where an answer is, its end included."""

    def said(self, answer: str) -> np.ndarray:
        """Return the tokens of an answer with its end."""
        return np.append(plain_tokens(self.text, answer), self.end)


class RoleTurns(Turns):
    """The token of a role, what is said, the end token.

    Args:
        text: The codec of what is said; the tokens of the roles are added to its tokenizer.
    """

    def __init__(self, text: TextTokens) -> None:
        self.text = text
        names = [f"<|{role}|>" for role in ROLES]
        text.tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
        known = text.tokenizer.get_vocab(with_added_tokens=True)
        self.roles: dict[str, int] = {role: known[name] for role, name in zip(ROLES, names)}
        self.special = (text.end_token, *self.roles.values())
        self.begin = self.roles["assistant"]
        self.end = text.end_token
        self.filling = self.roles["tool"]
        self.chat_template = CHAT_TEMPLATE.replace(END_NAME, str(text.tokenizer.id_to_token(text.end_token)))

    @property
    def vocabulary(self) -> int:
        """Tokens of the text, and those of the roles where the network has no rows to spare."""
        return max(self.text.vocabulary, max(self.roles.values()) + 1)

    def prompt(self, messages: Sequence[Message]) -> np.ndarray:
        """Return every turn, and the token of the assistant."""
        return np.concatenate([*map(self._turn, messages), [self.begin]]).astype(np.int64)

    def conversation(self, messages: Sequence[Message]) -> tuple[np.ndarray, np.ndarray]:
        """Return every turn; what the assistant says is marked, the token of its role is not."""
        parts, marks = [np.zeros(0, np.int64)], [np.zeros(0, np.uint8)]
        for message in messages:
            turn = self._turn(message)
            mark = np.full(len(turn), message["role"] == "assistant" and len(turn) > 2, np.uint8)
            mark[0] = 0
            parts.append(turn)
            marks.append(mark)
        return np.concatenate(parts), np.concatenate(marks)

    def _turn(self, message: Message) -> np.ndarray:
        role = message["role"]
        if role not in self.roles:
            raise UnsupportedError(f'a turn of "{role}"', expected=", ".join(ROLES))
        said = plain_tokens(self.text, message["content"])
        return np.concatenate([[self.roles[role]], said, [self.text.end_token]]).astype(np.int64)


class TemplateTurns(Turns):
    """The chat template of a checkpoint.

    Args:
        text: The tokenizer of the checkpoint.
        template: Its template.
    """

    def __init__(self, text: PretrainedTextCodec, template: str) -> None:
        self.text: PretrainedTextCodec = text
        self.chat_template = template
        self.special = tuple(sorted({*text.special_tokens(), *text.end_tokens}))
        self.begin = text.begin_token
        self.end = self._end_of_turn()
        self.filling = next((token for token in self.special if token not in (self.end, *text.end_tokens)), 0)

    def _end_of_turn(self) -> int:
        """Return the first special token behind an answer; that of the text where the template puts none."""
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        try:
            begun = self.prompt(turns[:1])
            written = render_turns(self.chat_template, turns, self.text.special.texts, begins_answer=False)
            whole = self.text.encode_template(written)
        except UnsupportedError:
            return self.text.end_token
        behind = whole[len(begun) :] if np.array_equal(whole[: len(begun)], begun) else whole[-2:]
        return next((int(token) for token in behind if int(token) in self.special), self.text.end_token)

    @property
    def vocabulary(self) -> int:
        """Rows that the network has: none are added."""
        return self.text.vocabulary

    def prompt(self, messages: Sequence[Message]) -> np.ndarray:
        """Return what the template makes of the turns."""
        return self.text.encode_turns(messages, template=self.chat_template)

    def conversation(self, messages: Sequence[Message]) -> tuple[np.ndarray, np.ndarray]:
        """Return a conversation up to its last answer; the answers that stand in it as they would be written are marked."""
        last = max((at for at, turn in enumerate(messages) if turn["role"] == "assistant"), default=None)
        if last is None:
            return np.zeros(0, np.int64), np.zeros(0, np.uint8)
        whole = np.concatenate([self.prompt(messages[:last]), self.said(messages[last]["content"])])
        marks = np.zeros(len(whole), np.uint8)
        for at, turn in enumerate(messages[: last + 1]):
            if turn["role"] != "assistant" or not turn["content"]:
                continue
            answer = self.said(turn["content"])
            start = len(self.prompt(messages[:at]))
            if np.array_equal(whole[start : start + len(answer)], answer):
                marks[start : start + len(answer)] = 1
        return whole, marks


def turns_of(text: TextTokens, template: str = "") -> Turns:
    """Return how a codec of text writes turns: by its chat template where it has one.

    Args:
        text: The codec.
        template: For a tokenizer of others without a template of its own; its end token stands there under the name of ours.
    """
    if isinstance(text, PretrainedTextCodec) and text.special.chat_template is not None:
        return TemplateTurns(text, text.special.chat_template)
    if isinstance(text, PretrainedTextCodec) and template:
        return TemplateTurns(text, template.replace(END_NAME, str(text.tokenizer.id_to_token(text.end_token))))
    return RoleTurns(text)


def plain_tokens(text: TextTokens, said: str) -> np.ndarray:
    """Return the tokens of a text inside a turn, int64 ``[length]``, without what the tokenizer puts before a text."""
    return text.encode_inside(said) if isinstance(text, PretrainedTextCodec) else text.encode_text(said)
