"""``generate --augment``: labelled samples for a training set, spread over its classes, in its own layout, copies refused, resumable.

Decisions: the n-th sample of a class has the seed ``seed + n`` and a file named after it, so a killed call goes on by making what is not
there, and a larger number continues a smaller one. A hidden file in the folder states what the samples were made with; another model, seed
or control there is refused, since one folder of two makes could not be told apart. Samples that are copies of the model's training images
are drawn again: copies add nothing to a training set and leak between its parts. Where a seed gives nothing but copies, the next free
seeds of the class take its place, up to ``SEEDS_PER_SAMPLE`` for each sample that is wanted. Nothing is written into the data.
"""

import csv
import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from makar.artifacts.artifact import Artifact
from makar.data.dataset import DataSet
from makar.data.record import Split
from makar.errors import CopyRefusedError, UnknownNameError, UnsupportedError, UsageError
from makar.generation.asset import Asset, suffix_of
from makar.generation.finishing import read_finishing
from makar.generation.generate import TOGETHER, make_together
from makar.generation.guards import NoveltyCheck
from makar.generation.jobs import Job, check_count_and_seed
from makar.generation.prompts import NamesClasses, Prompt, read_prompts
from makar.generation.request import Request

SPREADS = ("balance", "even")
LABELLED_MEDIA = ("image", "sound", "video")

LEARNED_FROM: tuple[Split, ...] = ("train", "inner")
METADATA = "metadata.csv"
STATED = ".makar-augment.json"
SCHEMA = 1
SEEDS_PER_SAMPLE = 4
"""Seeds that a class may use up for each of its samples; a model that copies more often than that has nothing to add."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentRequest:
    """What samples are for and how they are spread.

    Attributes:
        count: Samples in all.
        folder: Where they go.
        spread: ``"balance"`` brings the classes as near to one size as the number allows, ``"even"`` gives each the same.
        seed: Seed of the first sample of every class.
        root: Where the data lie, which nothing is written into; ``None`` for data in memory.
    """

    count: int
    folder: Path
    spread: str = "balance"
    seed: int = 0
    root: Path | None = None


def augment(
    artifact: Artifact,
    data: DataSet,
    asked: AugmentRequest,
    *,
    options: Mapping[str, Any] | None = None,
    novelty: NoveltyCheck | None = None,
) -> Iterator[tuple[Asset, Path]]:
    """Make labelled samples for a training set.

    Args:
        artifact: A model of images or sounds that can be asked for the classes of the data.
        data: The training set, with labels.
        asked: How many, where to, and how they are spread.
        options: Sampling controls by name.
        novelty: Compares with the model's training data.

    Yields:
        Every new sample with its file; what an earlier call made is kept and not given again.

    Raises:
        UsageError: The folder lies in the data or holds samples of another make, or the data has no labels.
        UnsupportedError: The model takes no classes, or its training data is not indexed here.
        UnknownNameError: The data has a class that the model does not know.
        CopyRefusedError: A class could not be filled up, as nearly all draws for it were copies; the samples of the others are there.
    """
    if asked.spread not in SPREADS:
        raise UnknownNameError("spread", asked.spread, SPREADS)
    check_count_and_seed(asked.count, asked.seed)
    _check_place(asked)
    counts, in_folders = read_labels(data)
    finishing, controls = read_finishing(options, medium=artifact.medium)
    if finishing.is_traced:
        raise UsageError("drawings for a training set", expected="images, without svg")
    request = Request(artifact, options=controls, novelty=novelty, refuse_copies=True, finishing=finishing)
    prompts = dict(zip(counts, read_prompts(_known(list(counts), request), request.codec, request.family), strict=True))
    wanted = spread_over(counts, asked.count, spread=asked.spread)
    places = _Places(asked.folder, asked.seed, list(counts), in_folders=in_folders, suffix=suffix_of(artifact.medium))
    _state(asked, artifact, data, {"settings": request.options.to_dictionary(), "finish": finishing.stated})
    return _fill_up(request, prompts, wanted, places)


@dataclasses.dataclass(frozen=True)
class _Places:
    """Where the samples of a call lie: the folder, the first seed, the labels, whether folders are the classes, and what files end in."""

    folder: Path
    seed: int
    labels: list[str]
    in_folders: bool = dataclasses.field(kw_only=True)
    suffix: str = dataclasses.field(kw_only=True)

    def file(self, label: str, number: int) -> Path:
        # A label out of a table may hold anything, so there the file has the number of the class.
        seed = self.seed + number
        name = f"{label}/{seed:06d}" if self.in_folders else f"{self.labels.index(label):04d}-{seed:06d}"
        return self.folder / f"{name}{self.suffix}"

    def write_table(self, wanted: Mapping[str, int]) -> None:
        """Write file name and label of every sample that is there, where the folders do not say it."""
        if self.in_folders:
            return
        temporary = self.folder / f".{METADATA}.tmp"
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file_name", "label"])
            for label, count in wanted.items():
                files = (self.file(label, number) for number in range(SEEDS_PER_SAMPLE * count))
                writer.writerows([file.name, label] for file in files if file.exists())
        temporary.replace(self.folder / METADATA)


def _fill_up(
    request: Request, prompts: Mapping[str, Prompt], wanted: Mapping[str, int], places: _Places
) -> Iterator[tuple[Asset, Path]]:
    """Make what is missing of every class, in rounds: the seeds that gave only copies are made up for by those that follow."""
    tried = dict.fromkeys(wanted, 0)
    there = dict.fromkeys(wanted, 0)
    refused = ""
    places.write_table(wanted)
    while True:
        jobs: list[tuple[str, int]] = []
        for label, count in wanted.items():
            missing = count - there[label]
            last = min(tried[label] + missing, SEEDS_PER_SAMPLE * count)
            for number in range(tried[label], last):
                if places.file(label, number).exists():
                    there[label] += 1
                else:
                    jobs.append((label, number))
            tried[label] = last
        if not jobs:
            break
        for start in range(0, len(jobs), TOGETHER):
            together = jobs[start : start + TOGETHER]
            made = make_together(request, [Job(prompts[label], places.seed + number) for label, number in together])
            try:
                for position, asset in made:
                    label, number = together[position]
                    file = places.file(label, number)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    asset.save(file)
                    there[label] += 1
                    yield asset, file
            except CopyRefusedError as error:
                refused = error.came
            places.write_table(wanted)
    short = [f"{label} ({there[label]} of {count})" for label, count in wanted.items() if there[label] < count]
    if short:
        raise CopyRefusedError(
            f"classes that could not be filled up: {', '.join(short)}; {refused}",
            expected=f"a sample that is no copy from one of {SEEDS_PER_SAMPLE} seeds",
            do="fewer samples, or a model that was trained on more data",
        )


def spread_over(counts: Mapping[str, int], total: int, *, spread: str) -> dict[str, int]:
    """Return how many samples each class gets; a larger total only ever adds.

    Args:
        counts: Items of each class that are there.
        total: Samples in all.
        spread: ``"balance"`` or ``"even"``.

    >>> spread_over({"cat": 5, "fox": 2}, 5, spread="balance")
    {'cat': 1, 'fox': 4}
    >>> spread_over({"cat": 5, "fox": 2}, 5, spread="even")
    {'cat': 3, 'fox': 2}
    """
    given = dict.fromkeys(counts, 0)
    for _ in range(total):
        smallest = min(given, key=lambda label: given[label] + (counts[label] if spread == "balance" else 0))
        given[smallest] += 1
    return given


def read_labels(data: DataSet) -> tuple[dict[str, int], bool]:
    """Return the items of each class in what is learned from, and whether the folders of files are the classes.

    Raises:
        UsageError: The data is of a medium that has no labels here, or has none.
    """
    if data.medium not in LABELLED_MEDIA:
        raise UsageError(f'"{data.name}" is {data.medium}', expected="labelled images, sounds or videos")
    counts: Counter[str] = Counter()
    in_folders = True
    for split in LEARNED_FROM:
        for record in data.records(split).without_content():
            if record.label is not None:
                counts[record.label] += 1
                in_folders = in_folders and PurePosixPath(record.source).parent.name == record.label
    if not counts:
        raise UsageError(
            f'"{data.name}" has no labels',
            expected="class folders, or a table with labels",
            do="makar inspect shows it",
        )
    return {label: counts[label] for label in sorted(counts)}, in_folders


def _known(labels: list[str], request: Request) -> list[int]:
    """Return the numbers of classes in the model."""
    names = list(request.codec.class_names) if isinstance(request.codec, NamesClasses) else []
    if not names:
        raise UnsupportedError(
            "this model cannot be asked for a class",
            do='train on the labelled data, with the recipe "image-class" or "sound-class"',
        )
    for label in labels:
        if label not in names:
            raise UnknownNameError("class of the model", label, names)
    return [names.index(label) for label in labels]


def _check_place(asked: AugmentRequest) -> None:
    if asked.folder.exists() and not asked.folder.is_dir():
        raise UsageError(f"{asked.folder} is a file", expected="a folder")
    if asked.root is None or not asked.root.exists():
        return
    folder, root = asked.folder.resolve(), asked.root.resolve()
    if folder == root or root in folder.parents or folder in root.parents:
        raise UsageError(
            f"{asked.folder} lies in the data or around it", expected="a folder elsewhere", do="-o augmented"
        )


def _state(asked: AugmentRequest, artifact: Artifact, data: DataSet, made_with: dict[str, Any]) -> None:
    """Write what the samples of a folder are made with, or refuse a folder that has samples of another make."""
    stated = {
        "schema": SCHEMA,
        "artifact": artifact.hash,
        "data": data.fingerprint,
        "seed": asked.seed,
        "spread": asked.spread,
        **made_with,
    }
    plain = json.dumps(stated, indent=1, sort_keys=True)
    path = asked.folder / STATED
    if path.is_file():
        if path.read_text(encoding="utf-8") != plain:
            raise UsageError(
                f"{asked.folder} holds samples that were made otherwise: another model, data, seed, spread or control",
                expected="the same, to go on, or another folder",
            )
        return
    if asked.folder.is_dir() and any(asked.folder.iterdir()):
        raise UsageError(f"{asked.folder} is not empty", expected="a new folder, or one of samples to go on with")
    asked.folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(plain, encoding="utf-8")
    temporary.replace(path)
