"""Trains tiny families in forked processes, kills them at random moments, resumes, and compares the last bits. Run by test_kill."""

import hashlib
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

import makar.training.trainer
from makar.recipe import OptimisationConfig
from makar.training.progress import Watch
from makar.training.trainer import TrainingData, train_stage
from tests.training import conftest

STEPS = 150


def train(shop: conftest.Workshop, folder: Path) -> None:
    """Train to the end and write the hash of the weights."""
    plan, family = shop.plan(steps=STEPS), shop.family()
    watch = Watch(checkpoint_seconds=0.0)
    result = train_stage(plan, plan.recipe.stages[0], family=family, data=shop.data, folder=folder, watch=watch)
    digest = hashlib.sha256(repr((result.inner_loss, result.best_step)).encode())
    for name, tensor in sorted(family.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    (folder / "hash.tmp").write_text(digest.hexdigest())
    (folder / "hash.tmp").rename(folder / "hash")


def attempt(shop: conftest.Workshop, folder: Path, seconds: float | None) -> bool:
    """Train in a child process that is killed after some seconds; return whether it was killed."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        train(shop, folder)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def main() -> None:
    """Kill, resume, compare; the exit code says whether all ended alike."""
    folder, kind, most_kills = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    makar.training.trainer.GOOD_STATE_STEPS = 7
    data = TrainingData(
        codec=conftest.ArrayCodec(conftest.ArrayCodecConfig()),
        stores={
            "train": conftest.make_store(folder / "train", kind),
            "inner": conftest.make_store(folder / "inner", kind, seed=1, examples=10),
        },
    )
    optimisation = OptimisationConfig(learning_rate=0.02, batch_size=8, average_share=0.05)
    shop = conftest.Workshop(folder, kind, data, optimisation)
    begin = time.monotonic()
    attempt(shop, folder / "whole", None)
    length = time.monotonic() - begin
    expected = (folder / "whole" / "hash").read_text()
    draw = random.Random(0)
    kills = resumed = runs = 0
    while kills < most_kills:
        run = folder / f"run{runs}"
        runs += 1
        # A run is killed again and again until it gets through, as long as kills are left.
        while kills < most_kills and attempt(shop, run, draw.uniform(0, length)):
            kills += 1
            resumed += (run / "checkpoints").exists()
        if not (run / "hash").exists():
            attempt(shop, run, None)
        if (run / "hash").read_text() != expected:
            sys.exit(f"run {runs} differs after {kills} kills")
    print(f"{kills} kills, {resumed} with a checkpoint, {runs} runs, all alike")
    sys.exit(0 if resumed > most_kills // 4 else f"only {resumed} kills had a checkpoint to go on from")


if __name__ == "__main__":
    main()
