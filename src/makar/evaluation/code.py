"""Measures a model of code: all that is measured of text, and whether it fills a line exactly and completes functions that parse.

Each beside the n-gram model of bytes that the report of text compares with, which sees the same training text (its end, 4 MB) and what
stands before. Lines and functions are drawn from the held-out part. Nothing that a model wrote is run here.
Functions are completed a second time with the syntax kept (``syntax`` in ``generation``), from the same prompts and seeds.

Source: Bavarian et al. 2022, arXiv 2207.14255, section 4.1 (single lines to fill); Chen et al. 2021, arXiv 2107.03374 (temperature 0.2).
"""

import dataclasses

import numpy as np

from makar.data.store import Store
from makar.evaluation.bootstrap import Interval, share_interval
from makar.evaluation.findings import Findings, Score
from makar.evaluation.material import Material
from makar.evaluation.ngram import MOST_ORDER, NgramModel
from makar.evaluation.ngram_writing import continued
from makar.evaluation.python_functions import Function, body_of, functions_of, is_whole, statements_of
from makar.evaluation.text import evaluate_text
from makar.evaluation.text_baselines import joined_texts
from makar.families.transformer.config import TransformerConfig
from makar.generation.generate import generate
from makar.generation.hole import Hole, find_hole, lines_of
from makar.generation.infill import fill, longest_hole
from makar.generation.prompts import EncodesText
from makar.generation.python_fragment import python_of
from makar.generation.request import Request
from makar.generation.syntax import SYNTAX
from makar.novelty.text_index import decoded_texts
from makar.tensor_spec import TARGET

COUNT = 64
NGRAM_BYTES = 4 << 20
READ_BYTES = 8 << 20
LINE_CHARACTERS = range(4, 81)
LINE_TOKENS, FUNCTION_TOKENS = 48, 256
FUNCTION_BYTES = 800
TEMPERATURE = 0.2
PROMPT_SHARE = 2 / 3
"""Share of the context that what stands before a function may take."""


def evaluate_code(material: Material) -> Findings:
    """Measure a model of code.

    Args:
        material: The model and its data.
    """
    findings = evaluate_text(material)
    texts = _whole_texts(material.held_out, material)
    draw = np.random.default_rng(material.seed)
    count = material.samples or COUNT
    ngram = _ngram(material)
    scores: list[Score] = []
    sentences: list[str] = []
    holes = _lines(texts, count, draw) if "infill" in material.artifact.recipe.stages[-1].family.edits else []
    if holes:
        exact = _exact_lines(material, holes)
        score = _score_of_lines(exact, len(holes), None if ngram is None else _ngram_lines(ngram, holes))
        scores.append(score)
        sentences.append(f"It fills {_said(score)} of the lines that were taken out exactly as they were.")
    functions = _functions(texts, count, draw)
    if functions:
        ngram_share = None if ngram is None else _ngram_functions(ngram, functions, material.seed)
        prompts = [_prompt(material, function) for function in functions]
        written = _written(material, functions, prompts, {})
        bodies = [body_of(function.head, text) for function, text in zip(functions, written)]
        parsed = sum(is_whole(function.head, body) for function, (body, _) in zip(functions, bodies))
        # What begins in the middle of a head that is longer than the model sees is no Python; it stays as it was.
        codec = material.codec
        fit = [n for n, prompt in enumerate(prompts) if python_of(codec.decode({TARGET: prompt})) is not None]
        held = _written(material, [functions[n] for n in fit], [prompts[n] for n in fit], {SYNTAX: "python"})
        score = _score_of_functions(parsed, len(functions), ngram_share)
        kept = dict(zip(fit, held))
        both = [
            _parsing(functions, [kept.get(n, text) for n, text in enumerate(written)]),
            _parsing(functions, written),
        ]
        scores += [score, _score_of_kept(*both)]
        sentences.append(
            f"Of the functions that it completes {_said(score)} parse, {_said(scores[-1])} with the syntax kept."
        )
        findings.details["functions_cut_off"] = sum(not is_over for _, is_over in bodies)
        findings.details["functions_without_syntax"] = len(functions) - len(fit)
    return dataclasses.replace(findings, verdict=(*findings.verdict, *sentences), scores=(*findings.scores, *scores))


def _said(score: Score) -> str:
    beside = "".join(f" ({name}: {interval.value:.0%})" for name, interval in score.baselines)
    return f"{score.interval.value:.0%}{beside}"


def _whole_texts(store: Store, material: Material) -> list[str]:
    """Return the first texts of a store, each whole."""
    parts: dict[int, list[str]] = {}
    size = 0
    for record, piece in decoded_texts(store, material.codec):
        if size >= READ_BYTES and record not in parts:
            break
        parts.setdefault(record, []).append(piece)
        size += len(piece)
    return ["".join(pieces) for pieces in parts.values()]


def _ngram(material: Material) -> NgramModel | None:
    if material.train is None:
        return None
    return NgramModel(joined_texts(material.train, material.codec, NGRAM_BYTES), order=MOST_ORDER)


def _lines(texts: list[str], count: int, draw: np.random.Generator) -> list[Hole]:
    """Return holes of one line each, drawn from all lines that say something."""
    places = [
        (index, number)
        for index, text in enumerate(texts)
        for number, line in enumerate(lines_of(text), start=1)
        if number > 1 and len(line.strip()) in LINE_CHARACTERS
    ]
    chosen = draw.permutation(len(places))[:count]
    return [find_hole(texts[places[one][0]], line=str(places[one][1])) for one in chosen]


def _exact_lines(material: Material, holes: list[Hole]) -> int:
    config = material.artifact.recipe.stages[-1].family
    assert isinstance(config, TransformerConfig), "only decoder transformers name this edit"
    made = min(LINE_TOKENS, longest_hole(config, None))
    options = {"max_tokens": made, "temperature": 0.0}
    request = Request(material.artifact, options=options, novelty=None, refuse_copies=False)
    exact = 0
    material.say("filling lines", 0, len(holes))
    filled = fill(request, holes, [material.seed] * len(holes), made=made)
    for done, (position, written) in enumerate(filled, start=1):
        exact += written.strip() == holes[position].removed.strip()
        material.say("filling lines", done, len(holes))
    return exact


def _ngram_lines(model: NgramModel, holes: list[Hole]) -> Interval:
    written = continued(
        model,
        [hole.before.encode("utf-8", "surrogatepass") for hole in holes],
        most_bytes=LINE_CHARACTERS.stop + 40,
        temperature=0.0,
        generator=np.random.default_rng(0),
        is_over=lambda index, text: text.endswith(b"\n") and bool(text.strip()),
    )
    exact = sum(text.decode("utf-8", "replace").strip() == hole.removed.strip() for text, hole in zip(written, holes))
    return share_interval(exact, len(holes))


def _functions(texts: list[str], count: int, draw: np.random.Generator) -> list[Function]:
    found = [function for text in texts for function in functions_of(text)]
    return [found[index] for index in draw.permutation(len(found))[:count]]


def _written(
    material: Material, functions: list[Function], prompts: list[np.ndarray], controls: dict[str, str]
) -> list[str]:
    """Return what the model writes after the heads of functions."""
    options = {"max_tokens": FUNCTION_TOKENS, "temperature": TEMPERATURE, **controls}
    name = f"completing functions{', syntax kept' if controls else ''}"
    written: list[str] = []
    material.say(name, 0, len(functions))
    # No prompt at all would be an empty one.
    for asset in generate(material.artifact, prompts=prompts, seed=material.seed, options=options) if prompts else ():
        written.append(asset.new_text)
        material.say(name, len(written), len(functions))
    return written


def _parsing(functions: list[Function], written: list[str]) -> Interval:
    whole = [is_whole(one.head, statements_of(one.head, text)[0]) for one, text in zip(functions, written)]
    return share_interval(sum(whole), len(whole))


def _prompt(material: Material, function: Function) -> np.ndarray:
    """Return the tokens before the body of a function, as many as leave room for it."""
    config, codec = material.artifact.recipe.stages[-1].family, material.codec
    assert isinstance(codec, EncodesText), "a codec of code turns text into tokens"
    room = int(PROMPT_SHARE * config.window_length) or 1
    text = function.before + function.head
    return np.asarray(codec.encode_text(text[-16 * room :]), np.int64)[-room:]


def _ngram_functions(model: NgramModel, functions: list[Function], seed: int) -> Interval:
    heads = [function.head for function in functions]
    written = continued(
        model,
        [head.encode("utf-8", "surrogatepass") for head in heads],
        most_bytes=FUNCTION_BYTES,
        temperature=TEMPERATURE,
        generator=np.random.default_rng(seed),
        is_over=lambda index, text: body_of(heads[index], text.decode("utf-8", "replace"))[1],
    )
    bodies = [body_of(head, text.decode("utf-8", "replace"))[0] for head, text in zip(heads, written)]
    parsed = sum(is_whole(head, body) for head, body in zip(heads, bodies))
    return share_interval(parsed, len(heads))


def _score_of_lines(exact: int, count: int, ngram: Interval | None) -> Score:
    return Score(
        key="exact_lines",
        name="Lines filled exactly",
        interval=share_interval(exact, count),
        better="higher",
        meaning="Share of single held-out lines, taken out, that the model writes exactly, indentation aside, its likeliest tokens taken.",
        baselines=() if ngram is None else (("n-gram, from what stands before", ngram),),
    )


def _score_of_kept(kept: Interval, free: Interval) -> Score:
    return Score(
        key="functions_that_parse_syntax",
        name="Completed functions that parse, syntax kept",
        interval=kept,
        better="higher",
        meaning="The same functions, with tokens ruled out after which no Python can follow; each is cut before the next statement "
        "that is not deeper. What still fails has no body, as a rule.",
        baselines=(("freely, cut so too", free),),
    )


def _score_of_functions(parsed: int, count: int, ngram: Interval | None) -> Score:
    return Score(
        key="functions_that_parse",
        name="Completed functions that parse",
        interval=share_interval(parsed, count),
        better="higher",
        meaning="Share of held-out functions, completed from their heads, that are valid Python; those of people all are.",
        baselines=() if ngram is None else (("n-gram", ngram),),
    )
