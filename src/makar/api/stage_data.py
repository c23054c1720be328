"""What the stages of a training learn from: their codecs, fitted to the data or taken from the parent, and their stores."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from makar.api.novelty import remember_stores, remembered_stores
from makar.api.parent import ParentModel
from makar.api.stores import OnEvent, missing_store_bytes, prepare, store_folder
from makar.artifacts.components import TrainedStage, components_of
from makar.artifacts.judges import judge_for
from makar.codecs.codec import Codec, fit_codec
from makar.data.dataset import DataSet
from makar.errors import InterruptedRunError
from makar.families.conversation.policy_family import PolicyFamily
from makar.families.family import Family, build_family
from makar.planning import plain_codec
from makar.recipe import BASE, KEPT, NOTHING, PARENT, Recipe, Stage
from makar.tensor_spec import TensorSpec
from makar.training.progress import Watch
from makar.training.trainer import TrainingData

Trained = Mapping[str, TrainedStage]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Material:
    """The data of a training and the model that it begins from.

    Attributes:
        dataset: The data.
        parent: The opened model; ``None`` when it begins from nothing.
    """

    dataset: DataSet
    parent: ParentModel | None = None

    def kept(self, recipe: Recipe) -> dict[str, TrainedStage]:
        """Return the stages that are taken over as they are, by name."""
        return {} if self.parent is None else self.parent.kept(recipe)

    def family(self, stage: Stage, *, device: str) -> Family:
        """Return the family of a stage, with the parent beside it where it begins from that."""
        family = build_family(stage.family)
        if self.parent is None:
            return family
        if stage.begins == PARENT:
            family.attach(self.parent.family(stage, device=device))
        if isinstance(family, PolicyFamily) and stage.begins in (PARENT, BASE):
            hand_judge(family, self.parent.codec(stage))
        return family

    def folder(self, stage: Stage, trained: Trained) -> Path:
        """Return where the stores of a stage are; what its codec works through is trained."""
        seen = components_of(trained, stage.codec.components)
        return store_folder(self.dataset.fingerprint, stage.codec, seen, given=self._given(stage))

    def prepared(self, stage: Stage, trained: Trained, *, on_event: OnEvent) -> TrainingData:
        """Return codec and stores of a stage, made where they are not there yet."""
        seen = components_of(trained, stage.codec.components)
        return prepare(self.dataset, stage.codec, on_event=on_event, components=seen, given=self._given(stage))

    def plain_spec(self, stage: Stage) -> TensorSpec:
        """Return what the codec of the content itself will make in a stage."""
        given = self._given(stage)
        if given is not None:
            return given.plain.spec
        return fit_codec(plain_codec(stage.codec), self.dataset.records("train")).spec

    def missing_bytes(self, recipe: Recipe) -> int:
        """Return the disk space that the stores will take which can be made at once and are not there; stages with one codec share."""
        wanted = {self.folder(stage, {}): stage.codec for stage in own_stages(recipe)}
        return missing_store_bytes(self.dataset, wanted)

    def remember(self, run: Path, recipe: Recipe) -> None:
        """Note the stores that can be made at once in a run's folder.

        Before they are built, so that cleaning up never takes the stores of a training that is under way. The first are what new content
        is compared with: those of the last stage that holds content and not latents.
        """
        folders = [self.folder(stage, {}) for stage in reversed(own_stages(recipe))]
        remember_stores(run, folders[0], earlier=folders[1:])

    def encoded(self, stage: Stage, trained: Trained, *, run: Path, watch: Watch) -> TrainingData:
        """Return the data of a stage whose codec works through stages that are trained by now; this takes time from the budget."""
        message = f'encoding the data with {", ".join(stage.codec.components)} for stage "{stage.name}"'
        watch.on_event({"event": "note", "message": message})

        def look(event: dict[str, object]) -> None:
            if watch.stop():
                raise InterruptedRunError(
                    f'stopped while encoding for stage "{stage.name}"; what is finished is kept',
                    do="run the same command again: it goes on from there",
                )
            watch.on_event(event)

        first, *others = remembered_stores(run)
        here = self.folder(stage, trained)
        remember_stores(run, first, earlier=[*(other for other in others if other != here), here])
        return self.prepared(stage, trained, on_event=look)

    def _given(self, stage: Stage) -> Codec | None:
        return None if self.parent is None or stage.begins == NOTHING else self.parent.codec(stage)


def hand_judge(family: PolicyFamily, codec: Codec) -> None:
    """Give a model that is tuned by a reward model that one.

    Raises:
        ArtifactError: It is not on this machine.
        UnsupportedError: It has other tokens.
    """
    judge = judge_for(family.config, codec)
    if judge is not None:
        family.judged_by(judge)


def own_stages(recipe: Recipe) -> list[Stage]:
    """Return the stages whose codecs work through no other stage."""
    return [stage for stage in recipe.stages if not stage.codec.components]


def trained_stages(recipe: Recipe) -> list[Stage]:
    """Return the stages that are trained, in order; the others are taken over as they are."""
    return [stage for stage in recipe.stages if stage.begins != KEPT]
