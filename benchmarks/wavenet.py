"""WaveNet: is the fast way exact, how fast is it, what do unseen sounds cost, and is it understood as a vocoder?

Run: python benchmarks/wavenet.py [--minutes 10] [--sentences 1400] [--commands 50] [--model MODEL] [--pocketsphinx FOLDER]

The corpus is that of ``speech.py``, spoken by flite (voice rms), heard at 8,000 samples a second. ``makar train --recipe
wavenet-vocoder --for`` learns it, given the picture of every sentence. Measured: the largest difference of the logits of one step after
the other from those of the whole pass; samples a second of one clip and of sixteen, on one thread, of this model and of one without
pictures and 32 channels; bits a sample of unseen commands, beside a table of what follows two samples; words wrong in commands made from
their pictures, at temperature 0.8, beside Griffin-Lim. Bars: 1e-5; 8,000 samples a second; 3.8 bits; word error 0.2.
"""

import argparse
import copy
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import spoken
import torch
from measure import machine, timed, write_result
from speech import heard, recogniser, word_errors

from makar.artifacts.load import load_artifact
from makar.codecs.hearing import drawn_picture, played_picture
from makar.codecs.wave import steps_of
from makar.codecs.wave_config import LEVELS
from makar.data.sound import resampled
from makar.data.sound_reader import read_sound
from makar.evaluation.sample_histogram import histogram_bits
from makar.families.waveform.wavenet_cache import WavenetCache
from makar.families.waveform.wavenet_config import WavenetConfig
from makar.families.waveform.wavenet_family import WavenetFamily
from makar.families.waveform.wavenet_network import places_of

DIFFERENCE_BAR, SPEED_BAR, BITS_BAR, WORDS_BAR = 1e-5, 8_000, 3.8, 0.2
TEMPERATURE, WORDS, COMPARED, TIMED = 0.8, 6, 4000, 8000


def largest_difference(family: WavenetFamily, picture: torch.Tensor, steps: np.ndarray) -> float:
    """Return how far the logits of one step after the other are from those of the whole pass, both in float64.

    In float32 the whole pass is itself a few 1e-5 from that, of logits of trained weights.
    """
    config, network = family.config, copy.deepcopy(family.network).double()
    given = torch.from_numpy(np.concatenate([[LEVELS], steps[: COMPARED - 1]]))[None]
    with torch.inference_mode():
        told = network.told(None, picture[None].double())
        places = places_of(torch.zeros(1, dtype=torch.int64), given.shape[1], hop=config.hop, frames=picture.shape[1])
        whole = network(given, told, places)[0].numpy()
    cache, worst = WavenetCache(network, batch=1), 0.0
    for time_ in range(given.shape[1]):
        cache.tell(told[:, int(places[0, time_])].double().numpy())
        worst = max(worst, float(np.abs(cache.step(given[:, time_].numpy())[0] - whole[time_]).max()))
    return worst


def samples_a_second(family: WavenetFamily, clips: int) -> float:
    """Return samples a second of clips made side by side, by the time of the processor."""
    config = family.config
    codec: Any = type("Codec", (), {"class_counts": {}, "config": type("Config", (), {"rate_hz": 8000})})
    count = TIMED if clips == 1 else TIMED // 4
    pictures = [torch.zeros(config.bands, -(-count // config.hop)) if config.bands else None] * clips
    generators = [torch.Generator().manual_seed(number) for number in range(clips)]
    start = time.process_time()
    made = family.sampler(codec).make([0] * clips, pictures, generators, options=family.options(seconds=count / 8000))
    return made.size / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--sentences", type=int, default=1400)
    parser.add_argument("--commands", type=int, default=50)
    parser.add_argument("--model", help="a model that was trained so, instead of training one")
    parser.add_argument("--pocketsphinx", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    decoder = recogniser(options.pocketsphinx)
    third = options.sentences // 3
    every = spoken.grammar(third + options.commands, seed=0)
    learned, commands = every[:third] + spoken.prose(options.sentences - third, seed=0), every[third:]
    with tempfile.TemporaryDirectory() as place:
        folder, seconds = Path(place), 0.0
        name = options.model
        if name is None:
            spoken.corpus(folder / "corpus", learned)
            name = str(folder / "home" / "model")
            command = [
                sys.executable, "-W", "ignore", "-m", "makar", "train", str(folder / "corpus"), "--recipe", "wavenet-vocoder",
                "--for", f"{60 * options.minutes:g}s", "-o", name,
            ]  # fmt: skip
            seconds, _ = timed(command, environment={"MAKAR_HOME": str(folder / "home")})
            os.environ["MAKAR_HOME"] = str(folder / "home")
        artifact = load_artifact(name)
        family, codec = artifact.family(), artifact.codec()
        assert isinstance(family, WavenetFamily)
        config = codec.config
        sampler, controls = family.sampler(codec), family.options(temperature=TEMPERATURE)
        bits, wrong, steps_of_all = [], {"makar": [], "Griffin-Lim": [], "flite": []}, []
        difference = 0.0
        for number, text in enumerate(commands):
            spoken.speak(text, folder / "real.wav")
            real = resampled(read_sound((folder / "real.wav").read_bytes()), config.rate_hz)
            frames = -(-len(real.samples) // config.hop)
            drawn = drawn_picture(real, config.changed(frames=max(frames, config.frames)))[:, :frames, 0]
            picture = torch.from_numpy(codec.to_model("source", drawn))
            steps = steps_of(real.mono())[: frames * config.hop]
            steps_of_all.append(np.pad(steps, (0, frames * config.hop - len(steps)), constant_values=LEVELS))
            difference = max(difference, largest_difference(family, picture, steps)) if number < 3 else difference
            bits.append(cost(family, picture, steps_of_all[-1]))
            (made,) = sampler.sample(controls, [{"source": picture}], [number])
            sounds = {
                "makar": codec.decode(made[1]),
                "Griffin-Lim": played_picture(drawn, config),
                "flite": codec.decode({"target": steps}),
            }
            for side, sound in sounds.items():
                wrong[side].append(word_errors(text.split(), heard(decoder, sound)) / WORDS)
        longest = max(map(len, steps_of_all))
        table = np.stack([np.pad(row, (0, longest - len(row)), constant_values=LEVELS) for row in steps_of_all])
        half = len(table) // 2
        # Half of the commands are counted and the others measured: rather much for the table, which has then heard the same words.
        counted = histogram_bits(table[:half], table[half:])
    plain = WavenetFamily(WavenetConfig().with_channels(32))
    plain.initialise(torch.Generator().manual_seed(0))
    speeds = {
        f"{side}, {clips} at once": samples_a_second(one, clips)
        for side, one in (("this model", family), ("32 channels, no picture", plain))
        for clips in (1, 16)
    }
    rates = {side: float(np.mean(values)) for side, values in wrong.items()}
    result = {
        "machine": machine(), "minutes": options.minutes, "sentences": len(learned), "commands": len(commands), "seconds": seconds,
        "parameters": family.config.parameter_count(), "channels": family.config.channels,
        "largest_difference": difference, "samples_a_second": speeds, "bits_per_sample": float(np.mean(bits)),
        "bits_of_a_table": float(counted.mean()), "word_error": rates,
        "bars": {"largest_difference": DIFFERENCE_BAR, "samples_a_second": SPEED_BAR, "bits_per_sample": BITS_BAR, "word_error": WORDS_BAR},
    }  # fmt: skip
    print({key: value for key, value in result.items() if key != "machine"})
    write_result("wavenet", result)
    sys.exit(
        difference > DIFFERENCE_BAR
        or speeds["32 channels, no picture, 1 at once"] < SPEED_BAR
        or float(np.mean(bits)) > BITS_BAR
        or rates["makar"] > WORDS_BAR
    )


def cost(family: WavenetFamily, picture: torch.Tensor, steps: np.ndarray) -> float:
    """Return bits a sample of one sound that is given its picture."""
    config = family.config
    given = torch.from_numpy(np.concatenate([[LEVELS], steps[:-1]]))[None]
    wanted = torch.from_numpy(steps)
    with torch.inference_mode():
        places = places_of(torch.zeros(1, dtype=torch.int64), len(steps), hop=config.hop, frames=picture.shape[1])
        logits = family.network(given, family.network.told(None, picture[None]), places)[0]
        is_heard = wanted < LEVELS
        nats = torch.nn.functional.cross_entropy(logits[is_heard], wanted[is_heard])
    return float(nats) / float(np.log(2))


if __name__ == "__main__":
    main()
