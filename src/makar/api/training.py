"""``train`` and ``resume``: from data to a saved model.

In order: open the data, find an unfinished run of the same command or make one, choose the recipe, fit the codec and build the
stores, measure the machine and freeze the plan, train every stage, save the model, index the training data for novelty. The promise of
time begins when the stores are finished, so the probe is inside it; the index comes after it. A stage whose codec works through an
earlier one gets its stores when that one is trained, inside the promise. What begins from a saved model takes codec and weights from
it. A run that was stopped or killed anywhere goes on with the same call. Started by ``torchrun``, the first process does all of this and
the others take part in the stages.
"""

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.api.consent import agreed
from makar.api.data import Source, dataset_of, medium_for, seconds_of_budget
from makar.api.interruption import stop_on_signal
from makar.api.model import Model
from makar.api.novelty import build_index, stores_of
from makar.api.parent import check_output, open_parent, parent_again
from makar.api.places import lasting_source, model_place
from makar.api.real_figures import data_facts, inner_batches, real_figures, stage_facts, training_facts
from makar.api.samples import shown_samples
from makar.api.several import Lead, follow
from makar.api.stage_data import Material, own_stages, trained_stages
from makar.api.stores import OnEvent
from makar.artifacts.components import TrainedStage
from makar.artifacts.folders import check_replaceable
from makar.artifacts.judges import with_frozen_judges
from makar.artifacts.load import load_artifact
from makar.artifacts.save import save_artifact
from makar.data.dataset import open_dataset
from makar.data.fingerprint import HELD_OUT_SHARE
from makar.errors import DataError, InterruptedRunError, MakarError, UnsupportedError
from makar.generation.preview import sample_maker
from makar.home import stores_folder
from makar.planning import Request, choose_recipe, size_recipe
from makar.provenance.folder import MANIFEST_NAME
from makar.recipe import Parent
from makar.training.budget import Budget
from makar.training.data_size import measured_size
from makar.training.distributed import Team
from makar.training.machine import check_disks, has_cuda
from makar.training.plan import TrainingPlan
from makar.training.prediction import WEIGHT_BYTES
from makar.training.progress import Watch, ignore_event
from makar.training.result import StageResult, finished_result
from makar.training.run_store import FINISHED, INDEXING, create_run, find_resumable, open_run, run_key
from makar.training.run_store import Run as StoredRun
from makar.training.trainer import TrainingData, train_stage

if TYPE_CHECKING:
    from makar.artifacts.artifact import Artifact


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One finished training.

    Attributes:
        id: Its name in ``makar runs list``.
        folder: Plan, metrics and novelty index; stays on this machine.
        plan: What was planned.
        results: What each stage ended with; empty where the run was finished before and its results are gone.
        model: The saved model.
    """

    id: str
    folder: Path
    plan: TrainingPlan
    results: tuple[StageResult, ...]
    model: Model

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "run": self.id,
            "folder": str(self.folder),
            "model": str(self.model.path),
            "hash": self.model.hash,
            "plan": self.plan.to_dictionary(),
            "results": [result.to_dictionary() for result in self.results],
        }


def train(
    source: Source,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    output: str | Path | None = None,
    recipe: str | None = None,
    medium: str | None = None,
    columns: str = "",
    seed: int = 0,
    settings: Sequence[str] = (),
    from_model: str | Path | None = None,
    adapter: str | None = None,
    voice_of: Sequence[str] = (),
    consent: Sequence[str | Path] = (),
    on_event: OnEvent = ignore_event,
) -> Run:
    """Train a model on data; the same call goes on with a run that was stopped or killed.

    Args:
        source: See ``makar.api.data.Source``.
        minutes: Wall-clock time from the finished store to the saved model. Either this or ``steps``.
        steps: A fixed number of steps a stage; bit-reproducible on the same machine.
        output: A name, or the path of a folder; by default the name of the data.
        recipe: Name of a recipe; ``None`` chooses by medium and labels.
        medium: Take this medium where there are several; ``None`` takes the one with the most content.
        columns: Which columns of a table play the roles of a task, ``"source=en,target=de"``; by default by their names.
        seed: Seed of every draw.
        settings: ``PATH=VALUE`` changes to the recipe, for example ``"stages.0.family.width=128"``.
        from_model: Name or folder of a saved model to begin from: without ``recipe`` that model is trained on.
        adapter: Learn an adapter of that model instead: ``"lora"``, ``"rslora"``, ``"dora"`` or ``"qlora"``.
        voice_of: Whose voices it learns; ``consent`` has a record of each.
        consent: Files that ``makar consent record`` wrote.
        on_event: Called with every event; see ``makar.training.progress``.

    Raises:
        ConsentError: Somebody whose voice it is has not agreed.
        UsageError: Neither or both of ``minutes`` and ``steps``, or ``output`` is something else than a model, or the one to begin from.
        ArtifactError: The model to begin from cannot be trusted or used.
        InterruptedRunError: Ctrl-C, SIGTERM or ``makar runs stop``; everything is saved.
        RunError: The training cannot go on; the message says why and what to do.
    """
    seconds, start = seconds_of_budget(minutes, steps), time.monotonic()
    lead = Lead(Team("cuda" if has_cuda() else "cpu"))
    if not lead.team.leads:
        return _followed(lead.team)
    with lead.failures_told():
        parent = None if from_model is None else open_parent(from_model)
        medium = medium_for(source, medium, from_model)
        dataset = dataset_of(source, medium=medium, columns=columns, progress=_reading(on_event))
        place = model_place(dataset.name if output is None else output)
        check_replaceable(place, MANIFEST_NAME)
        check_output(place, parent)
        options: dict[str, Any] = {
            "source": lasting_source(dataset.inspection.source),
            "medium": dataset.medium,
            "seconds": seconds,
            "steps": steps,
            "recipe": recipe,
            "seed": seed,
            "settings": list(settings),
        }
        share = None if dataset.held_out_share == HELD_OUT_SHARE else dataset.held_out_share
        given: dict[str, Any] = {"held_out_share": share, "columns": dataset.columns or None, "adapter": adapter}
        given["consent"] = agreed(recipe, voice_of, consent, parent=None if parent is None else parent.artifact) or None
        options |= {name: value for name, value in given.items() if value is not None}
        if parent is not None:
            options["from"] = parent.origin.parent.to_dictionary() | {"place": str(parent.artifact.path.absolute())}
        key = run_key(data_fingerprint=dataset.fingerprint, options=options, output=str(place))
        stored = find_resumable(key)
        if stored is None:
            stored = create_run(key=key, name=dataset.name, output=str(place), options=options)
            if place.exists():
                on_event(_note(f"{place} holds a model; it is replaced when the new one is complete"))
        else:
            on_event(_note(f"going on with the unfinished run {stored.id}"))
        return _carry_out(stored, Material(dataset=dataset, parent=parent), lead=lead, on_event=on_event, start=start)


def resume(run: str, *, on_event: OnEvent = ignore_event) -> Run:
    """Go on with a training that was stopped or killed; a finished one is only opened.

    Args:
        run: Its id, or a beginning that only it has.
        on_event: Called with every event.

    Raises:
        UnknownNameError: There is no such run.
        UnsupportedError: Its data came from memory.
        DataError: The data has changed since.
    """
    start = time.monotonic()
    lead = Lead(Team("cuda" if has_cuda() else "cpu"))
    if not lead.team.leads:
        return _followed(lead.team)
    with lead.failures_told():
        stored = open_run(run)
        state = stored.state()
        if state["status"] == FINISHED:
            on_event(_note(f"{stored.id} is finished"))
            lead.saved(stored, Path(state["artifact"]))
            return _opened(stored, load_artifact(Path(state["artifact"])), ())
        options = state["options"]
        if options["source"] in ("array", "list"):
            raise UnsupportedError(
                f"the data of {stored.id} was in the memory of a program",
                expected="data in a file or folder",
                do="call makar.train again with the same data: it goes on",
            )
        # Asked for in Python only; another share is another data set.
        share = options.get("held_out_share", HELD_OUT_SHARE)
        dataset = open_dataset(
            options["source"],
            medium=options["medium"],
            held_out_share=share,
            columns=options.get("columns", ""),
            progress=_reading(on_event),
        )
        if run_key(data_fingerprint=dataset.fingerprint, options=options, output=state["output"]) != state["key"]:
            raise DataError(
                f"the data of {stored.id} has changed since it began",
                expected="the same files",
                do="put them back, or train anew with makar train",
            )
        # A run that only lacks its index needs the model no more that it began from.
        begun = options.get("from") if _saved_before(stored) is None else None
        parent = None if begun is None else parent_again(Parent(name=begun["name"], hash=begun["hash"]), begun["place"])
        return _carry_out(stored, Material(dataset=dataset, parent=parent), lead=lead, on_event=on_event, start=start)


def _followed(team: Team) -> Run:
    """Compute along with the first process and return the run that it has finished."""
    stored, place = follow(team)
    return _opened(stored, load_artifact(place), _known_results(stored))


def _carry_out(stored: StoredRun, material: Material, *, lead: Lead, on_event: OnEvent, start: float) -> Run:
    place = Path(stored.state()["output"])
    with stored.lock():
        stored.clear_stop()
        try:
            saved = _saved_before(stored)
            if saved is None:
                plan, data, budget = _plan_and_data(stored, material, lead=lead, on_event=on_event, start=start)
                saved = _train_stages(
                    stored, plan, data, budget=budget, material=material, lead=lead, on_event=on_event
                )
            artifact, results = saved
            values = {"inner_loss": results[-1].inner_loss, "stages": [result.to_dictionary() for result in results]}
            stored.note_saved(place, artifact_hash=artifact.hash, result=values)
            on_event(_note("indexing the training data, so that copies of it are found"))
            stores = stores_of(artifact)
            if stores is not None:
                build_index(
                    stored.folder, stores, medium=material.dataset.medium, on_event=_until_stopped(stored, on_event)
                )
            # Only now, so that a run that was stopped or killed while it was indexed goes on there.
            stored.finish(place, artifact_hash=artifact.hash, result=values)
            lead.saved(stored, place)
        except KeyboardInterrupt as error:
            raise InterruptedRunError(
                f"interrupted; what is finished of {stored.id} is kept",
                do=f"run the same command again, or: makar runs resume {stored.id}",
            ) from error
    on_event(_note(f"saved to {place}; {time.monotonic() - start:.1f} s in all, with reading the data"))
    return _opened(stored, artifact, results)


def _saved_before(stored: StoredRun) -> tuple["Artifact", tuple[StageResult, ...]] | None:
    """Return the model and the results of a run that only lacks its index; ``None`` when there is anything else to do."""
    state, plan = stored.state(), stored.plan()
    if state["status"] != INDEXING or plan is None:
        return None
    results = _known_results(stored)
    try:
        artifact = load_artifact(Path(state["artifact"]))
    except MakarError:
        return None  # it was removed or changed since; the run's folder still has the weights to save it again
    is_whole = artifact.hash == state["artifact_hash"] and len(results) == len(trained_stages(plan.recipe))
    return (artifact, results) if is_whole else None


def _known_results(stored: StoredRun) -> tuple[StageResult, ...]:
    """Return the results of the stages that are over, in order."""
    plan = stored.plan()
    stages = () if plan is None else plan.recipe.stages
    found = (finished_result(stored.folder, stage.name) for stage in stages)
    return tuple(result for result in found if result is not None)


def _until_stopped(stored: StoredRun, on_event: OnEvent) -> OnEvent:
    """Return a listener that ends the work that it listens to when somebody asks to stop."""

    def listen(event: dict[str, Any]) -> None:
        if stored.stop_requested():
            raise InterruptedRunError(
                f"stopped while the data of {stored.id} was indexed; the model is saved",
                do="run the same command again: it goes on there",
            )
        on_event(event)

    return listen


def _plan_and_data(
    stored: StoredRun, material: Material, *, lead: Lead, on_event: OnEvent, start: float
) -> tuple[TrainingPlan, dict[str, TrainingData], Budget]:
    """Return the frozen plan, the data of every stage that needs no other, and the promise of time, which begins with that data."""
    options, dataset, parent = stored.state()["options"], material.dataset, material.parent
    plan = stored.plan()
    request = Request(
        seconds=options["seconds"],
        steps=options["steps"],
        recipe=options["recipe"],
        seed=options["seed"],
        settings=tuple(options["settings"]),
        origin=None if parent is None else parent.origin,
        adapter=options.get("adapter"),
    )
    recipe = with_frozen_judges(choose_recipe(dataset, request)) if plan is None else plan.recipe
    if parent is not None:
        parent.check(dataset, recipe)
    material.remember(stored.folder, recipe)
    check_disks([(stores_folder(), material.missing_bytes(recipe))])
    data = {stage.name: material.prepared(stage, {}, on_event=on_event) for stage in own_stages(recipe)}
    # Sizes of what a learned codec makes follow from what the codec below it makes; that is fitted before time begins to count.
    specs = [
        data[stage.name].codec.spec if stage.name in data else material.plain_spec(stage)
        for stage in (recipe.stages if plan is None else ())
    ]
    for remark in (remark for part in data.values() for remark in part.codec.remarks()):
        on_event(_note(remark))
    on_event(_note(f"data ready after {time.monotonic() - start:.1f} s{dataset.inspection.left_out}"))
    budget = Budget(math.inf if options["seconds"] is None else options["seconds"])
    if plan is None:
        if options["seconds"] is not None:
            on_event(_note("measuring this machine"))
        first = data[recipe.stages[0].name]
        size = measured_size(dataset, codec=first.codec, stores=first.stores)
        plan = lead.shared(size_recipe(recipe, request, size=size, plain_specs=specs, store_is_finished=True))
        check_disks([(Path(stored.state()["output"]), WEIGHT_BYTES * plan.predicted["parameters"])])
        stored.write_plan(plan)
    on_event(_note(plan.summary))
    return plan, data, budget


def _train_stages(
    stored: StoredRun,
    plan: TrainingPlan,
    data: dict[str, TrainingData],
    *,
    budget: Budget,
    material: Material,
    lead: Lead,
    on_event: OnEvent,
) -> tuple["Artifact", tuple[StageResult, ...]]:
    results: list[StageResult] = []
    trained = material.kept(plan.recipe)
    parent = None if material.parent is None else material.parent.artifact.path
    with stop_on_signal() as asked:
        for stage in trained_stages(plan.recipe):
            watch = Watch(
                on_event=shown_samples(stored.folder, on_event), stop=lambda: asked() or stored.stop_requested()
            )
            part = data.get(stage.name) or material.encoded(stage, trained, run=stored.folder, watch=watch)
            family = material.family(stage, device=plan.device)
            with lead.stage(stored, stage.name, stores=material.folder(stage, trained), parent=parent):
                result = train_stage(
                    plan,
                    stage,
                    family=family,
                    data=part,
                    folder=stored.folder,
                    watch=dataclasses.replace(watch, sample=sample_maker(part.codec)),
                    budget=budget,
                )
            results.append(result)
            trained[stage.name] = TrainedStage(codec=part.codec, family=family, training=stage_facts(stage, result))
        family.calibrate(inner_batches(part, family, seed=plan.seed))
        figures = real_figures(family, part, results)
        for finished in trained.values():
            finished.family.to("cpu")
        last = trained.pop(plan.recipe.stages[-1].name)
        artifact = save_artifact(
            Path(stored.state()["output"]),
            recipe=plan.recipe,
            codec=last.codec,
            family=last.family,
            training=training_facts(stored.id, plan, results, processes=lead.team.size) | figures,
            data=data_facts(material.dataset, stored.state()["options"]),
            components=trained,
        )
    if plan.seconds is not None:
        on_event(_note(f"{budget.consumed():.1f} s of {plan.seconds:.0f} s from the finished store to the saved model"))
    return artifact, tuple(results)


def _opened(stored: StoredRun, artifact: "Artifact", results: tuple[StageResult, ...]) -> Run:
    plan = stored.plan()
    assert plan is not None, "a finished run has a plan"
    return Run(id=stored.id, folder=stored.folder, plan=plan, results=results, model=Model(artifact))


def _reading(on_event: OnEvent) -> Any:
    def progress(stage: str, done: int, total: int | None) -> None:
        on_event({"event": "reading", "stage": stage, "done": done, "total": total})

    return progress


def _note(message: str) -> dict[str, Any]:
    return {"event": "note", "message": message}
