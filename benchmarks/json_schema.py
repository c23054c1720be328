"""JSON of a schema: validity over 500 prompts and 20 schemas, and the time of a token against free decoding.

    python benchmarks/json_schema.py                               writes benchmarks/results/YYYY-MM-DD-json-schema.json
    python benchmarks/json_schema.py --prompts 4 --shapes 2M       a try of seconds

The model has random weights: it wants nothing less than to write JSON, which is the hardest case for validity. Each answer is parsed and
compared with its schema by a small checker of its own, not by the library that kept it. Time is wall time of drawing, prompt included, with
texts of the same lengths: a free text is as long as the answer to the same prompt.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from decoding import SHAPES, make_model
from measure import machine, write_result

BAR = 1.3
STRING = {"type": "string", "maxLength": 60}


def schemas() -> list[dict[str, Any]]:
    """Return twenty schemas: objects of several depths, arrays, choices, numbers with bounds, patterns, dates, unions, recursion."""
    word = {"type": "string", "pattern": "^[a-z]{2,9}$"}
    whole = {"type": "integer", "minimum": 0, "maximum": 99}

    def thing(required: int, /, **properties: Any) -> dict[str, Any]:
        names = list(properties)[:required]
        return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}

    def row(items: Any, least: int, most: int) -> dict[str, Any]:
        return {"type": "array", "items": items, "minItems": least, "maxItems": most}

    return [
        thing(1, name=STRING),
        thing(2, name=STRING, age=whole),
        thing(3, name=word, age=whole, score={"type": "number"}),
        thing(1, tags=row({"enum": ["red", "green", "blue"]}, 1, 4)),
        thing(2, place=thing(2, city=word, street=STRING), people=row(thing(1, name=word), 0, 3)),
        row(whole, 1, 8),
        row(row({"type": "number"}, 2, 2), 1, 4),
        {"enum": ["yes", "no", "perhaps"]},
        thing(1, found={"type": "boolean"}, where={"type": ["string", "null"], "maxLength": 20}),
        thing(
            2, date={"type": "string", "format": "date"}, time={"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}
        ),
        {"anyOf": [thing(1, circle=whole), thing(2, width=whole, height=whole)]},
        thing(2, kind={"const": "note"}, text=STRING),
        thing(4, a=word, b=word, c=word, d=word, e=word),
        thing(1, mail={"type": "string", "pattern": "^[a-z]{1,8}@[a-z]{1,8}\\.(com|org)$"}),
        {"$defs": {"tree": thing(1, value=whole, left={"$ref": "#/$defs/tree"})}, "$ref": "#/$defs/tree"},
        thing(2, question=STRING, answers=row(STRING, 2, 4)),
        thing(1, price={"type": "number", "minimum": 0, "maximum": 1000}),
        thing(1, grid=row(row({"enum": [0, 1]}, 3, 3), 3, 3)),
        thing(2, person=thing(2, name=thing(2, first=word, last=word), born=whole), active={"type": "boolean"}),
        row({"anyOf": [word, whole, {"type": "null"}]}, 1, 6),
    ]


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Return whether a value is of a schema, for the keywords that the schemas above use."""
    import re

    if "$ref" in schema:
        return fits(value, root["$defs"]["tree"], root)
    if "anyOf" in schema:
        return any(fits(value, one, root) for one in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")]) and not isinstance(value, bool)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int}
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not any(number if kind == "number" else type(value) is types[kind] for kind in kinds):
        return False
    if isinstance(value, dict):
        inner = schema["properties"]
        return set(schema["required"]) <= set(value) <= set(inner) and all(
            fits(part, inner[name], root) for name, part in value.items()
        )
    if isinstance(value, list):
        return schema["minItems"] <= len(value) <= schema["maxItems"] and all(
            fits(part, schema["items"], root) for part in value
        )
    if isinstance(value, str):
        pattern = r"\d{4}-\d{2}-\d{2}" if schema.get("format") == "date" else schema.get("pattern", "")
        return len(value) <= schema.get("maxLength", 1 << 20) and re.search(pattern, value) is not None
    return not number or schema.get("minimum", value) <= value <= schema.get("maximum", value)


def measure(folder: Path, *, prompts: int, limit: int) -> dict[str, float]:
    """Return the share of valid answers and the seconds of a token with and without the form."""
    import torch
    from safetensors.torch import load_file

    from makar.codecs.codec import fit_codec
    from makar.codecs.text_config import ByteCodecConfig
    from makar.families.transformer.decoder import DecoderShape
    from makar.families.transformer.options import TextOptions
    from makar.families.transformer.sampler import Pace, TransformerSampler
    from makar.generation.form import make_form
    from makar.generation.form_constraint import FormConstraint

    shape = DecoderShape.from_transformers(json.loads((folder / "config.json").read_text()))
    tensors, codec = load_file(folder / "model.safetensors"), fit_codec(ByteCodecConfig(), iter(()))
    settings: dict[str, Any] = {
        "end_tokens": codec.end_tokens,
        "decode_tokens": codec.decode_tokens,
        "pace": Pace(guesses=0),
    }
    given = schemas()
    constraints = [FormConstraint(make_form("json_schema", schema), codec, limit=limit) for schema in given]
    samplers = [TransformerSampler(shape, tensors, **settings, hooks=[one]) for one in constraints]

    def never_end(logits: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        del history
        return torch.where(torch.arange(len(logits)) < 256, logits, float("-inf"))

    free = TransformerSampler(shape, tensors, **settings, hooks=[never_end])
    for sampler in (*samplers, free):
        sampler._packed = samplers[0]._packed  # the same weights need no second packing
    seconds = {"form": 0.0, "free": 0.0}
    tokens = valid = 0
    for number in range(prompts):
        prompt = {"target": torch.tensor(codec.encode_text(f"Record number {number}: "))}

        def draw(sampler: TransformerSampler, most: int, prompt: Any = prompt, seed: int = number) -> list[int]:
            options = TextOptions(max_tokens=most, temperature=1.0)
            return [
                one for _, slots, _ in sampler.sample(options, [prompt], [seed]) for one in slots["target"].tolist()
            ]

        started = time.perf_counter()
        made = draw(samplers[number % len(given)], limit)
        seconds["form"] += time.perf_counter() - started
        started = time.perf_counter()
        draw(free, len(made))
        seconds["free"] += time.perf_counter() - started
        tokens += len(made)
        schema = given[number % len(given)]
        try:
            valid += fits(json.loads(codec.decode_tokens(made)), schema, schema)
        except ValueError:
            print(f"not JSON: {codec.decode_tokens(made)}")
    return {
        "valid": valid / prompts,
        "tokens": tokens,
        "microseconds_form": 1e6 * seconds["form"] / tokens,
        "microseconds_free": 1e6 * seconds["free"] / tokens,
        "ratio": seconds["form"] / seconds["free"],
    }


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["2M", "25M"])
    parser.add_argument("--limit", type=int, default=320, help="most tokens of an answer")
    arguments = parser.parse_args()
    started_on, rows = machine(), []
    for name in arguments.shapes:
        with tempfile.TemporaryDirectory() as temporary:
            parameters = make_model(name, Path(temporary))
            row = measure(Path(temporary), prompts=arguments.prompts, limit=arguments.limit)
        rows.append({"model": name, "parameters": parameters, **row})
        print(f"{name:5} {row['valid']:.1%} valid, {row['ratio']:.2f}x the time of a free token (bar {BAR})")
    conditions = {"prompts": arguments.prompts, "schemas": len(schemas()), "limit": arguments.limit, "bar": BAR}
    write_result("json-schema", {"machine": started_on, **conditions, "rows": rows})
    sys.exit(any(row["valid"] < 1 for row in rows) or max(row["ratio"] for row in rows) > BAR)


if __name__ == "__main__":
    main()
