"""From a table of conversations to a model that answers: from nothing, from a model of text, and what is refused."""

import json
from types import SimpleNamespace

import pytest

import makar
from makar.api.promotion import weigh
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.errors import UnsupportedError
from makar.families.conversation.config import ChatConfig
from makar.families.pretrained.text_config import PretrainedTextConfig
from makar.recipe import Stage
from makar.recipes.conversation import grown_stage
from tests.cli.small_models import TEXT_SETTINGS, write_texts

SMALL = ["stages.0.family.decoder.depth=1", "stages.0.optimisation.batch_size=4"]


def write_talks(path, count=24):
    """Write conversations of two turns."""
    lines = [
        {
            "messages": [
                {"role": "user", "content": f"Who is number {n}?"},
                {"role": "assistant", "content": f"Fox {n}."},
            ]
        }
        for n in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def write_pairs(path, count=40):
    """Write pairs of answers."""
    lines = [{"prompt": f"Who is {n}?", "chosen": f"Fox {n}.", "rejected": f"I do not know {n}."} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def write_ratings(path, count=40):
    """Write answers with a thumb."""
    lines = [
        {"prompt": f"Who is {n}?", "response": f"Fox {n}.", "thumb": "up" if n % 2 else "down"} for n in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with models trained on conversations, from nothing and from a model of text."""
    folder = tmp_path_factory.mktemp("talks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder / "home"))
        write_talks(folder / "talks.jsonl")
        write_texts(folder / "stories")
        makar.train(folder / "talks.jsonl", steps=3, output="talker", settings=SMALL)
        makar.train(folder / "stories", steps=3, output="writer", settings=TEXT_SETTINGS[1::2])
        makar.train(folder / "talks.jsonl", steps=3, output="taught", from_model="writer")
        write_pairs(folder / "pairs.jsonl")
        makar.train(folder / "pairs.jsonl", steps=3, output="tuned", from_model="taught")
        makar.train(folder / "pairs.jsonl", steps=3, output="judge", settings=SMALL)
        for method in ("grpo", "ppo"):
            tiny = ["stages.0.family.group=2", "stages.0.family.longest_answer=4", "stages.0.optimisation.batch_size=4"]
            makar.train(
                folder / "talks.jsonl", steps=2, output=method, from_model="taught", recipe=method, settings=tiny
            )
        makar.train(write_ratings(folder / "ratings.jsonl"), steps=3, output="rater", from_model="taught")
    return folder


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.setenv("MAKAR_HOME", str(made / "home"))
    monkeypatch.chdir(made)
    return made


def test_the_data_chooses_the_recipe(folder):
    assert [makar.load(name).artifact.recipe.name for name in ("talker", "taught")] == ["chat", "chat"]
    taught, writer = makar.load("taught").artifact, makar.load("writer").artifact
    assert taught.recipe.parent.hash == writer.hash
    assert taught.family_config.decoder.width == writer.family_config.width
    assert taught.codec().vocabulary == writer.codec().vocabulary + 4


@pytest.mark.parametrize("name", ["talker", "taught"])
def test_an_answer_does_not_repeat_the_question(folder, name):
    model = makar.load(name)
    options = {"max_tokens": 12, "temperature": 1.0}
    asset = model.generate("Who is number 3?", options=options)[0]
    assert "Who is" not in asset.content and asset.manifest["prompt"] == "Who is number 3?"
    turns = [{"role": "user", "content": "Who is number 3?"}]
    assert model.generate(turns, options=options)[0].content == asset.content
    *pieces, whole = model.stream("Who is number 3?", options=options)
    assert "".join(pieces) == whole.content == asset.content


def test_the_report_compares_with_the_model_before(folder):
    report = makar.load("taught").evaluate(folder=folder / "report", samples=2)
    baselines = report.to_dictionary()["scores"]["answer_loss"]["baselines"]
    assert {"writer, before", "pairs of tokens"} == set(baselines)
    assert report.to_dictionary()["scores"]["answer_loss"]["value"] < baselines["writer, before"]["value"]


def test_what_the_feedback_is_chooses_what_learns_from_it(folder):
    kinds = [makar.load(name).artifact.recipe.name for name in ("tuned", "judge", "rater")]
    assert kinds == ["dpo", "reward", "rating"]
    assert makar.load("tuned").generate("Who is 3?", options={"max_tokens": 5})[0].content is not None


@pytest.mark.parametrize("name", ["tuned", "judge", "rater"])
def test_feedback_is_measured_beside_the_length_of_the_answers(folder, name):
    scores = makar.load(name).evaluate(folder=folder / f"report-{name}", samples=2).to_dictionary()["scores"]
    told = scores["told_right"]
    assert set(told["baselines"]) == {"length alone"} and 0 <= told["low"] <= told["value"] <= told["high"] <= 1
    assert (name == "tuned") == ("moved" in scores)


@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_what_learned_from_rewards_is_measured_beside_before(folder, method):
    model = makar.load(method)
    assert model.generate("Who is number 3?", options={"max_tokens": 4})
    scores = model.evaluate(folder=folder / f"report-{method}", samples=3).to_dictionary()["scores"]
    assert set(scores) == {"success", "strict", "lenient", "divergence"}
    assert list(scores["success"]["baselines"]) == ["taught, before"]
    assert weigh(method, "taught", samples=3).checks[0].name == "held-out prompts that earn the reward"


def test_a_model_tuned_by_rewards_is_weighed_against_the_model_of_text_behind_it(folder):
    goal = weigh("grpo", "writer", samples=2).checks[0]
    assert goal.name == "held-out prompts that earn the reward" and goal.gain is not None


def test_a_judge_gives_answers_a_score(folder):
    first, second = makar.load("judge").predict(["Fox 3.", "I do not know."], query="Who is 3?")
    assert first["what"] == "score" and first["score"] != second["score"]


def test_a_reward_model_tunes_and_does_not_decide(folder):
    small = ["stages.0.family.group=2", "stages.0.family.longest_answer=4", "stages.0.optimisation.batch_size=4"]

    def tuned(judge, output):
        settings = [*small, "stages.0.family.reward=model", f"stages.0.family.judge={judge}"]
        return makar.train(
            folder / "talks.jsonl", steps=2, output=output, from_model="taught", recipe="grpo", settings=settings
        ).model

    model = tuned(folder / "home" / "models" / "rater", "pleasing")
    named = model.artifact.family_config.judge
    assert (
        named == f"rater@{makar.load('rater').hash}"
        and str(folder) not in model.artifact.path.joinpath("makar.json").read_text()
    )
    scores = model.evaluate(folder=folder / "report-pleasing", samples=3).to_dictionary()["scores"]
    assert 0 < scores["liked"]["value"] < 1 and "before" in scores["liked"]["baselines"] and "success" not in scores
    first = weigh("pleasing", "taught", samples=2).checks[0]
    assert first.gain is None and "blindly" in first.why
    with pytest.raises(UnsupportedError, match="other tokens"):
        tuned("judge", "wrong")
    with pytest.raises(UnsupportedError, match="no score"):
        tuned("talker", "wrong")


def test_a_judge_cannot_be_taught_to_talk(folder):
    with pytest.raises(UnsupportedError, match="cannot be taught to talk"):
        makar.train(folder / "talks.jsonl", steps=1, from_model="judge", output="wrong")
    with pytest.raises(UnsupportedError, match="begins from a saved model"):
        makar.train(folder / "pairs.jsonl", steps=1, recipe="dpo", output="wrong")


def test_of_a_checkpoint_that_does_not_continue_text_the_way_is_named():
    family = PretrainedTextConfig(base="0" * 64, task="seq2seq")
    checkpoint = Stage(name="model", codec=PretrainedTextCodecConfig(), family=family)
    origin = SimpleNamespace(parent=SimpleNamespace(name="t5"), model=checkpoint)
    with pytest.raises(UnsupportedError, match="writes a text from a text") as caught:
        grown_stage(origin, ChatConfig(), makes="conversation")
    assert "continues text" in caught.value.do


def test_other_data_is_refused(folder):
    write_texts(folder / "more")
    with pytest.raises(UnsupportedError, match="labelled for no task"):
        makar.train(folder / "more", steps=1, recipe="chat")
    with pytest.raises(UnsupportedError, match="labelled for no task"):
        makar.train(folder / "more", steps=1, recipe="chat", from_model="writer", output="wrong")


def test_a_model_that_answers_better_is_kept_unless_it_forgot_what_it_knew(folder):
    found = weigh("taught", "writer", samples=4)
    goal, loss, copies, *suites = found.checks
    assert goal.verdict == "passed" and goal.gain.low > 0 and goal.unit == "bits/byte"
    assert loss.gain is not None and copies.wanted == "not worse"
    assert [(check.name, check.verdict) for check in suites] == [("bias", "unknown"), ("safety", "unknown")]
    assert found.keeps == ("failed" not in {loss.verdict, copies.verdict})
    back = weigh("taught", "taught", samples=4)
    assert not back.keeps and back.checks[0].gain.value == 0.0 and back.checks[1].verdict == "passed"


def test_models_with_other_tokens_or_without_words_are_not_weighed(folder):
    with pytest.raises(UnsupportedError, match="different tokens"):
        weigh("taught", "talker")
    with pytest.raises(UnsupportedError, match="two models of text"):
        weigh("judge", "talker")


def test_pairs_are_weighed_by_the_likelier_answer(folder):
    found = weigh("tuned", "taught", samples=2)
    assert "preferred" in found.checks[0].name and found.checks[1].gain is not None
    assert found.to_dictionary()["verdict"] in ("keep", "discard")
