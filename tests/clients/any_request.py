"""Runs in the environment of the clients: schemathesis sends valid and invalid requests to every route of a running server.

    python any_request.py ADDRESS CASES SECONDS [PART-OF-A-PATH] < known.json

Known values (names of models, ids of files and stores) are put into the description as the only ones half of the time, so that valid
requests reach what lies behind the first look-up. The last line on stdout is what was seen, as JSON.
"""

import collections
import contextlib
import copy
import json
import sys
import time

import hypothesis
import requests
import schemathesis
from schemathesis import GenerationMode

SHORT = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""Nobody waits for a long answer here."""


def narrowed(description, known):
    """Return the description with the values that are there as the only ones."""
    made = copy.deepcopy(description)
    for path, methods in made["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in known:
                    parameter["schema"] = {"enum": known[parameter["name"]]}
            content = operation.get("requestBody", {}).get("content", {})
            for form in content.values():
                properties = form["schema"].get("properties", {})
                for name in properties:
                    if name in SHORT:
                        properties[name] = {**properties[name], "maximum": 3}
                    elif name == "n" and "/images/" not in path:
                        properties[name] = {**properties[name], "maximum": 2}
                    elif name in known:
                        properties[name] = {"enum": known[name]}
                    elif name in ("messages", "input"):
                        properties[name] = {"enum": known["messages" if name == "messages" else "text"]}
                    elif name in ("file_ids", "vector_store_ids"):
                        properties[name] = {"type": "array", "items": {"enum": known["file"]}, "maxItems": 2}
                    elif name in ("steps", "count"):
                        properties[name] = {**properties[name], "maximum": 2}
    return made


class Seen:
    """What was seen."""

    def __init__(self):
        self.cases = collections.Counter()
        self.statuses = collections.Counter()
        self.failures = []
        self.slowest = 0.0

    def look(self, label, mode, operation, response, seconds):
        """Count an answer and judge it."""
        self.cases[f"{label} {mode}"] += 1
        self.statuses[str(response.status_code)] += 1
        self.slowest = max(self.slowest, seconds)
        declared = operation.definition.raw["responses"]
        wrong = response.status_code >= 500 or str(response.status_code) not in declared
        if response.status_code >= 400 and not wrong:
            try:
                wrong = not response.json()["error"]["message"]
            except (ValueError, KeyError, TypeError):
                wrong = True
        streams = any(kind.startswith("text/event-stream") for kind in response.headers.get("content-type", ()))
        wrong = wrong or (streams and b'"server_error"' in response.content)
        if wrong and len(self.failures) < 50:
            sent = response.request
            body = (sent.body or b"")[:600]
            shown = body.decode("utf-8", "backslashreplace") if isinstance(body, bytes) else body
            self.failures.append([label, mode, response.status_code, sent.url, shown, response.text[:300]])


def ask(label, operation, mode, seen, *, address, cases, seconds):
    """Send the requests of one route in one mode."""
    session, end = requests.Session(), time.monotonic() + seconds

    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def each(case):
        if time.monotonic() > end:
            return
        started = time.monotonic()
        response = case.call(base_url=address, session=session, timeout=300)
        seen.look(label, mode.value, operation, response, time.monotonic() - started)

    # A route that takes any text has no invalid requests.
    with contextlib.suppress(hypothesis.errors.Unsatisfiable):
        each()


def main():
    """Send everything and say what was seen."""
    address, cases, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    part = sys.argv[4] if len(sys.argv) > 4 else ""
    known = json.load(sys.stdin)
    description = requests.get(f"{address}/openapi.json", timeout=60).json()
    seen, routes = Seen(), set()
    for spread, raw in enumerate((narrowed(description, known), description)):
        schema = schemathesis.openapi.from_dict(raw)
        for found in schema.get_all_operations():
            operation = found.ok()
            if part not in operation.path:
                continue
            routes.add(operation.label)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                # A route that reads nothing has no invalid requests.
                if mode is GenerationMode.NEGATIVE and not (
                    operation.body or operation.path_parameters or operation.query
                ):
                    continue
                half = (cases + 1 - spread) // 2
                ask(operation.label, operation, mode, seen, address=address, cases=half, seconds=seconds)
    made = {
        "routes": len(routes),
        "cases": sum(seen.cases.values()),
        "statuses": seen.statuses,
        "failures": seen.failures,
    }
    print(json.dumps({**made, "least": min(seen.cases.values(), default=0), "slowest_seconds": seen.slowest}))


if __name__ == "__main__":
    main()
