"""A checkpoint with a head that reads: a label of a text, entities in it, an answer from a passage, or the words behind masks.

A text longer than the network reads is cut into windows that overlap by half: labels are those of the mean probability, of an entity or an
answer the window counts where it is farthest from the edge, or likeliest. How many windows there were is part of what is said. Entities
are words, not tokens: a word has the tag of its first token, and neighbours of one kind are one entity unless a mark says otherwise (the
schemes of ``codecs/tag_scheme``). An answer is the span of at most 30 tokens with the largest product of the
probabilities of its two ends (Devlin et al. 2018, arXiv 1810.04805, section 4.2).
"""

import inspect
from typing import Any

import torch
from tokenizers import Encoding
from torch import Tensor

from makar.codecs.pretrained_text import PretrainedTextCodec
from makar.codecs.tag_scheme import OUTSIDE, entities_of, marks_entities
from makar.errors import UsageError
from makar.families.pretrained.text_family import PretrainedTextFamily
from makar.families.pretrained.windows import Window, windows_of

MOST_ANSWER_TOKENS = 30
SHOWN_WORDS = 5
LEAST_CHANCE = 0.5
"""Of several labels of one text, those are named whose probability is above."""


class EncoderCheckpoint(PretrainedTextFamily):
    """A checkpoint that says something of a text: BERT and RoBERTa with their heads, and every other that has one."""

    def read_text(self, text: str, codec: PretrainedTextCodec, *, query: str | None) -> dict[str, Any]:
        """Say of a text what the head is for.

        Args:
            text: The text, or the passage that an answer is looked for in.
            codec: The tokenizer.
            query: The question, where an answer is wanted.

        Returns:
            Plain values: ``label``, ``probability`` and ``probabilities`` (or ``labels``, or a ``score``); ``entities``; ``answer``
            with its place; ``words`` for each mask.

        Raises:
            UsageError: There is no question, no mask, or one that nothing is to be done with.
        """
        task = self.config.task
        if (query is not None) != (task == "answers"):
            raise UsageError(
                f"a question for a {self.config.architecture}" if query is not None else "a passage without a question",
                expected="a text alone" if query is not None else '--query "the question"',
            )
        if not text.strip():
            raise UsageError("an empty text", expected="at least one word")
        reads = {"classification": self._label, "tagging": self._entities, "masked": self._words}
        with torch.inference_mode():
            return self._answer(query, text, codec) if query is not None else reads[task](text, codec)

    def _label(self, text: str, codec: PretrainedTextCodec) -> dict[str, Any]:
        windows = self._windows(codec.encode_places(text))
        logits = torch.stack([self._asked(ids, types)["logits"][0].float().cpu() for ids, types, _ in windows])
        kind = self.folder.settings.get("problem_type")
        said: dict[str, Any] = {"windows": len(windows)} if len(windows) > 1 else {}
        if kind == "regression" or (kind is None and logits.shape[1] == 1):
            return {"score": float(logits.mean()), **said}
        is_multiple = kind == "multi_label_classification"
        shares = (logits.sigmoid() if is_multiple else logits.softmax(-1)).mean(0)
        named = {name: float(share) for name, share in zip(self.config.labels, shares)}
        if is_multiple:
            return {
                "labels": [name for name, share in named.items() if share > LEAST_CHANCE],
                "probabilities": named,
                **said,
            }
        label = max(named, key=lambda name: named[name])
        return {"label": label, "probability": named[label], "probabilities": named, **said}

    def _entities(self, text: str, codec: PretrainedTextCodec) -> dict[str, Any]:
        encoding = codec.encode_places(text)
        windows = self._windows(encoding)
        tags: dict[int, tuple[int, Tensor]] = {}
        for ids, types, places in windows:
            shares = self._asked(ids, types)["logits"][0].float().softmax(-1).cpu()
            for row, place in enumerate(places):
                # Where windows overlap, the one counts that sees more on both sides.
                seen = min(row, len(places) - 1 - row)
                if place is not None and (place not in tags or seen > tags[place][0]):
                    tags[place] = (seen, shares[row])
        words = _words_of(encoding)
        shares_of = [tags[first][1] for first, _, _ in words]
        said = [_in_scheme(self.config.labels[int(share.argmax())]) for share in shares_of]
        entities: list[dict[str, Any]] = []
        for kind, first, after in entities_of(said):
            start, end = words[first][1], words[after - 1][2]
            least = min(float(share.max()) for share in shares_of[first:after])
            entities.append({"kind": kind, "start": start, "end": end, "probability": least, "text": text[start:end]})
        return {"entities": entities, **({"windows": len(windows)} if len(windows) > 1 else {})}

    def _answer(self, question: str, passage: str, codec: PretrainedTextCodec) -> dict[str, Any]:
        encoding = codec.encode_places(question, passage)
        inside = [place for place, number in enumerate(encoding.sequence_ids) if number == 1]
        windows = self._windows(encoding, kept=inside[0] if inside else 0)
        best = (-1.0, 0, 0)
        for ids, types, places in windows:
            made = self._asked(ids, types)
            allowed = torch.tensor([place is not None and encoding.sequence_ids[place] == 1 for place in places])
            ends = [
                made[name][0].float().cpu().masked_fill(~allowed, -torch.inf) for name in ("start_logits", "end_logits")
            ]
            start, end = (logits.softmax(-1) for logits in ends)
            spans = (start[:, None] * end[None, :]).triu().tril(MOST_ANSWER_TOKENS - 1)
            row, column = divmod(int(spans.argmax()), spans.shape[1])
            first, last = places[row], places[column]
            if first is not None and last is not None and float(spans[row, column]) > best[0]:
                best = (float(spans[row, column]), encoding.offsets[first][0], encoding.offsets[last][1])
        share, begin, stop = best
        found = {"answer": passage[begin:stop], "probability": share, "start": begin, "end": stop}
        return found | ({"windows": len(windows)} if len(windows) > 1 else {})

    def _words(self, text: str, codec: PretrainedTextCodec) -> dict[str, Any]:
        name = codec.special.texts.get("mask_token", "")
        if codec.special.mask is None or name not in text:
            raise UsageError("a text without a masked word", expected=f"{name or 'a mask'} where a word is to be found")
        encoding = codec.encode_places(text, with_masks=True)
        if self.config.context and len(encoding.ids) > self.config.context:
            raise UsageError(f"a text of {len(encoding.ids)} tokens", expected=f"at most {self.config.context}")
        shares = self._asked(encoding.ids, encoding.type_ids)["logits"][0].float().softmax(-1).cpu()
        rows = []
        for place, token in enumerate(encoding.ids):
            if token == codec.special.mask:
                likeliest = shares[place].topk(min(SHOWN_WORDS, shares.shape[1]))
                words = [codec.tokenizer.decode([int(one)]).strip() for one in likeliest.indices]
                rows.append(dict(zip(words, map(float, likeliest.values))))
        return {"words": rows}

    def masked_nats(self, text: str, codec: PretrainedTextCodec, *, start: int, end: int) -> float:
        """Return the nats of the tokens between two places of a text, each masked alone.

        Raises:
            UsageError: The text is longer than the network reads.
        """
        encoding = codec.encode_places(text)
        if codec.special.mask is None or (self.config.context and len(encoding.ids) > self.config.context):
            raise UsageError(f"a text of {len(encoding.ids)} tokens", expected=f"at most {self.config.context}")
        nats = 0.0
        with torch.inference_mode():
            for place, (begin, stop) in enumerate(encoding.offsets):
                if encoding.special_tokens_mask[place] or stop <= max(begin, start) or begin >= end:
                    continue
                ids = [*encoding.ids[:place], codec.special.mask, *encoding.ids[place + 1 :]]
                logits = self._asked(ids, encoding.type_ids)["logits"][0, place].float()
                nats -= float(logits.log_softmax(-1)[encoding.ids[place]])
        return nats

    def _asked(self, ids: list[int], types: list[int]) -> Any:
        given = {"input_ids": ids, "token_type_ids": types, "attention_mask": [1] * len(ids)}
        known = inspect.signature(self.network.forward).parameters
        device = self.network.device
        return self.network(
            **{name: torch.tensor([row], device=device) for name, row in given.items() if name in known}
        )

    def _windows(self, encoding: Encoding, *, kept: int | None = None) -> list[Window]:
        return windows_of(encoding, self.config.context, kept=kept)


def _words_of(encoding: Encoding) -> list[tuple[int, int, int]]:
    """Return the first token, the first letter and the end of every word."""
    found: list[tuple[int, int, int]] = []
    last: int | None = None
    for place, (word, (start, end)) in enumerate(zip(encoding.word_ids, encoding.offsets)):
        if word is None:
            continue
        if word == last and found:
            found[-1] = (found[-1][0], found[-1][1], end)
        else:
            found.append((place, start, end))
        last = word
    return found


def _in_scheme(label: str) -> str:
    """Return a label as a mark of a part of an entity: heads without such marks name kinds alone, which go on from word to word."""
    return label if label == OUTSIDE or marks_entities([label]) else f"I-{label}"
