"""What does not fit is made to fit in the order of what costs least, and what was chosen is said."""

import pytest

from makar.families.pretrained.memory import fit_memory
from makar.generation.generate import generate

STABLE_DIFFUSION = {"unet": 860_000_000, "vae": 84_000_000, "text_encoder": 123_000_000}
GIGA = 1 << 30


def chosen(free, *, device="cpu", side=512, weights=STABLE_DIFFUSION):
    return fit_memory(weights, height=side, width=side, device=device, free_bytes=int(free * GIGA))


def test_with_room_nothing_is_given_up():
    found = chosen(64)
    assert (found.precision, found.vae_tiling, found.attention_slicing, found.offload) == (
        "float32",
        False,
        False,
        "none",
    )
    assert found.needed_bytes < found.free_bytes


def test_a_processor_takes_half_precision_where_the_whole_does_not_fit():
    assert chosen(4).precision == "bfloat16"
    assert chosen(64).precision == "float32"


def test_a_device_computes_in_half_precision_and_sends_away_what_does_not_fit():
    flux = {"transformer": 12_000_000_000, "text_encoder_2": 4_800_000_000, "vae": 84_000_000}
    assert chosen(80, device="cuda", weights=flux).offload == "none"
    assert chosen(32, device="cuda", weights=flux).offload == "component"
    assert chosen(8, device="cuda", weights=flux).offload == "layer"
    assert chosen(8, weights=flux).offload == "none"


def test_large_pictures_are_decoded_in_tiles_and_attention_is_sliced_when_room_is_short():
    assert chosen(64, side=2048).vae_tiling and not chosen(64, side=1024).vae_tiling
    # 1,024 pixels: the decoder wants 3 GB in float32, and attention over 16,384 positions 17 GB.
    assert chosen(64, side=1024).attention_slicing is False
    assert chosen(8, side=1024).attention_slicing


@pytest.mark.parametrize("free", [0.5, 1, 2, 4, 8, 16, 32])
def test_more_room_never_takes_more_away(free):
    less, more = (chosen(room, device="cuda", side=1024) for room in (free, 2 * free))
    order = ["none", "component", "layer"]
    assert order.index(more.offload) <= order.index(less.offload)


def test_the_choice_is_in_the_manifest_and_in_force(pipelines, monkeypatch):
    from makar.artifacts.load import load_artifact
    from makar.families.pretrained import family

    monkeypatch.setattr(family, "free_bytes_of", lambda device: 800_000)
    artifact = load_artifact(pipelines("stable_diffusion"))
    (asset,) = generate(artifact, prompts="a fox", options={"steps": 1})
    computing = asset.manifest["computing"]
    assert computing["precision"] == "bfloat16" and computing["free_bytes"] == 800_000
    pipeline = artifact.family()._tasks.pipeline("create")
    assert pipeline.unet.dtype.itemsize == 2
    assert pipeline.vae.use_tiling is computing["vae_tiling"]
