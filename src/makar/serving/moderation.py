"""POST /v1/moderations: the thirteen categories of OpenAI, by patterns, or by a classifier of your own.

Decisions. (1) Without a model plain patterns of English words decide, one list a category. They find what is said in so many words and
nothing else, score 0 or 1, and need no data and no network; they are a net with wide meshes and say so by their name, ``makar-patterns``.
(2) With the name of a saved classifier (recipe ``classify``) whose classes are called like categories, the probabilities are its own; a
class of another name flags nothing. (3) Pictures are not looked at and refused.

Source: https://platform.openai.com/docs/guides/moderation (the categories and what they mean).
"""

import asyncio
import contextlib
import functools
import re
from typing import Any

from fastapi import Request, Response

from makar.errors import UnsupportedError
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, attended, front_of, leased, new_id
from makar.serving.text_fields import ModerationFields, listed_texts

PATTERNS_NAME = "makar-patterns"
FLAGGED_FROM = 0.5

_PEOPLE = (
    r"(?:jews|muslims|christians|blacks|whites|gays|lesbians|immigrants|women|men|foreigners|refugees|trans people)"
)
_HARM = r"(?:kill|murder|hang|shoot|stab|hurt|gas|burn|exterminate|lynch|beat up)"
_SELF = r"(?:kill(?:ing)? myself|end(?:ing)? my (?:own )?life|commit(?:ting)? suicide|cut(?:ting)? myself|hurt(?:ing)? myself)"
_MINOR = r"(?:child|children|minor|underage|schoolgirl|schoolboy|\b(?:[1-9]|1[0-7])[- ]year[- ]old)"
_SEX = r"(?:sex|sexual|porn|pornographic|nude|naked|orgasm|blow ?job|masturbat\w+|erotic)"
_WEAPON = r"(?:bomb|explosive|pipe bomb|molotov|nerve agent|sarin|silencer|ghost gun)"
_MAKE = r"(?:make|build|cook|synthesi[sz]e|construct|assemble|produce)"

PATTERNS: dict[str, str] = {
    "harassment": r"\byou(?:'re| are)? (?:an? )?(?:worthless|pathetic|stupid|disgusting|idiot|moron|loser)|\bshut up,? you\b",
    "harassment/threatening": rf"\b(?:i|we)(?:'ll| will| am going to|'m going to|'re going to) {_HARM} (?:you|your)\b",
    "hate": rf"\b(?:all )?{_PEOPLE} (?:are|is) (?:vermin|animals|subhuman|inferior|parasites|trash|disgusting)",
    "hate/threatening": rf"\b{_HARM} (?:all )?(?:the )?{_PEOPLE}\b|\b{_PEOPLE} (?:should|must|deserve to) (?:all )?(?:die|be killed)",
    "illicit": rf"\b{_MAKE} (?:meth|methamphetamine|cocaine|heroin|crack|fentanyl)\b"
    r"|\bhow (?:to|do i|can i) (?:pick a lock|hotwire|launder money|forge|shoplift|steal|hack into)",
    "illicit/violent": rf"\b{_MAKE} (?:an? |some )?(?:\w+ )?{_WEAPON}",
    "self-harm": rf"\b{_SELF}|\bsuicidal\b",
    "self-harm/intent": rf"\bi(?:'m| am)? (?:want to|going to|will|plan to|planning to|thinking (?:of|about)|wanna) {_SELF}",
    "self-harm/instructions": r"\b(?:how (?:to|do i|can i)|best way to|ways to) (?:kill myself|commit suicide|end my life|cut myself)",
    "sexual": rf"\b{_SEX}\b",
    "sexual/minors": rf"\b{_MINOR}\b",
    "violence": rf"\b{_HARM} (?:him|her|them|you|people|someone|everyone|my \w+)\b|\bmassacre\b|\bbehead\w*",
    "violence/graphic": r"\b(?:guts|entrails|severed (?:head|limb|arm|leg)s?|blood (?:spurt|gush|pour)\w*|dismember\w*|disembowel\w*)",
}

_BESIDE = {"sexual/minors": "sexual"}
"""Categories that need the pattern of another one in the same sentence too.

One pattern of both with anything between them would take time that grows with the square of the length of a text.
"""


@functools.cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PATTERNS.items()}


def scores_by_patterns(text: str) -> dict[str, float]:
    """Return 1 for every category one of whose patterns is in a text, and 0 for the others."""
    plain = re.sub(r"\s+", " ", text)
    patterns = _patterns()
    found = {name: float(pattern.search(plain) is not None) for name, pattern in patterns.items()}
    for name, other in _BESIDE.items():
        if found[name] and found[other]:
            sentences = re.split(r"[.!?]", plain)
            found[name] = float(any(patterns[name].search(one) and patterns[other].search(one) for one in sentences))
        else:
            found[name] = 0.0
    # What is said of a narrower kind is also of the wider one.
    for name in PATTERNS:
        wider = name.partition("/")[0]
        found[wider] = max(found[wider], found[name])
    return found


def result_of(scores: dict[str, float]) -> dict[str, Any]:
    """Return the judgement of one text."""
    found = {name: min(1.0, max(0.0, float(scores.get(name, 0.0)))) for name in PATTERNS}
    flags = {name: score >= FLAGGED_FROM for name, score in found.items()}
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": found,
        "category_applied_input_types": {name: ["text"] for name in PATTERNS},
    }


async def moderations(request: Request) -> Response:
    """Judge texts."""
    fields, ignored = read_fields(ModerationFields, await read_json(request))
    texts, name = listed_texts(fields.input), PATTERNS_NAME
    if fields.model is None or fields.model == PATTERNS_NAME or fields.model.startswith(("omni-", "text-moderation")):
        scores = await asyncio.to_thread(lambda: [scores_by_patterns(text) for text in texts])
    else:
        name = fields.model
        scores = await attended(request, _scores_by_model(request, name, texts))
    results = [result_of(one) for one in scores]
    return answer({"id": new_id("modr-"), "model": name, "results": results}, ignored_header(ignored))


async def _scores_by_model(request: Request, model: str, texts: list[str]) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    async with (
        leased(front_of(request), model) as (_, process),
        contextlib.aclosing(process.do({"do": "classify", "texts": texts})) as events,
    ):
        async for event in events:
            found.append(event["shares"])
    if not any(name in PATTERNS for shares in found for name in shares):
        raise UnsupportedError(
            f"{model} knows none of the categories",
            expected=f"a classifier with classes such as {', '.join(list(PATTERNS)[:4])}",
        )
    return found
