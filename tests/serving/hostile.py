"""Two hundred requests that mean harm or make no sense, as the bytes that go over the wire; made by hand, no two alike."""

import json

UNFINISHED = frozenset(
    (
        "length 1099511627776",
        "a piece that is too short",
        "a size beyond everything",
        "length and pieces",
        "no end",
        "GET /health",
    )
)
"""Requests that promise more than they send: whoever reads the answer has to end them."""

CHAT, FILES, IMAGES = "/v1/chat/completions", "/v1/files", "/v1/images/edits"
GOOD = {"model": "talker", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
DEEPEST = 100_000


def posted(body, *, path=CHAT, kind="application/json", more=(), length=None):
    """Return a whole request with a body, its length told truly unless another one is given."""
    told = len(body) if length is None else length
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}", f"Content-Length: {told}", *more]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1") + body


def chunked(*pieces, path=CHAT, more=("Transfer-Encoding: chunked",)):
    """Return a request whose body comes in pieces as they are given."""
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *more]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1") + b"".join(pieces)


def with_value(text, name="temperature"):
    """Return a body in which a field has a value that is written out."""
    return json.dumps(GOOD)[:-1].encode() + b', "' + name.encode() + b'": ' + text + b"}"


def said(text):
    """Return a body whose message is written out as JSON."""
    return b'{"model": "talker", "max_tokens": 2, "messages": [{"role": "user", "content": ' + text + b"}]}"


def numbers():
    """Yield bodies with numbers that are none, or too much of one."""
    for text in (
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "inf",
        "1e999",
        "-1e999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "9" * 400,
        "-" + "9" * 400,
        "9" * 100_000,
        "0." + "3" * 100_000,
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "0x10",
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "--1",
        "1_000",
        "1,5",
        "0b1",
    ):
        yield f"number {text[:24]} {len(text)}", posted(with_value(text.encode()))
    for name in ("seed", "max_tokens", "n", "top_logprobs", "logit_bias"):
        for text in (b"NaN", b"1e308", b"-1", b"9223372036854775807", b'"1"', b"[[]]"):
            yield f"{name} {text.decode()}", posted(with_value(text, name))


def texts():
    """Yield bodies with texts that are none."""
    for text in (
        rb'"\ud800"',
        rb'"\udfff"',
        rb'"\udc00\ud800"',
        rb'"a\ud83d"',
        rb'"\u0000"',
        rb'"a\u0000b"',
        b'"\x00"',
        b'"\x01\x02\x1f"',
        b'"\xff"',
        b'"\xc3"',
        b'"\xc0\xaf"',
        b'"\xe0\x80\xaf"',
        b'"\xf0\x80\x80\xaf"',
        b'"\xed\xa0\x80"',
        b'"\xf5\x80\x80\x80"',
        b'"\xf8\x88\x80\x80\x80"',
        rb'"\x41"',
        rb'"\u12"',
        rb'"\uzzzz"',
        b'"unfinished',
        b"'single'",
        b'"\xe2\x80\xae\xef\xbb\xbf\xef\xbf\xbf"',
        b'"' + b"a" * 300_000 + b'"',
        b'"' + b"\\n" * 200_000 + b'"',
        b'"' + "\U0010ffff".encode() * 1000 + b'"',
    ):
        yield f"text {text[:20]!r} {len(text)}", posted(said(text))
    for key in (rb'"\ud800"', rb'"\u0000"', b'""', b'"__proto__"', b'"constructor"', b'"' + b"k" * 500_000 + b'"'):
        yield f"key {key[:20]!r}", posted(json.dumps(GOOD)[:-1].encode() + b", " + key + b": 1}")
    whole = json.dumps(GOOD).encode()
    for name, body in {
        "mark of byte order": b"\xef\xbb\xbf" + whole,
        "UTF-16": json.dumps(GOOD).encode("utf-16"),
        "UTF-32": json.dumps(GOOD).encode("utf-32"),
        "UTF-7": b"{+AGE-}",
        "compressed": b"\x1f\x8b\x08\x00" + whole,
        "nothing": b"",
        "white space": b" \t\r\n" * 100,
        "a zero byte": b"\x00",
        "random bytes": bytes(range(256)),
    }.items():
        yield name, posted(body)


def shapes():
    """Yield bodies of the wrong shape: too deep, too wide, twice the same, no object, not finished."""
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
        for depth in (65, 1000, DEEPEST):
            inner = opening * depth + b"1" + closing * depth
            yield f"deep {opening!r} {depth}", posted(with_value(inner, "metadata"))
            yield f"deep and open {opening!r} {depth}", posted(with_value(opening * depth, "metadata"))
    for body in (
        b"[]",
        b"1",
        b'"x"',
        b"null",
        b"true",
        b"[" + json.dumps(GOOD).encode() + b"]",
        b"{}{}",
        b"{} x",
        b"{",
    ):
        yield f"no object {body[:12]!r}", posted(body)
    whole = json.dumps(GOOD).encode()
    for name, body in {
        "a model twice": b'{"model": 1, ' + whole[1:],
        "messages twice": whole[:-1] + b', "messages": 3}',
        "a field twice": with_value(b'1, "temperature": NaN'),
        "a comma at the end": whole[:-1] + b",}",
        "a comment": b"/* x */" + whole,
        "keys without quotes": b"{model: 1}",
        "half of it": whole[: len(whole) // 2],
        "many fields": b"{" + b",".join(b'"f%d": %d' % (n, n) for n in range(100_000)) + b"}",
        "a wide list": with_value(b"[" + b"1," * 900_000 + b"1]", "stop"),
        "many messages": json.dumps({**GOOD, "messages": GOOD["messages"] * 5000}).encode(),
        "many stops": json.dumps({**GOOD, "stop": ["x"] * 5000}).encode(),
        "a regular expression": json.dumps(
            {
                **GOOD,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"type": "string", "pattern": "(a+)+$" * 50}},
                },
            }
        ).encode(),
        "a schema that holds itself": json.dumps(
            {
                **GOOD,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}},
                },
            }
        ).encode(),
        "a schema elsewhere": json.dumps(
            {
                **GOOD,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"$ref": "http://169.254.169.254/x"}},
                },
            }
        ).encode(),
        "a schema that is a list": json.dumps(
            {
                **GOOD,
                "response_format": {"type": "json_schema", "json_schema": {"schema": []}},
            }
        ).encode(),
        "a kind that is a list": json.dumps({**GOOD, "response_format": {"type": ["json_object"]}}).encode(),
        "a picture elsewhere": json.dumps(
            {
                **GOOD,
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}
                ],
            }
        ).encode(),
        "a tool without name": json.dumps({**GOOD, "tools": [{"type": "function", "function": {}}]}).encode(),
        "a tool choice that is a list": json.dumps({**GOOD, "tools": [], "tool_choice": ["x"]}).encode(),
        "a name of a model that leads up": json.dumps({**GOOD, "model": "../../../etc"}).encode(),
        "a name of a model that is long": json.dumps({**GOOD, "model": "m" * 100_000}).encode(),
        "biases of no token": json.dumps({**GOOD, "logit_bias": {"x": 1, "99999999": 100, "-1": -100}}).encode(),
    }.items():
        yield name, posted(body)
    for path, body in (
        ("/v1/fine_tuning/jobs", {"model": "talker", "training_file": "x", "method": {"type": ["dpo"]}}),
        ("/v1/fine_tuning/jobs", {"model": "talker", "training_file": "x", "method": {"type": {"a": 1}}}),
        ("/v1/fine_tuning/jobs", {"model": "talker", "training_file": "x", "hyperparameters": {"steps": 1e308}}),
        ("/v1/fine_tuning/jobs", {"model": "talker", "training_file": "x", "recipe": "__import__"}),
        ("/v1/moderations", {"input": [{"type": "text", "text": ["x"]}]}),
        ("/v1/moderations", {"input": "a" * 900_000}),
        ("/v1/embeddings", {"model": "talker", "input": [[1e308]]}),
        ("/v1/responses", {"model": "talker", "input": [{"type": ["message"]}]}),
        ("/v1/responses", {"model": "talker", "input": "x", "text": {"format": {"type": {"a": 1}}}}),
        ("/v1/responses", {"model": "talker", "input": "x", "tools": [{"type": ["function"]}]}),
        ("/v1/responses", {"model": "talker", "input": "x", "tools": [3, None, "x"]}),
        ("/v1/responses", {"model": "talker", "input": "x", "include": [{"a": 1}, 3]}),
        ("/v1/responses", {"model": "talker", "input": "x", "previous_response_id": "resp_" + "0" * 24}),
        ("/v1/completions", {"model": "talker", "prompt": [[-1]], "max_tokens": 1}),
        ("/v1/completions", {"model": "talker", "prompt": [[10**9]], "max_tokens": 1}),
        ("/v1/completions", {"model": "talker", "prompt": [], "max_tokens": 1}),
        ("/v1/vector_stores", {"metadata": {"a": {"b": 1}}, "expires_after": {"days": "x"}}),
        ("/v1/vector_stores/vs_" + "0" * 24 + "/search", {"query": 'NEAR("a" OR *)', "filters": {"type": ["eq"]}}),
    ):
        yield f"{path} {json.dumps(body)[:120]}", posted(json.dumps(body).encode(), path=path)


def headers():
    """Yield requests whose head lies about what follows."""
    whole = json.dumps(GOOD).encode()
    for kind in ("text/plain", "application/xml", "multipart/form-data", "", "application/json, text/html", "a" * 5000):
        yield f"type {kind[:20]}", posted(whole, kind=kind)
    yield "a charset that is not there", posted(whole, kind="application/json; charset=utf-16")
    yield "packed, it says", posted(whole, more=("Content-Encoding: gzip",))
    for length in (0, 5, len(whole) - 1, "-1", "abc", "1e3", "0x10", "9" * 30, 1 << 40, " "):
        yield f"length {length}", posted(whole, length=length)
    yield "two lengths", posted(whole, more=("Content-Length: 3",))
    yield "length and pieces", posted(whole, more=("Transfer-Encoding: chunked",))
    size = b"%x\r\n" % len(whole)
    for name, pieces in {
        "a piece that is too short": (b"ffff\r\n", whole, b"\r\n0\r\n\r\n"),
        "a piece that is too long": (b"3\r\n", whole, b"\r\n0\r\n\r\n"),
        "a size that is none": (b"zz\r\n", whole, b"\r\n0\r\n\r\n"),
        "a size below nothing": (b"-5\r\n", whole, b"\r\n0\r\n\r\n"),
        "a size beyond everything": (b"ffffffffffffffffffff\r\n", whole, b"\r\n0\r\n\r\n"),
        "no end": (size, whole, b"\r\n"),
        "no pieces": (b"0\r\n\r\n",),
        "an extension": (size[:-2] + b";a=" + b"b" * 3000 + b"\r\n", whole, b"\r\n0\r\n\r\n"),
        "a trailer": (size, whole, b"\r\n0\r\nHost: elsewhere\r\n\r\n"),
        "a byte a piece": (*(b"1\r\n%c\r\n" % byte for byte in whole), b"0\r\n\r\n"),
        "more than is allowed": (*(b"100000\r\n" + b" " * (1 << 20) + b"\r\n" for _ in range(9)), b"0\r\n\r\n"),
    }.items():
        yield name, chunked(*pieces)
    yield "packed pieces, it says", chunked(size, whole, b"\r\n0\r\n\r\n", more=("Transfer-Encoding: gzip, chunked",))
    yield "another request within", posted(whole + b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", length=len(whole))
    for line in (
        "GET /health HTTP/9.9",
        "GET  /health HTTP/1.1",
        "GET /health",
        "BREW /v1/models HTTP/1.1",
        "TRACE /v1/models HTTP/1.1",
        "CONNECT 127.0.0.1:22 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET /v1/models/%00 HTTP/1.1",
        "GET /v1/models/%ff%fe HTTP/1.1",
        "GET /v1/files/..%2f..%2fkeys HTTP/1.1",
        "GET /v1/files/file-%0d%0aSet-Cookie:x HTTP/1.1",
        "GET /v1/files?limit=99999999999999999999 HTTP/1.1",
        "GET /v1/files?limit=%00&after=%ff HTTP/1.1",
        "GET /v1/vector_stores?order=%d8%00 HTTP/1.1",
        "GET /v1/responses/resp_" + "f" * 24 + "/input_items?limit=-1 HTTP/1.1",
        "DELETE /v1/files/%2e%2e HTTP/1.1",
        "GET /v1/" + "a" * 20_000 + " HTTP/1.1",
        "GET http://169.254.169.254/latest HTTP/1.1",
    ):
        yield f"line {line[:48]}", f"{line}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode("latin-1")
    for head in (
        "Host: evil.example",
        "Host: 127.0.0.1@evil",
        "X: " + "y" * 100_000,
        "Authorization: Bearer \xff",
        "Origin: null",
    ):
        yield f"head {head[:20]}", posted(whole, more=(head,))


def forms():
    """Yield forms that cannot be read, or hold what they should not."""

    def form(*parts, boundary="b", path=FILES, end=True):
        body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
        return posted(
            body + (f"--{boundary}--\r\n".encode() if end else b""),
            path=path,
            kind=f"multipart/form-data; boundary={boundary}",
        )

    purpose = b'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch'
    file = b'Content-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s'
    yield "no boundary", posted(b"x", path=FILES, kind="multipart/form-data")
    yield "a form without end", form(purpose, file % (b"a.txt", b"x"), end=False)
    yield "no parts", form()
    yield "a part without name", form(b"Content-Disposition: form-data\r\n\r\nx")
    yield "a part without head", form(b"\r\n\r\nx")
    yield "a name that leads up", form(purpose, file % (b"../../x\x00.txt", b"x"))
    yield "a name of other bytes", form(purpose, file % (b"\xff\xfe\xc3", b"x"))
    yield (
        "a purpose of other bytes",
        form(b'Content-Disposition: form-data; name="purpose"\r\n\r\n\xff\xfe', file % (b"a", b"x")),
    )
    yield "two files", form(purpose, file % (b"a", b"x"), file % (b"b", b"y"))
    yield (
        "a form of many fields",
        form(*(b'Content-Disposition: form-data; name="f%d"\r\n\r\nx' % n for n in range(500))),
    )
    yield (
        "a picture that is none",
        form(
            b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x89PNG\r\n\x1a\n',
            b'Content-Disposition: form-data; name="prompt"\r\n\r\nx',
            path=IMAGES,
        ),
    )
    yield (
        "a picture too large to unpack",
        form(
            b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0",
            b'Content-Disposition: form-data; name="prompt"\r\n\r\nx',
            path=IMAGES,
        ),
    )
    yield "a long boundary", form(purpose, file % (b"a", b"x"), boundary="b" * 5000)


def requests():
    """Return every request by its name."""
    made = {}
    for kind in (numbers, texts, shapes, headers, forms):
        for name, content in kind():
            assert name not in made, name
            made[name] = content
    return made
