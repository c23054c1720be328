"""Which recipe the data ask for: by their medium, the task that they are labelled for, and the model that a training begins from."""

from makar.families.encoder.config import EncoderConfig
from makar.recipe import Origin, Recipe

RECIPES = {
    "text": "text",
    "code": "code",
    "image": "image",
    "molecule": "molecule",
    "music": "musenet",
    "protein": "protein",
    "sound": "sound",
    "structure": "protein-structure",
    "video": "video",
}
TASK_RECIPES: dict[tuple[str, str], str] = {
    ("text", "classify"): "classify",
    ("text", "tag"): "tag",
    ("text", "converse"): "chat",
    ("text", "prefer"): "reward",
    ("text", "rate"): "rating",
    ("text", "rewrite"): "rewrite",
    ("code", "rewrite"): "rewrite",
    ("text", "answer"): "answer",
    ("text", "compare"): "embed",
    ("text", "grade"): "grade",
    ("image", "rate"): "image-feedback",
}
"""The recipe for data of a medium that is labelled for a task; where there is none, the labels are left out."""

WRITER_RECIPES = {"converse": "chat", "prefer": "dpo", "rate": "rating"}
"""By task, where a training begins from a model of text."""

READER_RECIPES = {
    "classify": "classify",
    "tag": "tag",
    "answer": "find-answer",
    "grade": "grade",
    "compare": "embed",
    "rewrite": "embed",
}
"""By task, where a training begins from an encoder: it writes nothing, so answers are marked and pairs are compared."""

READS_AND_WRITES = "seq2seq"
"""Kind of family of which a model goes on with any task of pairs of texts."""


LABELLED = {
    **{"image": "image-class", "sound": "sound-class", "structure": "protein-structure-class"},
    "video": "video-class",
}
CAPTIONED = {"image": "image-text", "sound": "sound-text", "video": "video-text"}
"""Recipes of media whose items can have a class or a caption."""

SPOKEN, SPOKEN_VOICES = "speech", "speech-voices"
"""Of recordings with times of when what is spoken, which nobody states of anything but speech."""

LEAST_SHARE = 0.5
"""Share of the items that must have a caption, or times, for them to be worth learning."""


def recipe_of_items(medium: str, *, is_labelled: bool, captioned: float, timed: float) -> str | None:
    """Return the recipe that what is known of the items asks for; ``None`` where nothing is.

    Args:
        medium: What they are.
        is_labelled: Whether each has a class.
        captioned: Share that has a caption.
        timed: Share that comes with times of when what is spoken.
    """
    if timed >= LEAST_SHARE:
        return SPOKEN_VOICES if is_labelled else SPOKEN
    if is_labelled and medium in LABELLED:
        return LABELLED[medium]
    return CAPTIONED.get(medium) if captioned >= LEAST_SHARE else None


def recipe_for(medium: str, task: str) -> str:
    """Return the recipe of a training from nothing."""
    return TASK_RECIPES.get((medium, task), RECIPES[medium])


def grown_recipe_for(medium: str, task: str, origin: Origin) -> str | None:
    """Return the recipe of a training that begins from a model; ``None``: the model is trained on as it was."""
    if origin.model.family.kind == READS_AND_WRITES:
        return TASK_RECIPES.get((medium, task))
    if medium == "image":
        return TASK_RECIPES.get((medium, task))
    if medium != "text" or origin.recipe.medium != "text":
        return None
    return (READER_RECIPES if isinstance(origin.model.family, EncoderConfig) else WRITER_RECIPES).get(task)


def reading_for(recipe: Recipe, task: str) -> Recipe:
    """Return a recipe whose codecs read what rows hold that are labelled for a task, where they have a choice."""
    stages = [stage.changed(codec=stage.codec.for_task(task)) for stage in recipe.stages]
    made: Recipe = recipe.changed(stages=tuple(stages))
    return made
