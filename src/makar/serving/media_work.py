"""What a worker can do with sounds, clips, structures and pieces of music: make them, and change those that are given; see ``work``."""

import base64
from collections.abc import Iterator
from typing import Any

from makar.api.model import Model
from makar.data.image_reader import read_image
from makar.data.video_file import ANIMATIONS, usual_form
from makar.errors import UnsupportedError
from makar.generation.asset import Asset
from makar.generation.edit import STRENGTH, edit
from makar.generation.generate import generate
from makar.generation.previewing import Steps, counted
from makar.generation.request import option_names
from makar.generation.soundtrack import REMOVE
from makar.generation.synthesiser import PLAYER
from makar.provenance.content import Recording

Ask = dict[str, Any]
Event = dict[str, Any]

CHANGED = ("music", "structure", "sound", "video")
"""Media of which a file is given and a file comes back."""


def make_sound(model: Model, ask: Ask) -> Iterator[Event]:
    """Speak a text, or make a sound of what is described."""
    if model.medium != "sound":
        raise UnsupportedError(f"sound of {model.path.name}, which makes {model.medium}", expected="a model of sound")
    (asset,) = generate(
        model.artifact,
        prompts=ask["prompt"] or None,
        seed=ask["seed"],
        options=options_of(model, ask),
        novelty=model.novelty_index(),
    )
    yield _event(asset, ask)


def make_clip(model: Model, ask: Ask) -> Iterator[Event]:
    """Make a clip of what is described, or one that begins with a picture; between its steps it is said how far it is."""
    if model.medium != "video":
        raise UnsupportedError(f"video of {model.path.name}, which makes {model.medium}", expected="a model of video")
    options, prompt = options_of(model, ask), ask["prompt"] or None
    seed, novelty = ask["seed"], model.novelty_index()
    if ask["reference"] is not None:
        how = {"image": read_image(base64.b64decode(ask["reference"]))}
        assets = edit(model.artifact, how, prompts=prompt, seed=seed, options=options, novelty=novelty)
    else:
        assets = generate(model.artifact, prompts=prompt, seed=seed, options=options, novelty=novelty)
    (asset,) = counted(assets, Steps(tell=lambda step, steps: ask["tell"]({"step": step, "steps": steps})))
    yield _event(asset, ask)


def make_file(model: Model, ask: Ask) -> Iterator[Event]:
    """Make the structure of a protein, of a class where the model takes one, or a piece of music."""
    assets = generate(
        model.artifact,
        prompts=ask["prompt"] or None,
        seed=ask["seed"],
        options=options_of(model, ask),
        novelty=model.novelty_index(),
    )
    yield from (_event(asset, ask) for asset in assets)


def change_file(model: Model, ask: Ask) -> Iterator[Event]:
    """Change what is given as the bytes of its file, base64; so are the pictures ``mask`` and ``to``."""
    if model.medium not in CHANGED:
        raise UnsupportedError(
            f"a change by {model.path.name}, which makes {model.medium}",
            expected=f"a model of {', '.join(CHANGED[:-1])} or {CHANGED[-1]}",
            do="POST /v1/images/edits changes images, POST /v1/completions with a suffix code",
        )
    pictures = {name: read_image(base64.b64decode(content)) for name, content in ask["pictures"].items()}
    how = {**ask["how"], **pictures, "image": base64.b64decode(ask["file"])}
    if model.medium == "video" and ask["options"].get("format", usual_form()) in ANIMATIONS:
        # Only one file is sent, and this one has no room for sound.
        how.setdefault("sound", REMOVE)
    (asset,) = edit(
        model.artifact,
        how,
        prompts=ask["prompt"] or None,
        seed=ask["seed"],
        options=options_of(model, ask),
        novelty=model.novelty_index(),
    )
    yield _event(asset, ask)


def options_of(model: Model, ask: Ask) -> dict[str, Any]:
    """Return the controls of a piece of work: those of the request, and where it says nothing those of the server.

    A strength also says what is to be done: that of the server holds where there is something to begin from and no other word.
    """
    own = set(option_names(model.artifact.family()))
    if "how" not in ask or set(ask["how"]) - {"image"} or ask.get("pictures"):
        own.discard(STRENGTH)
    options: dict[str, Any] = {name: value for name, value in ask["defaults"].items() if name in own} | ask["options"]
    if PLAYER in options:
        raise UnsupportedError(
            "a player over HTTP", expected="none: the MIDI file is sent, and played where it arrives"
        )
    return options


def _event(asset: Asset, ask: Ask) -> Event:
    content = asset.content
    made: Event = {
        "asset": asset.id,
        "seed": ask["seed"],
        "novelty": None if asset.novelty is None else asset.manifest["novelty"],
        "manifest": asset.signed,
    }
    if isinstance(content, Recording):
        return {"wave": base64.b64encode(asset.file).decode("ascii"), "rate_hz": content.rate_hz, **made}
    return {"file": base64.b64encode(asset.file).decode("ascii"), "type": asset.type, **made}
