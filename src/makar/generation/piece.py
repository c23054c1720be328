"""A piece of music on its way out: what a model wrote as MIDI, and its picture and its sound, each with a signed manifest of its own."""

import hashlib
from typing import Any

from makar.data.score import midi_of, score_of, tidy
from makar.errors import UnsupportedError
from makar.generation.piano_roll import piano_roll
from makar.generation.synthesiser import rendered
from makar.provenance import manifest as signing
from makar.provenance.content import Piece, describe_content
from makar.provenance.embedding import png_bytes, sidecar_bytes
from makar.provenance.keys import signing_key

PICTURE, SOUND = ".png", ".wav"


def written_piece(notation: str, *, player: str = "") -> Piece:
    """Return what a model wrote as a piece: words that make no sense where they stand are passed over.

    Args:
        notation: The words.
        player: As of ``synthesiser.rendered``.
    """
    kept = tidy(notation)
    return Piece(notation=kept, midi=midi_of(score_of(kept)), player=player)


def renderings(piece: Piece, manifest: dict[str, Any]) -> dict[str, bytes]:
    """Return the files that lie beside a piece, by suffix: its piano roll, its sound where it can be played, and the manifest of the sound.

    Args:
        piece: The piece.
        manifest: What was signed of it; each rendering says the same, and which piece it shows.
    """
    score = score_of(piece.notation)
    pixels = piano_roll(score)
    shown = {PICTURE: png_bytes(pixels, signed_rendering(manifest, "piano roll", describe_content(pixels)))}
    try:
        sound, player = rendered(score, by=piece.player)
    except UnsupportedError:
        # It is too long to be played, or the player fails; the piece itself is not lost for that.
        return shown
    played = {"kind": "sound", "sha256": hashlib.sha256(sound).hexdigest(), "bytes": len(sound), "player": player}
    return {
        **shown,
        SOUND: sound,
        f"{SOUND}.makar.json": sidecar_bytes(signed_rendering(manifest, "sound", played)),
    }


def signed_rendering(manifest: dict[str, Any], what: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return the signed manifest of something that shows an asset.

    Args:
        manifest: That of the asset.
        what: What the rendering is.
        content: What ``describe_content`` says of it.
    """
    statement = {name: value for name, value in manifest.items() if name != "id"}
    statement |= {
        "content": content,
        "rendering": {"what": what, "of": manifest["id"], "sha256": manifest["content"]["sha256"]},
    }
    statement["id"] = hashlib.sha256(signing.canonical_json(statement)).hexdigest()[:32]
    return signing.sign(statement, signing_key())
