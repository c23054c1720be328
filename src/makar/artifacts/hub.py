"""A model by its name on the Hugging Face hub: fetched once into Makar's folder, and a folder like any other from then on.

Nothing is fetched unless such a name was typed: ``OWNER/NAME`` where no folder of that kind is here, or one of the few old names without an
owner. Only settings, tokenizers and safetensors are taken, neither code nor pickles. What was fetched stays in ``home()/hub``, so the next
call needs no network; a download that was cut off goes on where it was.
"""

import importlib.util
import re
from pathlib import Path
from typing import Any

from makar.errors import ArtifactError, MissingExtraError
from makar.home import home

FOLDER = "hub"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
WITHOUT_OWNER = re.compile(
    r"gpt2(-medium|-large|-xl)?|distilgpt2|openai-gpt|t5-(small|base|large|3b|11b)|(distil)?roberta-(base|large)|xlm-roberta-(base|large)|"
    r"(distil)?bert-(base|large)(-multilingual)?-(un)?cased|albert-(base|large|xlarge|xxlarge)-v[12]|xlnet-(base|large)-cased"
)
"""Names from the time before owners."""
TAKEN = ("*.json", "*.txt", "*.model", "*.spm", "*.jinja", "*.safetensors")
"""At the top of a repository: what a checkpoint is opened from."""
MODULES = re.compile(r"[0-9]{1,2}_[A-Za-z]{1,40}/(config\.json|model\.safetensors)")
"""Below it: how a sentence encoder makes its vectors, "1_Pooling" and the like; pickles of these are left where they are."""
TIMEOUT_SECONDS = 30


def is_hub_name(text: str) -> bool:
    """Return whether a text names a model on the hub rather than a path on this machine.

    >>> is_hub_name("gpt2"), is_hub_name("Qwen/Qwen3-0.6B"), is_hub_name("poe"), is_hub_name("./models/poe")
    (True, True, False, False)
    """
    if WITHOUT_OWNER.fullmatch(text):
        return True
    # Where the first part is a folder here, a path was meant and mistyped.
    return NAME.fullmatch(text) is not None and ".." not in text and not Path(text.split("/")[0]).is_dir()


def fetch_checkpoint(name: str, *, endpoint: str | None = None) -> Path:
    """Return the folder of a model of the hub; it is fetched unless that was done before.

    Args:
        name: Its name there.
        endpoint: Address of the hub; ``None`` takes that of its client, which a mirror changes by ``HF_ENDPOINT``.

    Raises:
        ArtifactError: The hub cannot be reached, or has no such model or none that may be opened; the message says what to do.
        MissingExtraError: The client of the hub is absent.
    """
    target = home() / FOLDER / name.replace("/", "--")
    if target.is_dir():
        return target
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingExtraError("huggingface_hub", extra="transformers")
    from huggingface_hub import HfApi, errors

    building = target.with_name(f"{target.name}.partial")
    api = HfApi(endpoint=endpoint)
    try:
        stated = api.model_info(name, timeout=TIMEOUT_SECONDS, files_metadata=True)
        api.snapshot_download(name, revision=stated.sha, local_dir=building, allow_patterns=list(_taken(stated)))
    except errors.RepositoryNotFoundError as error:
        raise ArtifactError(
            f'the hub has no model "{name}" that may be read from here',
            expected="the name of a model, on this machine or on the hub",
            do="look for its whole name, OWNER/NAME; a private or gated one needs HF_TOKEN",
        ) from error
    except (errors.HTTPError, errors.HfHubHTTPError, errors.OfflineModeIsEnabled, OSError) as error:
        raise ArtifactError(
            f'"{name}" is no model on this machine, and the hub cannot be reached: {_first_line(error)}',
            expected="a model by name or folder, or a network",
            do=f"with a network: the same command again; or there: hf download {name} --local-dir FOLDER, and bring FOLDER here",
        ) from error
    _check_whole(building, stated)
    building.rename(target)
    return target


def _check_whole(folder: Path, stated: Any) -> None:
    """Compare what came with what the hub lists; cut off, the client may hand back what there is."""
    wanted = _taken(stated)
    lacking = [
        name
        for name, size in wanted.items()
        if not (folder / name).is_file() or size not in (None, (folder / name).stat().st_size)
    ]
    if lacking or "config.json" not in wanted:
        raise ArtifactError(
            f"{stated.id} did not come whole: {', '.join(lacking[:4])}"
            if lacking
            else f"{stated.id} has no config.json",
            expected="settings, tokenizer and safetensors",
            do="the same command again goes on" if lacking else "choose a checkpoint of transformers",
        )


def _taken(stated: Any) -> dict[str, int | None]:
    """Return the names and sizes of the files of a repository that are fetched."""
    return {
        one.rfilename: one.size
        for one in stated.siblings or ()
        if MODULES.fullmatch(one.rfilename)
        or ("/" not in one.rfilename and any(Path(one.rfilename).match(pattern) for pattern in TAKEN))
    }


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
