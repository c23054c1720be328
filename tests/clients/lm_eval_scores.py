"""Runs in the environment of lm-eval: the same task measured over HTTP and in this process, on the same model.

    python lm_eval_scores.py ADDRESS MODEL

The task is written here: choose the right end of a sentence, by the likelihood of each; and how likely whole texts are. Over HTTP it is
lm-eval's own ``local-completions`` (echo with likelihoods, tokens in); in process a model of lm-eval that asks Makar directly.
"""

import json
import sys
import tempfile
from pathlib import Path

from lm_eval import simple_evaluate
from lm_eval.api.model import TemplateLM
from lm_eval.models.openai_completions import LocalCompletionsAPI
from lm_eval.tasks import TaskManager

import makar
from makar.generation.given_tokens import given_likelihoods

ROWS = [
    {"query": "The cat sat on the", "choices": [" mat", " moon", " verb"], "gold": 0},
    {"query": "Water is", "choices": [" dry", " wet"], "gold": 1},
    {"query": "One and one is", "choices": [" two", " three", " ten", " x"], "gold": 0},
    {"query": "A fox has a red", "choices": [" coat", " idea"], "gold": 0},
]
CHOICE = """task: ends
dataset_path: json
dataset_kwargs:
  data_files: {{test: {rows}}}
output_type: multiple_choice
test_split: test
doc_to_text: "{{{{query}}}}"
doc_to_target: gold
doc_to_choice: choices
target_delimiter: ""
metric_list:
  - metric: acc
  - metric: acc_norm
"""
TEXTS = """task: texts
dataset_path: json
dataset_kwargs:
  data_files: {{test: {rows}}}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{{{query}}}}"
metric_list:
  - metric: bits_per_byte
    weight_by_size: true
"""


class Tokens:
    """The letters of a model of bytes as lm-eval wants a tokenizer."""

    eos_token_id = bos_token_id = pad_token_id = 256
    eos_token = bos_token = "<|bytes|>"

    def encode(self, text, **_):
        """Return the tokens of a text."""
        return list(text.encode())


class OverHttp(LocalCompletionsAPI):
    """lm-eval's own client, with the letters of our model."""

    def __init__(self, address, model):
        super().__init__(
            base_url=f"{address}/v1/completions",
            model=model,
            tokenizer_backend=None,
            tokenized_requests=True,
            max_length=256,
            batch_size=1,
            seed=1,
        )
        # It asks for one to know how long a context is.
        self.tokenizer = self._letters = Tokens()
        self.tokenized_requests = True

    @property
    def eot_token_id(self):
        """The token that texts begin with."""
        return 10

    @property
    def prefix_token_id(self):
        """The token that texts begin with."""
        return 10

    def tok_encode(self, string, **_):
        """Return the tokens of a text, or of several."""
        return (
            self._letters.encode(string) if isinstance(string, str) else [self._letters.encode(one) for one in string]
        )


class InProcess(TemplateLM):
    """Makar itself."""

    def __init__(self, path):
        super().__init__()
        self._model = makar.load(path)

    @property
    def eot_token_id(self):
        """The token that texts begin with."""
        return 10

    def tok_encode(self, string, **_):
        """Return the tokens of a text."""
        return list(string.encode())

    def _loglikelihood_tokens(self, requests, **_):
        found = []
        for _, context, ending in requests:
            entries = given_likelihoods(self._model.artifact, [*context, *ending], most=1)[len(context) :]
            greedy = all(one.alternatives[0][0] == one.token for one in entries)
            found.append((sum(one.logprob for one in entries), greedy))
        return found

    def loglikelihood_rolling(self, requests, **_):
        """Return how likely whole texts are."""
        rows = [("", [self.eot_token_id], self.tok_encode(request.args[0])) for request in requests]
        return [found for found, _ in self._loglikelihood_tokens(rows)]

    def generate_until(self, requests, **_):
        """Return texts; none of the tasks asks for any."""
        raise NotImplementedError


def scores(model, folder):
    """Return the figures of both tasks."""
    found = simple_evaluate(
        model=model,
        tasks=["ends", "texts"],
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        bootstrap_iters=0,
    )
    return {
        name: {key: value for key, value in row.items() if isinstance(value, float)}
        for name, row in found["results"].items()
    }


def main():
    """Measure both ways and print what came out."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = folder / "rows.jsonl"
        rows.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
        for name, text in (("ends.yaml", CHOICE), ("texts.yaml", TEXTS)):
            (folder / name).write_text(text.format(rows=rows), encoding="utf-8")
        made = {
            "http": scores(OverHttp(sys.argv[1], Path(sys.argv[2]).name), folder),
            "process": scores(InProcess(sys.argv[2]), folder),
        }
    print(json.dumps(made))


if __name__ == "__main__":
    main()
