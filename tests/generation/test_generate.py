"""The same request gives the same assets, every control counts, and what cannot be honoured is refused."""

import numpy as np
import pytest
import torch
from tiny_models import TinyImageOptions, TinyTextOptions

from makar.errors import CopyRefusedError, UnknownNameError, UnsupportedError, UsageError
from makar.generation import request
from makar.generation.generate import TOGETHER, generate
from makar.generation.guards import seed_of_attempt, shareable_novelty
from makar.generation.stream import stream_text


class Finding:
    def __init__(self, is_copy):
        self.is_copy = is_copy

    def to_dictionary(self):
        return {"score": float(self.is_copy)}


class RefusesFirst:
    """Calls the first so many things it sees copies."""

    def __init__(self, copies):
        self.copies = copies
        self.seen = []

    def check(self, content):
        self.seen.append(content)
        self.copies -= 1
        return Finding(self.copies >= 0)


def hashes(assets):
    return [asset.hash for asset in assets]


def test_same_seed_gives_the_same_asset_in_every_call_and_count(image_artifact, text_artifact):
    for artifact in (image_artifact, text_artifact):
        many = hashes(generate(artifact, count=5, seed=7))
        assert len(set(many)) == 5
        assert hashes(generate(artifact, count=2, seed=7)) == many[:2]
        assert hashes(generate(artifact, count=1, seed=9)) == many[2:3]


def test_more_than_fit_together_are_the_same_as_alone(image_artifact):
    many = list(generate(image_artifact, count=TOGETHER + 2, seed=0))
    assert [asset.manifest["seed"] for asset in many] == list(range(TOGETHER + 2))
    assert hashes(generate(image_artifact, seed=TOGETHER + 1)) == [many[-1].hash]


def test_a_prompt_gives_the_same_assets_whatever_is_asked_beside_it(image_artifact):
    alone = hashes(generate(image_artifact, prompts="dog", count=2))
    beside = list(generate(image_artifact, prompts=["cat", "dog"], count=2))
    assert hashes(beside[2:]) == alone
    assert [asset.manifest["prompt"] for asset in beside] == ["cat", "cat", "dog", "dog"]
    assert len(set(hashes(generate(image_artifact, prompts=["dog", "dog"])))) == 2


def test_class_names_numbers_and_arrays_mean_the_same(image_artifact):
    by_name = hashes(generate(image_artifact, prompts=["cat", "fox"]))
    assert hashes(generate(image_artifact, prompts=[0, 2])) == by_name
    assert hashes(generate(image_artifact, prompts=np.array([0, 2]))) == by_name
    assert hashes(generate(image_artifact, prompts=2)) == by_name[1:]


def test_text_continues_its_prompt_and_says_how_much_was_given(text_artifact):
    asset = next(generate(text_artifact, prompts="It was a därk "))
    assert asset.content.startswith("It was a därk ")
    assert asset.new_text == asset.content[14:]
    assert len(asset.new_text) == 24
    tokens = np.frombuffer("It was a därk ".encode(), np.uint8)
    assert next(generate(text_artifact, prompts=tokens)).content == asset.content
    assert next(generate(text_artifact, prompts="")).manifest["continues_characters"] == 0


def test_every_option_changes_the_result_and_is_stated(text_artifact, image_artifact):
    plain = next(generate(text_artifact))
    short = next(generate(text_artifact, options={"length": 3}))
    assert len(short.content) == 3
    assert short.manifest["settings"] == {"temperature": 1.0, "length": 3}
    assert next(generate(text_artifact, options={"temperature": 0})).content != plain.content
    assert next(generate(text_artifact, options=TinyTextOptions(length=3))).content == short.content
    still = generate(image_artifact, options={"strength": 0.0}, count=2)
    assert len(set(hashes(still))) == 1


def test_what_a_model_cannot_honour_is_refused_before_anything_is_drawn(text_artifact, image_artifact):
    with pytest.raises(UnsupportedError, match='no control "steps"') as caught:
        generate(text_artifact, options={"steps": 3})
    assert caught.value.expected == "one of: length, temperature"
    with pytest.raises(UnsupportedError, match="TinyImageOptions"):
        generate(text_artifact, options=TinyImageOptions())
    with pytest.raises(UnknownNameError, match="wolf"):
        generate(image_artifact, prompts="wolf")
    with pytest.raises(UnsupportedError, match="class 3"):
        generate(image_artifact, prompts=3)
    with pytest.raises(UnsupportedError):
        generate(text_artifact, prompts=np.array([[300]]))
    with pytest.raises(UnsupportedError):
        generate(text_artifact, prompts=np.array([0.5]))
    with pytest.raises(UnsupportedError, match="empty list"):
        generate(text_artifact, prompts=[])
    for wrong in ({"count": 0}, {"seed": -1}, {"seed": 1 << 62}):
        with pytest.raises(UsageError):
            generate(text_artifact, **wrong)


def test_a_prompt_that_the_codec_would_change_is_refused(text_artifact, monkeypatch):
    monkeypatch.setattr(type(text_artifact.codec()), "decode", lambda self, slots: "It w")
    with pytest.raises(UnsupportedError, match="'ä'"):
        generate(text_artifact, prompts="It wä")


def test_novelty_is_stated_and_looks_only_at_what_is_new(text_artifact):
    index = RefusesFirst(0)
    asset = next(generate(text_artifact, prompts="given ", novelty=index))
    assert asset.novelty == asset.manifest["novelty"] == {"score": 0.0}
    assert index.seen == [asset.new_text]
    assert next(generate(text_artifact)).novelty is None


def test_names_and_passages_of_the_data_stay_out_of_the_manifest():
    near = [{"source": "diary.txt", "passage": "dear diary", "licence": "CC0-1.0"}]
    found = shareable_novelty({"score": 0.5, "baseline": {"share": 0.1}, "nearest": near})
    assert found == {"score": 0.5, "baseline": {"share": 0.1}, "licences_nearby": ["CC0-1.0"]}


def test_copies_are_drawn_again_from_a_derived_seed(image_artifact):
    asset = next(generate(image_artifact, seed=5, novelty=RefusesFirst(2), refuse_copies=True))
    assert (asset.manifest["seed"], asset.manifest["attempt"], asset.manifest["guards"]) == (5, 2, ["copies"])
    assert hashes(generate(image_artifact, seed=seed_of_attempt(5, 2))) == [asset.hash]
    kept = next(generate(image_artifact, seed=5, novelty=RefusesFirst(2)))
    assert kept.manifest["attempt"] == 0


def test_a_refused_one_does_not_change_the_others_or_their_order(image_artifact):
    plain = list(generate(image_artifact, count=4))
    # The sampler draws backwards, so the first one seen is the last.
    guarded = list(generate(image_artifact, count=4, novelty=RefusesFirst(1), refuse_copies=True))
    assert hashes(guarded[:3]) == hashes(plain[:3])
    assert guarded[3].hash != plain[3].hash
    assert [asset.manifest["seed"] for asset in guarded] == [0, 1, 2, 3]


def test_when_every_draw_is_a_copy_nothing_is_given(image_artifact):
    with pytest.raises(CopyRefusedError, match="seed 3 were refused"):
        list(generate(image_artifact, seed=3, novelty=RefusesFirst(99), refuse_copies=True))
    with pytest.raises(UnsupportedError, match="not indexed"):
        generate(image_artifact, refuse_copies=True)


def test_the_manifest_names_everything_that_made_the_asset(image_artifact):
    manifest = next(generate(image_artifact, prompts="fox", seed=4)).manifest
    assert manifest["artifact"] == {"hash": image_artifact.hash, "name": "cats"}
    assert manifest["previous"] == image_artifact.hash
    assert manifest["data"]["licences"] == {"CC0-1.0": 2, "NOASSERTION": 1}
    assert manifest["content"]["height"] == 8
    assert (manifest["medium"], manifest["prompt"], manifest["seed"]) == ("image", "fox", 4)
    assert len(manifest["id"]) == 32


def test_streamed_pieces_join_to_the_asset_that_generate_makes(text_artifact):
    *pieces, asset = stream_text(text_artifact, prompt="It was ", seed=3)
    assert len(pieces) > 5
    assert (
        "It was " + "".join(pieces) == asset.content == next(generate(text_artifact, prompts="It was ", seed=3)).content
    )


def test_streaming_checks_before_it_begins(text_artifact, image_artifact):
    with pytest.raises(UnsupportedError):
        stream_text(text_artifact, options={"steps": 3})
    with pytest.raises(UnsupportedError, match="streamed"):
        stream_text(image_artifact)


class RefusesContent:
    """A guard that refuses what it was told to."""

    name = "taste"

    def __init__(self, *contents):
        self.contents = contents

    def refusal(self, draft):
        return "it is not to be shown" if draft.new_content in self.contents else None


def test_a_stream_under_guard_gives_nothing_that_a_guard_refuses(text_artifact, monkeypatch):
    refused = next(generate(text_artifact, seed=3)).new_text
    assert "".join(list(stream_text(text_artifact, seed=3))[:-1]) == refused
    monkeypatch.setattr(request, "GUARDS", (RefusesContent(refused),))
    *pieces, asset = stream_text(text_artifact, seed=3)
    assert refused not in "".join(pieces)
    assert "".join(pieces) == asset.content == next(generate(text_artifact, seed=3)).content
    assert (asset.manifest["guards"], asset.manifest["attempt"]) == (["taste"], 1)


def test_a_hook_on_the_logits_changes_text_and_stream_and_is_stated(text_artifact):
    def only_the_letter_b(logits, history):
        assert len(history)
        return torch.where(torch.arange(len(logits)) == ord("b"), 0.0, float("-inf"))

    asset = next(generate(text_artifact, hook=only_the_letter_b))
    assert set(asset.content) == {"b"} != set(next(generate(text_artifact)).content)
    assert asset.manifest["hook"] == "only_the_letter_b"
    assert next(generate(text_artifact)).manifest["hook"] is None
    *pieces, _ = stream_text(text_artifact, hook=only_the_letter_b)
    assert set("".join(pieces)) == {"b"}


def test_a_hook_is_refused_by_a_model_that_draws_no_tokens(image_artifact):
    with pytest.raises(UnsupportedError, match="logits"):
        generate(image_artifact, hook=lambda logits, history: logits)
