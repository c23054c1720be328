"""FID of `makar train --recipe flow` and `ddpm` against denoising-diffusion-pytorch and diffusers' unconditional example, at equal minutes.

Run: python benchmarks/diffusion_peers.py --ddp FOLDER [--minutes 10] [--seeds 3] [--data fashion_mnist cifar10] [--only SIDE ...]

Peer one is a checkout of denoising-diffusion-pytorch: its ``Unet`` and ``GaussianDiffusion`` as in its README (width 64, multipliers
1, 2, 4, 8, 1,000 steps), moved as its ``Trainer`` moves it by default (Adam at 1e-4, batch 16, norm of the gradient clipped at 1,
average of the weights at 0.995 every ten steps), sampled by its own DDIM. Peer two is ``train_unconditional.py`` of diffusers:
``UNet2DModel`` with its six levels, AdamW at 1e-4 with 500 steps of warm-up, batch 16, linear DDPM schedule, predicted noise, its
average of the weights, sampled by diffusers' DPM-Solver++. Each peer runs at its published width and at one whose number of weights
is near that of our plan, at its better number of threads; the better of the two widths counts. A stand-in takes the place of
torchvision, which peer one imports for files and pictures only. Ours gets the same minutes for everything up to the saved model.
Nobody uses labels, nobody mirrors images. All make the same number of samples; one frozen extractor judges them, and the floor is the
held-out split judged in the same way.
"""

import argparse
import contextlib
import math
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gan_examples as gans
import gan_subjects
import numpy as np
import torch
from measure import machine, mean_interval, write_result
from torch import nn

BATCH = 16
PUBLISHED, SMALL = "published width", "small"
DDP_WIDTHS = {PUBLISHED: 64, SMALL: 16}
DIFFUSERS_WIDTHS = {PUBLISHED: (128, 128, 256, 256, 512, 512), SMALL: (32, 64, 64)}
DDIM_STEPS, DPM_STEPS = 25, 20
THREAD_TRIAL_SECONDS = 8.0


@contextlib.contextmanager
def stand_in_for_torchvision() -> Iterator[None]:
    """Give what peer one imports for files and pictures and what nothing here calls, for as long as it is imported."""
    torchvision: Any = types.ModuleType("torchvision")
    torchvision.transforms = types.ModuleType("torchvision.transforms")
    torchvision.utils = types.ModuleType("torchvision.utils")
    given = {
        "torchvision": torchvision,
        "torchvision.transforms": torchvision.transforms,
        "torchvision.utils": torchvision.utils,
    }
    sys.modules |= given
    yield
    # Peer two asks whether it is installed, and it is not.
    for name in given:
        del sys.modules[name]


def shuffled(pixels: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield batches of all images in a new order each time, without end."""
    while True:
        for pick in torch.randperm(len(pixels)).split(BATCH):
            if len(pick) == BATCH:
                yield pixels[pick]


def ddp(folder: Path, pixels: torch.Tensor, width: int, seconds: float) -> tuple[Any, Callable[[int], torch.Tensor]]:
    """Train peer one for some seconds and return (what happened, its sampler of so many images in -1 to 1)."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    with stand_in_for_torchvision():
        from denoising_diffusion_pytorch.denoising_diffusion_pytorch import GaussianDiffusion, Unet
        from ema_pytorch import EMA

    network = Unet(dim=width, dim_mults=(1, 2, 4, 8), channels=pixels.shape[1])
    model = GaussianDiffusion(network, image_size=gan_subjects.SIDE, timesteps=1000, sampling_timesteps=DDIM_STEPS)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.9, 0.99))
    average = EMA(model, beta=0.995, update_every=10)
    # It takes images between 0 and 1 and scales them itself.
    batches, steps, start = shuffled((pixels + 1) / 2), 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        model(next(batches)).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        average.update()
        steps += 1
    average.ema_model.eval()

    def sample(count: int) -> torch.Tensor:
        return average.ema_model.sample(batch_size=count) * 2 - 1

    return about(network, steps, seconds, f"{DDIM_STEPS} steps of its DDIM"), sample


def hugging(pixels: torch.Tensor, width: tuple[int, ...], seconds: float) -> tuple[Any, Callable[[int], torch.Tensor]]:
    """Train peer two for some seconds and return (what happened, its sampler of so many images in -1 to 1)."""
    from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UNet2DModel
    from diffusers.training_utils import EMAModel

    levels = len(width)
    attention = levels - 2
    network = UNet2DModel(
        sample_size=gan_subjects.SIDE, in_channels=pixels.shape[1], out_channels=pixels.shape[1], layers_per_block=2,
        block_out_channels=width,
        down_block_types=tuple("AttnDownBlock2D" if level == attention else "DownBlock2D" for level in range(levels)),
        up_block_types=tuple("AttnUpBlock2D" if level == levels - 1 - attention else "UpBlock2D" for level in range(levels)),
    )  # fmt: skip
    schedule = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    average = EMAModel(network.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    batches, steps, start = shuffled(pixels), 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for group in optimiser.param_groups:
            # The cosine after the warm-up is over 100 epochs: nothing of it is seen in minutes.
            group["lr"] = 1e-4 * min(1.0, (steps + 1) / 500)
        clean = next(batches)
        noise, times = torch.randn_like(clean), torch.randint(0, 1000, (len(clean),))
        answer = network(schedule.add_noise(clean, noise, times), times).sample
        nn.functional.mse_loss(answer, noise).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        average.step(network.parameters())
        steps += 1
    average.copy_to(network.parameters())
    network.eval()

    @torch.inference_mode()
    def sample(count: int) -> torch.Tensor:
        solver = DPMSolverMultistepScheduler(num_train_timesteps=1000, beta_schedule="linear")
        solver.set_timesteps(DPM_STEPS)
        noisy = torch.randn(count, pixels.shape[1], gan_subjects.SIDE, gan_subjects.SIDE)
        for moment in solver.timesteps:
            noisy = solver.step(network(noisy, moment).sample, moment, noisy).prev_sample
        return noisy

    return about(network, steps, seconds, f"{DPM_STEPS} steps of DPM-Solver++"), sample


def about(network: nn.Module, steps: int, seconds: float, sampler: str) -> dict[str, Any]:
    """Return what is written of a peer's training."""
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "steps": steps,
        "images_per_second": steps * BATCH / seconds,
        "threads": torch.get_num_threads(),
        "sampler": sampler,
    }


def peer_samples(
    train: Callable[[float], tuple[Any, Callable[[int], torch.Tensor]]],
    subject: gan_subjects.Subject,
    *,
    minutes: float,
    seed: int,
    count: int,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Train a peer at its better number of threads and return (its samples, what happened)."""
    rates = {}
    for threads in range(1, len(os.sched_getaffinity(0)) + 1):
        torch.set_num_threads(threads)
        rates[threads] = train(THREAD_TRIAL_SECONDS)[0]["steps"]
    torch.set_num_threads(max(rates, key=lambda threads: rates[threads]))
    torch.manual_seed(seed)
    told, sample = train(60 * minutes)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    start, part = time.perf_counter(), 100
    made = torch.cat([sample(part) for _ in range(math.ceil(count / part))])[:count]
    return subject.from_peer(made), told | {"sampling_seconds": time.perf_counter() - start}


def sides(options: argparse.Namespace, subject: gan_subjects.Subject) -> dict[str, Callable[[Path, int], Any]]:
    """Return everything that is measured, by name."""
    found: dict[str, Callable[[Path, int], Any]] = {}
    for recipe in ("flow", "ddpm"):

        def ours(home: Path, seed: int, recipe: str = recipe) -> Any:
            home.mkdir(parents=True)
            return gans.our_samples(subject, home, recipe=recipe, minutes=options.minutes, seed=seed)

        found[f"makar {recipe}"] = ours
    pixels = subject.for_peer()
    common = {"minutes": options.minutes, "count": options.samples}
    for size in (SMALL, PUBLISHED):

        def one(home: Path, seed: int, width: int = DDP_WIDTHS[size]) -> Any:
            return peer_samples(lambda seconds: ddp(options.ddp, pixels, width, seconds), subject, seed=seed, **common)

        def two(home: Path, seed: int, width: tuple[int, ...] = DIFFUSERS_WIDTHS[size]) -> Any:
            return peer_samples(lambda seconds: hugging(pixels, width, seconds), subject, seed=seed, **common)

        if options.ddp:
            found[f"denoising-diffusion-pytorch, {size}"] = one
        found[f"diffusers example, {size}"] = two
    return {
        name: side for name, side in found.items() if not options.only or any(word in name for word in options.only)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--ddp", type=Path, help="a checkout of denoising-diffusion-pytorch; einops and ema-pytorch importable"
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--data", nargs="+", default=["fashion_mnist", "cifar10"], choices=["fashion_mnist", "cifar10"])
    parser.add_argument("--only", nargs="+", help="words of the names of the sides to measure; none measures all")
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets")
    parser.add_argument("--judges", type=Path, help="a folder in which the judges are kept for the next call")
    parser.add_argument("--label", help="a word in the name of the result")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "minutes": options.minutes, "subjects": []}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.data:
            torch.set_num_threads(len(os.sched_getaffinity(0)))
            judges = [options.judges / f"judge.{name}.safetensors"] if options.judges else []
            subject = gan_subjects.Subject(name, Path(folder), judges)
            gan_subjects.SAMPLES[name] = options.samples
            print(
                "{data}: judge {judge_accuracy} accurate; floor {floor} ({floor_images})".format(
                    data=name, **subject.about
                ),
                flush=True,
            )
            runs: dict[str, list[dict[str, Any]]] = {}
            for seed in options.seeds:
                for side, measure in sides(options, subject).items():
                    samples, told = measure(Path(folder) / f"{name}-{seed}-{len(runs)}", seed)
                    found = {"seed": seed, "fid": subject.fid(samples), **told}
                    runs.setdefault(side, []).append(found)
                    shown = {key: value for key, value in told.items() if key not in ("family", "optimisation")}
                    print(f"{name} seed {seed} {side}: FID {found['fid']:.2f}", shown, flush=True)
                    if options.sheets:
                        options.sheets.mkdir(parents=True, exist_ok=True)
                        gans.sheet(
                            samples, options.sheets / f"{name}-{side.replace(' ', '-').replace(',', '')}-{seed}.png"
                        )
            means = {side: mean_interval([run["fid"] for run in done]) for side, done in runs.items()}
            for side, (value, half) in means.items():
                print(f"{name} {side}: FID {value:.2f} +- {half:.2f} over {len(options.seeds)} seeds", flush=True)
            result["subjects"].append(
                {
                    "data": name, **subject.about, "samples": options.samples, "runs": runs,
                }
            )  # fmt: skip
    write_result("-".join(["diffusion-peers", *filter(None, [options.label])]), result)


if __name__ == "__main__":
    main()
