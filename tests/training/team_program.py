"""Trains a tiny family as one of several processes and writes the weights. Run by test_distributed."""

import sys
from pathlib import Path

import safetensors.torch

from makar.recipe import OptimisationConfig
from makar.training.distributed import Team
from makar.training.trainer import TrainingData, train_stage
from tests.training import conftest


def main() -> None:
    """Train and write the weights of this rank."""
    folder, rank = Path(sys.argv[1]), Team().rank
    data = TrainingData(
        codec=conftest.ArrayCodec(conftest.ArrayCodecConfig()),
        stores={
            "train": conftest.make_store(folder / f"train{rank}", "bandit"),
            "inner": conftest.make_store(folder / f"inner{rank}", "bandit", seed=1),
        },
    )
    optimisation = OptimisationConfig(learning_rate=0.02, batch_size=8, average_share=0.05)
    shop = conftest.Workshop(folder, "gan", data, optimisation)
    plan, family = shop.plan(steps=20), shop.family()
    train_stage(plan, plan.recipe.stages[0], family=family, data=data, folder=folder / "run")
    safetensors.torch.save_file(dict(family.state_dict()), folder / f"rank{rank}.safetensors")


if __name__ == "__main__":
    main()
