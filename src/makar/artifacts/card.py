"""The model card: what a saved model is, what it learned from, what it cost, what it scored and what it cannot do.

Form: Mitchell et al. 2019, arXiv 1810.03993, with the YAML block that the Hugging Face hub reads. Everything is taken from what was
recorded; what is not known is said to be unknown. The YAML values are written as JSON strings, which YAML 1.2 contains.
"""

import json
from typing import Any

LICENCE_OF_UNKNOWN = "NOASSERTION"
LIMITS = {
    "text": "It continues text in the manner of what it learned from. It knows no facts beyond that data and checks none.",
    "code": "It continues code in the manner of what it learned from. What it writes may not run and may be unsafe: read it first.",
    "molecule": "It writes molecules like those it learned from. Nothing here says that one can be made, is stable, safe or useful.",
    "protein": "It writes letters like those of the proteins it learned from. Nothing here says that one folds, works or is safe.",
    "structure": "It makes backbones like those it learned from, without amino acids. Nothing here says that any folds so or is safe.",
    "sound": "It makes sounds like those it learned from, at most as long, in one channel. Voices that it learned are heard in them.",
    "recogniser": "It writes down voices like those it learned, letter by letter. It misunderstands others and knows no speakers.",
    "video": "It makes short clips in the manner of what it learned from, at one size, length and rate, without sound.",
    "music": "It writes notes like those it learned from, on a grid of sixteenths. It knows no sound, no loudness and no words.",
    "image": "It draws images in the manner of what it learned from, at one size. It knows nothing that is not in that data.",
}


def model_card(header: dict[str, Any], *, name: str, digest: str, report: dict[str, Any] | None) -> str:
    """Return the card as Markdown with a YAML block.

    Args:
        header: The content of ``makar.json``.
        name: Name of the artifact.
        digest: Hash of the artifact's manifest.
        report: The last report, ``None`` when it was never evaluated.
    """
    data, training = header["data"], header["training"]
    licences = data.get("licences") or {}
    front = {
        "library_name": "makar",
        "license": "other",
        "license_name": " AND ".join(sorted(licences)) if licences else LICENCE_OF_UNKNOWN,
        "datasets": [str(data.get("name", "unknown"))],
        "tags": ["makar", header["medium"], header["family"]["kind"]],
    }
    lines = ["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()), "---", ""]
    lines += [
        f"# {name}",
        "",
        f"A model that makes {header['medium']}, made by Makar {header['system']['version']}.",
        "",
    ]
    lines += _table("Model", _model_rows(header, digest))
    lines += _table("Data", _data_rows(data, licences))
    lines += _table("Training", _training_rows(training))
    lines += _scores(report)
    usual = LIMITS.get(header["medium"], "It makes content in the manner of what it learned from.")
    limit = LIMITS.get(header["family"]["kind"], usual)
    lines += [
        "## Limits",
        "",
        limit,
        "What it makes can be close to its training data: `makar evaluate` measures how close.",
        "",
    ]
    lines += ["## Proof", "", "`makar verify` compares every file here with the signed manifest.", ""]
    return "\n".join(lines)


def _model_rows(header: dict[str, Any], digest: str) -> list[tuple[str, str]]:
    parameters = header["training"].get("parameters")
    parent = header["recipe"].get("parent")
    through = ", ".join(f"{name} ({entry['family']['kind']})" for name, entry in header["components"].items())
    return [
        ("recipe", str(header["recipe"].get("name"))),
        ("family", str(header["family"]["kind"])),
        ("codec", str(header["codec"]["kind"])),
        *([("works through", through)] if through else []),
        *([("began from", f"{parent['name']} (`{parent['hash']}`)")] if isinstance(parent, dict) else []),
        ("parameters", f"{parameters:,}" if isinstance(parameters, int) else "unknown"),
        ("made", header["time_utc"]),
        ("hash", f"`{digest}`"),
    ]


def _data_rows(data: dict[str, Any], licences: dict[str, Any]) -> list[tuple[str, str]]:
    listed = ", ".join(f"{licence}: {count}" for licence, count in sorted(licences.items()))
    stated = data.get("consent")
    who = [f"{one.get('who')} ({one.get('date')})" for one in stated or () if isinstance(one, dict)]
    return [
        ("name", str(data.get("name", "unknown"))),
        ("items", str(data.get("items", "unknown"))),
        ("licences", listed or "unknown"),
        *([("voices that agreed", ", ".join(who))] if who else []),
        ("fingerprint", f"`{data['fingerprint']}`"),
    ]


def _training_rows(training: dict[str, Any]) -> list[tuple[str, str]]:
    seconds = training.get("seconds")
    energy = training.get("energy_kwh")
    rows = [
        ("run", str(training["run"]) or "none: the model was imported"),
        ("time", f"{seconds:.0f} s" if isinstance(seconds, int | float) else "unknown"),
        ("steps", str(training.get("steps", "unknown"))),
        ("machine", str(training.get("machine", "unknown"))),
    ]
    if isinstance(energy, dict) and {"low", "central", "high"} <= set(energy):
        span = f"{energy['low']:.4g} to {energy['high']:.4g} kWh, most likely {energy['central']:.4g}"
        rows.append(("energy", f"{span} ({energy.get('method', 'method unknown')})"))
    else:
        rows.append(("energy", "unknown"))
    loss = training.get("inner_loss")
    if isinstance(loss, int | float):
        rows.append(("loss on data it did not learn from", f"{loss:.4f} {training.get('unit', '')}".strip()))
    rows += [("what went wrong on the way", str(incident)) for incident in training.get("incidents", ())]
    return rows


def _scores(report: dict[str, Any] | None) -> list[str]:
    scores = report.get("scores") if report else None
    if not isinstance(scores, dict) or not scores:
        return ["## Scores", "", "Not measured yet: run `makar evaluate`.", ""]
    rows = [(key.replace("_", " "), str(report[key])) for key in ("measured_on", "date") if report and report.get(key)]
    for name, score in sorted(scores.items()):
        if isinstance(score, dict) and isinstance(score.get("value"), int | float):
            low, high = score.get("low"), score.get("high")
            interval = (
                f" ({low:.4g} to {high:.4g})" if isinstance(low, int | float) and isinstance(high, int | float) else ""
            )
            rows.append((name, f"{score['value']:.4g}{interval}"))
        elif isinstance(score, int | float | str):
            rows.append((name, f"{score:.4g}" if isinstance(score, float) else str(score)))
    return _table("Scores", rows)


def _table(title: str, rows: list[tuple[str, str]]) -> list[str]:
    body = [f"| {name} | {_cell(value)} |" for name, value in rows]
    return [f"## {title}", "", "| | |", "|---|---|", *body, ""]


def _cell(text: str) -> str:
    # Names come from folders and files of others; a bar or a line break would leave the table, an angle bracket would be HTML.
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
