"""Feedback as a data set: ``feedback:`` everything that may be learned from, ``feedback:NAME`` what one person said.

Of text: rows with a prompt and two answers of which one is preferred; where there are only thumbs or stars that compare nothing, rows with
an answer and a score. Of images: every image with how much it is liked. What somebody does not consent to is left out and counted.

The table grows while a model learns. So a source that is opened is fixed to the newest judgement that there is: ``feedback:@ID``, which is
also how a plan names it, and a training that is resumed or verified later reads the same rows, unless somebody took something back.
"""

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from makar.data.document import Document, Found, Skip, Source
from makar.data.feedback.judgement import RATES, Judgement
from makar.data.feedback.preferences import liked, preferences, share_of
from makar.data.feedback.table import FeedbackTable, Wanted
from makar.data.image_reader import read_image
from makar.data.task_columns import PREFER, RATE
from makar.data.task_rows import group_of, learnable_text
from makar.errors import EmptyDataError, UsageError

FEEDBACK_PREFIX = "feedback:"
_FORM = re.compile(r"(?P<rater>.*?)(?:@(?P<until>fb-[0-9a-f]{24}))?", re.DOTALL)


class FeedbackSource(Source):
    """What people said.

    Args:
        typed: What stands behind ``feedback:``: nothing, a name, and where it ends (``@ID``).
        medium: ``"text"`` or ``"image"``; ``None`` takes what was judged more often.

    Raises:
        EmptyDataError: There is nothing that may be learned from.
    """

    def __init__(self, typed: str, *, medium: str | None = None) -> None:
        form = _FORM.fullmatch(typed)
        assert form is not None, "anything is of this form"
        table, self.rater = FeedbackTable(), form["rater"]
        self.until = form["until"] or table.last_id(Wanted(rater=self.rater))
        found = table.rows(Wanted(rater=self.rater, until=self.until), content=True) if self.until else []
        media = {name: [one for one in found if _medium(one) == name] for name in ("text", "image")}
        if medium not in (None, *media):
            raise UsageError(
                f"feedback on {medium}, which ranks models and teaches none yet", expected=" or ".join(media)
            )
        consenting = {name: [one for one in rows if one.consent] for name, rows in media.items()}
        self.medium = medium or max(consenting, key=lambda name: len(consenting[name]))
        self.name = "feedback"
        self._refused = [one for one in media[self.medium] if not one.consent]
        self._said = consenting[self.medium]
        if not self._said:
            refused = f"; of {len(self._refused)} judgements, nobody consents" if self._refused else ""
            raise EmptyDataError(
                f"there is no feedback{f' of {self.rater}' if self.rater else ''} to learn from{refused}",
                expected="judgements with consent",
                do="makar feedback add FILE --thumb up, or rate in the studio",
            )
        self._preferences = preferences(self._said) if self.medium == "text" else []
        self.found = Found(files={"feedback": len(self._said)}, bytes={"feedback": 0})
        self.found.task = PREFER if self._preferences else RATE
        self.found.roles = {role: role for role in (("chosen", "rejected") if self._preferences else ("score",))}
        self.found.notes.append(self._told())

    @property
    def lasting(self) -> str:
        """The source by a name that means the same rows later."""
        return f"{FEEDBACK_PREFIX}{self.rater}@{self.until}"

    def _told(self) -> str:
        people = len({one.rater for one in self._said})
        made = f"{len(self._preferences)} pairs" if self._preferences else "scores"
        return f"{len(self._said)} judgements of {people} people: {made if self.medium == 'text' else 'images with scores'}"

    def documents(self, skip: Skip) -> Iterator[Document]:
        """Yield one document a pair, an answer or an image."""
        for one in self._refused:
            skip(one.id, "its rater does not consent to learning from it")
        if self.medium == "image":
            for thing in liked(self._said):
                if thing.item.png is None:
                    skip(thing.item.hash, "the image is not kept")
                    continue
                asked = thing.prompt[-1]["content"] if thing.prompt else None
                yield Document(
                    name=f"feedback#{thing.item.hash[:16]}",
                    read=functools.partial(read_image, thing.item.png),
                    caption=asked,
                    label=asked,
                    consent="granted",
                    roles={"score": thing.share},
                )
            return
        for number, roles in enumerate(self._rows()):
            text = learnable_text(self.found.task, roles)
            yield Document(
                name=f"feedback#{number}",
                read=functools.partial(iter, [text]),
                group=group_of(self.found.task, roles),
                consent="granted",
                roles=roles,
            )

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        for pair in self._preferences:
            chosen, rejected = pair.chosen.text, pair.rejected.text
            if chosen and rejected:
                yield {"messages": pair.prompt, "chosen": chosen, "rejected": rejected}
        if not self._preferences:
            for one in self._said:
                if one.kind in RATES and one.items[0].text:
                    yield {"messages": one.prompt, "response": one.items[0].text, "score": share_of(one)}

    def identity(self) -> Iterator[str]:
        """Yield what was said, of which things, without who said it."""
        yield self.medium
        for one in self._said:
            things = " ".join(item.hash for item in one.items)
            asked = hashlib.sha256(repr(one.prompt).encode("utf-8", "replace")).hexdigest()
            yield f"{one.id}\t{one.kind}\t{one.value}\t{things}\t{asked}"


def _medium(judgement: Judgement) -> str:
    return "text" if judgement.medium == "code" else judgement.medium
