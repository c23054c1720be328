"""``edit`` for models of structures: some residues of a backbone are made anew, more or fewer where that is asked for; the rest stays.

The residues that stay come out where they were, turned as they were, to the thousandth of an angstrom that a file holds. Their amino acids
stay known; those of new residues are not.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from makar.artifacts.artifact import Artifact
from makar.codecs.backbone import BackboneCodec
from makar.config import Config, setting
from makar.data.backbone import UNKNOWN_RESIDUE, Backbone
from makar.data.backbone_geometry import CA, C, N
from makar.data.sniffing import HEAD_BYTES, sniff
from makar.data.structure_reader import LIMIT_BYTES, read_backbones
from makar.errors import DataError, UnknownNameError, UnsupportedError, UsageError
from makar.families.family import Batch
from makar.generation.asset import Asset
from makar.generation.change import Change
from makar.generation.edit_request import EditRequest
from makar.generation.filming import read_film_form
from makar.generation.finishing import Finishing
from makar.generation.generate import make_assets
from makar.generation.guards import NoveltyCheck
from makar.generation.jobs import Job, check_count_and_seed
from makar.generation.prompts import Prompt, Prompts, read_prompts
from makar.generation.request import Request
from makar.tensor_spec import KNOWN, MASK

FARTHEST_STEP = 3.9
"""In angstroms from one CA to the next, stretched."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StructureEditRequest(Config):
    """What is to be done to a backbone."""

    kind: ClassVar[str] = ""

    from_residue: int | None = setting(
        None,
        meaning="the first residue that is made anew, counted from 1; one behind the last goes on there",
        minimum=1,
    )
    to_residue: int | None = setting(
        None, meaning="the last residue that is made anew; none is the end of the chain", minimum=0
    )
    residues: int | None = setting(
        None, meaning="how many residues stand there afterwards; none keeps their number", minimum=0, maximum=1024
    )


def edit_structure(
    artifact: Artifact,
    how: EditRequest | Mapping[str, Any],
    *,
    prompts: Prompts = None,
    count: int = 1,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    novelty: NoveltyCheck | None = None,
) -> Iterator[Asset]:
    """Make some residues of a backbone anew.

    Args:
        artifact: The model.
        how: The file (``image``) and what is to be done with it; see ``StructureEditRequest``.
        prompts: What it is to become: a class, where the model knows some.
        count: Variants for each prompt.
        seed: Seed of the first variant; the next has ``seed + 1``.
        options: Sampling controls by name.
        novelty: Compares what the model made with the training data.

    Yields:
        Signed assets.

    Raises:
        UsageError: There is no file, no residue is named, or they are not in the chain or cannot bridge what they have to.
        UnsupportedError: Something is asked for that is for another medium, or the chain is longer than those of the model.
        DataError: The file is no structure, or not of one unbroken chain.
    """
    asked, source = _read_request(how)
    check_count_and_seed(count, seed)
    if asked.from_residue is None:
        raise UsageError(
            "nothing is asked for",
            expected="the first residue that is made anew",
            do="--from-residue 10 --to-residue 20",
        )
    form, controls = read_film_form({name: value for name, value in (options or {}).items() if value is not None})
    content, given = read_given_structure(source)
    request = Request(artifact, options=controls, novelty=novelty, refuse_copies=False, finishing=Finishing(form=form))
    codec = request.codec
    assert isinstance(codec, BackboneCodec), "structures have one codec"
    slots, change = _renewed(given, asked, codec, stated=_stated(asked, content, given))
    jobs = [
        Job(Prompt(stated=prompt.stated, slots={**prompt.slots, **slots}, change=change), seed + number)
        for prompt in read_prompts(prompts, codec, request.family)
        for number in range(count)
    ]
    return make_assets(request, jobs)


def read_given_structure(source: Any) -> tuple[bytes, Backbone]:
    """Return the bytes of a structure file and the one chain in it.

    Args:
        source: Its path, or its bytes.

    Raises:
        UsageError: There is no such file, or it is too long.
        DataError: It is no structure, or not of one unbroken chain.
    """
    if isinstance(source, bytes):
        # Bytes have no name, so each form is tried.
        name, content, names = "the file", source, ["given.cif", "given.pdb"]
    elif isinstance(source, str | Path) and Path(source).is_file():
        name = Path(source).name
        if Path(source).stat().st_size > LIMIT_BYTES:
            raise UsageError(f"{name} is longer than {LIMIT_BYTES >> 20} MB", expected="a smaller structure")
        content, names = Path(source).read_bytes(), [name]
    else:
        raise UsageError(f"there is no file {source}", expected="a structure as PDB or mmCIF")
    kinds = [kind for one in names if (kind := sniff(one, content[:HEAD_BYTES])).group == "structure"]
    if not kinds:
        raise DataError(f"{name} cannot be read: it is no structure", expected="PDB or mmCIF, named .pdb or .cif")
    chains = list(read_backbones(content, kinds[0].form))
    if len(chains) != 1:
        raise DataError(
            f"{name} has {len(chains)} stretches of residues that hang together", expected="one unbroken chain"
        )
    return content, chains[0]


def _read_request(how: EditRequest | Mapping[str, Any]) -> tuple[StructureEditRequest, Any]:
    words = dict(how.to_dictionary() if isinstance(how, EditRequest) else how)
    source = words.pop("image", None)
    own = {field.name for field in dataclasses.fields(StructureEditRequest)}
    # Words of other media that were not said are None, false or 0.
    unsaid = {name for name, value in words.items() if value is None or (name not in own and _is_nothing(value))}
    asked = {name: value for name, value in words.items() if name not in unsaid}
    try:
        return StructureEditRequest.from_dictionary(asked), source
    except UnknownNameError as error:
        raise UnsupportedError(
            f'"{error.name}" is not for a structure', expected="from_residue, to_residue, residues", do=error.do
        ) from error


def _is_nothing(value: Any) -> bool:
    return isinstance(value, int | float) and not value


def _stated(asked: StructureEditRequest, content: bytes, given: Backbone) -> dict[str, Any]:
    return {
        "operation": "inpaint",
        "settings": {name: value for name, value in asked.to_dictionary().items() if value is not None},
        "source": {"kind": "structure", "sha256": hashlib.sha256(content).hexdigest(), "residues": len(given)},
    }


def _renewed(
    given: Backbone, asked: StructureEditRequest, codec: BackboneCodec, *, stated: dict[str, Any]
) -> tuple[Batch, Change]:
    """Return the slots and the change of making residues anew."""
    first = (asked.from_residue or 1) - 1
    end = len(given) if asked.to_residue is None else asked.to_residue
    if first > len(given) or end > len(given) or end < first:
        raise UsageError(
            f"residues {first + 1} to {end} of a chain of {len(given)}",
            expected=f"a first one of 1 to {len(given) + 1}, and a last one that is not before it",
        )
    count = end - first if asked.residues is None else asked.residues
    total = len(given) - (end - first) + count
    if not count or total == count:
        raise UsageError(
            f"{count} new residues and {total - count} that stay",
            expected="some of both",
            do="--residues 10, or others",
        )
    if total > codec.config.longest:
        raise UnsupportedError(
            f"a chain of {total} residues for a model of at most {codec.config.longest}", expected="a shorter one"
        )
    behind = first + count
    if first and end < len(given):
        far = float(np.linalg.norm(given.trace[end] - given.trace[first - 1]))
        if far > FARTHEST_STEP * (count + 1):
            raise UsageError(
                f"{count} residues over a distance of {far:.1f} A",
                expected="more residues, or a nearer end",
                do="--residues",
            )
    atoms = np.zeros((total, *given.atoms.shape[1:]), np.float32)
    atoms[:first], atoms[behind:] = given.atoms[:first], given.atoms[end:]
    known, mask = (
        codec.bonds(Backbone(atoms, UNKNOWN_RESIDUE * total)),
        np.zeros((1, 4, codec.config.longest), np.float32),
    )
    mask[:, :, first:behind] = 1
    known[:, :, first:behind] = 0
    if first:
        # The bond from the last residue that stays into what is new.
        mask[:, 3, first - 1], known[:, 3, first - 1] = 1, 0
    if first and end < len(given):
        # What has to be bridged stands in even parts where new bonds will be.
        across = (given.atoms[end, N] - given.atoms[first - 1, C]) / (3 * count + 1)
        known[:, 3, first - 1] = across
        known[:, [0, 1, 3], first:behind] = across[:, None, None]
    letters = given.residues[:first] + UNKNOWN_RESIDUE * count + given.residues[end:]

    def finish(made: Backbone) -> Backbone:
        # Known bonds are kept, so one known residue tells where the whole lies.
        anchor = (0, 0) if first else (behind, end)
        moved = made.atoms + (given.atoms[anchor[1], CA] - made.atoms[anchor[0], CA])
        moved[:first], moved[behind:] = given.atoms[:first], given.atoms[end:]
        return Backbone(moved.astype(np.float32), letters)

    return {KNOWN: torch.from_numpy(known), MASK: torch.from_numpy(mask)}, Change(finish=finish, stated=stated)
