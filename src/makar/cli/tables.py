"""The tables of ``inspect`` and ``plan``: what a reader wants first on top, every number beside its name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from makar.cli.output import duration_text, print_json, print_table, text_of

if TYPE_CHECKING:
    from makar.evaluation.report import Report

MOST_ROWS = 12
PARTS = ("train", "inner", "held_out")


def print_report(report: "Report", *, json: bool) -> None:
    """Print what was measured: as JSON with the places of its files, or the verdict, a table and the page."""
    values = report.to_dictionary()
    if json:
        print_json(values | {"html": str(report.html), "json": str(report.json)})
        return
    for sentence in values["verdict"]:
        print(sentence)
    print_table("", [_score_row(name, score) for name, score in (values["scores"] | values["novelty"]).items()])
    print(report.html)


def _score_row(name: str, score: dict[str, Any]) -> dict[str, Any]:
    between = None if score["low"] is None else f"{text_of(score['low'])} to {text_of(score['high'])}"
    return {
        "measure": name.replace("_", " "),
        "value": score["value"],
        "between": between,
        "unit": score["unit"] or None,
        "better": score["better"],
        "compare with": score["baselines"] or None,
    }


def print_inspection(values: Mapping[str, Any]) -> None:
    """Print what ``Inspection.to_dictionary`` returns."""
    print(f"{values['name']}: {values['documents']:,} documents of {values['medium']}, {values['used']:,} used")
    sections = {
        "files": [
            {"format": form, "files": found["files"], "size": size_text(found["bytes"])}
            for form, found in values["files"].items()
        ],
        f"parts ({values['splits']['origin']})": [
            {"part": part.replace("_", " "), **values["splits"][part]} for part in PARTS
        ],
        "left out": [
            {"documents": row["count"], "reason": row["reason"], "for example": ", ".join(row["examples"][:3]) or "-"}
            for row in values["skipped"]
        ],
        "sizes": list(_size_rows(values["sizes"])),
        "copies": [
            {"kind": kind, "documents": count} for kind, count in _worded(values["duplicates"]).items() if count
        ],
        "languages": _counted("language", values["languages"]),
        "licences": _counted("licence", values["licences"]),
        "where licences are stated": _statements(values["licence_statements"]),
        "labels": _counted("label", values["labels"]),
        f"labelled for the task {values['task']}": [
            {"role": role, "column": column} for role, column in values["roles"].items()
        ],
        "pairs": list(_pair_rows(values["pairs"])),
        "times": _times_rows(values["times"]),
        "captions": [{"documents with a caption": values["captions"]}] if values["captions"] else [],
    }
    for title, rows in sections.items():
        if rows:
            print()
            print_table(title, rows)
    for word in ("notes", "warnings"):
        for sentence in values[word]:
            print(f"\n{word[:-1]}: {sentence}" if sentence is values[word][0] else f"{word[:-1]}: {sentence}")


def print_plan(name: str, values: Mapping[str, Any]) -> None:
    """Print what ``TrainingPlan.to_dictionary`` returns."""
    recipe, expected = values["recipe"], values["predicted"]
    budget = duration_text(values["seconds"]) if values["seconds"] else f"{values['steps']:,} steps"
    print(f"{name}: recipe {recipe['name']} for {budget} ({recipe['summary']})")
    workers = f"{values['workers']} workers" if values["workers"] > 1 else ""
    threads = "1 thread" if values["threads"] == 1 else f"{values['threads']} threads"
    how = ", ".join(part for part in (values["device"], workers or threads, values["precision"]) if part)
    print(f"on {how}, {'measured' if expected['measured'] else 'assumed, not measured'}; seed {values['seed']}")
    if parent := recipe["parent"]:
        print(f"begins from {parent['name']} ({parent['hash'][:16]})")
    print()
    for stage in recipe["stages"]:
        rows = [
            {"part": part, "setting": key.replace("_", " "), "value": value}
            for part in ("codec", "family", "optimisation")
            for key, value in stage[part].items()
        ]
        how = "kept as it is" if stage["begins"] == "kept" else f"{stage['share']:.0%} of the time"
        print_table(f"stage {stage['name']}, {how}", rows)
        print()
    print_table("expected", list(_expected_rows(expected)))
    if recipe.get("expected"):
        print(f"\nmeasured before: {recipe['expected']}")


def _memory_plan(found: Mapping[str, Any]) -> dict[str, str]:
    """Return how a model of others is made to fit, in words; nothing for our own models."""
    if not found:
        return {}
    if "offload" not in found:
        return {"weights of the checkpoint": found["precision"]}
    given_up = [name.replace("_", " ") for name in ("vae_tiling", "attention_slicing") if found[name]]
    waits = f"offload by {found['offload']}" if found["offload"] != "none" else "no offload"
    return {"to make images": ", ".join([found["precision"], *given_up, waits, size_text(found["needed_bytes"])])}


def size_text(count: float) -> str:
    """Return bytes as ``512 B``, ``1.5 MB`` or ``20 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.3g} {unit}"


def _counted(heading: str, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the most frequent names with their counts, and one row for all others."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    rows: list[dict[str, Any]] = [{heading: name, "documents": count} for name, count in ordered[:MOST_ROWS]]
    if rest := ordered[MOST_ROWS:]:
        rows.append({heading: f"{len(rest):,} others", "documents": sum(count for _, count in rest)})
    return rows


def _statements(stated: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the first places that state a licence, and one row for all others."""
    rows: list[dict[str, Any]] = [
        {"licence": row["licence"], "stated in": row["stated_in"]} for row in stated[:MOST_ROWS]
    ]
    if rest := stated[MOST_ROWS:]:
        rows.append({"licence": f"{len(rest):,} others", "stated in": "see --json"})
    return rows


def _times_rows(times: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return how many recordings come with times of when what is spoken in them."""
    if not times:
        return []
    kinds = [f"{kind} {times[kind]:,}" for kind in ("phones", "words") if times.get(kind)]
    return [{"recordings with times beside them": times["recordings"], "of": ", ".join(kinds)}]


def _pair_rows(pairs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if not pairs or not pairs["count"]:
        return
    yield {
        "images": f"{pairs['to']}, each to be made from {pairs['from']}",
        "count": pairs["count"],
        "for example": "-",
    }
    if pairs["alone"]:
        yield {
            "images": "without a partner of the same name, which recipes for pairs leave out",
            "count": pairs["alone"],
            "for example": ", ".join(pairs["examples"][:3]),
        }


def _worded(duplicates: Mapping[str, int]) -> dict[str, int]:
    return {
        "exact": duplicates["exact"],
        "exact, of a training document in the held-out part": duplicates["exact_across_split"],
        "near": duplicates["near"],
        "near, of a training document in the held-out part": duplicates["near_across_split"],
    }


def _size_rows(sizes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in sizes.items():
        shown = size_text(value) if name == "bytes" else text_of(value)
        yield {"measure": name.replace("_", " "), "value": shown}


def _expected_rows(expected: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    loss, energy = expected["inner_loss"], expected["energy"]["watt_hours"]
    count = expected["item_name"]
    shown = {
        "parameters": text_of(expected["parameters"]),
        "steps": text_of(expected["steps"]),
        f"{count}s seen": f"{expected['items']:,}, {expected['epochs']:g} times through the data",
        f"{count}s a second": text_of(float(expected["items_per_second"])),
        "time": duration_text(expected["seconds"]),
        "share of the machine's peak": f"{expected['peak_fraction']:.0%} of "
        f"{expected['peak_operations_per_second'] / 1e9:,.0f} Gflop/s",
        "loss on unseen data": f"{loss['low']:g} to {loss['high']:g} {loss['unit']}, about {loss['central']:g}"
        if loss
        else "not known for this kind of model",
        "memory": size_text(expected["memory_bytes"]),
        **_memory_plan(expected.get("memory_plan") or {}),
        "disk": size_text(expected["disk_bytes"]),
        "energy": f"{energy['low']:.2g} to {energy['high']:.2g} Wh, about {energy['central']:.2g}",
    }
    for name, value in shown.items():
        yield {"measure": name, "value": value}
