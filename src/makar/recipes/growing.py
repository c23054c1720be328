"""The recipe of a training that begins from a model, by the data, by what was asked for, and by the model.

It is that model's own recipe, continued, or another that grows from it; and either learns an adapter of the model
where one is asked for.
"""

from makar import registry
from makar.config import with_settings
from makar.errors import UnsupportedError, UsageError
from makar.families.conversation.config import decoder_of
from makar.recipe import Origin, Recipe, check_rows, check_task, continued
from makar.recipes.adapters import adapted, owned
from makar.recipes.for_task import grown_recipe_for, reading_for

PIPELINE_ADAPTER = "lora"
"""The recipe, and the one kind of adapter, of pretrained pipelines of images."""


def grown_recipe(
    origin: Origin, *, name: str | None, adapter: str | None, medium: str, task: str, settings: tuple[str, ...]
) -> Recipe:
    """Return the recipe of a training that begins from a model: another that grows from it, or its own, continued.

    Args:
        origin: The model.
        name: The recipe that was asked for.
        adapter: The kind of adapter that was asked for.
        medium: Of the data.
        task: That the data is labelled for; empty for none.
        settings: ``PATH=VALUE`` changes to the recipe.

    Raises:
        UnknownNameError: There is no such recipe or adapter.
        UnsupportedError: The recipe does not begin from this model, is for other data, or has no adapters.
    """
    is_pipeline = adapter is not None and origin.recipe.medium == "image"
    if is_pipeline:
        if name not in (None, PIPELINE_ADAPTER) or adapter != PIPELINE_ADAPTER:
            raise UsageError(
                f"--adapter {adapter}" + (f" and --recipe {name}" if name else "") + " of a model of images",
                expected="one of them: --adapter lora, without a recipe",
            )
        name = PIPELINE_ADAPTER
    recipe = _begun(origin, name=name, adapter=adapter, medium=medium, task=task)
    if adapter is not None and not is_pipeline:
        recipe = adapted(recipe, origin, adapter)
    elif adapter is None:
        recipe = owned(recipe)
    media = {medium for stage in recipe.stages for medium in stage.codec.content_media}
    if medium not in media:
        raise UnsupportedError(
            f'"{origin.parent.name}" makes {origin.recipe.medium}, the data is {medium}',
            expected=f"{' or '.join(sorted(media))} to train it on with",
        )
    recipe = reading_for(recipe, task)
    check_task(recipe, task)
    for stage in recipe.stages:
        check_rows(stage.codec, task, medium=medium, recipe=name or recipe.name)
    chosen: Recipe = with_settings(recipe.changed(medium=medium), list(settings))
    return chosen.changed(parent=origin.parent)


def _begun(origin: Origin, *, name: str | None, adapter: str | None, medium: str, task: str) -> Recipe:
    chosen = name or grown_recipe_for(medium, task, origin) or origin.recipe.name
    function = registry.load("recipes", chosen) if chosen in registry.names("recipes") or name else None
    made: Recipe | None = None if function is None else function()
    if function is not None and made is not None and (made.grown or made.grows):
        recipe: Recipe = function(origin)
        return recipe
    if chosen == origin.recipe.name:
        if not origin.model.family.parameter_count() and adapter is None and decoder_of(origin.model.family) is None:
            raise UnsupportedError(
                f'"{origin.parent.name}" is somebody else\'s model, which is not trained on as a whole',
                expected="an adapter of it" if origin.recipe.medium == "image" else "a checkpoint that continues text",
                do="--adapter lora" if origin.recipe.medium == "image" else "",
            )
        return continued(origin)
    recipes = [registry.load("recipes", other)() for other in registry.names("recipes")]
    grown = [one.name for one in recipes if one.grown or one.grows]
    raise UnsupportedError(
        f'recipe "{chosen}" does not begin from a model, and "{origin.parent.name}" was made with "{origin.recipe.name}"',
        expected=", ".join([f"no recipe, which trains {origin.parent.name} on", *grown]),
    )
