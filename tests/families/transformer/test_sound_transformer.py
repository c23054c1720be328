"""Sounds as streams of tokens after their caption: losses by hand, drawing as the whole pass would, guides, windows, what is refused."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from makar.codecs.sound_config import SoundCodecConfig
from makar.errors import ConfigError, UnsupportedError
from makar.families.asked import Asking
from makar.families.family import build_family
from makar.families.transformer.delay import delayed, undelayed
from makar.families.transformer.sound_config import SoundTransformerConfig
from makar.families.transformer.sound_options import SoundTokenOptions
from makar.families.transformer.sound_sampler import SoundTokenSampler
from makar.families.transformer.sound_stream import guide_rows, lyric_rows
from makar.tensor_spec import CAPTION, CLASS, KNOWN, LYRICS, MASK, SOURCE, TARGET, Slot, TensorSpec

CAPTIONS = torch.tensor([[4, 5, 6, 0], [1, 0, 0, 0], [2, 3, 0, 0]])
LABELS = torch.tensor([0, 2, 1])
SMALL = SoundTransformerConfig(
    codes=7,
    codebooks=3,
    moments=6,
    classes=2,
    caption_length=4,
    caption_vocabulary=9,
    source_codes=5,
    source_codebooks=2,
    source_moments=3,
    depth=2,
    width=32,
    heads=2,
    source_dropout=0.5,
)
PLAIN = SMALL.changed(classes=0, caption_length=0, caption_vocabulary=0, source_codes=0, source_dropout=0.0)

SUNG = SMALL.changed(lyric_units=5, lyric_frames=12)


class Listening:
    """A codec of which a sampler only asks how long a sound is."""

    def __init__(self, imagined=None):
        self.config = SoundCodecConfig(rate_hz=1000, hop=100, frames=24)
        self.plain = self
        self.class_counts = {"a": 1, "b": 3}
        self.asked = []
        if imagined is not None:
            self.imagine_from = lambda prompts, seeds, options: self._imagined(imagined, prompts, seeds, options)

    def encode_caption(self, text):
        return np.array([len(text) % 7 + 2, 0, 0, 0])

    def encode_lyrics(self, text):
        return np.array([1 + len(word) % 4 for word in text.split() for _ in range(4)])

    def _imagined(self, imagined, prompts, seeds, options):
        self.asked.append((prompts, seeds, options))
        return [imagined] * len(seeds)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built(config=SMALL, noise=0.3):
    family = build_family(config)
    family.initialise(generator())
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, generator=generator(1)))
    return family.eval()


def batch(config=SMALL, count=3):
    codes = torch.randint(0, config.codes, (count, config.codebooks, config.moments), generator=generator(2))
    found = {TARGET: codes}
    if config.classes:
        found |= {CLASS: LABELS[:count].clamp(max=1), CAPTION: CAPTIONS[:count]}
    if config.source_codes:
        sizes = (count, config.source_codebooks, config.source_moments)
        found[SOURCE] = torch.randint(0, config.source_codes, sizes, generator=generator(3))
    if config.lyric_units:
        found[LYRICS] = torch.randint(0, config.lyric_units, (count, config.lyric_frames), generator=generator(4))
    return found


def logits(family, row, *, codes=None):
    """Return the logits of one example from the network as it is exported, ``[codebooks, steps, codes]``."""
    config = family.config
    caption = row[CAPTION][row[CAPTION] != 0] if CAPTION in row else torch.zeros(0, dtype=torch.int64)
    label = [config.class_start + int(row[CLASS])] if CLASS in row else []
    text = torch.tensor([*label, *caption.tolist(), 0])
    steps = delayed(row[TARGET] if codes is None else codes, nothing=config.codes)[:, :-1]
    guide = {"guide": row[SOURCE][None]} if SOURCE in row else {}
    guide |= {"lyrics": row[LYRICS][None]} if LYRICS in row else {}
    (part,) = family.onnx_parts()
    with torch.no_grad():
        return part.module(text=text[None], steps=steps[None], **guide)[0]


def rows(found, place):
    return {name: values[place] for name, values in found.items()}


@pytest.mark.parametrize(
    "config", [SMALL, SUNG, PLAIN, PLAIN.changed(codebooks=1), PLAIN.changed(lyric_units=5, lyric_frames=6)]
)
def test_the_loss_is_the_mean_surprise_over_codebooks_of_each_example_alone(config):
    family, found = built(config), batch(config)
    losses = []
    for place in range(3):
        said = logits(family, rows(found, place))
        by_moment = undelayed(said.permute(2, 0, 1))  # [codes, codebooks, moments]
        losses.append(cross_entropy(by_moment.permute(1, 2, 0).flatten(0, 1), found[TARGET][place].flatten()))
    together = family.validation_loss(found, generator())
    assert float(together.value) == pytest.approx(float(torch.stack(losses).mean()), rel=1e-4)
    assert together.count == found[TARGET].numel()
    assert float(together.value) == pytest.approx(
        np.mean([together.metrics[f"codebook_{number + 1}"] for number in range(config.codebooks)]), rel=1e-4
    )


def test_a_token_is_predicted_from_what_stands_before_it_alone():
    family, found = built(), batch()
    row = rows(found, 0)
    before = logits(family, row)
    changed = row[TARGET].clone()
    changed[1, 2] = (changed[1, 2] + 1) % 7  # the second codebook at the third moment enters at step 3
    after = logits(family, row, codes=changed)
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-5) and not torch.allclose(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("config", [SMALL, SUNG, PLAIN])
def test_drawing_step_by_step_is_what_the_whole_pass_says(config):
    family, found = built(config), batch(config)
    codec = Listening()
    row = rows(found, 0)
    prompt = {name: row[name] for name in (CLASS, CAPTION, SOURCE, LYRICS) if name in row}
    ((_, made, _),) = family.sampler(codec).sample(
        SoundTokenOptions(temperature=0.0, guidance=1.0 if prompt else None), [prompt], [0]
    )
    codes = torch.from_numpy(made[TARGET])
    said = undelayed(logits(family, row, codes=codes).permute(2, 0, 1))
    assert torch.equal(said.argmax(0), codes)


def test_guidance_leads_away_from_what_is_not_asked_for():
    family, codec = built(), Listening()
    prompt = {CAPTION: CAPTIONS[0], CLASS: torch.tensor(1)}

    def made(**values):
        ((_, slots, _),) = family.sampler(codec).sample(SoundTokenOptions(temperature=0.0, **values), [prompt], [0])
        return slots[TARGET]

    assert not np.array_equal(made(guidance=1.0), made(guidance=6.0))
    assert not np.array_equal(made(guidance=6.0), made(guidance=6.0, negative_prompt="loud"))


def test_a_guide_stands_beside_its_moment_and_may_be_hidden():
    # Three moments of the guide for six of the sound: each stands beside two, the last step beside the last.
    places = guide_rows(SMALL, torch.tensor([[0, 1, 2], [3, 3, 3]]))
    assert places.tolist() == [[0, 0, 1, 1, 2, 2, 2, 2], [9] * 8]
    family, codec = built(), Listening()
    guides = [torch.zeros(2, 3).long(), torch.full((2, 3), 4)]
    prompts = [*({SOURCE: guide} for guide in guides), {SOURCE: torch.full((2, 3), 5)}, {}]
    made = [
        slots[TARGET]
        for _, slots, _ in family.sampler(codec).sample(SoundTokenOptions(temperature=0.0), prompts, [0] * 4)
    ]
    assert not np.array_equal(made[0], made[1])
    with torch.no_grad():
        for parameter in family.phases()[0].groups[-1].parameters:
            parameter.zero_()
    silent = [
        slots[TARGET]
        for _, slots, _ in family.sampler(codec).sample(SoundTokenOptions(temperature=0.0), prompts, [0] * 4)
    ]
    assert np.array_equal(silent[0], silent[1])


def test_words_stand_beside_the_moments_at_which_they_are_sung():
    # Two frames a moment: a table for each of them, and the steps behind the last moment are told what it is told.
    config = SUNG.changed(lyric_units=20)
    first, second = lyric_rows(config, torch.arange(12)).tolist()
    assert first == [0, 2, 4, 6, 8, 10, 10, 10] and second == [21 + frame for frame in [1, 3, 5, 7, 9, 11, 11, 11]]
    assert config.lyric_rows == 42 and lyric_rows(
        PLAIN.changed(lyric_units=3, lyric_frames=3), torch.arange(3)
    ).tolist() == [[0, 0, 1, 1, 2, 2, 2, 2]]
    family = built(SUNG)
    found = batch(SUNG)
    row = rows(found, 0)
    other = row | {LYRICS: row[LYRICS].clone()}
    other[LYRICS][6] = (other[LYRICS][6] + 1) % 5  # the first half of the fourth moment
    before, after = logits(family, row), logits(family, other)
    assert torch.allclose(before[:, :3], after[:, :3], atol=1e-5) and not torch.allclose(before[:, 3], after[:, 3])


def test_words_are_hidden_in_a_share_and_wherever_the_class_is():
    def losses(**values):
        family = built(SUNG.changed(**values))
        found = batch(SUNG)
        others = found | {LYRICS: (found[LYRICS] + 1) % 5}
        return [float(family.phases()[0].loss(one, generator(7)).value.detach()) for one in (found, others)]

    told, others = losses(lyric_dropout=0.0, class_dropout=0.0)
    assert told != others
    first, second = losses(lyric_dropout=0.0, class_dropout=1.0)
    assert first == second
    # What is drawn for one example in two is not what is drawn for none.
    assert losses(lyric_dropout=0.5, class_dropout=0.0) != [told, others]


def test_words_are_sung_for_as_long_as_they_take_in_the_prior_too():
    family, codec = built(SUNG.changed(source_dropout=0.0)), Listening(torch.ones(2, 8).long())

    def made(prompt=None, **values):
        options = SoundTokenOptions(temperature=0.0, **values)
        ((_, slots, _),) = family.sampler(codec).sample(options, [prompt or {}], [3])
        return slots[TARGET]

    sung = made(lyrics="la la")
    ((prompt,), _, options) = codec.asked[-1]
    assert prompt[LYRICS].tolist() == [3] * 8 and options == {}
    assert sung.shape == (3, 6) and not np.array_equal(sung, made()) and not np.array_equal(sung, made(lyrics="a a"))
    assert np.array_equal(sung, made({LYRICS: torch.tensor([3] * 8)}))
    # Twelve frames are six moments: five words of four frames are ten.
    assert made(lyrics="la la la la la").shape == (3, 10) and codec.asked[-1][2] == {"seconds": pytest.approx(4.0)}
    # Guidance leads away from the same without words.
    assert not np.array_equal(made(lyrics="la la", guidance=6.0), sung)
    # They are sung behind what is known, which they say nothing of.
    made({KNOWN: torch.zeros(3, 4).long(), SOURCE: torch.zeros(2, 2).long()}, lyrics="la la")
    assert codec.asked[-1][0][0][LYRICS].tolist() == [5] * 8 + [3] * 8


def test_what_is_known_stays_and_is_gone_on_from():
    family, codec = built(PLAIN), Listening()
    known = torch.randint(0, 7, (3, 4), generator=generator(5))
    ((_, made, _),) = family.sampler(codec).sample(SoundTokenOptions(), [{KNOWN: known}], [3])
    assert made[TARGET].shape == (3, 4 + 3) and np.array_equal(made[TARGET][:, :4], known.numpy())
    ((_, greedy, _),) = family.sampler(codec).sample(SoundTokenOptions(temperature=0.0), [{KNOWN: known[:, :2]}], [3])
    row = {TARGET: torch.from_numpy(greedy[TARGET][:, :5])}
    config = family.config.changed(moments=5)
    alike = build_family(config)
    alike.load_tensors(family.tensors())
    said = undelayed(logits(alike.eval(), row).permute(2, 0, 1)).argmax(0)
    assert np.array_equal(said[:, 2:].numpy(), greedy[TARGET][:, 2:5])


def test_long_sounds_are_written_in_windows_and_short_ones_end_early():
    family, codec = built(PLAIN), Listening()

    def made(seconds, seed=0):
        ((_, slots, _),) = family.sampler(codec).sample(SoundTokenOptions(seconds=seconds), [{}], [seed])
        return slots[TARGET]

    # 2.4 seconds are six moments.
    assert made(0.8).shape == (3, 2) and made(2.4).shape == (3, 6) and made(6.0).shape == (3, 15)
    assert np.array_equal(made(6.0), made(6.0)) and not np.array_equal(made(6.0), made(6.0, seed=1))
    assert np.array_equal(made(6.0)[:, :6], made(2.4))
    with pytest.raises(UnsupportedError, match="as long already"):
        list(family.sampler(codec).sample(SoundTokenOptions(seconds=0.4), [{KNOWN: torch.zeros(3, 4).long()}], [0]))


def test_a_guide_that_is_not_given_is_imagined_of_the_same_class_and_as_long():
    imagined = torch.ones(2, 8).long()
    codec = Listening(imagined)
    family = built(SMALL.changed(source_dropout=0.0))
    list(family.sampler(codec).sample(SoundTokenOptions(label="b"), [{CAPTION: CAPTIONS[0]}], [9]))
    (((prompt,), seeds, options),) = codec.asked
    assert int(prompt[CLASS]) == 1 and torch.equal(prompt[CAPTION], CAPTIONS[0]) and seeds == [9] and options == {}
    list(family.sampler(codec).sample(SoundTokenOptions(seconds=4.8), [{SOURCE: torch.zeros(2, 1).long()}], [9]))
    ((prompt,), _, options) = codec.asked[1]
    assert torch.equal(prompt[KNOWN], torch.zeros(2, 1).long()) and options == {"seconds": pytest.approx(4.8)}


@pytest.mark.parametrize(
    "config, prompt, message",
    [
        (PLAIN, {SOURCE: torch.zeros(2, 3).long()}, "follows none"),
        (SMALL, {SOURCE: torch.zeros(1, 3).long()}, "guide of shape"),
        (PLAIN, {KNOWN: torch.zeros(2, 3).long()}, "known tokens"),
        (PLAIN, {KNOWN: torch.zeros(3, 6).long(), MASK: torch.zeros(1, 3, 6)}, "cannot use mask"),
        (PLAIN, {CAPTION: CAPTIONS[0]}, "knows none"),
        (PLAIN, {LYRICS: torch.zeros(6).long()}, "learned none"),
    ],
)
def test_what_it_cannot_honour_is_refused(config, prompt, message):
    with pytest.raises(UnsupportedError, match=message):
        list(built(config).sampler(Listening()).sample(SoundTokenOptions(), [prompt], [0]))


@pytest.mark.parametrize(
    "config, prompt, values, message",
    [
        (PLAIN, {}, {"lyrics": "la"}, "learned none"),
        (SUNG, {LYRICS: torch.zeros(6).long()}, {"lyrics": "la"}, "given twice"),
        (SUNG, {}, {"lyrics": "la la la la", "seconds": 2.0}, "take 3.2 to sing"),
    ],
)
def test_words_that_it_cannot_sing_are_refused(config, prompt, values, message):
    with pytest.raises(UnsupportedError, match=message):
        list(built(config).sampler(Listening()).sample(SoundTokenOptions(**values), [prompt], [0]))


def test_only_rows_of_tokens_can_be_written():
    grid = Slot(kind="tokens", axes=("rows", "columns"), sizes=(4, 4), vocabulary=8)
    with pytest.raises(ConfigError, match="sound tokens"):
        PLAIN.bound_to(TensorSpec({TARGET: grid}))


def test_the_sampler_reads_the_same_conditions_as_the_family():
    family = built()
    asking = Asking(SMALL, class_counts={"a": 1, "b": 1}, encode_caption=None)
    sampler = SoundTokenSampler(
        SMALL, family.network, guide=family.guide.detach(), lyrics=None, asking=asking, codec=Listening()
    )
    found = list(sampler.sample(SoundTokenOptions(), [], [1, 2]))
    assert [index for index, _, _ in found] == [0, 1] and all(slots[TARGET].shape == (3, 6) for _, slots, _ in found)
