"""A real Chromium for the tests of the studio: pages with every message of the console kept, and axe-core to judge them."""

import contextlib
import importlib.util
import shutil
from pathlib import Path

FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--no-first-run"]
PATIENCE = 120_000
"""Milliseconds to wait for anything: the machine may be busy."""


def chromium():
    """Return the browser of this machine, ``None`` where there is none or nothing to drive it."""
    if importlib.util.find_spec("playwright") is None or importlib.util.find_spec("axe_playwright_python") is None:
        return None
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.contextmanager
def opened(*flags):
    """Give a running browser, with further flags of the command line."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium(), args=[*FLAGS, *flags])
        try:
            yield running
        finally:
            running.close()


@contextlib.contextmanager
def said_nothing(page):
    """Fail where a page sends anything to the server meanwhile."""
    sent = []

    def note(one):
        if one.method == "POST":
            sent.append(one.url)

    page.on("request", note)
    yield
    page.remove_listener("request", note)
    assert sent == []


class Pages:
    """The studio of a server in one tab.

    Args:
        browser: From ``opened``.
        address: Of the server.
        scheme: ``"light"`` or ``"dark"``.
        width: Of the window, in pixels.
    """

    def __init__(self, browser, address, *, scheme="light", width=1280):
        # Only axe is put into the page from outside; the policy itself is tested by its header and by what a page cannot do.
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
        )
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.address = address
        self.said = []
        self.page.on("console", lambda one: self.said.append(one.text) if one.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def go(self, name):
        """Open a page of the studio by its name, and what follows it in the address."""
        self.page.goto(f"{self.address}/#/{name}")
        self.page.wait_for_function("document.documentElement.hasAttribute('data-ready')")
        self.page.locator("main h1").first.wait_for()
        return self.page

    def violations(self):
        """Return what axe finds: rule and first element."""
        import axe_playwright_python

        source = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
        self.page.evaluate(source)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        return [(one["id"], one["nodes"][0]["html"][:200]) for one in found]

    def overflow(self):
        """Return by how many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    def close(self):
        """Close the tab."""
        self.context.close()
