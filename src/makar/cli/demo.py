"""The main job, end to end, on data that needs no download: glyphs of this machine's typefaces and Python's language reference."""

import base64
import html
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makar.cli.gallery import Gallery
from makar.cli.output import duration_text, note, text_of
from makar.cli.progress import Display

if TYPE_CHECKING:
    from makar.api.training import Run
    from makar.generation.asset import Asset

IMAGES = 24
TEXTS = 3
TEXT_TOKENS = 300


@dataclass(frozen=True, kw_only=True)
class Job:
    """One model of the demo.

    Attributes:
        source: The embedded data.
        name: Folder of the model.
        what: What it learns, for the page.
        count: Assets to generate.
        options: Sampling controls.
    """

    source: str
    name: str
    what: str
    count: int
    options: dict[str, Any]


JOBS = (
    Job(
        source="builtin:glyphs",
        name="glyphs",
        what="letters and symbols, drawn from the typefaces of this machine",
        count=IMAGES,
        options={},
    ),
    Job(
        source="builtin:python-docs",
        name="python-docs",
        what="the language reference that every Python carries",
        count=TEXTS,
        options={"temperature": 0.7, "max_tokens": TEXT_TOKENS},
    ),
)


def run_demo(folder: Path, *, minutes: float, seed: int, no_gallery: bool = False) -> Path:
    """Train, generate, evaluate and verify both models, and write the page.

    Args:
        folder: Where everything is written.
        minutes: Time to train each model.
        seed: Seed of every draw.
        no_gallery: Whether what is made is not kept in the gallery.

    Returns:
        The page.
    """
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    sections = [_run_job(job, folder, minutes=minutes, seed=seed, gallery=Gallery(is_off=no_gallery)) for job in JOBS]
    page = folder / "index.html"
    took = duration_text(time.monotonic() - start)
    page.write_text(_page(sections, f"Two models, trained, measured and verified in {took}."), encoding="utf-8")
    note(f"done in {took}")
    return page.absolute()


def _run_job(job: Job, folder: Path, *, minutes: float, seed: int, gallery: Gallery) -> str:
    from makar.api.model import verify
    from makar.api.training import train

    note(f"\n== {job.source}: {job.what}")
    with Display() as display:
        run = train(job.source, minutes=minutes, output=str(folder / job.name), seed=seed, on_event=display)
        display.say(f"generating {job.count}")
        place = folder / f"{job.name}-assets"
        place.mkdir(exist_ok=True)
        with gallery:
            assets = run.model.generate(count=job.count, seed=seed, options=job.options)
            saved = [asset.save(place) for asset in assets]
            for asset in assets:
                gallery.add(asset)
        display.say("verifying")
        checked = [verify(path) for path in saved]
        display.say("evaluating")
        report = run.model.evaluate(folder=folder / f"{job.name}-report", on_event=display)
    intact = sum(check.is_intact for check in checked)
    note(f"{intact} of {len(checked)} assets verified back to the data; report: {report.html}")
    return _section(job, run, assets, intact=intact, report=report.html.read_text(encoding="utf-8"))


def _section(job: Job, run: "Run", assets: list["Asset"], *, intact: int, report: str) -> str:
    facts = {
        "data": job.source,
        "recipe": run.plan.recipe.name,
        "trained for": duration_text(sum(result.seconds for result in run.results)),
        "steps": sum(result.steps for result in run.results),
        "verified": f"{intact} of {len(assets)} assets, back to the data",
        "model": run.model.hash[:16],
    }
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text_of(value))}</dd>" for name, value in facts.items()
    )
    shown = "".join(_shown(asset) for asset in assets)
    return (
        f"<section><h2>{html.escape(job.name)}</h2><p>{html.escape(job.what)}</p><dl>{rows}</dl>"
        f"<h3>New content</h3><div class='assets'>{shown}</div>"
        f"<h3>The report</h3><iframe title='Report of {html.escape(job.name)}' srcdoc=\"{html.escape(report)}\"></iframe></section>"
    )


def _shown(asset: "Asset") -> str:
    if isinstance(asset.content, str):
        return f"<pre>{html.escape(asset.content)}</pre>"
    from makar.provenance.embedding import png_bytes

    # The signed file itself is embedded, so a picture saved from the page can still be verified.
    data = base64.b64encode(png_bytes(asset.content, asset.signed)).decode("ascii")
    return f"<img alt='generated image, seed {asset.manifest['seed']}' src='data:image/png;base64,{data}'>"


def _page(sections: list[str], summary: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Makar: the demo</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }} dt {{ opacity: .75; }} dd {{ margin: 0; }}
.assets {{ display: flex; flex-wrap: wrap; gap: .5rem; }}
.assets img {{ width: 96px; height: 96px; image-rendering: pixelated; object-fit: contain; }}
.assets pre {{ white-space: pre-wrap; overflow-wrap: anywhere; flex: 1 1 22rem; padding: .75rem; margin: 0; border: 1px solid #8888; }}
iframe {{ width: 100%; height: 85vh; border: 1px solid #8888; background: #fff; }}
</style></head><body>
<h1>Your data, your machine, your minutes</h1>
<p>{html.escape(summary)} Every asset on this page carries a signed manifest.</p>
{"".join(sections)}
</body></html>
"""
