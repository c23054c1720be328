"""What the tokens of a Whisper mean: where a transcript begins, in which language, what is never written, and moments in time.

Source: Radford et al. 2022, arXiv 2212.04356, section 2.3 and figure 1. ``generation_config.json`` says most of it; of checkpoints that are
older than that the tokens' own names do. A checkpoint that knows no moments is asked without.
"""

import dataclasses
import re
from typing import Any, Self

from makar.errors import ArtifactError, UnsupportedError
from makar.families.pretrained.checkpoint_folder import CheckpointFolder
from makar.families.pretrained.checkpoint_settings import complete_settings

LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
MULTILINGUAL_VOCABULARY = 51_865
"""Tokens of the multilingual checkpoints; the English ones have one less."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WhisperTokens:
    """The numbers of special tokens.

    Attributes:
        start: Begins every transcript.
        end: Ends it; every token from it on is special.
        languages: By code; empty where only English is known.
        transcribe: Asks for the words as they are spoken; ``None`` where only English is known.
        silence: Says that nobody speaks; ``None`` where there is no such token.
        no_moments: Asks for a transcript without moments; the moments follow on it. ``None`` where there are none.
        suppressed: Never written.
        suppressed_first: Not written first.
        latest_first: The latest moment at which the first segment may begin, in moments; ``None`` for any.
        most: Tokens of a transcript at most, those before it counted.
    """

    start: int
    end: int
    languages: dict[str, int]
    transcribe: int | None
    silence: int | None
    no_moments: int | None
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]
    latest_first: int | None
    most: int

    @classmethod
    def of(cls, folder: CheckpointFolder, tokenizer: Any) -> Self:
        """Read what a folder says of its tokens.

        Raises:
            ArtifactError: It names tokens that the network does not have.
        """
        settings, said = complete_settings(folder), folder.generation()
        vocabulary = int(settings["vocab_size"])
        known: dict[str, int] = tokenizer.get_vocab()
        is_multilingual = said.get(
            "is_multilingual", bool(said.get("lang_to_id")) or vocabulary >= MULTILINGUAL_VOCABULARY
        )
        languages: dict[str, int] = {}
        if is_multilingual:
            named = said.get("lang_to_id") or known
            languages = {found[1]: number for name, number in named.items() if (found := LANGUAGE.fullmatch(str(name)))}
        tasks = said.get("task_to_id") or {}
        made = cls(
            start=said.get("decoder_start_token_id", settings["decoder_start_token_id"]),
            end=_first(said.get("eos_token_id", settings["eos_token_id"])),
            languages=languages,
            transcribe=tasks.get("transcribe", known.get("<|transcribe|>")) if languages else None,
            silence=known.get("<|nospeech|>", known.get("<|nocaptions|>")),
            no_moments=said.get("no_timestamps_token_id", known.get("<|notimestamps|>")),
            suppressed=_listed(said, settings, "suppress_tokens"),
            suppressed_first=_listed(said, settings, "begin_suppress_tokens"),
            latest_first=said.get("max_initial_timestamp_index"),
            most=int(settings["max_target_positions"]),
        )
        made._check(folder, vocabulary)
        return made

    def _check(self, folder: CheckpointFolder, vocabulary: int) -> None:
        optional = [self.transcribe, self.silence, self.no_moments]
        numbers = [
            self.start,
            self.end,
            *self.languages.values(),
            *self.suppressed,
            *self.suppressed_first,
            *(one for one in optional if one is not None),
        ]
        if any(type(one) is not int or not 0 <= one < vocabulary for one in numbers):
            raise ArtifactError(
                f"{folder.path} names special tokens that its network does not have",
                expected=f"numbers below {vocabulary}",
                do="get the whole folder again",
            )
        if self.latest_first is not None and (type(self.latest_first) is not int or self.latest_first < 0):
            raise ArtifactError(f"{folder.path} says max_initial_timestamp_index {self.latest_first!r}")

    @property
    def first_moment(self) -> int | None:
        """The token of the moment 0."""
        return None if self.no_moments is None else self.no_moments + 1

    def language(self, name: str) -> int:
        """Return the token of a language.

        Raises:
            UnsupportedError: The checkpoint does not know it.
        """
        code = name.strip().lower()
        if code not in self.languages:
            known = ", ".join(sorted(self.languages)) or "en, which need not be told: it knows English alone"
            raise UnsupportedError(f"the language {name[:40]!r}", expected=f"one of: {known}")
        return self.languages[code]


def _first(numbers: Any) -> Any:
    return numbers[0] if isinstance(numbers, list) and numbers else numbers


def _listed(said: dict[str, Any], settings: dict[str, Any], name: str) -> tuple[int, ...]:
    found = said.get(name, settings.get(name)) or ()
    # One below zero stands for a list that only its first program has.
    return tuple(one for one in found if one != -1) if isinstance(found, list | tuple) else ()
