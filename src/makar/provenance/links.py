"""The first two links of the chain: what is stated about a data set and about a run, each naming the one before by its hash.

data -> run -> artifact -> asset. Data and run have no file of their own that travels, so their manifests are carried inside the
artifact's; the run's names the sha256 of the data's, the artifact's that of the run's, the asset's that of the artifact's. Of a run,
the frozen plan and the metrics written so far are hashed: metrics are append-only, so later lines change no hash.
"""

from pathlib import Path
from typing import Any

from makar.errors import ConfigError
from makar.provenance.folder import file_hash
from makar.provenance.manifest import SCHEMA, manifest_hash

PLAN_NAME = "plan.json"
METRICS_NAME = "metrics.jsonl"


def data_manifest(data: dict[str, Any]) -> dict[str, Any]:
    """Return what is stated about a data set.

    Args:
        data: ``fingerprint`` (required), ``name``, ``medium``, ``licences`` (SPDX id to number of items), ``items``,
            ``held_out_share`` and ``columns`` (parts of the fingerprint; left out where nobody knows them or named any), ``consent`` (what
            people agreed to whose voices are in it).

    Raises:
        ConfigError: There is no fingerprint, so nothing could be proved.
    """
    if not isinstance(data.get("fingerprint"), str):
        raise ConfigError("the data set has no fingerprint", expected='data["fingerprint"], the hash of the data set')
    stated = {
        "schema": SCHEMA,
        "type": "data",
        "fingerprint": data["fingerprint"],
        "name": data.get("name", "unknown"),
        "medium": data.get("medium", "unknown"),
        "licences": data.get("licences", {}),
        "items": data.get("items"),
    }
    return stated | {key: data[key] for key in ("held_out_share", "columns", "consent") if key in data}


def run_manifest(run_id: str, folder: Path | None, data: dict[str, Any]) -> dict[str, Any]:
    """Return what is stated about a run.

    Args:
        run_id: Name of the run folder; empty when there was no run, as for an imported model.
        folder: The run folder, ``None`` when there is none.
        data: The data manifest that precedes it.
    """
    stated: dict[str, Any] = {
        "schema": SCHEMA,
        "type": "run",
        "id": run_id,
        "previous": manifest_hash(data),
        "plan": None,
        "metrics": None,
    }
    if folder is not None and (folder / PLAN_NAME).is_file():
        stated["plan"] = {"sha256": file_hash(folder / PLAN_NAME)}
    if folder is not None and (folder / METRICS_NAME).is_file():
        length = (folder / METRICS_NAME).stat().st_size
        stated["metrics"] = {"sha256": file_hash(folder / METRICS_NAME, first_bytes=length), "bytes": length}
    return stated
