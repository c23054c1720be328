"""/v1/evals: tests of answers over items of one's own: what is graded, and runs of it over models of this server or over given answers.

A run asks the same routes as anybody, eight items at a time, and grades each answer as it comes. What is done is written down at once, so
a restart goes on where it was. One run works at a time, the oldest first.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from makar.errors import MakarError
from makar.serving.background import LOG, Background, together
from makar.serving.batch_lines import kept_lines
from makar.serving.eval_fields import MOST_ITEMS, Asking, asking_of, checked_row, rows_of
from makar.serving.front import now
from makar.serving.graders import grade
from makar.serving.inner import ask_self
from makar.serving.problems import Problem, problem_of
from makar.serving.shelf import Shelf

TOGETHER = 8
OPEN = ("queued", "in_progress")
NO_USAGE = {"cached_tokens": 0, "completion_tokens": 0, "prompt_tokens": 0, "total_tokens": 0}
NO_ERROR = {"code": "", "message": ""}


class Evals:
    """The evaluations of a server and their runs.

    Args:
        kept: Where evaluations are kept.
        runs: Where runs are kept.
        files: Uploaded files.
        folder: Where the results of each item lie.
    """

    def __init__(self, kept: Shelf, *, runs: Shelf, files: Shelf, folder: Path) -> None:
        self.kept = kept
        self.runs = runs
        self._files = files
        self._folder = folder
        self._app: FastAPI | None = None
        self._background = Background(self._step)

    def start(self, app: FastAPI) -> None:
        """Begin to work; what was at work when the server ended goes on."""
        self._app = app
        self._background.start()

    async def stop(self) -> None:
        """Stop; what is not graded is asked when the server is started again."""
        await self._background.stop()

    def begin(self, run: dict[str, Any]) -> None:
        """Take a new run."""
        self.runs.put(run["id"], run)
        self._background.wake()

    def run(self, evaluation: str, name: str) -> dict[str, Any]:
        """Return a run of an evaluation.

        Raises:
            Problem: There is none.
        """
        run = self.runs.get(name)
        if run["eval_id"] != evaluation:
            raise Problem("the run is one of another evaluation", status=404, code="not_found", param="id")
        return run

    def cancel(self, evaluation: str, name: str) -> dict[str, Any]:
        """Leave what is not asked yet.

        Raises:
            Problem: There is no such run, or it is over.
        """
        run = self.run(evaluation, name)
        if run["status"] not in OPEN:
            raise Problem(
                f"the run is {run['status']}", status=409, code="invalid_state", expected="one that is at work"
            )
        run |= {"status": "canceled"}
        self.runs.put(name, run)
        return run

    def remove_run(self, evaluation: str, name: str) -> None:
        """Delete a run with its results.

        Raises:
            Problem: There is none.
        """
        self.run(evaluation, name)
        self.runs.remove(name)
        self._path(name).unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Delete an evaluation with its runs.

        Raises:
            Problem: There is none.
        """
        self.kept.remove(name)
        for run in self.runs_of(name):
            self.remove_run(name, run["id"])

    def runs_of(self, evaluation: str) -> list[dict[str, Any]]:
        """Return the runs of an evaluation, the newest first."""
        return [run for run in self.runs.all() if run["eval_id"] == evaluation]

    def results(self, name: str) -> list[dict[str, Any]]:
        """Return what is known of every item of a run, in their order."""
        return sorted(kept_lines(self._path(name)), key=lambda row: row["datasource_item_id"])

    def items(self, source: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the items that a run is over.

        Raises:
            Problem: The file is not there, or holds something else.
            ConfigError: They are none, or too many.
        """
        where = source.get("source")
        kind = where.get("type") if isinstance(where, dict) else None
        if kind == "file_id" and isinstance(where, dict) and isinstance(where.get("id"), str):
            rows = rows_of(self._files.content(where["id"]))
        elif kind == "file_content" and isinstance(where, dict) and isinstance(where.get("content"), list):
            rows = [checked_row(row, number) for number, row in enumerate(where["content"], 1)]
        else:
            raise Problem(
                f"items from {kind!r:.40}",
                status=400,
                code="unsupported",
                expected="file_id or file_content",
                param="source",
            )
        if not 0 < len(rows) <= MOST_ITEMS:
            raise Problem(f"{len(rows)} items", status=400, code="invalid_value", expected=f"1 to {MOST_ITEMS}")
        return rows

    async def _step(self) -> bool:
        waiting = [run for run in self.runs.all() if run["status"] in OPEN]
        if not waiting:
            return False
        run = waiting[-1]
        try:
            await self._work(run)
        except Exception as error:
            # Whatever it is, one run must not stand in the way of those that come after it.
            is_foreseen = isinstance(error, MakarError | OSError)
            LOG.warning("the run %s failed: %s", run["id"], error, exc_info=None if is_foreseen else error)
            self._end(run["id"], status="failed", error=_error_of(error))
        return True

    async def _work(self, run: dict[str, Any]) -> None:
        criteria = self.kept.get(run["eval_id"])["testing_criteria"]
        rows, asking = self.items(run["data_source"]), asking_of(run["data_source"])
        self._folder.mkdir(parents=True, exist_ok=True)
        known = {row["datasource_item_id"] for row in self.results(run["id"])}
        left = ((number, row) for number, row in enumerate(rows) if number not in known)
        self.runs.put(run["id"], run | {"status": "in_progress"})
        await together([self._grade(run, asking, criteria, left) for _ in range(TOGETHER)])
        self._end(run["id"], status="completed", error=NO_ERROR)

    def _end(self, name: str, *, status: str, error: dict[str, str]) -> None:
        # It may have been cancelled, or deleted, meanwhile.
        with contextlib.suppress(Problem):
            run = self.runs.get(name)
            if run["status"] in OPEN:
                self.runs.put(name, run | {"status": status, "error": error})

    async def _grade(
        self,
        run: dict[str, Any],
        asking: Asking,
        criteria: list[dict[str, Any]],
        left: Iterator[tuple[int, dict[str, Any]]],
    ) -> None:
        """Grade what is left, one after the other, as long as that is wanted."""
        while self.runs.get(run["id"])["status"] in OPEN:
            number, row = next(left, (None, None))
            if number is None or row is None:
                return
            made = await self._graded(run, asking, criteria, row)
            result = {
                "id": f"outputitem_{number:024x}",
                "object": "eval.run.output_item",
                "created_at": now(),
                "eval_id": run["eval_id"],
                "run_id": run["id"],
                "datasource_item_id": number,
                "datasource_item": row["item"],
                **made,
            }
            with self._path(run["id"]).open("ab") as file:
                file.write(json.dumps(result, ensure_ascii=False).encode() + b"\n")

    async def _graded(
        self, run: dict[str, Any], asking: Asking, criteria: list[dict[str, Any]], row: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the answer to an item with its grades; what goes wrong with one item is its own result."""
        sample = given_sample(row.get("sample", {}))
        try:
            if asking.model:
                messages = asking.messages({"item": row["item"]})
                sample = await self._asked(asking, messages)
            names = {"item": row["item"], "sample": _names_of(sample)}
            results = await asyncio.to_thread(lambda: [grade(one, names) for one in criteria])
        except MakarError as error:
            return {"status": "error", "results": [], "sample": sample | {"error": _error_of(error)}}
        status = "pass" if all(one["passed"] for one in results) else "fail"
        return {"status": status, "results": results, "sample": sample}

    async def _asked(self, asking: Asking, messages: list[dict[str, Any]]) -> dict[str, Any]:
        assert self._app is not None
        body = {"model": asking.model, "messages": messages, **asking.controls}
        status, answer = await ask_self(self._app, "/v1/chat/completions", body)
        if status >= 400:
            error = answer.get("error", {})
            raise Problem(
                str(error.get("message", "no answer")),
                status=status,
                code=str(error.get("code")),
                param=error.get("param"),
            )
        choice, usage = answer["choices"][0], answer["usage"]
        return {
            "error": NO_ERROR,
            "finish_reason": choice["finish_reason"],
            "input": [{"role": one["role"], "content": str(one.get("content") or "")} for one in messages],
            "output": [{"role": "assistant", "content": choice["message"]["content"]}],
            "max_completion_tokens": asking.controls.get("max_completion_tokens", 0),
            "model": asking.model,
            "seed": asking.controls.get("seed", 0),
            "temperature": asking.controls.get("temperature", 1.0),
            "top_p": asking.controls.get("top_p", 1.0),
            "usage": {**NO_USAGE, **{name: usage[name] for name in NO_USAGE if name in usage}},
        }

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.jsonl"


def given_sample(sample: dict[str, Any]) -> dict[str, Any]:
    """Return an answer that came with its item in the shape of one that was asked for."""
    text = sample.get("output_text")
    return {
        "error": NO_ERROR,
        "finish_reason": "stop",
        "input": [],
        "output": [{"role": "assistant", "content": text}] if isinstance(text, str) else [],
        "max_completion_tokens": 0,
        "model": str(sample.get("model", "")),
        "seed": 0,
        "temperature": 0.0,
        "top_p": 1.0,
        "usage": NO_USAGE,
    }


def _names_of(sample: dict[str, Any]) -> dict[str, Any]:
    """Return what graders can name of an answer; ``output_json`` where it is JSON."""
    if not sample["output"]:
        return {}
    text = sample["output"][0]["content"] or ""
    names: dict[str, Any] = {"output_text": text}
    with contextlib.suppress(ValueError, RecursionError):
        names["output_json"] = json.loads(text)
    return names


def _error_of(error: Exception) -> dict[str, str]:
    told = problem_of(error)["error"]
    return {"code": told["code"], "message": told["message"]}
