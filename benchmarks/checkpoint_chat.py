"""A brought-in checkpoint against transformers: tokens a second of the same text, and what a later turn of a conversation costs.

    python benchmarks/checkpoint_chat.py                    writes benchmarks/results/YYYY-MM-DD-checkpoint-chat.json
    python benchmarks/checkpoint_chat.py --shape 2M --tokens 16 --turns 3      a try of seconds

A Qwen 3 with random weights and a tokenizer of bytes is saved by transformers, brought in by ``makar import``, and both write greedily from
the same prompt; texts must be equal and the ratio of the speeds is what counts (float32, one and the same number of threads). Then a
conversation is held whose question is long; the time to the first piece of every later turn is put beside that of the first, with what was
read kept (``makar chat`` as it is) and read anew. Later turns have more to read anew each time; kept, they must not.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import machine, write_result

SHAPES = {
    "2M": {"hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 512},
    "110M": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTEXT = 4096
LONG = "Tell me all that you know of foxes, and leave nothing out. " * 8


def make_checkpoint(folder: Path, shape: str) -> None:
    """Save a Qwen 3 with random weights and a tokenizer of bytes."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    own = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[]))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    own.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=own, eos_token="<|im_end|>")
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    numbers = SHAPES[shape]
    config = transformers.Qwen3Config(
        **numbers,
        vocab_size=len(tokenizer),
        head_dim=numbers["hidden_size"] // numbers["num_attention_heads"],
        num_key_value_heads=numbers["num_attention_heads"],
        max_position_embeddings=CONTEXT,
        initializer_range=0.1,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,
    )
    transformers.Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def speeds(folder: Path, native: Any, *, tokens: int, rounds: int) -> dict[str, Any]:
    """Return tokens a second of both sides from the same prompt, the best of some rounds."""
    import torch
    import transformers

    peer = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    codec, family = native.artifact.codec(), native.artifact.family()
    prompt = torch.from_numpy(codec.encode_text(LONG))
    sampler, options = family.sampler(codec), family.options(temperature=0.0, max_tokens=tokens)
    best, texts = {"ours": float("inf"), "transformers": float("inf")}, {}
    for _ in range(rounds):
        start = time.perf_counter()
        pieces = sampler.sample(options, [{"target": prompt}], [0])
        texts["ours"] = [int(token) for _, slots, _ in pieces for token in slots["target"]]
        best["ours"] = min(best["ours"], time.perf_counter() - start)
        start = time.perf_counter()
        with torch.inference_mode():
            made = peer.generate(
                prompt[None],
                max_new_tokens=tokens,
                do_sample=False,
                pad_token_id=0,
                attention_mask=torch.ones_like(prompt)[None],
            )
        texts["transformers"] = made[0, len(prompt) :].tolist()
        best["transformers"] = min(best["transformers"], time.perf_counter() - start)
    pairs = list(zip(texts["ours"], texts["transformers"]))
    same = next((at for at, (one, other) in enumerate(pairs) if one != other), len(pairs))
    count = max(1, len(texts["ours"]))
    return {
        "tokens_per_second": {side: count / seconds for side, seconds in best.items()},
        "ratio": best["transformers"] / best["ours"],
        "equal_tokens": same,
        "tokens": count,
    }


def turns(native: Any, *, count: int, tokens: int, is_kept: bool) -> list[float]:
    """Return the seconds to the first piece of every turn."""
    import makar

    options = {"temperature": 0.0, "max_tokens": tokens}
    found: list[float] = []
    history = None
    with tempfile.TemporaryDirectory() as place:
        kept = native.chat(options=options)
        for number in range(count):
            talk = kept
            if not is_kept:
                # A conversation of its own has read nothing yet.
                talk = makar.load(native.path).chat(options=options, history=history)
            said = LONG if number == 0 else "And more of that?"
            start = time.perf_counter()
            pieces = talk.say(said)
            next(pieces, None)
            found.append(time.perf_counter() - start)
            for _ in pieces:
                pass
            if not is_kept:
                history = talk.save(Path(place) / f"{number}.jsonl")
    return found


def main() -> None:
    """Measure both and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="110M")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    import makar

    about = machine()
    with tempfile.TemporaryDirectory() as place:
        os.environ["MAKAR_HOME"] = str(Path(place) / "home")
        make_checkpoint(Path(place) / "checkpoint", arguments.shape)
        native = makar.import_model(Path(place) / "checkpoint", output="native")
        speed = speeds(Path(place) / "checkpoint", native, tokens=arguments.tokens, rounds=arguments.rounds)
        first_piece = {
            name: turns(native, count=arguments.turns, tokens=arguments.tokens, is_kept=is_kept)
            for name, is_kept in (("kept", True), ("read_anew", False))
        }
    saved = first_piece["read_anew"][-1] / first_piece["kept"][-1]
    print(f"tokens a second: {speed['tokens_per_second']}, ours {speed['ratio']:.2f} times transformers")
    print(
        f"seconds to the first piece: {first_piece}; the last turn {saved:.1f} times faster where what was read is kept"
    )
    write_result(
        "checkpoint-chat",
        {**about, **vars(arguments), **speed, "first_piece_seconds": first_piece, "last_turn_ratio": saved},
    )
    if speed["equal_tokens"] < speed["tokens"]:
        sys.exit(f"the texts differ after {speed['equal_tokens']} tokens")


if __name__ == "__main__":
    main()
