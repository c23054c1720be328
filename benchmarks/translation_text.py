"""English to German captions (multi30k), from nothing, beside JoeyNMT's small transformer in the same minutes: sacreBLEU of test2016.

Run: python benchmarks/translation_text.py [--minutes 60] [--seeds 0] [--rows FILE] [--joeynmt PYTHON]

``--joeynmt`` is the interpreter of an environment of its own in which joeynmt 2.3 is installed (python -m venv, pip install joeynmt
importlib_metadata "sentencepiece<0.2.1"); without it only ours is measured. The peer has 4 + 4 layers of width 128, 4 heads, 8,000 joint
byte pairs, dropout 0.3 and beams of 5; it is stopped when the minutes are over, and the best of its checkpoints is tested. Runs that are
in ``--rows`` already are not made again.
Ends with 1 where ours is below 33, or not 1 above the peer.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import data_folder, machine, mean_interval, timed, write_result

PARTS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
BAR, AHEAD = 33.0, 1.0
GRACE_SECONDS = 60
PEER = """
name: peer
joeynmt_version: "2.3.0"
model_dir: {folder}/model
use_cuda: False
fp16: False
random_seed: {seed}
data:
  train: {folder}/train
  dev: {folder}/validation
  test: {folder}/test
  dataset_type: plain
  src: &side
    lang: en
    max_length: 128
    lowercase: False
    level: bpe
    voc_file: {folder}/vocabulary.txt
    tokenizer_type: sentencepiece
    tokenizer_cfg: {{model_file: {folder}/pieces.model}}
  trg:
    <<: *side
    lang: de
testing:
  beam_size: 5
  beam_alpha: 1.0
  batch_size: 64
  batch_type: sentence
  eval_metrics: [bleu]
  sacrebleu_cfg: {{tokenize: 13a}}
training:
  optimizer: adamw
  adam_betas: [0.9, 0.98]
  scheduling: warmupinversesquareroot
  learning_rate: 0.005
  learning_rate_warmup: 2000
  learning_rate_min: 0.00000001
  clip_grad_norm: 1.0
  weight_decay: 0.0
  label_smoothing: 0.1
  loss: crossentropy
  batch_size: 4096
  batch_type: token
  normalization: tokens
  epochs: 10000
  validation_freq: {every}
  logging_freq: 100
  early_stopping_metric: loss
  overwrite: True
  shuffle: True
  keep_best_ckpts: 1
model:
  initializer: xavier_uniform
  bias_initializer: zeros
  embed_initializer: xavier_uniform
  tied_embeddings: True
  tied_softmax: True
  encoder: &layers
    type: transformer
    num_layers: 4
    num_heads: 4
    embeddings: {{embedding_dim: 128, scale: True, dropout: 0.0}}
    hidden_size: 128
    ff_size: 256
    dropout: 0.3
    layer_norm: pre
  decoder:
    <<: *layers
"""


def write_data(folder: Path, *, most: int | None) -> dict[str, list[dict[str, str]]]:
    """Lay out the official parts as tables and as parallel files; return them."""
    parts = {}
    for name, file in PARTS.items():
        with gzip.open(data_folder() / "multi30k" / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [{side: row[side] for side in ("en", "de")} for row in map(json.loads, lines)][:most]
        (folder / "table").mkdir(exist_ok=True)
        (folder / "table" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for side in ("en", "de"):
            text = "".join(" ".join(row[side].split()) + "\n" for row in rows)
            (folder / f"{name}.{side}").write_text(text, encoding="utf-8")
        parts[name] = rows
    return parts


def bleu(texts: list[str], rows: list[dict[str, str]]) -> dict[str, Any]:
    """Return sacreBLEU with its signature."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    score = metric.corpus_score(texts, [[row["de"] for row in rows]]).score
    return {"bleu": round(score, 2), "signature": str(metric.get_signature())}


def ours(folder: Path, test: list[dict[str, str]], *, minutes: float, seed: int) -> dict[str, Any]:
    """Train and translate with makar."""
    import makar

    place = folder / f"ours-{seed}"
    words = ["train", str(folder / "table"), "--columns", "source=en,target=de", "--for", f"{minutes * 60:.0f}s"]
    _, output = timed([sys.executable, "-m", "makar", *words, "--seed", str(seed), "-o", str(place), "--json"])
    run = json.loads(output)
    begin = time.perf_counter()
    assets = makar.load(place).generate([row["en"] for row in test])
    made = bleu([asset.content for asset in assets], test)
    result, predicted = run["results"][-1], run["plan"]["predicted"]
    family = run["plan"]["recipe"]["stages"][-1]["family"]
    shape = {name: family[name] for name in ("width", "encoder_depth", "decoder_depth", "dropout", "vocabulary")}
    figures = {"steps": result["steps"], "parameters": predicted["parameters"], "inner_loss": result["inner_loss"]}
    return {**made, **figures, **shape, "seconds_of_translation": round(time.perf_counter() - begin, 1)}


def peer(
    folder: Path, test: list[dict[str, str]], python: str, *, minutes: float, seed: int, every: int
) -> dict[str, Any]:
    """Train JoeyNMT until the minutes are over, and translate with the best of its checkpoints."""
    pieces = (
        "import sentencepiece as s; s.SentencePieceTrainer.train(input='train.en,train.de', model_prefix='pieces', vocab_size=8000, "
        "model_type='bpe', character_coverage=1.0, pad_id=1, unk_id=0, bos_id=2, eos_id=3, hard_vocab_limit=False)\n"
        "p = s.SentencePieceProcessor(model_file='pieces.model')\n"
        "open('vocabulary.txt', 'w').write(''.join(p.id_to_piece(i) + chr(10) for i in range(4, p.get_piece_size())))"
    )
    timed([python, "-c", pieces], folder=folder)
    (folder / "config.yaml").write_text(PEER.format(folder=folder, seed=seed, every=every), encoding="utf-8")
    begin = time.monotonic()
    with (folder / "log.txt").open("w") as log:
        command = [python, "-m", "joeynmt", "train", str(folder / "config.yaml"), "--skip-test"]
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=os.environ) as process:
            try:
                process.wait(minutes * 60)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait(GRACE_SECONDS)
    seconds = time.monotonic() - begin
    if not (folder / "model" / "best.ckpt").exists():
        sys.exit(f"the peer has no checkpoint: {(folder / 'log.txt').read_text()[-3000:]}")
    # It takes best.ckpt by itself.
    timed([python, "-m", "joeynmt", "test", str(folder / "config.yaml"), "-o", str(folder / "out")], folder=folder)
    texts = (folder / "out.test").read_text(encoding="utf-8").split("\n")[: len(test)]
    return {**bleu(texts, test), "seconds": round(seconds, 1)}


def main() -> None:
    """Measure both sides, print the difference, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=60.0)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments.add_argument("--joeynmt", help="interpreter of the environment of the peer")
    arguments.add_argument("--every", type=int, default=500, help="steps of the peer between two validations")
    arguments.add_argument("--most", type=int, help="rows of each part, to try the script")
    arguments.add_argument("--rows", type=Path, help="runs that were made; new ones are appended")
    given = arguments.parse_args()
    kept = given.rows.read_text().splitlines() if given.rows and given.rows.exists() else []
    rows = [json.loads(line) for line in kept]
    at_start = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = write_data(folder, most=given.most)
        for seed in given.seeds:
            for side in ("makar", "joeynmt") if given.joeynmt else ("makar",):
                key = {"side": side, "minutes": given.minutes, "seed": seed}
                if any(key.items() <= row.items() for row in rows):
                    continue
                how = {"minutes": given.minutes, "seed": seed}
                found = (
                    ours(folder, parts["test"], **how)
                    if side == "makar"
                    else peer(folder, parts["test"], given.joeynmt, every=given.every, **how)
                )
                rows.append({**key, **found, "commit": at_start["commit"]})
                print(json.dumps(rows[-1]), flush=True)
                if given.rows:
                    with given.rows.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    means = {
        side: mean_interval([row["bleu"] for row in rows if row["side"] == side and row["minutes"] == given.minutes])
        for side in sorted({row["side"] for row in rows if row["minutes"] == given.minutes})
    }
    best = means["makar"][0]
    difference = best - means["joeynmt"][0] if "joeynmt" in means else None
    held = best >= BAR and (difference is None or difference >= AHEAD)
    print(f"sacreBLEU of test2016 after {given.minutes:g} min: {means}; ahead by {difference}")
    result = {"means": means, "ahead_of_joeynmt": difference, "held": held, "rows": rows}
    write_result("translation-text", {"machine": at_start, **result})
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
