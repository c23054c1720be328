"""What a worker can do: each kind of work is a generator of events over the same functions that the shell and Python call.

The events of a text are ``begin`` (tokens of what was asked), pieces, and ``end`` (why it ended, the asset). An image is one event with
its file, which holds the signed manifest. Nothing here knows HTTP.
"""

import base64
import bisect
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from makar.api.model import Model
from makar.codecs.codec import Codec
from makar.codecs.speech import SpeechCodec
from makar.codecs.video import VideoCodec
from makar.data.sound_reader import read_sound
from makar.errors import UnsupportedError
from makar.families.recogniser.config import TRANSCRIPT
from makar.families.transformer.config import TransformerConfig
from makar.generation.able import check_edit, edits_of
from makar.generation.asset import Asset
from makar.generation.embed import MakesVectors, embed
from makar.generation.form import read_form
from makar.generation.form_constraint import SpellsTokens
from makar.generation.given_tokens import given_likelihoods
from makar.generation.hole import Hole
from makar.generation.infill import fill_stepwise, filled_job, longest_hole
from makar.generation.predict_text import ReadsText
from makar.generation.prompts import EncodesText, NamesClasses, Prompts, answers, knows_turns, read_prompts, rewrites
from makar.generation.reach import context_of, reach_of
from makar.generation.request import Request, option_names
from makar.generation.speaking import Speaks
from makar.generation.steering import TokenLikelihood, read_steering
from makar.generation.stream import Piece, stream_pieces
from makar.generation.syntax import SyntaxOptions, read_syntax
from makar.generation.token_sound_edit import writes_tokens
from makar.generation.transcribing import WritesDown, knows_languages, transcribe
from makar.generation.turns import PLAIN_STOP, Fitted, Message, fit_turns, prompt_length
from makar.provenance.content import describe_content
from makar.serving.controls import controls_of
from makar.serving.media_work import change_file, make_clip, make_file, make_sound, options_of
from makar.serving.picture_work import change_image, make_images
from makar.tensor_spec import CAPTION, CLASS, TARGET

Ask = dict[str, Any]
Event = dict[str, Any]


def facts_of(model: Model, defaults: dict[str, Any]) -> dict[str, Any]:
    """Return what the front has to know of a loaded model, after its weights were read.

    Args:
        model: The model.
        defaults: Controls that hold where a request says nothing.
    """
    artifact = model.artifact
    family, codec, config = artifact.family(), artifact.codec(), artifact.family_config
    defaults = {name: value for name, value in defaults.items() if name in option_names(family)}
    accepted = config.accepts()
    keeps_syntax = artifact.medium == "code" and isinstance(codec, SpellsTokens) and not answers(codec, config)
    return {
        "medium": artifact.medium,
        "hash": artifact.hash,
        "context": context_of(config),
        "controls": sorted(option_names(family)),
        "edits": list(edits_of(artifact.recipe.stages[-1])),
        "previews": family.previews,
        "creates": family.creates or rewrites(config) or isinstance(codec, Speaks),
        "goes_on": writes_tokens(config)
        or artifact.medium == "music"
        or (artifact.medium in ("sound", "video") and "inpaint" in family.edits),
        "predictions": list(family.predictions),
        "classes": list(codec.class_names) if isinstance(codec, NamesClasses) and CLASS in codec.spec else [],
        "captions": CAPTION in accepted and CAPTION in codec.spec,
        "turns": knows_turns(codec),
        "size": image_size_of(codec),
        "seconds": codec.plain.config.seconds if isinstance(codec.plain, VideoCodec) else None,
        "parameters": sum(parameter.numel() for parameter in family.parameters()),
        "options": [
            *controls_of(type(family.options()), defaults),
            *(controls_of(SyntaxOptions) if keeps_syntax else []),
        ],
        "reads": isinstance(family, ReadsText | MakesVectors),
        "rewrites": rewrites(config),
        "speaks": isinstance(codec, Speaks),
        "languages": list(family.languages) if isinstance(family, WritesDown) else [],
        "times_words": TRANSCRIPT in family.predictions and not isinstance(family, WritesDown),
        "moves_voices": isinstance(codec, SpeechCodec) and codec.config.use_prosody,
        "defaults": defaults,
    }


def image_size_of(codec: Codec) -> list[int] | None:
    """Return width and height of what a model of images makes; ``None`` where they are not fixed, or it makes none."""
    slot = codec.plain.spec[TARGET]
    if slot.kind != "values" or slot.axes[-2:] != ("height", "width"):
        return None
    height, width = slot.sizes[-2:]
    return [width, height] if width and height else None


def begin(model: Model, ask: Ask, tell: Callable[[Event], None]) -> Iterator[Event]:
    """Return the events of a piece of work; the work begins when the first is asked for.

    Args:
        model: The model.
        ask: What was asked.
        tell: Given what there is to say in the middle of an event.
    """
    return KINDS[ask["do"]](model, ask | {"tell": tell})


def _chat(model: Model, ask: Ask) -> Iterator[Event]:
    """Answer a conversation."""
    _check_writes(model)
    codec = model.artifact.codec()
    options = dict(ask["options"])
    is_plain = not knows_turns(codec)
    has_form = any(name in options for name in ("json_schema", "regex", "choice", "tools"))
    if is_plain and not has_form:
        stops = (ask["defaults"] | options).get("stop", ())
        # What is no list of texts is refused where the controls are read.
        options["stop"] = [*stops, PLAIN_STOP] if isinstance(stops, list | tuple) else stops
    request = _request(model, {**ask, "options": options})
    fitted, left_out = _fit_sources(ask["turns"], ask.get("shorter", ()), request)
    begun: Event = {"prompt_tokens": fitted.length, "left_out": fitted.left_out, "is_cut": fitted.is_cut}
    yield {"begin": begun | ({"left_out_sources": left_out} if left_out else {})}
    yield from _written(request, fitted.prompt, ask, strips=is_plain)


def _fit_sources(turns: Sequence[Message], shorter: Sequence[Message], request: Request) -> tuple[Fitted, int]:
    """Return as much of a conversation as fits, and how many sources had to be left out of what was asked last.

    Args:
        turns: The conversation.
        shorter: What was asked last, with one source fewer each time.
        request: The model with its controls.
    """
    context = reach_of(request.artifact.family_config, request.options)
    room = context - min(context // 2, int(request.options.to_dictionary().get("max_tokens", 0)))

    def fitted(left_out: int) -> Fitted:
        return fit_turns([*turns[:-1], shorter[left_out - 1]] if left_out else turns, request)

    left_out = bisect.bisect_left(range(len(shorter)), True, key=lambda at: fitted(at).length <= room) if context else 0
    return fitted(left_out), left_out


def _complete(model: Model, ask: Ask) -> Iterator[Event]:
    """Go on with a text or with tokens."""
    _check_writes(model)
    is_nothing = ask["options"].get("max_tokens") == 0
    request = _request(model, {**ask, "options": ask["options"] | {"max_tokens": 1}} if is_nothing else ask)
    prompt = ask["prompt"] if isinstance(ask["prompt"], str) else np.array(ask["prompt"], np.int64)
    (read,) = read_prompts(prompt, request.codec, request.family)
    if request.syntax is not None:
        request.syntax.check([read])
    context, length = reach_of(request.artifact.family_config, request.options), prompt_length([read])
    begun: Event = {"prompt_tokens": length, "left_out": 0, "is_cut": bool(context) and length > context}
    if ask["echo"]:
        begun["text"] = prompt if isinstance(prompt, str) else request.codec.decode({TARGET: prompt})
        if ask["likelihoods"] is not None and read.tokens is not None:
            begun["likelihoods"] = _given(model, read.tokens.tolist(), ask["likelihoods"])
    yield {"begin": begun}
    if is_nothing:
        yield {"end": {"finish": "length", "seed": ask["seed"], "service": {}}}
    else:
        yield from _written(request, prompt, ask, strips=False)


def _given(model: Model, tokens: list[int], most: int) -> list[Event]:
    codec = model.artifact.codec()
    return [_spelled(codec, one) for one in given_likelihoods(model.artifact, tokens, most=most)]


def _infill(model: Model, ask: Ask) -> Iterator[Event]:
    """Write what belongs between two texts."""
    _check_writes(model)
    config = model.artifact.family_config
    check_edit("infill", config)
    assert isinstance(config, TransformerConfig), "models that fill holes"
    made = longest_hole(config, (ask["defaults"] | ask["options"]).get("max_tokens"))
    request = _request(model, {**ask, "options": ask["options"] | {"max_tokens": made}})
    hole = Hole(before=ask["prompt"], after=ask["suffix"])
    assert isinstance(request.codec, EncodesText), "models that fill holes read text"
    counted = [len(request.codec.encode_text(text)) for text in (hole.before, hole.after)]
    yield {"begin": {"prompt_tokens": sum(counted), "left_out": 0, "is_cut": False, "text": ask["prompt"]}}
    stated: dict[str, object] = {
        "operation": "infill",
        "settings": {"infill": True},
        "source": describe_content(hole.filled("")),
    }
    for middle in fill_stepwise(request, hole, ask["seed"], made=made):
        if middle is None:
            # Others get their turn, and whoever wants it no more can say so.
            yield {"text": "", "tokens": []}
            continue
        content = hole.filled(middle)
        asset = request.asset(filled_job(hole, content, ask["seed"], stated), request.judged(content, middle), 0)
        tokens = [int(token) for token in request.codec.encode_text(middle)]
        yield {"text": middle, "tokens": tokens}
        yield _end(asset, ask, finish="length" if len(tokens) >= made else "stop")


def _written(request: Request, prompt: Prompts, ask: Ask, *, strips: bool) -> Iterator[Event]:
    """Give a text piece by piece.

    Args:
        request: The model with its controls.
        prompt: What it goes on from.
        ask: What was asked.
        strips: Whether the white space before it is no part of it: in plain form an answer begins behind the space after the colon.
    """
    count, said = 0, False
    limit = int(request.options.to_dictionary().get("max_tokens", 0))
    for made in stream_pieces(request, prompt, seed=ask["seed"]):
        if isinstance(made, Asset):
            # What has a form is whole, however long it is.
            is_cut = bool(limit) and count >= limit and request.constraint is None
            yield _end(made, ask, finish="length" if is_cut else "stop")
            return
        count += len(made.tokens)
        text = made.text.lstrip() if strips and not said else made.text
        said = said or bool(text)
        yield _piece(request.codec, made, text)


def _piece(codec: Codec, made: Piece, text: str) -> Event:
    event: Event = {"text": text, "tokens": list(made.tokens)}
    if made.likelihoods:
        event["likelihoods"] = [_spelled(codec, one) for one in made.likelihoods]
    return event


def _spelled(codec: Codec, one: TokenLikelihood) -> dict[str, Any]:
    parts = _token_bytes(codec)

    def entry(token: int, logprob: float) -> dict[str, Any]:
        return {"token": token, "bytes": list(parts[token]), "logprob": max(logprob, -9999.0)}

    top = [entry(token, logprob) for token, logprob in one.alternatives]
    return entry(one.token, one.logprob) | {"top": top}


@functools.lru_cache(maxsize=2)
def _token_bytes(codec: Codec) -> list[bytes]:
    if not isinstance(codec, SpellsTokens):
        raise UnsupportedError("likelihoods of tokens that have no text", expected="a model of text or code")
    return codec.token_bytes()


def _end(asset: Asset, ask: Ask, *, finish: str) -> Event:
    service = asset.manifest.get("service", {})
    end = {
        "finish": service.get("finish") or finish,
        "asset": asset.id,
        "sha256": asset.hash,
        "seed": ask["seed"],
        "service": service,
    }
    return {"end": end | ({"manifest": asset.signed, "content": asset.content} if ask["manifest"] else {})}


def _request(model: Model, ask: Ask) -> Request:
    form, controls = read_form(options_of(model, ask))
    steering, controls = read_steering(controls)
    held, controls = read_syntax(controls, form)
    request = Request(
        model.artifact,
        options=controls,
        novelty=model.novelty_index(),
        refuse_copies=False,
        form=held,
        steering=steering,
    )
    if ask["likelihoods"] is not None:
        request.record_likelihoods(ask["likelihoods"])
    return request


def _check_writes(model: Model) -> None:
    if not model.makes_text:
        raise UnsupportedError(
            f"text of {model.path.name}, which makes {model.medium}", expected="a model of text or code"
        )


def _transcribe(model: Model, ask: Ask) -> Iterator[Event]:
    """Write down what is said in a recording."""
    if TRANSCRIPT not in model.artifact.family_config.predictions:
        raise UnsupportedError(
            f"a transcript by {model.path.name}, which writes down nothing",
            expected='a model of the recipe "recogniser", or a checkpoint such as Whisper',
            do="makar train RECORDINGS --recipe recogniser",
        )
    # Whoever names a language to a model that knows no names of languages has it said again, and no more.
    language = ask["language"] if knows_languages(model.artifact.family()) else None
    yield transcribe(model.artifact, read_sound(base64.b64decode(ask["sound"])), language=language)


def _classify(model: Model, ask: Ask) -> Iterator[Event]:
    """Say of texts how likely each class is."""
    family, codec = model.artifact.family(), model.artifact.codec()
    if not isinstance(family, ReadsText):
        raise UnsupportedError(
            f"{model.path.name} tells no classes of texts", expected='a model of the recipe "classify"'
        )
    for text in ask["texts"]:
        # Asked directly: in the shell a text that is the name of a file stands for the file. A text without a word is of no class.
        row = family.read_text(text, codec, query=None) if text.strip() else {"probabilities": {}}
        yield {"shares": row.get("probabilities", {})}


def _embed(model: Model, ask: Ask) -> Iterator[Event]:
    """Give vectors of texts, float32 with the smallest byte first."""
    made = embed(model.artifact, ask["texts"], purpose=ask["purpose"])
    vectors = base64.b64encode(made.values.astype("<f4").tobytes()).decode("ascii")
    yield {"vectors": vectors, "width": made.values.shape[1], "tokens": made.tokens}


KINDS: dict[str, Callable[[Model, Ask], Iterator[Event]]] = {
    "chat": _chat,
    "complete": _complete,
    "infill": _infill,
    "images": make_images,
    "edit": change_image,
    "sound": make_sound,
    "change": change_file,
    "transcribe": _transcribe,
    "video": make_clip,
    "file": make_file,
    "classify": _classify,
    "embed": _embed,
}
