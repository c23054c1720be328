"""A process that reads scripts: ``python -m makar.serving.studio.speaker``, told by one line of JSON, answering by lines.

A cast has several models, and drawings and documents are files of others: here they cost a process that can be ended at any moment, and
nothing in the front. It begins with what can be refused: the face, the voices, what each line says.

    told      {"script": "...", "voices": {"Ann": "cast:ann"}, "form": ".webm", "seed": 7, "options": {}, "out": PATH,
               "drawing": PATH or null, "mouth": [x, y, width] or null, "consent": PATH or null}
    answers   {"step": 0, "steps": 12} ... {"made": PATH}   or   {"error": {...}}
    told      {"document": PATH}
    answers   {"script": "..."}   or   {"error": {...}}
"""

import functools
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

from makar.api.scripts import script_of
from makar.errors import MakarError
from makar.generation.script import check_length
from makar.serving.problems import problem_of
from makar.serving.store_reader import limit_itself

Line = dict[str, Any]


def speak(told: Line, out: TextIO) -> Line:
    """Read a script aloud and write what came of it; say after every line how far it is."""
    # Not where only a document is read: it is seconds until torch is there.
    from makar.api.speaking import asset_of, cast_of, face_for
    from makar.generation.reading_aloud import read_aloud

    mouth = None if told["mouth"] is None else tuple(told["mouth"])
    face = face_for(told["form"], drawing=told["drawing"], mouth=mouth, consent=told["consent"])
    reading = read_aloud(
        cast_of(told["voices"]),
        told["script"],
        seed=told["seed"],
        options=told["options"],
        tell=functools.partial(_tell, out),
    )
    return {"made": str(asset_of(reading, form=told["form"], face=face).save(told["out"]))}


def _tell(out: TextIO, spoken: int, lines: int) -> None:
    _say(out, {"step": spoken, "steps": lines})


def _say(out: TextIO, line: Line) -> None:
    out.write(json.dumps(line) + "\n")
    out.flush()


def main() -> None:
    """Do what the line on stdin says."""
    # What any library prints must not end up between the lines.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    told: Line = json.loads(sys.stdin.readline())
    try:
        if "document" in told:
            limit_itself()
            # What is no text, such as half a character out of a broken document, must not break the answer.
            script = script_of(Path(told["document"])).replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
            check_length(script)
            _say(out, {"script": script})
        else:
            _say(out, speak(told, out))
    except BrokenPipeError:
        # The front has gone, and nobody wants it any more.
        os._exit(1)
    except Exception as error:
        if not isinstance(error, MakarError):
            traceback.print_exc()
        _say(out, {"error": problem_of(error)})


if __name__ == "__main__":
    main()
