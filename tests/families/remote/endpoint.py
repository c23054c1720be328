"""A small real server that speaks the public protocol of chat completions, as several companies have it, and of embeddings; with faults.

Streams follow the public descriptions: OpenAI (platform.openai.com/docs/api-reference/chat-streaming), Google
(ai.google.dev/gemini-api/docs/openai) and Anthropic (docs.anthropic.com/en/api/openai-sdk).
"""

import http.server
import json
import threading
import time

TOKENS = ("A", " red", " fox", ".", " Où?")


def _event(values):
    return b"data: " + json.dumps(values).encode() + b"\n\n"


def _openai(model):
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "system_fingerprint": "fp",
    }
    first = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    yield _event({**head, "choices": [first], "usage": None})
    for token in TOKENS:
        choice = {"index": 0, "delta": {"content": token}, "logprobs": None, "finish_reason": None}
        yield _event({**head, "choices": [choice], "usage": None})
    last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    yield _event({**head, "choices": [last], "usage": None})
    counts = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    yield _event({**head, "choices": [], "usage": counts})
    yield b"data: [DONE]\n\n"


def _google(model):
    for number, token in enumerate(TOKENS):
        choice = {"delta": {"content": token, "role": "assistant"}, "index": 0}
        if number == len(TOKENS) - 1:
            choice["finish_reason"] = "stop"
        usage = {"completion_tokens": number + 1, "prompt_tokens": 9, "total_tokens": 10 + number}
        head = {"created": 1, "id": "x", "model": model, "object": "chat.completion.chunk"}
        yield _event({**head, "choices": [choice], "usage": usage})
    yield b"data: [DONE]\n\n"


def _anthropic(model):
    head = {"id": "msg_01", "object": "chat.completion.chunk", "created": 1, "model": model}
    for token in TOKENS:
        yield _event({**head, "choices": [{"index": 0, "delta": {"content": token, "role": "assistant"}}]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    counts = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    yield _event({**head, "choices": [], "usage": counts})
    yield b"data: [DONE]\n\n"


STREAMS = {"openai": _openai, "google": _google, "anthropic": _anthropic}


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers by the name of the model: a company's form of the stream, or a fault."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Answer a question."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((dict(self.headers), body, time.monotonic()))
        name = body["model"]
        if self.path == "/v1/embeddings":
            return self._vectors(name, body["input"])
        if self.path != "/v1/chat/completions":
            return self._status(404, {"error": {"message": "Not Found"}})
        if name in STREAMS:
            return self._stream(STREAMS[name](f"{name}-2026"))
        if name.startswith("busy"):
            # As often as the name says, then an answer.
            if len(self.server.asked) <= int(name.split("-")[1]):
                return self._status(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.01"})
            return self._stream(_openai(name))
        if name == "slow":
            self.server.ending.wait(5)
            return self._stream(_openai(name))
        if name == "stalls":
            return self._stream(self._stalling())
        faults = {
            "unknown": (404, {"error": {"message": "The model `unknown` does not exist"}}),
            "refuses": (401, {"error": {"message": "Incorrect API key provided: sk-...x"}}),
            "picky": (400, {"error": {"message": "Unsupported parameter: seed"}}),
            "broken": (500, {"error": {"message": "it broke"}}),
        }
        if name in faults:
            return self._status(*faults[name])
        nonsense = {
            "html": (b"<html>hello</html>", "text/html"),
            "garbage": (b"data: {not json\n\ndata: [DONE]\n\n", "text/event-stream"),
            "empty": (b"data: [DONE]\n\n", "text/event-stream"),
            "odd": (_event({"choices": [{"delta": {"content": 3}}], "model": "odd"}), "text/event-stream"),
            "list": (_event([1, 2]), "text/event-stream"),
            "thinks": (
                _event({"choices": [{"delta": {"reasoning_content": "Well"}}], "model": "m"})
                + _event({"choices": [{"delta": {}, "finish_reason": "length"}], "model": "m"}),
                "text/event-stream",
            ),
            "filtered": (
                _event({"choices": [{"delta": {}, "finish_reason": "content_filter"}], "model": "m"}),
                "text/event-stream",
            ),
        }
        return self._send(200, *nonsense[name])

    def _vectors(self, name, texts):
        """Answer with the lengths of texts and of their first words, or with a fault, again and again."""
        if name.startswith("busy") and len(self.server.asked) <= int(name.split("-")[1]):
            return self._status(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.01"})
        if name == "unknown":
            return self._status(404, {"error": {"message": "The model `unknown` does not exist"}})
        if name == "chats":
            return self._status(400, {"error": {"message": "this model does not support embeddings"}})
        rows = [[float(len(text)), float(len(text.split()[0])), 1.0] for text in texts]
        faults = {
            "few": rows[1:],
            "uneven": [[*row, 1.0] if at else row for at, row in enumerate(rows)],
            "zero": [[0.0] * 3 for _ in rows],
            "words": ["one"] * len(rows),
            "nested": [[row] for row in rows],
        }
        data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(faults.get(name, rows))]
        usage = {} if name == "silent" else {"usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}}
        # Nothing says that they come in order.
        self._status(200, {"object": "list", "model": name, "data": data[::-1], **usage})

    def _stalling(self):
        yield next(iter(_google("stalls")))
        self.server.ending.wait(5)

    def _status(self, code, values, more=None):
        self._send(code, json.dumps(values).encode(), "application/json", more or {})

    def _send(self, code, body, kind, more=None):
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events:
            try:
                self.wfile.write(event)
                self.wfile.flush()
            except OSError:
                return
        self.close_connection = True

    def log_message(self, format, *args):
        """Say nothing."""


def start():
    """Return a running server; ``.url`` is its address, ``.asked`` what came: headers, body, time."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.daemon_threads = True
    server.asked, server.ending = [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
