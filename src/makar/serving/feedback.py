"""/makar/v1/feedback: what people say of generated things, and blind comparisons of models; OpenAI's API has no such routes.

The table is the one of the shell and of Python (``makar.api.feedback``). It is asked in a thread of its own, so that a slow disk stops no
stream. In a comparison answers are made when they are wanted, by the processes of the models; what is shown carries no name and no
manifest, only the mark that a machine made it; with the verdict the names come.
"""

import asyncio
import base64
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from makar.api import arena, feedback, taste, waiting_feedback
from makar.config import Config
from makar.data.feedback.judgement import Judged, Judgement
from makar.data.feedback.sessions import Session, Sessions
from makar.data.feedback.table import FeedbackTable
from makar.errors import EmptyDataError, UnsupportedError, UsageError
from makar.serving.bodies import ignored_header, parse_object, read_fields, read_json
from makar.serving.feedback_fields import (
    MOST_SCORED,
    DrawFields,
    FeedbackFields,
    ScoreFields,
    SessionFields,
    VerdictFields,
    items_of,
    judgement_of,
    session_words,
    wanted_of,
)
from makar.serving.front import Front, answer, attended, front_of, leased, merged
from makar.serving.problems import Problem
from makar.serving.process import Event
from makar.serving.texts import Written
from makar.serving.uploads import page, read_form

LINES = "application/x-ndjson"
Result = TypeVar("Result")


async def add_feedback(request: Request) -> Response:
    """Keep what somebody says."""
    fields, ignored = read_fields(FeedbackFields, await read_json(request))

    def keep() -> Judgement:
        judgement = judgement_of(fields)
        FeedbackTable().add([judgement])
        return judgement

    return answer((await asyncio.to_thread(keep)).to_dictionary(), ignored_header(ignored))


async def list_feedback(request: Request) -> Response:
    """List what people said, the newest first."""
    wanted = wanted_of(request)
    shows = request.query_params.get("content") == "true"

    def listed() -> Event:
        table = FeedbackTable()
        shown = page([one.to_dictionary() for one in table.rows(wanted, newest=True)], request)
        if shows:
            # What was judged is read for this page alone; what was taken back meanwhile stays without.
            shown["data"] = [_with_content(table, one) for one in shown["data"]]
        return shown | {"counts": table.counts(wanted)}

    return answer(await asyncio.to_thread(listed))


def _with_content(table: FeedbackTable, listed: Event) -> Event:
    try:
        return table.one(listed["id"], content=True).to_dictionary(content=True)
    except UsageError:
        return listed


async def one_feedback(request: Request) -> Response:
    """Show one judgement with what was judged."""
    name = request.path_params["feedback"]
    found = await _found(lambda: FeedbackTable().one(name, content=True))
    return answer(found.to_dictionary(content=True))


async def delete_feedback(request: Request) -> Response:
    """Take back what was said."""
    name = request.path_params["feedback"]
    await _found(lambda: feedback.remove([name]))
    return answer({"id": name, "deleted": True})


async def feedback_content(request: Request) -> Response:
    """Give back what was judged, by its hash, as bytes that no browser takes for a page."""
    item = await _found(lambda: FeedbackTable().content(request.path_params["hash"]))
    content = item.png or item.file or (item.text or "").encode("utf-8", "replace")
    return Response(content, media_type=item.type)


async def export_feedback(request: Request) -> Response:
    """Give everything that was asked for as lines of JSON."""
    wanted, form = wanted_of(request), request.query_params.get("form", "judgements")
    lines = await asyncio.to_thread(feedback.export_lines, wanted, form=form)
    # The first line is read before the answer begins, so that a table that cannot be read is said.
    first = await asyncio.to_thread(next, lines, b"")
    headers = {"content-disposition": f'attachment; filename="{form}.jsonl"'}
    return StreamingResponse(itertools.chain([first], lines), media_type=LINES, headers=headers)


async def import_feedback(request: Request) -> Response:
    """Keep the feedback of a file of lines of JSON, all or none."""
    _, files = await read_form(request)
    if [name for name, _ in files] != ["file"]:
        raise UsageError(f"{len(files)} files", expected="one file named file")
    lines = [line for line in (await files[0][1].read()).split(b"\n") if line.strip()]
    new, count = await asyncio.to_thread(lambda: feedback.import_rows([parse_object(line) for line in lines]))
    return answer({"new": new, "lines": count})


async def ranking(request: Request) -> Response:
    """Rank models by what people said."""
    asked = wanted_of(request)
    try:
        found = await asyncio.to_thread(
            lambda: arena.ranking(session=asked.session, medium=asked.medium, rater=asked.rater)
        )
    except EmptyDataError:
        return answer({"models": [], "pairs": [], "comparisons": 0, "agreement": {}, "raters": 0})
    return answer(found.to_dictionary())


async def waiting(request: Request) -> Response:
    """Say how many judgements came after the last training on feedback, by medium."""
    del request
    return answer(await asyncio.to_thread(waiting_feedback.waiting))


async def scores(request: Request) -> Response:
    """Say how much somebody, or all, would like things."""
    fields, ignored = read_fields(ScoreFields, await read_json(request))

    def scored() -> Event:
        items = [item for item, _ in items_of(fields.items, most=MOST_SCORED)]
        media = {item.judged_as for item in items}
        if len(media) > 1:
            raise UsageError("things of several media", expected="things of one medium")
        learned = taste.taste_of(fields.rater, medium=media.pop())
        values = [float(value) for value in learned.rewards(items)]
        return {"rater": fields.rater, "scores": values, "pairs": learned.pairs, "raters": learned.raters}

    return answer(await asyncio.to_thread(scored), ignored_header(ignored))


async def begin_session(request: Request) -> Response:
    """Begin a blind comparison."""
    fields, ignored = read_fields(SessionFields, await read_json(request))
    models, prompts = session_words(fields)
    media = {name: front_of(request).pool.place(name).medium for name in models}
    if len({"text" if medium == "code" else medium for medium in media.values()}) > 1:
        kinds = ", ".join(f"{name} makes {medium}" for name, medium in media.items())
        raise UnsupportedError(kinds, expected="models of one medium")
    session = Session(
        models=models,
        prompts=prompts,
        medium=next(iter(media.values()), "text"),
        rounds=fields.rounds,
        seed=fields.seed,
        options=fields.options or {},
    )
    await asyncio.to_thread(Sessions(FeedbackTable()).begin, session)
    return answer(_described(session, 0), ignored_header(ignored))


async def list_sessions(request: Request) -> Response:
    """List the blind comparisons, the newest first."""
    sessions = Sessions(FeedbackTable())
    found = await asyncio.to_thread(lambda: [_described(one, sessions.judged(one)) for one in sessions.all()])
    return answer(page(found, request))


async def one_session(request: Request) -> Response:
    """Describe one blind comparison."""
    sessions = Sessions(FeedbackTable())
    session = await _found(lambda: sessions.one(request.path_params["session"]))
    return answer(_described(session, await asyncio.to_thread(sessions.judged, session)))


def _described(session: Session, judged: int) -> Event:
    return session.to_dictionary() | {"judged": judged, "units": session.units}


async def draw_pair(request: Request) -> Response:
    """Give a rater the next two answers; ``pair`` is null where everything was shown."""
    name = request.path_params["session"]
    fields, ignored = read_fields(DrawFields, await read_json(request))
    await _found(lambda: Sessions(FeedbackTable()).one(name))
    shown = await attended(request, _drawn(front_of(request), name, fields.rater))
    if shown is None:
        return answer({"pair": None}, ignored_header(ignored))
    values = {
        "pair": shown.pair.id,
        "prompt": shown.prompt,
        "judged": shown.judged,
        "left": _blind(shown.left),
        "right": _blind(shown.right),
    }
    return answer(values, ignored_header(ignored))


async def _drawn(front: Front, name: str, rater: str) -> arena.Shown | None:
    """Return the next two answers for a rater.

    They are asked for here and not in the thread that looks them up: threads are few, and those that load the models are among them.
    """
    made: dict[tuple[int, int], Judged] = {}
    lacking: list[tuple[Session, int, int]] = []

    def known(session: Session, unit: int, model: int) -> Judged | None:
        if (unit, model) not in made:
            lacking.append((session, unit, model))
        return made.get((unit, model))

    while True:
        shown = await asyncio.to_thread(lambda: arena.next_pair(name, rater=rater, answer=known))
        if not lacking:
            return shown
        session, unit, model = lacking.pop()
        made[unit, model] = await _answered(front, session, unit, model)


def _blind(item: Judged) -> Event:
    if item.png is not None:
        return {"png": base64.b64encode(arena.unsigned_png(item.png)).decode("ascii")}
    if item.file is not None:
        return {"file": base64.b64encode(item.file).decode("ascii"), "type": item.type}
    return {"text": item.text}


async def _answered(front: Front, session: Session, unit: int, model: int) -> Judged:
    """Have a model answer in its process."""
    prompt = session.prompt_of(unit)
    async with leased(front, session.models[model]) as (place, process):
        ask: Event = {"options": session.options, "seed": session.seed_of(unit), "manifest": True, "likelihoods": None}
        if place.medium == "image":
            ask |= {"do": "images", "prompt": prompt or None, "count": 1}
            async for _, event in merged(process, [ask]):
                item, _ = feedback.signed_item(event["manifest"], png=base64.b64decode(event["png"]))
        elif place.medium == "sound":
            async for _, event in merged(process, [ask | {"do": "sound", "prompt": prompt or None}]):
                item, _ = feedback.signed_item(event["manifest"], file=base64.b64decode(event["wave"]))
        elif place.medium == "video":
            async for _, event in merged(process, [ask | {"do": "video", "prompt": prompt or None, "reference": None}]):
                item, _ = feedback.signed_item(event["manifest"], file=base64.b64decode(event["file"]))
        elif place.medium == "music":
            async for _, event in merged(process, [ask | {"do": "file", "prompt": prompt or None}]):
                item, _ = feedback.signed_item(event["manifest"], file=base64.b64decode(event["file"]))
        elif place.medium == "structure":
            async for _, event in merged(process, [ask | {"do": "file", "prompt": prompt or None}]):
                # As in the shell, a structure is judged as the text that its file is.
                item, _ = feedback.signed_item(event["manifest"], text=base64.b64decode(event["file"]).decode("ascii"))
        else:
            turns = [{"role": "user", "content": prompt}]
            ask |= (
                {"do": "chat", "turns": turns}
                if process.facts["turns"]
                else {"do": "complete", "prompt": prompt, "echo": False}
            )
            text = Written()
            async for _, event in merged(process, [ask]):
                text.add(event)
            item, _ = feedback.signed_item(text.end["manifest"], text=text.end["content"])
        return item


async def judge_pair(request: Request) -> Response:
    """Keep what a rater says of a pair, and say whose answers they were."""
    name = request.path_params["pair"]
    fields, ignored = read_fields(VerdictFields, await read_json(request))
    await _found(lambda: Sessions(FeedbackTable()).pair(name))
    kept = await asyncio.to_thread(lambda: arena.judge(name, fields.said, consent=fields.consent, note=fields.note))
    return answer(kept.to_dictionary(), ignored_header(ignored))


async def _found(look: Callable[[], Result]) -> Result:
    """Return what is looked up in a thread; what is not there is answered by 404."""
    try:
        return await asyncio.to_thread(look)
    except UsageError as error:
        raise Problem(error.came, status=404, code="not_found", expected=error.expected, param="id") from error


ROUTES: tuple[tuple[str, str, Callable[[Request], Any], type[Config] | None], ...] = (
    ("POST", "", add_feedback, FeedbackFields),
    ("GET", "", list_feedback, None),
    ("GET", "/export", export_feedback, None),
    ("GET", "/ranking", ranking, None),
    ("GET", "/waiting", waiting, None),
    ("POST", "/scores", scores, ScoreFields),
    ("GET", "/contents/{hash}", feedback_content, None),
    ("POST", "/sessions", begin_session, SessionFields),
    ("GET", "/sessions", list_sessions, None),
    ("GET", "/sessions/{session}", one_session, None),
    ("POST", "/sessions/{session}/pairs", draw_pair, DrawFields),
    ("POST", "/pairs/{pair}", judge_pair, VerdictFields),
    ("GET", "/{feedback}", one_feedback, None),
    ("DELETE", "/{feedback}", delete_feedback, None),
)
"""Method, path behind ``/makar/v1/feedback``, handler and body; the last two take every other path."""
