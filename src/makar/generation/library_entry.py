"""What a library keeps of an asset: the file, the signed manifest, and what the manifest says as a person reads it.

Nothing is asked of the model, so that what was made elsewhere, or long ago, can be kept too.
"""

from typing import Any

from makar.errors import UsageError
from makar.generation.asset import Asset
from makar.generation.library import CHAT, CREATE, EDIT, LARGEST_BYTES, LONGEST_PROMPT, Entry

REMOTE = "openai:"
MADE_ANEW = ("speak", "read aloud")
"""What a manifest states as an edit although nothing was given that was changed."""


def entry_of(
    asset: Asset, *, kind: str = "", prompt: str | None = None, seconds: float = 0.0, work: float = 0.0
) -> Entry:
    """Return what is kept of an asset.

    Args:
        asset: The asset.
        kind: How it was made; empty takes what its manifest says.
        prompt: What was asked for; ``None`` takes what its manifest says.
        seconds: How long it took; 0 where nobody measured it.
        work: Steps or tokens that it took in that time; 0 where the time says nothing of the next one.

    Raises:
        UsageError: It is larger than what is kept.
    """
    content, manifest = asset.file, asset.manifest
    if len(content) > LARGEST_BYTES:
        raise UsageError(
            f"{len(content) / 1e6:,.0f} MB for one asset",
            expected=f"at most {LARGEST_BYTES / 1e6:,.0f} MB in the gallery",
            do="save it to a file",
        )
    return Entry(
        signed=asset.signed,
        model=model_of(manifest),
        kind=kind or kind_of(manifest),
        prompt=(prompt_of(manifest) if prompt is None else prompt)[:LONGEST_PROMPT],
        content=content,
        type=asset.type,
        seconds=seconds,
        work=work,
    )


def model_of(manifest: dict[str, Any]) -> str:
    """Return the name that a server has for the model; empty for what no model made."""
    artifact = manifest.get("artifact") or {}
    return str(artifact.get("name", "")).removeprefix(REMOTE)


def kind_of(manifest: dict[str, Any]) -> str:
    """Return how an asset was made."""
    if manifest.get("edit", {}).get("operation", MADE_ANEW[0]) not in MADE_ANEW:
        return EDIT
    return CHAT if _turns(manifest.get("prompt")) else CREATE


def prompt_of(manifest: dict[str, Any]) -> str:
    """Return what was asked for: a prompt, what was said last, the name of a class, or what was done with films."""
    edit, prompt = manifest.get("edit", {}), manifest.get("prompt")
    if edit.get("operation") == "film":
        return _film_words(edit)
    if turns := _turns(prompt):
        return turns[-1]
    label = manifest.get("settings", {}).get("label")
    asked = label if prompt in (None, "") else prompt
    return str(asked) if isinstance(asked, str | int) else ""


def steps_of(manifest: dict[str, Any]) -> int:
    """Return how many steps an image or a sound was asked to take; 1 where nothing takes any, or the model chose itself.

    A script takes as many for each of its lines.
    """
    steps, lines = manifest.get("settings", {}).get("steps"), manifest.get("edit", {}).get("lines", 1)
    return lines * (steps if isinstance(steps, int) and steps > 0 else 1)


def _turns(prompt: Any) -> list[str]:
    """Return what the user said, turn by turn; nothing for a prompt that is no conversation."""
    turns = prompt if isinstance(prompt, list) else []
    return [str(turn.get("content", "")) for turn in turns if isinstance(turn, dict) and turn.get("role") == "user"]


def _film_words(edit: dict[str, Any]) -> str:
    """Return what was done with films."""
    settings, films, sound = edit["settings"], len(edit["sources"]), edit.get("sound", {}).get("sound")
    start, end = settings.get("start"), settings.get("end")
    parts = [f"{films} films joined" if films > 1 else "a film"]
    if start is not None or end is not None:
        parts.append(f"from {start or 0:g} s to {'the end' if end is None else f'{end:g} s'}")
    parts += [f"{settings['speed']:g} times as fast"] if "speed" in settings else []
    parts += [f"{settings['rate_hz']:g} frames a second"] if "rate_hz" in settings else []
    parts += ["another sound"] if sound == "replaced" else ["no sound"] if sound == "removed" else []
    return ", ".join([*parts, f"as {edit.get('form', 'pictures')}"])
