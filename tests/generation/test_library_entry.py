"""What a library keeps of an asset is read from its manifest, as a person reads it."""

import pytest

from makar.generation.library_entry import kind_of, model_of, prompt_of, steps_of

FILM = {"operation": "film", "settings": {"start": 1.0, "speed": 2.0}, "sources": [1, 2], "form": "gif"}


@pytest.mark.parametrize(
    ("manifest", "kind", "prompt"),
    [
        ({"prompt": "a fox", "settings": {"label": "cat"}}, "create", "a fox"),
        ({"prompt": None, "settings": {"label": "cat"}}, "create", "cat"),
        ({"prompt": 3}, "create", "3"),
        ({"prompt": [5, 6, 7]}, "create", ""),
        ({"prompt": None, "settings": {}}, "create", ""),
        ({"prompt": {"conversation": ["ab"]}}, "create", ""),
        ({"prompt": "Hello.", "edit": {"operation": "speak"}}, "create", "Hello."),
        ({"prompt": "Ann: Hi.", "edit": {"operation": "read aloud"}}, "create", "Ann: Hi."),
        ({"prompt": None, "edit": {"operation": "infill"}}, "edit", ""),
        (
            {
                "prompt": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Ho"},
                    {"role": "user", "content": "Ha"},
                ]
            },
            *("chat", "Ha"),
        ),
        ({"prompt": None, "edit": FILM}, "edit", "2 films joined, from 1 s to the end, 2 times as fast, as gif"),
        (
            {"prompt": None, "edit": {**FILM, "sources": [1], "settings": {"end": 0.5}, "sound": {"sound": "removed"}}},
            *("edit", "a film, from 0 s to 0.5 s, no sound, as gif"),
        ),
    ],
)
def test_how_it_was_made_and_what_was_asked_for(manifest, kind, prompt):
    assert (kind_of(manifest), prompt_of(manifest)) == (kind, prompt)


def test_a_model_has_the_name_that_a_server_gives_it():
    names = [model_of({"artifact": one}) for one in ({"name": "fox"}, {"name": "openai:gpt"}, None)]
    assert names == ["fox", "gpt", ""] and model_of({}) == ""


def test_a_script_takes_the_steps_of_each_of_its_lines():
    assert steps_of({"settings": {"steps": 8}, "edit": {"lines": 3}}) == 24
    assert steps_of({"settings": {"steps": None}}) == steps_of({}) == 1
