"""Measures models of samples: what held-out sounds cost WaveNet, and how far what a vocoder makes of their pictures is from them.

Beside the cost stand a table of what followed two samples and eight bits, which is to know nothing. Beside the distances stands the way
without a model, Griffin and Lim's, from the same pictures.
"""

import numpy as np
import torch

from makar.codecs.hearing import heard_frames, played_picture
from makar.codecs.wave import WaveCodec
from makar.codecs.wave_config import LEVELS
from makar.data.sound import Sound
from makar.data.store import Store
from makar.evaluation.bootstrap import mean_interval
from makar.evaluation.findings import Findings, Heard, Picture, Score
from makar.evaluation.image_novelty import novelty_scores, sentence_on_novelty
from makar.evaluation.material import Material
from makar.evaluation.pictures import grid_png, pairs_png
from makar.evaluation.sample_histogram import histogram_bits
from makar.evaluation.spectral import log_spectral_distance, mel_distance
from makar.families.waveform.wavenet_family import WavenetFamily
from makar.generation.generate import generate
from makar.generation.recording import recorded, seen
from makar.generation.vocoding import Vocoder
from makar.novelty.novelty import Novelty
from makar.provenance.content import Recording
from makar.provenance.embedding import SOURCE_TYPE
from makar.tensor_spec import CLASS, SOURCE, TARGET

MEASURED = 48
SAMPLES = 8
"""Sounds that are made for the report."""

REBUILT = 24
SHOWN = 8


def evaluate_wavenet(material: Material) -> Findings:
    """Measure a WaveNet.

    Args:
        material: The model and its data.
    """
    family, codec = material.artifact.family(), material.codec
    assert isinstance(family, WavenetFamily) and isinstance(codec, WaveCodec), "the registry pairs kind and measure"
    count = min(MEASURED, len(material.held_out))
    target = rows(material.held_out, TARGET)[:count]
    material.say("what held-out sounds cost")
    bits = _cost(family, material.held_out, count)
    baselines = [("knowing nothing", mean_interval(np.full(count, 8.0)))]
    if material.train is not None:
        counted = histogram_bits(rows(material.train, TARGET), target)
        baselines.insert(0, ("a table of what follows two samples", mean_interval(counted)))
    score = Score(
        key="bits_per_sample",
        name="Bits a sample",
        interval=mean_interval(bits),
        better="lower",
        unit="bits",
        meaning=f"What held-out sounds cost when the model is the code, at {codec.config.rate_hz} samples a second in {LEVELS} steps.",
        baselines=tuple(baselines),
    )
    sentence = f"Held-out sounds cost {score.interval.value:.2f} bits a sample; " + ", ".join(
        f"{name}: {interval.value:.2f}" for name, interval in score.baselines
    )
    if not family.creates:
        rebuilt = evaluate_vocoder(material)
        return Findings(
            verdict=(f"{sentence}.", *rebuilt.verdict),
            scores=(score, *rebuilt.scores),
            pictures=rebuilt.pictures,
            sounds=rebuilt.sounds,
            details={**rebuilt.details, "measured": count},
        )
    pictures, sounds = _samples(material)
    novelties: list[Novelty] = material.novelty.check_many(pictures) if material.novelty is not None else []
    return Findings(
        verdict=(f"{sentence}.", sentence_on_novelty(novelties, "sound")),
        scores=(score,),
        novelty_scores=novelty_scores(novelties, "sound"),
        pictures=(
            Picture(
                key="samples",
                caption=f"{len(pictures)} samples, not chosen. Time goes from left to right, pitch from below upwards, loud is bright.",
                alternative=f"A grid of the pictures of {len(pictures)} sounds made by the model.",
                png=grid_png(pictures, columns=4),
            ),
        ),
        sounds=sounds,
        details={
            "measured": count,
            "samples": len(pictures),
            "novelty": [novelty.to_dictionary() for novelty in novelties],
        },
    )


def evaluate_vocoder(material: Material) -> Findings:
    """Measure how a model makes sounds of pictures.

    Args:
        material: The model and its data.
    """
    codec = material.codec
    assert isinstance(codec, WaveCodec), "the registry pairs kind and measure"
    vocoder, config = Vocoder(material.artifact), codec.config
    count = min(material.samples or REBUILT, len(material.held_out))
    found: dict[str, list[tuple[float, float]]] = {"model": [], "Griffin-Lim": []}
    sounds: list[Heard] = []
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    target, drawn = rows(material.held_out, TARGET), material.held_out.columns[SOURCE].values
    for number in range(count):
        material.say("sounds of held-out pictures", number, count)
        picture = np.asarray(drawn[number])
        picture = picture[:, : heard_frames(picture)]
        real = codec.decode({TARGET: codec.to_model(TARGET, target[number])})
        real = Sound(real.samples[: picture.shape[1] * config.hop], real.rate_hz)
        made = vocoder.play(picture, config)
        for name, sound in (("model", made), ("Griffin-Lim", played_picture(picture, config))):
            found[name].append((log_spectral_distance(sound, real, config), mel_distance(sound, real, config)))
        if number < SHOWN:
            said = f"Held-out sound {number + 1} from its picture; then as it was recorded."
            sounds += [
                Heard(caption=said, wave=recorded(made, SOURCE_TYPE).wave),
                Heard(caption="The recording.", wave=recorded(real, SOURCE_TYPE).wave),
            ]
            pairs.append((codec.picture(made), codec.picture(real)))
    values = {name: np.array(each) for name, each in found.items()}
    scores = tuple(
        Score(
            key=key,
            name=name,
            interval=mean_interval(values["model"][:, column]),
            better="lower",
            unit="dB",
            meaning=meaning,
            baselines=(("Griffin-Lim", mean_interval(values["Griffin-Lim"][:, column])),),
        )
        for column, (key, name, meaning) in enumerate(
            (
                (
                    "log_spectral_distance",
                    "Log-spectral distance",
                    "Root mean square difference of the log spectra of a held-out sound and of what was made of its picture.",
                ),
                (
                    "mel_distance",
                    "Difference of loudness",
                    "Mean difference of the bands of a held-out sound and of what was made of its picture.",
                ),
            )
        )
    )
    return Findings(
        verdict=tuple(
            f"{score.name}: {score.interval.value:.2f} dB; Griffin-Lim, without a model: {score.baselines[0][1].value:.2f} dB."
            for score in scores
        ),
        scores=scores,
        pictures=(
            Picture(
                key="rebuilt",
                caption=f"{len(pairs)} held-out sounds made of their pictures, each above the recording.",
                alternative="Pairs of pictures of a sound that was made and of its recording.",
                png=pairs_png([made for made, _ in pairs], [real for _, real in pairs], columns=2),
            ),
        ),
        sounds=tuple(sounds),
        details={"rebuilt": count},
    )


def rows(store: Store, slot: str) -> np.ndarray:
    """Return a slot of examples of one length as a table ``[examples, length]``."""
    column = store.columns[slot]
    return column.values if column.offsets is None else column.values.reshape(len(store), -1)


def _cost(family: WavenetFamily, store: Store, count: int) -> np.ndarray:
    """Return bits a sample of the first sounds of a store, each from its beginning to its end."""
    found = []
    target = rows(store, TARGET)
    for number in range(count):
        batch = {TARGET: torch.from_numpy(np.asarray(target[number], np.int64))[None]}
        if SOURCE in store.columns:
            shown = np.asarray(store.columns[SOURCE].values[number], np.float32)
            batch[SOURCE] = torch.from_numpy(shown / np.float32(127.5) - 1)[None]
        if CLASS in store.columns:
            batch[CLASS] = torch.tensor([int(store.columns[CLASS].values[number])])
        with torch.inference_mode():
            nats, is_heard = family.nats(batch, torch.zeros(1, dtype=torch.int64), target.shape[1])
        found.append(float(nats.sum() / is_heard.sum().clamp(min=1)) / np.log(2))
    return np.array(found)


def _samples(material: Material) -> tuple[list[np.ndarray], tuple[Heard, ...]]:
    pictures: list[np.ndarray] = []
    sounds: list[Heard] = []
    for asset in generate(material.artifact, count=material.samples or SAMPLES, seed=material.seed):
        material.say("making samples", len(pictures), material.samples or SAMPLES)
        assert isinstance(asset.content, Recording)
        pictures.append(seen(asset.content, material.codec))
        if len(sounds) < SHOWN:
            what = f"Seed {asset.manifest['seed']}, {asset.content.seconds:.2f} seconds."
            sounds.append(Heard(caption=what, wave=asset.content.wave))
    return pictures, tuple(sounds)
