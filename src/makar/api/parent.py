"""The model that a training begins from: opened, compared with the data, and asked for the codecs and weights of its stages.

A stage that begins from it takes the codec that was fitted there (vocabulary, channels, classes, mean of the latents), under the settings
that the new plan has, and counts anew how often each class is in the new data. The weights are the parent's own affair: the family of
the new stage has that of the old one attached and takes what it needs. A stage that is kept is carried into the new model as it is.
"""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from makar.artifacts.components import TrainedStage, components_of
from makar.artifacts.load import load_artifact
from makar.codecs.codec import Codec, load_codec
from makar.codecs.image import UNLABELLED
from makar.codecs.image_config import ImageCodecConfig
from makar.codecs.image_fit import channels_needed
from makar.data.dataset import DataSet
from makar.errors import ArtifactError, MakarError, UnsupportedError, UsageError
from makar.families.family import Family
from makar.provenance.chain import find_artifact
from makar.recipe import KEPT, NOTHING, Origin, Parent, Recipe, Stage
from makar.tensor_spec import TensorSpec

if TYPE_CHECKING:
    from makar.artifacts.artifact import Artifact

LOOKED_AT = 256
"""Images of the new data whose colours are compared with what the model can hold."""


@runtime_checkable
class KnowsClasses(Protocol):
    """A codec with classes."""

    class_names: tuple[str, ...]


class ParentModel:
    """An opened model that a training begins from.

    Args:
        artifact: The opened artifact.
    """

    def __init__(self, artifact: "Artifact") -> None:
        self.artifact = artifact

    @property
    def origin(self) -> Origin:
        """What planning is told of it."""
        artifact = self.artifact
        stages = [self._as_trained(stage) for stage in artifact.recipe.stages]
        return Origin(
            parent=Parent(name=artifact.name, hash=artifact.hash),
            recipe=artifact.recipe.changed(stages=tuple(stages)),
            plain_spec=self._plain_spec,
        )

    def codec(self, stage: Stage) -> Codec:
        """Return the codec of a new stage with what the stage of that name learned of its data.

        Raises:
            ArtifactError: The settings of the new stage need something that was not learned.
        """
        files = self._codec(stage.name).files()
        return load_codec(stage.codec, files, components_of(self.artifact.components(), stage.codec.components))

    def family(self, stage: Stage, *, device: str = "cpu") -> Family:
        """Return the trained family of the stage of that name."""
        return self._made(stage.name).family.to(device)

    def kept(self, recipe: Recipe) -> dict[str, TrainedStage]:
        """Return the stages that a recipe takes over as they are, by name."""
        return {stage.name: self._made(stage.name) for stage in recipe.stages if stage.begins == KEPT}

    def check(self, dataset: DataSet, recipe: Recipe) -> None:
        """Compare the data with what the model knows.

        Raises:
            UnsupportedError: The data has classes that the model does not know, lacks classes or captions, or has more colours.
        """
        for stage in recipe.stages:
            if stage.begins != NOTHING:
                codec = self.codec(stage).plain
                self._check_classes(dataset, codec)
                if isinstance(codec.config, ImageCodecConfig):
                    self._check_images(dataset, codec.config)

    def _check_classes(self, dataset: DataSet, codec: Codec) -> None:
        known = codec.class_names if isinstance(codec, KnowsClasses) else ()
        if not known:
            return
        labels, shown = dataset.inspection.labels, ", ".join(known[:12]) + (" ..." if len(known) > 12 else "")
        if unknown := [label for label in labels if label not in known]:
            raise UnsupportedError(
                f'"{self.artifact.name}" does not know {len(unknown)} of the classes: {", ".join(unknown[:12])}',
                expected=f"classes that it has learned: {shown}",
                do="rename the classes, or train anew without --from",
            )
        if sum(labels.values()) < dataset.inspection.used and UNLABELLED not in known:
            raise UnsupportedError(
                f'{dataset.inspection.used - sum(labels.values())} items have no class, and "{self.artifact.name}" learned classes',
                expected=f"one of its classes for every item: {shown}",
                do="one folder a class, or a table with labels",
            )

    def _check_images(self, dataset: DataSet, config: ImageCodecConfig) -> None:
        if config.use_captions and not dataset.inspection.captions:
            raise UnsupportedError(
                f'the images have no captions, and "{self.artifact.name}" learned captions',
                expected="a .txt beside every image, or a table with a column of captions",
            )
        if max((int(count) for count in dataset.inspection.sizes["channels"]), default=1) <= config.channels:
            return
        looked_at = [record.content for record in islice(dataset.records("train"), LOOKED_AT)]
        needed = max((channels_needed(content) for content in looked_at if content is not None), default=1)
        if needed > config.channels:
            words = {1: "grey images", 3: "images in colour", 4: "images with transparent parts"}
            raise UnsupportedError(
                f'the data has {words[needed]}, "{self.artifact.name}" makes {words[config.channels]}',
                expected=words[config.channels],
                do="convert the images, or train anew without --from",
            )

    def _made(self, name: str) -> TrainedStage:
        artifact = self.artifact
        if name == artifact.recipe.stages[-1].name:
            return TrainedStage(
                codec=artifact.codec(), family=artifact.family("cpu"), training=artifact.header["training"]
            )
        if name not in artifact.components():
            raise ArtifactError(
                f'"{artifact.name}" has no stage "{name}"', expected=", ".join(["its own", *artifact.components()])
            )
        return artifact.components()[name]

    def _codec(self, name: str) -> Codec:
        """Return the codec of a stage; the weights of the model may be gigabytes that an adapter has read already."""
        is_model = name == self.artifact.recipe.stages[-1].name
        return self.artifact.codec() if is_model else self._made(name).codec

    def _as_trained(self, stage: Stage) -> Stage:
        if stage.name == self.artifact.recipe.stages[-1].name:
            # Without its weights, which may be gigabytes that nobody asked for yet.
            return stage.changed(codec=self.artifact.codec().config, family=self.artifact.family_config)
        made = self._made(stage.name)
        return stage.changed(codec=made.codec.config, family=made.family.config)

    def _plain_spec(self, stage: Stage) -> TensorSpec:
        return self.codec(stage).plain.spec


def open_parent(model: str | Path) -> ParentModel:
    """Open the model that a training is to begin from.

    Args:
        model: Its name, or its folder.

    Raises:
        UnknownNameError: There is no such model; the nearest name is proposed.
        IntegrityError: A file is missing, foreign or changed.
        ArtifactError: The folder is no model.
    """
    return ParentModel(load_artifact(model))


def parent_again(parent: Parent, place: str) -> ParentModel:
    """Open the model that an interrupted training began from, where it was or wherever this machine has it.

    Raises:
        ArtifactError: It is gone, or another model is there now.
    """
    folders = [Path(place), *([found] if (found := find_artifact(parent.hash, parent.name)) is not None else [])]
    for folder in folders:
        try:
            opened = open_parent(folder)
        except MakarError:
            continue
        if opened.artifact.hash == parent.hash:
            return opened
    raise ArtifactError(
        f'"{parent.name}" ({parent.hash[:16]}), from which the training began, is not at {place} any more',
        expected="the same model",
        do="put it back, or train anew",
    )


def check_output(place: Path, parent: ParentModel | None) -> None:
    """Refuse to put a new model where the one is that it begins from.

    Raises:
        UsageError: It would.
    """
    if parent is not None and place.absolute() == parent.artifact.path.absolute():
        raise UsageError(
            f"the new model would take the place of {place}, from which it begins",
            expected="another place, so that verify can follow both",
            do="-o NAME",
        )
