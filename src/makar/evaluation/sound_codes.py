"""Measures an autoencoder of sounds: which of its codes are used, and how near what it rebuilds comes with one codebook, two, and so on."""

import numpy as np
import torch

from makar.codecs.codec import Autoencoder
from makar.codecs.sound import SoundCodec
from makar.data.spectrogram import RANGE_DB
from makar.evaluation.bootstrap import Interval, mean_interval
from makar.evaluation.findings import Findings, Heard, Picture, Score
from makar.evaluation.image import LOOKS, PLAYED
from makar.evaluation.material import Material
from makar.evaluation.pictures import pairs_png
from makar.generation.recording import recorded
from makar.provenance.embedding import SOURCE_TYPE
from makar.tensor_spec import TARGET

SOUNDS = 256
TOGETHER = 32
DECIBELS = RANGE_DB / 2
"""What a step of 1 is in the range of a model, which is 2 wide."""


def evaluate_sound_codes(material: Material) -> Findings:
    """Measure an autoencoder of sounds on held-out ones.

    Args:
        material: The model and its data.
    """
    family, codec = material.artifact.family(), material.codec
    assert isinstance(family, Autoencoder) and isinstance(codec, SoundCodec), (
        "the registry's table pairs kind and metric"
    )
    count = min(material.samples or SOUNDS, len(material.held_out))
    stored = np.asarray(material.held_out.columns[TARGET].values[:count])
    real = codec.to_model(TARGET, stored)
    tokens, rebuilt, away = rebuilt_by_codebooks(family, real)
    scores = [*usage_scores(tokens, codes=_codes(material)), _difference(away, real)]
    shown = min(8, count)
    made = np.rint((rebuilt[:, 0] + 1) * 127.5).astype(np.uint8)
    usage, last = scores[0].interval.value, scores[-1].interval.value
    tokens_a_second = tokens[0].size / codec.config.seconds
    return Findings(
        verdict=(
            f"Held-out sounds come back with a mean difference of {last:.2f} dB from {tokens_a_second:.0f} tokens a second; "
            f"{usage:.0%} of the codes of the least used codebook are used.",
        ),
        scores=tuple(scores),
        pictures=(
            Picture(
                key="rebuilt",
                caption=f"{shown} held-out sounds as they were rebuilt, each above itself.{LOOKS['sound']}",
                alternative="Pairs of pictures of a rebuilt sound and of the sound itself.",
                png=pairs_png(
                    [one[:, :, None] for one in made[:shown]], [one[0, :, :, None] for one in stored[:shown]], columns=2
                ),
            ),
        )
        if shown
        else (),
        sounds=tuple(
            Heard(
                caption=f"Held-out sound {number + 1}, rebuilt from its tokens.",
                wave=recorded(codec.decode({TARGET: one}), SOURCE_TYPE).wave,
            )
            for number, one in enumerate(rebuilt[:PLAYED] if codec.decodes else ())
        ),
        details={"sounds": count, "tokens_a_second": tokens_a_second, "novelty": "not measured: it makes nothing new"},
    )


def rebuilt_by_codebooks(autoencoder: Autoencoder, real: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the tokens of sounds, what all of them give, and how far from each sound so many codebooks come.

    Args:
        autoencoder: Of sounds.
        real: Pictures float32 ``[sounds, 1, rows, frames]``, -1 to 1.

    Returns:
        Tokens ``[sounds, codebooks, moments]``, pictures ``[sounds, 1, rows, frames]``, and for each number of codebooks the mean
        difference of every sound in decibels.
    """
    tokens, rebuilt, away = [], [], []
    with torch.inference_mode():
        for start in range(0, len(real), TOGETHER):
            part = torch.from_numpy(np.ascontiguousarray(real[start : start + TOGETHER]))
            found = autoencoder.encode(part)
            by_number = [autoencoder.decode(found[:, :number]) for number in range(1, found.shape[1] + 1)]
            away.append(torch.stack([(one - part).abs().mean((1, 2, 3)) * DECIBELS for one in by_number]))
            tokens.append(found)
            rebuilt.append(by_number[-1])
    return torch.cat(tokens).numpy(), torch.cat(rebuilt).numpy(), list(torch.cat(away, 1).numpy())


def usage_scores(tokens: np.ndarray, *, codes: int) -> list[Score]:
    """Return the share of codes that occur, of the codebook of which the fewest do, and their perplexity.

    Args:
        tokens: ``[sounds, codebooks, moments]``.
        codes: Codes of a codebook.
    """
    shares, even = [], []
    for number in range(tokens.shape[1]):
        counts = np.bincount(tokens[:, number].ravel(), minlength=codes)
        probabilities = counts[counts > 0] / counts.sum()
        shares.append(float((counts > 0).mean()))
        even.append(float(np.exp(-(probabilities * np.log(probabilities)).sum())) / codes)
    # Fewer tokens than codes cannot use all of them.
    most = min(1.0, tokens.shape[0] * tokens.shape[2] / codes)
    best = (("the most that so many tokens can", Interval(most, most, most)),)
    return [
        Score(
            key=key,
            name=name,
            interval=Interval(min(values), min(values), max(values)),
            better="higher",
            meaning=f"{meaning} The least of {len(values)} codebooks, and up to the most.",
            baselines=best,
        )
        for key, name, values, meaning in (
            (
                "codebook_usage",
                "Codes in use",
                shares,
                "Share of the codes that occur in the tokens of held-out sounds.",
            ),
            (
                "codebook_perplexity",
                "Codes in even use",
                even,
                "Perplexity of the tokens as a share of the codes: 1 uses all of them alike.",
            ),
        )
    ]


def _difference(away: list[np.ndarray], real: np.ndarray) -> Score:
    usual = np.abs(real - real.mean((0, 3), keepdims=True)).mean((1, 2, 3)) * DECIBELS
    fewer = [(f"with {number + 1} of {len(away)} codebooks", values) for number, values in enumerate(away[:-1])]
    baselines = [*fewer, ("mean of every band", usual)]
    return Score(
        key="loudness_difference",
        name="Difference of loudness after rebuilding",
        interval=mean_interval(away[-1]),
        better="lower",
        unit="dB",
        meaning="Held-out sounds, band by band and frame by frame, mean of the absolute difference.",
        baselines=tuple((name, mean_interval(values)) for name, values in baselines),
    )


def _codes(material: Material) -> int:
    encoded = material.artifact.recipe.stages[-1].family.latents()
    return (encoded.vocabulary if encoded is not None else None) or 1
