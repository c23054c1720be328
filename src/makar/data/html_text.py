"""The readable text of an HTML page: no scripts, styles or tags; blocks become paragraphs, entities become letters."""

import html.parser
import re

_SILENT = frozenset(("script", "style", "template", "noscript", "svg", "math", "nav", "iframe", "object"))
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "dd", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main",
    "ol", "p", "pre", "section", "table", "title", "ul",
))  # fmt: skip

_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))


class _TextCollector(html.parser.HTMLParser):
    def __init__(self, *, with_headings: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.with_headings = with_headings
        self.pieces: list[str] = []
        self.silent_depth = 0
        self.verbatim_depth = 0

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Pass over a section of an unknown kind, at which Python's parser raises."""
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            end = self.rawdata.find(">", i)
            return -1 if end < 0 else end + 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self.silent_depth += 1
        elif tag == "pre":
            self.verbatim_depth += 1
        if tag in _BLOCKS:
            self.pieces.append("\n\n")
            if self.with_headings and tag in _HEADINGS:
                self.pieces.append("#" * int(tag[1]) + " ")
        elif tag in ("br", "tr"):
            self.pieces.append("\n")
        elif tag in ("td", "th"):
            self.pieces.append("\t")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self.silent_depth = max(0, self.silent_depth - 1)
        elif tag == "pre":
            self.verbatim_depth = max(0, self.verbatim_depth - 1)
        if tag in _BLOCKS:
            self.pieces.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self.silent_depth:
            self.pieces.append(data if self.verbatim_depth else re.sub(r"\s+", " ", data))


def html_text(markup: str, *, with_headings: bool = False) -> str:
    """Return the readable text of a page.

    Args:
        markup: The page.
        with_headings: Whether headings are marked as Markdown marks them.

    >>> html_text("<p>One &amp; two</p><script>x()</script><p>three</p>")
    'One & two\\n\\nthree'
    """
    collector = _TextCollector(with_headings=with_headings)
    collector.feed(markup)
    collector.close()
    text = re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(collector.pieces))
    return re.sub(r"\n{3,}", "\n\n", text).strip()
