"""A small model of code that has learned one file by heart, from left to right and with holes."""

import torch

from makar.artifacts.save import save_artifact
from makar.codecs.codec import fit_codec
from makar.codecs.text_config import END_TOKEN, INFILL_TOKENS, code_codec
from makar.data.record import Record
from makar.families.family import build_family
from makar.families.transformer.config import TransformerConfig
from makar.recipe import Recipe, Stage

LINES = ["import os\n", "def first(a):\n", "    b = a + 1\n", "    return b\n", "def second(c):\n", "    d = c * 2\n"]
LINES += ["    return d\n", "print(first(3))\n"]
FILE = "".join(LINES)


def coder(path, *, steps=110, share=0.7, context=64):
    """Train the model and save it as an artifact."""
    record = Record(id="0", medium="code", content=FILE, document="d", source="d.py", split="train")
    codec = fit_codec(code_codec(340), iter([record] * 4))
    config = TransformerConfig(
        context=context, depth=2, width=48, heads=3, infill_share=share, infill_tokens=(*INFILL_TOKENS, END_TOKEN)
    )
    config = config.bound_to(codec.spec)
    family = build_family(config)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    tokens = torch.from_numpy(codec.encode(record)["target"].astype("int64")).repeat(4)
    (phase,) = family.phases()
    optimiser = torch.optim.AdamW(family.parameters(), lr=1e-2, betas=(0.9, 0.97))
    family.initialise_from_data([{"target": tokens[None]}])
    for _ in range(steps):
        starts = torch.randint(len(tokens) // 2, (12,), generator=generator)
        windows = torch.stack([tokens[start : start + context + 1] for start in starts])
        loss = phase.loss(family.prepare({"target": windows}, generator), generator)
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
    stage = Stage(name="model", codec=codec.config, family=config)
    recipe = Recipe(name="code", medium="code", summary="for tests", stages=(stage,))
    data = {"fingerprint": "ef" * 32, "name": "one file"}
    return save_artifact(path, recipe=recipe, codec=codec, family=family, training={"run": ""}, data=data)
