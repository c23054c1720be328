"""Images a second of makar's sampler against diffusers running a U-Net of as many weights, with as many steps.

    python benchmarks/sampling_diffusers.py            writes benchmarks/results/YYYY-MM-DD-sampling-diffusers.json

Both have random weights, 32 x 32 pixels, one batch size and one evaluation of the network a step (Euler here, DDIM there). Ours is the
denoiser that the recipe ``image`` sizes for a million weights; theirs is ``UNet2DModel`` with two levels, two residual layers a block and
attention at the lower level, its width chosen so that the number of weights is nearest. Each side is taken at its best over 1 and 2
threads, float32 and bfloat16, and for diffusers also memory in channels-last order, over ``--rounds`` interleaved rounds. The bar is 1.5.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

from measure import machine, write_result

SIDE, CHANNELS = 32, 3
BAR, AIM = 1.5, 2.5
PRECISIONS = ("float32", "bfloat16")


def ours(parameters: int) -> tuple[Any, int]:
    """Return a denoiser of about so many weights, and their number."""
    import torch

    from makar.families.diffusion.config import DiffusionConfig
    from makar.families.family import build_family

    config = DiffusionConfig(channels=CHANNELS, height=SIDE, width=SIDE).scaled_to(parameters)
    family = build_family(config)
    family.initialise(torch.Generator().manual_seed(0))
    return family.eval(), config.parameter_count()


def theirs(parameters: int) -> tuple[Any, int]:
    """Return a pipeline of diffusers whose network has as nearly as possible so many weights, and their number."""
    import torch
    from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

    def network(width: int) -> Any:
        return UNet2DModel(
            sample_size=SIDE,
            block_out_channels=(width, 2 * width),
            layers_per_block=2,
            norm_num_groups=8,
            attention_head_dim=8,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        )

    def distance(width: int) -> int:
        with torch.device("meta"):
            return abs(network(width).num_parameters() - parameters)

    unet = network(min(range(8, 129, 8), key=distance)).eval()
    pipeline = DDIMPipeline(unet=unet, scheduler=DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, unet.num_parameters()


def our_call(family: Any, batch: int, steps: int, precision: str) -> Callable[[], int]:
    """Return a call that makes a batch and gives its size."""
    family.precision = precision
    options = family.options(steps=steps, solver="euler")
    sampler = family.sampler(None)
    return lambda: len(list(sampler.sample(options, [{}] * batch, list(range(batch)))))


def their_call(pipeline: Any, batch: int, steps: int, how: tuple[str, bool]) -> Callable[[], int]:
    """Return a call that makes a batch and gives its size."""
    import torch

    precision, is_channels_last = how
    pipeline.unet.to(memory_format=torch.channels_last if is_channels_last else torch.contiguous_format)

    def call() -> int:
        generator = torch.Generator().manual_seed(0)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            made = pipeline(batch_size=batch, num_inference_steps=steps, generator=generator, output_type="np")
        return len(made.images)

    return call


def main() -> None:
    """Measure both and write the result; exit code 1 where the bar is missed."""
    import torch

    parser = argparse.ArgumentParser()
    parser.add_argument("--parameters", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    family, own_count = ours(asked.parameters)
    pipeline, other_count = theirs(own_count)
    ways = [
        *(("makar", threads, (precision,)) for threads, precision in itertools.product((1, 2), PRECISIONS)),
        *(
            ("diffusers", threads, (precision, last))
            for threads, precision, last in itertools.product((1, 2), PRECISIONS, (False, True))
        ),
    ]
    best: dict[str, dict[str, Any]] = {}
    start = machine()
    for _ in range(asked.rounds):
        for side, threads, how in ways:
            torch.set_num_threads(threads)
            call = (
                our_call(family, asked.batch, asked.steps, how[0])
                if side == "makar"
                else their_call(pipeline, asked.batch, asked.steps, (how[0], bool(how[1])))
            )
            call()
            begin = time.perf_counter()
            rate = call() / (time.perf_counter() - begin)
            if rate > best.get(side, {"images_per_second": 0.0})["images_per_second"]:
                best[side] = {"images_per_second": rate, "threads": threads, "how": list(how)}
    ratio = best["makar"]["images_per_second"] / best["diffusers"]["images_per_second"]
    result = {
        "machine": start,
        "parameters": {"makar": own_count, "diffusers": other_count},
        "batch": asked.batch,
        "steps": asked.steps,
        "rounds": asked.rounds,
        "best": best,
        "ratio": ratio,
        "bar": BAR,
        "aim": AIM,
        "held": ratio >= BAR,
    }
    print(f"makar {best['makar']}\ndiffusers {best['diffusers']}\nratio {ratio:.2f} (bar {BAR}, aim {AIM})")
    write_result("sampling-diffusers", result)
    sys.exit(0 if ratio >= BAR else 1)


if __name__ == "__main__":
    main()
