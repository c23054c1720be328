"""Settings of the codec of conversations: what of a row it makes, over which codec of text; no torch.

What a row becomes depends on what is to be learned of it: a conversation (the answers in it), a pair of answers of which one is preferred,
an answer with a score, or a prompt with the right answer, which a model tries and is rewarded for.
"""

import dataclasses
from typing import ClassVar

from makar.codecs.codec import CodecConfig
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.codecs.text_config import BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig
from makar.config import setting
from makar.errors import ConfigError
from makar.tensor_spec import ANSWER, LEARNED, REJECTED, REJECTED_LEARNED, SCORE, TARGET, Slot, TensorSpec

CONVERSATION, PAIRS, SCORES, PROMPTS = "conversation", "pairs", "scores", "prompts"
"""What a row becomes."""

TASKS_OF = {CONVERSATION: ("converse", "prefer"), PAIRS: ("prefer",), SCORES: ("rate",), PROMPTS: ("converse",)}
"""The tasks of language whose rows can become each."""

ROWS_OF = {
    CONVERSATION: "conversations",
    PAIRS: "pairs of answers of which one is preferred",
    SCORES: "answers with a score",
    PROMPTS: "prompts with a right answer",
}
"""What rows become, in words."""

ROLES = ("system", "user", "assistant", "tool")

END_NAME = "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|endoftext|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""How a conversation is written, for transformers and others: the token of the role, what is said, the end token."""

PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% else %}{{ message['role'].title() + ':\n' + message['content'] }}"
    "{{ '<|endoftext|>\n\n' if message['role'] == 'assistant' else '\n\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:\n' }}{% endif %}"
)
"""How a conversation is written where a network has neither a template nor rows for more tokens: names on lines of their own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatCodecConfig(CodecConfig):
    """Turns of a conversation, each between the token of its role and the end token."""

    kind: ClassVar[str] = "turns"
    target: ClassVar[str] = "makar.codecs.chat:ChatCodec"
    media: ClassVar[tuple[str, ...]] = ("text", "code")

    base: CodecConfig = setting(meaning="the codec of what is said", factory=CharacterCodecConfig)
    makes: str = setting(CONVERSATION, meaning="what a row becomes", choices=(CONVERSATION, PAIRS, SCORES, PROMPTS))
    longest: int = setting(
        1024,
        meaning="tokens of a row; a longer answer loses its end, a longer prompt its beginning",
        unit="tokens",
        minimum=8,
        maximum=1 << 20,
    )
    template: str = setting(
        "", meaning="chat template for a tokenizer that came without one and gets no tokens; empty: a token a role"
    )

    def check(self) -> None:
        """Check the fields, and that the codec below is one of text."""
        super().check()
        if not isinstance(
            self.base, ByteCodecConfig | CharacterCodecConfig | BpeCodecConfig | PretrainedTextCodecConfig
        ):
            raise ConfigError(
                f'the codec "{self.base.kind}" below a chat', expected="byte, character, bpe or checkpoint-tokens"
            )


def chat_spec(makes: str, *, vocabulary: int, usual: int | None) -> TensorSpec:
    """Return what the codec makes of a row: tokens with a mark for those that are learned, a score, or the bytes of the right answer.

    Args:
        makes: What a row becomes.
        vocabulary: Number of tokens.
        usual: Mean length of a row, where it is known.
    """
    tokens = Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=vocabulary, usual=usual)
    marks = dataclasses.replace(tokens, vocabulary=2)
    if makes == PROMPTS:
        return TensorSpec({TARGET: tokens, ANSWER: Slot(kind="tokens", axes=("bytes",), sizes=(None,), vocabulary=256)})
    slots = {TARGET: tokens, LEARNED: marks}
    if makes == PAIRS:
        slots |= {REJECTED: tokens, REJECTED_LEARNED: marks}
    if makes == SCORES:
        slots[SCORE] = Slot(kind="values", axes=(), sizes=(), minimum=0.0, maximum=1.0)
    return TensorSpec(slots)
