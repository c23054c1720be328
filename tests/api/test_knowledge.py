"""Documents in Python: what a model is told, and what is made where."""

from makar.api import knowledge
from makar.api.model import Model
from tests.api.test_engines import chatty
from tests.serving.server import talker

QUESTION = "When is a refund paid?"


def write_rules(folder):
    """Write three documents of about 500 characters on refunds."""
    folder.mkdir()
    for number in range(3):
        said = f"A refund of kind {number} is paid within {number + 7} days. " + "The shop is closed on holidays. " * 14
        (folder / f"{number}.txt").write_text(said, encoding="utf-8")
    return folder


def told(monkeypatch, model, options):
    """Return the answer and the prompt that the model was given."""
    given = []
    real = Model.generate

    def watched(self, prompts, **more):
        given.extend(prompts)
        return real(self, prompts, **more)

    monkeypatch.setattr(Model, "generate", watched)
    answer = knowledge.ask(QUESTION, "rules", model=model, options=options)
    return answer, given[0].text


def test_the_best_sources_that_fit_are_what_a_model_is_told(own_folder, monkeypatch):
    knowledge.index(write_rules(own_folder / "rules"), "rules")
    options = {"max_tokens": 20}
    answer, text = told(monkeypatch, talker(own_folder / "wide", context=4096).path, options)
    assert answer.left_out == 0 and not answer.is_cut and all(f"[{number}]" in text for number in (1, 2, 3))
    # One byte is one token; of the three sources two fit.
    answer, text = told(monkeypatch, talker(own_folder / "middle", context=1600).path, options)
    assert answer.left_out == 1 and not answer.is_cut and answer.to_dictionary()["left_out"] == 1
    assert text.startswith("You answer questions") and "[1]" in text and "[3]" not in text and len(text) <= 1580
    answer, text = told(monkeypatch, talker(own_folder / "narrow", context=128).path, options)
    assert answer.left_out == 2 and answer.is_cut and "[1]" in text and "[2]" not in text
    answer, text = told(monkeypatch, chatty(own_folder / "chatty", context=1600).path, options)
    assert answer.left_out == 1 and not answer.is_cut
