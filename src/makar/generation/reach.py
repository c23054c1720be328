"""How far a model looks back, and how much of a prompt lies beyond that."""

from typing import Protocol, runtime_checkable

from makar.config import Config
from makar.families.conversation.config import decoder_of
from makar.families.family_config import FamilyConfig
from makar.generation.prompts import Prompt


@runtime_checkable
class HasContext(Protocol):
    """A configuration that says how many positions a model was made for; 0 is any number."""

    @property
    def context(self) -> int: ...


def context_of(config: FamilyConfig) -> int:
    """Return how many positions a model was made for, one that talks too; 0 where it is any number."""
    network = decoder_of(config) or config
    return network.context if isinstance(network, HasContext) else 0


def reach_of(config: FamilyConfig, options: Config) -> int:
    """Return how many positions a model looks back on with some controls, of which ``stretch`` counts; 0 where it is any number."""
    return int(context_of(config) * float(options.to_dictionary().get("stretch", 1.0)))


def unread_tokens(prompt: Prompt, config: FamilyConfig, options: Config) -> int:
    """Return how many tokens at the beginning of a prompt a model does not see, 0 where it looks back as far.

    Of a prompt that is longer than the context the last half of the context is read, as samplers of text do.

    Args:
        prompt: What is to be gone on with.
        config: Of the model.
        options: Its controls.
    """
    tokens, context = prompt.tokens, reach_of(config, options)
    if tokens is None or not context:
        return 0
    return len(tokens) - max(1, context // 2) if len(tokens) > context else 0
