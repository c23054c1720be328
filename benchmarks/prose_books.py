"""Bits a byte on books that nobody has read: ours against a GPT-2-shaped run of transformers.Trainer of the same minutes (prose_books).

Run: python benchmarks/prose_books.py [--minutes 60] [--seeds 0] [--rows FILE]

56 books to learn from, 3 for validation, 3 held out (own split of the data, by whole book). Ours is ``makar train --for``; the size is what
the plan chooses. The peer gets that size as a present: as many layers, heads and channels, the same context, and a vocabulary as large,
which it learns from the same books by the library tokenizers; then what people do: AdamW, rate 1e-3 falling along a cosine after 100
steps, decay 0.1, attention sdpa, batches of 16, bfloat16 or float32, whichever is faster here, as many steps as fit, found by timing
twenty. Both are opened by transformers and measured by one function: windows side by side of the context, every token but the first of a
book counts once. Runs in ``--rows`` are not made again. Ends with 1 where ours is not 5 % lower.
"""

import argparse
import gzip
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import data_folder, exported_nats, machine, mean_interval, timed, write_result

BAR, AIM = 0.95, 0.90
BATCH, WARM_UP, PROBE = 16, 100, 20


def books() -> dict[str, list[str]]:
    """Return the texts of each part."""
    found: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    with gzip.open(data_folder() / "prose_books" / "books.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            found[row["split"]].append(row["text"])
    return found


def bits_a_byte(model: Path, texts: list[str], *, context: int) -> float:
    """Return what a saved model needs for held-out books."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    nats = 0.0
    for text in texts:
        predicted = len(tokenizer(text, add_special_tokens=False)["input_ids"]) - 1
        nats += predicted * exported_nats(model, text, context=context)
    return nats / math.log(2) / sum(len(text.encode()) for text in texts)


def ours(folder: Path, test: list[str], *, minutes: float, seed: int) -> dict[str, Any]:
    """Train with makar and measure."""
    place = folder / f"ours-{seed}"
    words = ["train", str(folder / "table"), "--for", f"{60 * minutes:.0f}s", "--seed", str(seed), "-o", str(place)]
    seconds, output = timed([sys.executable, "-m", "makar", *words, "--json"])
    run = json.loads(output)
    family = run["plan"]["recipe"]["stages"][-1]["family"]
    config = json.loads((place / "config.json").read_text())
    shape = {
        "depth": config["num_hidden_layers"],
        "width": config["hidden_size"],
        "heads": config["num_attention_heads"],
        "vocabulary": config["vocab_size"],
        "context": family["context"],
    }
    found = {"steps": run["results"][-1]["steps"], "parameters": run["plan"]["predicted"]["parameters"], **shape}
    return {"bits_a_byte": bits_a_byte(place, test, context=shape["context"]), "seconds": seconds, **found}


def peer(folder: Path, test: list[str], *, minutes: float, seed: int, shape: dict[str, int]) -> dict[str, Any]:
    """Train with transformers in a process of its own and measure."""
    place = folder / f"peer-{seed}"
    task = {"folder": str(folder), "place": str(place), "minutes": minutes, "seed": seed, "shape": shape}
    seconds, output = timed([sys.executable, "-W", "ignore", __file__, "--peer", json.dumps(task)])
    found = json.loads(output.strip().splitlines()[-1])
    return {"bits_a_byte": bits_a_byte(place, test, context=shape["context"]), "seconds": seconds, **found, **shape}


def train_peer(task: dict[str, Any]) -> None:
    """Do what people do with transformers.Trainer, and say how many steps there were."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, Trainer, TrainingArguments

    begin = time.monotonic()
    shape, place = task["shape"], Path(task["place"])
    texts = [
        json.loads(line)["text"] for line in (Path(task["folder"]) / "table" / "train.jsonl").read_text().splitlines()
    ]
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer, learned.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    how = {"special_tokens": ["<|endoftext|>"], "initial_alphabet": letters, "show_progress": False}
    learned.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=shape["vocabulary"], **how))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=learned, eos_token="<|endoftext|>")
    tokens = [number for text in texts for number in [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]]
    length = shape["context"]
    rows = [
        {"input_ids": torch.tensor(tokens[at : at + length]), "labels": torch.tensor(tokens[at : at + length])}
        for at in range(0, len(tokens) - length, length)
    ]

    def trainer(steps: int, *, half: bool) -> Trainer:
        torch.manual_seed(task["seed"])
        config = GPT2Config(
            vocab_size=len(tokenizer), n_positions=length, n_embd=shape["width"], n_layer=shape["depth"],
            n_head=shape["heads"], resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, attn_implementation="sdpa",
            bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        arguments = TrainingArguments(
            output_dir=str(place / "run"), per_device_train_batch_size=BATCH, max_steps=steps, bf16=half, use_cpu=True,
            learning_rate=1e-3, lr_scheduler_type="cosine", warmup_steps=WARM_UP, weight_decay=0.1, adam_beta2=0.95,
            max_grad_norm=1.0, seed=task["seed"], report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        return Trainer(model=GPT2LMHeadModel(config), args=arguments, train_dataset=rows)

    def pace(steps: int, *, half: bool) -> float:
        start = time.monotonic()
        trainer(steps, half=half).train()
        return (time.monotonic() - start) / steps

    half = pace(1, half=True) < pace(1, half=False)
    seconds = pace(PROBE, half=half)
    # What is prepared and timed before counts, as it does on our side.
    steps = max(1, int((60 * task["minutes"] - (time.monotonic() - begin)) / seconds))
    training = trainer(steps, half=half)
    training.train()
    training.model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    print(json.dumps({"steps": steps, "bfloat16": half, "parameters": training.model.num_parameters()}))


def main() -> None:
    """Measure both sides, print the ratio, write."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=60.0)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments.add_argument("--rows", type=Path, help="runs that were made; new ones are appended")
    arguments.add_argument("--most", type=int, help="letters of each book, to try the script")
    arguments.add_argument("--peer", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.peer:
        train_peer(json.loads(given.peer))
        return
    rows = (
        [json.loads(line) for line in given.rows.read_text().splitlines()] if given.rows and given.rows.exists() else []
    )
    at_start = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "table").mkdir()
        parts = {part: [text[: given.most] for text in texts] for part, texts in books().items()}
        for part, file in (("train", "train"), ("valid", "validation")):
            lines = "".join(json.dumps({"text": text}) + "\n" for text in parts[part])
            (folder / "table" / f"{file}.jsonl").write_text(lines, encoding="utf-8")
        for seed in given.seeds:
            for side in ("makar", "transformers"):
                key = {"side": side, "minutes": given.minutes, "seed": seed}
                if any(key.items() <= row.items() for row in rows):
                    continue
                how = {"minutes": given.minutes, "seed": seed}
                if side == "makar":
                    found = ours(folder, parts["test"], **how)
                else:
                    first = next(row for row in rows if {**key, "side": "makar"}.items() <= row.items())
                    sizes = ("depth", "width", "heads", "vocabulary", "context")
                    found = peer(folder, parts["test"], shape={size: first[size] for size in sizes}, **how)
                rows.append({**key, **found, "commit": at_start["commit"]})
                print(json.dumps(rows[-1]), flush=True)
                if given.rows:
                    with given.rows.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    counted = [row for row in rows if row["minutes"] == given.minutes]
    means = {
        side: mean_interval([row["bits_a_byte"] for row in counted if row["side"] == side])
        for side in ("makar", "transformers")
    }
    ratio = means["makar"][0] / means["transformers"][0]
    print(
        f"bits a byte of held-out books after {given.minutes:g} min: {means}; ratio {ratio:.3f} (bar {BAR}, aim {AIM})"
    )
    result = {"machine": at_start, "means": means, "ratio": ratio, "held": ratio <= BAR, "rows": rows}
    write_result("prose-books", result)
    sys.exit(0 if ratio <= BAR else 1)


if __name__ == "__main__":
    main()
