"""The studio in headless Chromium: bytes that are sent, time until a page can be used, what axe finds.

``python benchmarks/studio.py`` serves two models that are trained in seconds and opens every page in a new browser profile with nothing
kept from before, light and dark, wide and at 360 pixels. Interactive is when the shell's scripts have run and the page's heading stands
there (``data-ready``), from the beginning of the navigation, the median of several. The bars: below 150 KB, below 0.6 s, no violation.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import measure

PAGES = (
    *("create", "edit", "compare", "chat", "gallery", "knowledge", "arena", "feedback", "train", "models"),
    *("models/pictures", "train/RUN"),
)
LOOKS = (("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360))
MOST_BYTES, MOST_SECONDS = 150_000, 0.6
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--no-first-run"]


def main() -> None:
    """Serve, open every page, write the result."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=40, help="of the two models")
    arguments.add_argument("--repeats", type=int, default=7, help="openings of which the median is taken")
    given = arguments.parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("there is no chromium: install it, or run this where it is")
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "MAKAR_HOME": home}
        for data, name in (("builtin:digits", "pictures"), ("builtin:python-docs", "texts")):
            words = [sys.executable, "-m", "makar", "train", data, "--steps", str(given.steps), "-o", name]
            subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = subprocess.Popen(
            [sys.executable, "-m", "makar", "serve", "--port", "0", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            address = address_said(server.stdout)
            make_something(address)
            result = measured(browser, address, given.repeats)
        finally:
            server.terminate()
            server.wait()
    for line in told(result):
        print(line)
    measure.write_result("studio", {"machine": measure.machine(), **result})


def address_said(lines: Any) -> str:
    """Return the address that a server says on its stdout, as JSON over several lines."""
    text = ""
    for line in lines:
        text += line
        if line.startswith("}"):
            return str(json.loads(text)["address"])
    raise SystemExit("the server did not start")


def make_something(address: str) -> None:
    """Load both models and put something into the gallery, so that no page is empty."""
    for path, body in (
        ("/v1/images/generations", {"model": "pictures", "prompt": "3", "n": 4, "seed": 1}),
        ("/v1/completions", {"model": "texts", "prompt": "The", "max_tokens": 40, "store": True}),
    ):
        asked = urllib.request.Request(
            address + path, json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
        )
        urllib.request.urlopen(asked, timeout=300).read()


def measured(browser: str, address: str, repeats: int) -> dict[str, Any]:
    """Return what every page weighs, how long it takes and what axe finds."""
    import axe_playwright_python
    from playwright.sync_api import sync_playwright

    axe = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    with urllib.request.urlopen(f"{address}/makar/v1/runs") as answer:
        run = json.loads(answer.read())["data"][0]["id"]
    rows = []
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=browser, args=FLAGS)
        for name in PAGES:
            path = f"{address}/#/{name.replace('RUN', run)}"
            sent, requests, seconds = [], [], []
            for _ in range(repeats):
                found = opened(running, path)
                sent.append(found["bytes"])
                requests.append(found["requests"])
                seconds.append(found["seconds"])
            violations, overflow, said = judged(running, path, axe)
            rows.append(
                {
                    "page": name,
                    "bytes": statistics.median(sent),
                    "requests": statistics.median(requests),
                    "interactive_seconds": statistics.median(seconds),
                    "slowest_seconds": max(seconds),
                    "violations": violations,
                    "wider_than_window": overflow,
                    "console": said,
                }
            )
        running.close()
    return {"repeats": repeats, "pages": rows, "all_files_bytes": all_files()}


def opened(running: Any, path: str) -> dict[str, float]:
    """Open a page as somebody who was never here."""
    context = running.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    started = time.perf_counter()
    page.goto(path, wait_until="commit")
    # No function of ours: the policy of the page lets nothing be evaluated in it.
    page.locator("html[data-ready] main h1").wait_for()
    seconds = time.perf_counter() - started
    page.wait_for_load_state("networkidle")
    # What the files of the studio weigh as they were sent; what a gallery shows is data.
    entries = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".filter((one) => one.name.includes('/studio/') || one.entryType === 'navigation')"
        ".map((one) => one.transferSize)"
    )
    context.close()
    return {"bytes": sum(entries), "requests": len(entries), "seconds": seconds}


def judged(running: Any, path: str, axe: str) -> tuple[list[str], int, list[str]]:
    """Return rules of axe that are broken, by how much a page is too wide, and what it says on the console, over all looks."""
    violations, overflow, said = [], 0, []
    for scheme, width in LOOKS:
        context = running.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
        )
        page = context.new_page()
        page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path)
        page.locator("main h1").first.wait_for()
        page.wait_for_load_state("networkidle")
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        violations += [f"{scheme} {width}: {one['id']}" for one in found]
        overflow = max(overflow, page.evaluate("document.documentElement.scrollWidth - innerWidth"))
        context.close()
    return violations, overflow, said


def all_files() -> int:
    """Return what all files of the studio weigh as they are sent."""
    from makar.serving.studio.pages import read_pages

    return sum(len(page.packed) for page in read_pages().values())


def told(result: dict[str, Any]) -> list[str]:
    """Return the result as lines, the bars beside it."""
    lines = []
    for row in result["pages"]:
        is_good = row["bytes"] < MOST_BYTES and row["interactive_seconds"] < MOST_SECONDS and not row["violations"]
        lines.append(
            f"{row['page']:<18}{row['bytes'] / 1000:6.1f} KB  {row['interactive_seconds']:.2f} s  {len(row['violations'])} violations  "
            f"{len(row['console'])} on the console  {'held' if is_good else 'MISSED'}"
        )
    lines.append(
        f"all files {result['all_files_bytes'] / 1000:.1f} KB (bar 150); Gradio 6.31 measured before: 906 KB, 0.99 s, 9 nodes"
    )
    return lines


if __name__ == "__main__":
    main()
