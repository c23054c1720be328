"""Images as tokens after their caption: the stream by hand, losses that do not know their neighbours, drawing, guidance, what stays."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from makar.errors import ConfigError, UnknownNameError, UnsupportedError
from makar.families.family import Batch, build_family
from makar.families.transformer.image_config import ImageTransformerConfig
from makar.families.transformer.image_family import ImageTransformerFamily
from makar.families.transformer.image_sampler import TOGETHER
from makar.families.transformer.image_stream import image_stream, text_tokens
from makar.families.transformer.token_options import TokenOptions
from makar.tensor_spec import TARGET, Slot, TensorSpec

CAPTIONS = torch.tensor([[4, 5, 6, 0], [1, 0, 0, 0], [2, 3, 0, 0]])


def small(**values: object) -> ImageTransformerConfig:
    settings = {"codes": 7, "rows": 2, "columns": 3, "depth": 2, "width": 32, "heads": 2}
    captioned = {"classes": 2, "caption_length": 4, "caption_vocabulary": 9}
    return ImageTransformerConfig(**{**settings, **captioned, **values})


def plain(**values: object) -> ImageTransformerConfig:
    return small(classes=0, caption_length=0, caption_vocabulary=0, **values)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def built(config: ImageTransformerConfig, *, noise: float = 0.3) -> ImageTransformerFamily:
    family = build_family(config)
    assert isinstance(family, ImageTransformerFamily)
    family.initialise(generator())
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, generator=generator(1)))
    return family.eval()


def batch(config: ImageTransformerConfig, count: int = 3) -> Batch:
    made = {"target": torch.randint(config.codes, (count, config.rows, config.columns), generator=generator(2))}
    if config.classes:
        made["class"] = torch.arange(count) % config.classes
    if config.caption_length:
        made["caption"] = CAPTIONS[torch.arange(count) % 3]
    return made


class Known:
    """What a sampler asks a codec for."""

    def __init__(self) -> None:
        self.class_counts = {"even": 3, "odd": 1}

    def encode_caption(self, prompt: str) -> np.ndarray:
        return np.array([4, 5, 6, 0] if prompt == "red" else [2, 3, 0, 0])


def drawn(family: ImageTransformerFamily, prompts: list[Batch], seeds: list[int], **options: object) -> np.ndarray:
    found = family.sampler(Known()).sample(TokenOptions(**options), prompts, seeds)
    return np.stack([slots["target"] for _, slots, _ in found])


def logits_of(family: ImageTransformerFamily, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Return the logits at every place by the network that is exported."""
    with torch.no_grad():
        made: torch.Tensor = family.onnx_parts()[0].module(text[None], image.flatten()[None])[0]
    return made


def test_the_image_follows_its_caption_at_once() -> None:
    config = small()
    assert (config.class_start, config.content_start, config.decoder.vocabulary) == (9, 12, 19)
    image = torch.arange(6).view(1, 2, 3).expand(3, -1, -1)
    rows = image_stream(config, image, label=torch.tensor([0, 1, 2]), caption=CAPTIONS)
    assert rows.tokens.tolist() == [
        [9, 4, 5, 6, 0, 12, 13, 14, 15, 16],
        [10, 1, 0, 12, 13, 14, 15, 16, 0, 0],
        [11, 2, 3, 0, 12, 13, 14, 15, 16, 0],
    ]
    assert rows.image[:, 0].tolist() == [4, 2, 3]
    # Positions that predict the caption and its end.
    assert rows.text.sum(1).tolist() == [4, 2, 3]
    for row, (label, length) in enumerate([(0, 3), (1, 1), (2, 2)]):
        assert text_tokens(config, label, CAPTIONS[row]).tolist() == rows.tokens[row, : 2 + length].tolist()


def test_without_class_and_caption_only_the_image_is_left() -> None:
    rows = image_stream(plain(), torch.arange(6).view(1, 2, 3), label=None, caption=None)
    assert rows.tokens.tolist() == [[0, 1, 2, 3, 4, 5]] and rows.image.tolist() == [[0, 1, 2, 3, 4, 5]]
    assert text_tokens(plain(), None, None).tolist() == [0]


def test_nothing_said_has_tokens_of_its_own() -> None:
    assert text_tokens(small(), None, None).tolist() == [11, 1, 0]


@pytest.mark.parametrize("config", [small(), plain()])
def test_the_loss_is_the_surprise_of_the_exported_network(config: ImageTransformerConfig) -> None:
    family, data = built(config), batch(config)
    expected = [
        cross_entropy(
            logits_of(
                family,
                text_tokens(
                    config,
                    int(data["class"][row]) if config.classes else None,
                    data["caption"][row] if config.caption_length else None,
                ),
                data["target"][row],
            ),
            data["target"][row].flatten(),
        )
        for row in range(3)
    ]
    loss = family.validation_loss(data, generator())
    assert float(loss.value) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-5)
    assert loss.unit == "nats/token" and loss.count == 18


def test_a_longer_caption_beside_it_changes_no_loss() -> None:
    config = small()
    family, data = built(config), batch(config)
    together = float(family.validation_loss(data, generator()).value)
    alone = [
        float(family.validation_loss({name: value[row : row + 1] for name, value in data.items()}, generator()).value)
        for row in range(3)
    ]
    assert together == pytest.approx(sum(alone) / 3, rel=1e-5)


def test_text_and_image_are_weighted() -> None:
    config = small(class_dropout=0.0)
    loss = built(config).phases()[0].loss(batch(config), generator())
    expected = 0.125 * loss.metrics["text"] + 0.875 * loss.metrics["image"]
    assert loss.value.item() == pytest.approx(expected, rel=1e-5)
    assert float(built(config).validation_loss(batch(config), generator()).value) == pytest.approx(
        loss.metrics["image"], rel=1e-5
    )


def test_what_is_hidden_is_not_seen() -> None:
    for share, is_same in ((1.0, True), (0.0, False)):
        config = small(class_dropout=share)
        family, data = built(config), batch(config)
        told = family.phases()[0].loss(data, generator()).metrics["image"]
        other = {**data, "class": 1 - data["class"], "caption": data["caption"].flip(0)}
        assert (family.phases()[0].loss(other, generator()).metrics["image"] == told) is is_same


@pytest.mark.parametrize("config", [small(), plain()])
def test_the_likeliest_tokens_are_those_of_the_exported_network(config: ImageTransformerConfig) -> None:
    family = built(config)
    prompt = {"class": torch.tensor(1), "caption": CAPTIONS[0]} if config.classes else {}
    tokens = drawn(family, [prompt], [3], temperature=0.0, guidance=1.0 if config.classes else None)[0]
    text = text_tokens(config, 1 if config.classes else None, CAPTIONS[0] if config.classes else None)
    best = logits_of(family, text, torch.from_numpy(tokens)).argmax(-1)
    assert best.tolist() == tokens.flatten().tolist()


def test_guidance_leads_from_what_is_untold_to_what_is_told() -> None:
    config = small()
    family = built(config)
    prompt = {"class": torch.tensor(1), "caption": CAPTIONS[0]}
    tokens = drawn(family, [prompt], [3], temperature=0.0, guidance=2.5)[0]
    image = torch.from_numpy(tokens)
    told = logits_of(family, text_tokens(config, 1, CAPTIONS[0]), image)
    untold = logits_of(family, text_tokens(config, 2, None), image)
    assert (untold + 2.5 * (told - untold)).argmax(-1).tolist() == tokens.flatten().tolist()
    ignored = drawn(family, [prompt], [3], temperature=0.0, guidance=0.0)[0]
    nothing = logits_of(family, text_tokens(config, 2, None), torch.from_numpy(ignored))
    assert nothing.argmax(-1).tolist() == ignored.flatten().tolist()


def test_a_negative_prompt_takes_the_place_of_nothing() -> None:
    family = built(small())
    prompts = [{"class": torch.tensor(0), "caption": CAPTIONS[0]}]
    made = [
        drawn(family, prompts, [1], temperature=0.0, guidance=4.0, negative_prompt=word) for word in (None, "a", "red")
    ]
    assert not np.array_equal(made[0], made[1]) and not np.array_equal(made[1], made[2])
    with pytest.raises(UnsupportedError, match="guidance above 1"):
        drawn(family, prompts, [1], guidance=1.0, negative_prompt="a")


def test_an_image_does_not_depend_on_the_others_to_the_bit() -> None:
    family = built(small())
    prompts = [{"caption": CAPTIONS[seed % 3]} for seed in range(TOGETHER + 3)]
    together = drawn(family, prompts, list(range(TOGETHER + 3)), guidance=2.0)
    for seed in (0, 1, TOGETHER + 2):
        assert np.array_equal(drawn(family, prompts[seed : seed + 1], [seed], guidance=2.0)[0], together[seed])
    assert len({image.tobytes() for image in together}) > TOGETHER // 2


def test_the_end_of_an_image_is_made_anew_and_the_rest_stays() -> None:
    family = built(plain(rows=4))
    known = torch.randint(7, (4, 3), generator=generator(5))
    mask = torch.zeros(1, 4, 3)
    mask[:, 2:] = 1
    prompt = {"known": known, "mask": mask}
    made = drawn(family, [prompt] * 4, [1, 2, 3, 4])
    assert (made[:, :2] == known[:2].numpy()).all() and len({image.tobytes() for image in made}) > 1
    # What goes on depends on what stays.
    other = {"known": 6 - known, "mask": mask}
    assert not np.array_equal(drawn(family, [other] * 4, [1, 2, 3, 4])[:, 2:], made[:, 2:])


@pytest.mark.parametrize(
    "prompt",
    [
        {"known": torch.zeros(4, 3, dtype=torch.int64), "mask": torch.eye(4, 3)[None]},
        {"known": torch.zeros(4, 3, dtype=torch.int64)},
        {"known": torch.zeros(3, 3, dtype=torch.int64), "mask": torch.ones(1, 3, 3)},
        {"source": torch.zeros(4, 3)},
        {"class": torch.tensor(0)},
        {"caption": CAPTIONS[0]},
    ],
)
def test_what_it_cannot_go_on_from_is_refused(prompt: Batch) -> None:
    with pytest.raises(UnsupportedError) as caught:
        drawn(built(plain(rows=4)), [prompt], [1])
    if "mask" in prompt and prompt["mask"].shape[1] == 4:
        assert '"flow"' in caught.value.do


def test_classes_are_drawn_as_often_as_they_are_in_the_data_or_asked_for_by_name() -> None:
    config = small(caption_length=0, caption_vocabulary=0)
    family = built(config)
    named = drawn(family, [{}], [9], label="odd")[0]
    assert np.array_equal(named, drawn(family, [{"class": torch.tensor(1)}], [9])[0])
    with pytest.raises(UnknownNameError, match="eve"):
        drawn(family, [{}], [9], label="eve")


def test_filters_keep_to_the_likeliest() -> None:
    family = built(plain())
    best = drawn(family, [{}], [1], temperature=0.0)
    assert np.array_equal(drawn(family, [{}] * 3, [1, 2, 3], top_k=1), np.repeat(best, 3, 0))
    assert np.array_equal(drawn(family, [{}], [4], top_p=0.0), best)


def test_it_learns_what_class_and_caption_say() -> None:
    config = small(class_dropout=0.0)
    family = built(config, noise=0.0).train()
    data = batch(config)
    family.initialise_from_data([data])
    (phase,) = family.phases()
    optimiser = torch.optim.AdamW(family.parameters(), 1e-2)
    for step in range(40):
        optimiser.zero_grad()
        phase.loss(data, generator(step)).value.backward()
        optimiser.step()
    family.eval()
    assert float(family.validation_loss(data, generator()).value) < 0.2
    swapped = {**data, "class": data["class"].flip(0), "caption": data["caption"].flip(0)}
    assert float(family.validation_loss(swapped, generator()).value) > 0.5
    prompts = [{"class": data["class"][row], "caption": data["caption"][row]} for row in range(3)]
    assert np.array_equal(drawn(family, prompts, [1, 2, 3], temperature=0.0, guidance=1.0), data["target"].numpy())


def test_a_start_from_pairs_knows_which_token_follows_which() -> None:
    config = plain(width=64)
    family = built(config, noise=0.0)
    data = {"target": (torch.arange(6).view(1, 2, 3) + torch.arange(7)[:, None, None]) % 7}
    before = float(family.validation_loss(data, generator()).value)
    family.initialise_from_data([data])
    assert float(family.validation_loss(data, generator()).value) < 0.8 * before


def test_what_makes_no_grid_of_tokens_is_refused() -> None:
    pixels = TensorSpec({TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=(3, 8, 8))})
    with pytest.raises(ConfigError, match="no image tokens"):
        small().bound_to(pixels)
    with pytest.raises(ConfigError, match="vocabulary"):
        small(caption_vocabulary=1)
