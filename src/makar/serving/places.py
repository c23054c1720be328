"""The models that a server has, found without torch: names, folders, what they make, and how much memory they will take."""

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

from makar import registry
from makar.codecs.speech_config import SpeechCodecConfig
from makar.codecs.spoken_text_config import SpokenTextCodecConfig
from makar.errors import MakarError, UnknownNameError
from makar.families.pretrained.sound_config import is_of_sound, of_sound_hears, of_sound_speaks
from makar.families.pretrained.video_config import is_of_video
from makar.families.recogniser.config import TRANSCRIPT
from makar.home import models_folder
from makar.provenance.folder import read_limited
from makar.provenance.manifest import manifest_hash, read_strict_json
from makar.serving.engines import DIFFUSERS, ENDPOINT, TORCH, TRANSFORMERS, Choice
from makar.serving.process import Process

MARKS = ("manifest.json", "config.json", "model_index.json")
"""Files of which a model has one."""

HEADER = "makar.json"
REMOTE = "openai:"

PROCESS_BYTES = 350 << 20
"""What a process takes beside its model (Python and torch, measured)."""

WEIGHT_FACTOR = 2.5
"""Memory of a model as a multiple of its files: the weights, their packed copy, keys and values."""


@dataclasses.dataclass
class Place:
    """One model of the server.

    Attributes:
        name: What it is called over HTTP.
        source: What ``makar.load`` takes.
        created: Seconds since 1970.
        medium: What it makes.
        speaks: Whether it reads texts aloud, as far as its folder says.
        hears: Whether it writes down what is said.
        engines: What runs it where that is installed, its own engine first; see ``engines``.
        choice: What runs it now, and what spoke for that; ``None`` before it was loaded first.
        process: The process that holds it; ``None`` while it is not loaded.
        lock: Held while it is loaded or unloaded.
        base_url: For a model behind an endpoint: its address; ``None`` for that of OpenAI.
        starts: Times that it was loaded.
        deaths: Times that its process died.
    """

    name: str
    source: str
    created: int
    medium: str
    speaks: bool = False
    hears: bool = False
    engines: tuple[str, ...] = (TORCH,)
    choice: Choice | None = None
    process: Process | None = None
    lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)
    base_url: str | None = None
    starts: int = 0
    deaths: int = 0

    @property
    def engine(self) -> str:
        """What runs it now, or its own engine before it was loaded first."""
        return self.engines[0] if self.choice is None else self.choice.engine

    @property
    def hash(self) -> str | None:
        """The hash that its assets name, as its folder says; ``None`` where that says none."""
        try:
            return manifest_hash(read_strict_json((Path(self.source) / MARKS[0]).read_bytes())["manifest"])
        except (OSError, KeyError, TypeError, MakarError):
            return None


def place_of(source: str, *, base_url: str | None = None) -> Place:
    """Return a model of a server.

    Args:
        source: A name, a folder, or ``openai:NAME``.
        base_url: For the latter: the address of the endpoint; ``None`` for that of OpenAI.

    Raises:
        UnknownNameError: There is no such model.
    """
    if source.startswith(REMOTE):
        name = source.removeprefix(REMOTE)
        return Place(name=name, source=source, created=0, medium="text", engines=(ENDPOINT,), base_url=base_url)
    named, typed = models_folder() / source, Path(source).expanduser()
    folder = named if "/" not in source and is_model(named) else typed.absolute()
    if not is_model(folder):
        raise UnknownNameError("model", source, saved_names())
    created = int((folder / next(name for name in MARKS if (folder / name).is_file())).stat().st_mtime)
    return Place(name=folder.name, source=str(folder), created=created, **_known(folder))


def saved_names() -> list[str]:
    """Return the names of the models of this machine."""
    folder = models_folder()
    return sorted(path.name for path in folder.iterdir() if is_model(path)) if folder.is_dir() else []


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a model: one of Makar, a checkpoint of transformers or a pipeline of diffusers."""
    return not folder.name.startswith(".") and any((folder / name).is_file() for name in MARKS)


def _known(folder: Path) -> dict[str, Any]:
    """Return what the folder of a model says of it: medium, engines, and of one of sound whether it speaks or hears."""
    if not (folder / MARKS[0]).is_file():
        is_pipeline = (folder / MARKS[2]).is_file()
        made, engines = _class_of(folder), (DIFFUSERS if is_pipeline else TRANSFORMERS,)
        if is_of_sound(made):
            does = {"speaks": of_sound_speaks(made), "hears": of_sound_hears(made)}
            return {"medium": "sound", "engines": engines, **does}
        medium = "video" if is_of_video(made) else "image" if is_pipeline else "text"
        return {"medium": medium, "engines": engines}
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        config = registry.config_class(header["family"]["kind"]).from_dictionary(header["family"])
        speaks = header["codec"]["kind"] in (SpeechCodecConfig.kind, SpokenTextCodecConfig.kind)
        does = {"speaks": speaks, "hears": TRANSCRIPT in config.predictions}
        return {"medium": str(header["medium"]), "engines": config.engines, **does}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, MakarError):
        # It will be said when it is loaded; a list must not fail for one broken folder.
        return {"medium": "unknown"}


def _class_of(folder: Path) -> str:
    """Return the class that the folder of a checkpoint or pipeline names, empty for none; neither library is asked."""
    try:
        mark = next(name for name in MARKS[1:] if (folder / name).is_file())
        settings = json.loads(read_limited((folder / mark).resolve()))
        listed = settings.get("architectures") or [settings.get("_class_name")]
        return str(listed[0])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, MakarError, StopIteration):
        return ""


def bytes_needed(source: str) -> int:
    """Return about how much memory the process of a model takes."""
    if source.startswith(REMOTE):
        return PROCESS_BYTES
    files = [path for path in Path(source).rglob("*.safetensors") if path.is_file()]
    return PROCESS_BYTES + int(WEIGHT_FACTOR * sum(path.stat().st_size for path in files))
