"""Speed of the network of clips beside diffusers' UNet3DConditionModel of the same number of parameters, on clips of the same size.

Run: python benchmarks/video_speed.py [--features 48] [--batch 4] [--repeats 5] [--seed 0]

Both see eight frames of 32 x 32 in colour and eight tokens of a caption, float32, one thread, and are given the same chance to warm up.
Training is forward, backward and a step of AdamW; sampling is ten evaluations without guidance. Each figure is the best of the repeats; the
two take turns, so that whatever else the machine does hits both. The bar is four times as fast in both.
"""

import argparse
import sys
import time
from collections.abc import Callable

import torch
from measure import machine, write_result

from makar.families.diffusion.config import DiffusionConfig
from makar.families.family import build_family
from makar.tensor_spec import CAPTION, TARGET

BAR = 4.0
FRAMES, SIDE, TOKENS, WIDTH, EVALUATIONS = 8, 32, 8, 96, 10


def ours(features: int) -> torch.nn.Module:
    """Return a family of clips of this many features."""
    config = DiffusionConfig(
        frames=FRAMES, channels=3 * FRAMES, height=SIDE, width=SIDE, caption_length=TOKENS, caption_vocabulary=300, caption_width=WIDTH
    ).with_features(features)  # fmt: skip
    family = build_family(config)
    generator = torch.Generator().manual_seed(0)
    family.begin(generator, [{TARGET: torch.rand(8, 3 * FRAMES, SIDE, SIDE, generator=generator) * 2 - 1}])
    return family


def theirs(parameters: int) -> torch.nn.Module:
    """Return the peer whose width brings it nearest to a number of parameters; two levels, as ours."""
    from diffusers import UNet3DConditionModel

    def built(width: int) -> torch.nn.Module:
        return UNet3DConditionModel(
            sample_size=SIDE,
            in_channels=3,
            out_channels=3,
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
            block_out_channels=(width, 2 * width),
            layers_per_block=1,
            norm_num_groups=8,
            cross_attention_dim=WIDTH,
            attention_head_dim=8,
        )

    widths = range(8, 72, 8)
    return min((built(width) for width in widths), key=lambda peer: abs(count(peer) - parameters))


def count(network: torch.nn.Module) -> int:
    """Return the number of parameters."""
    return sum(part.numel() for part in network.parameters())


def seconds(work: Callable[[], None]) -> float:
    """Return how long something takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=48)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    family, batch = ours(options.features), options.batch
    peer = theirs(count(family))
    clips = torch.rand(batch, 3 * FRAMES, SIDE, SIDE) * 2 - 1
    tokens, generator = torch.randint(2, 300, (batch, TOKENS)), torch.Generator().manual_seed(options.seed)
    moving, states = clips.unflatten(1, (FRAMES, 3)).transpose(1, 2), torch.randn(batch, TOKENS, WIDTH)
    optimisers = [torch.optim.AdamW(network.parameters(), 1e-4) for network in (family, peer)]
    (phase,) = family.phases()

    def our_step() -> None:
        optimisers[0].zero_grad()
        phase.loss({TARGET: clips, CAPTION: tokens}, generator).value.backward()
        optimisers[0].step()

    def peer_step() -> None:
        optimisers[1].zero_grad()
        told = peer(moving, torch.randint(0, 1000, (batch,)), encoder_hidden_states=states).sample
        torch.nn.functional.mse_loss(told, moving).backward()
        optimisers[1].step()

    def our_samples() -> None:
        with torch.inference_mode():
            condition = family.condition(None, tokens)
            for _ in range(EVALUATIONS):
                family.velocity(clips, torch.full((batch,), 0.5), condition)

    def peer_samples() -> None:
        with torch.inference_mode():
            for _ in range(EVALUATIONS):
                peer(moving, torch.full((batch,), 500), encoder_hidden_states=states)

    rows = {}
    for name, ours_does, peer_does, unit in (
        ("training", our_step, peer_step, batch),
        ("sampling", our_samples, peer_samples, batch * FRAMES),
    ):
        ours_does(), peer_does()
        turns = [(seconds(ours_does), seconds(peer_does)) for _ in range(options.repeats)]
        best = [unit / min(times) for times in zip(*turns, strict=True)]
        rows[name] = {"ours": best[0], "diffusers": best[1], "times": best[0] / best[1]}
        what = "clips/s" if name == "training" else f"frames/s in {EVALUATIONS} evaluations"
        print(f"{name}: {best[0]:.2f} {what} against {best[1]:.2f}, {best[0] / best[1]:.1f} times", flush=True)
    parameters = {"ours": count(family), "diffusers": count(peer)}
    print(parameters)
    write_result(
        "video_speed", {"machine": machine(), "parameters": parameters, "batch": batch, "rows": rows, "bar": BAR}
    )
    if any(row["times"] < BAR for row in rows.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
