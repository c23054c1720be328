"""Documents as text with headings and pages: Markdown, HTML, code, tables, PDF, office files, and what is refused."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from makar.data.entries import entries
from makar.data.html_text import html_text
from makar.errors import DataError
from makar.retrieval import office
from makar.retrieval.office import office_markdown
from makar.retrieval.pages import pdf_pages
from makar.retrieval.reading import Reading, of_code, of_markdown, read_entry

PARAGRAPH = '<w:p><w:pPr><w:pStyle w:val="{}"/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'


def read(path: Path) -> Reading:
    (entry,) = entries(path, lambda name, reason: None)
    return read_entry(entry, lambda name, reason: None)


def said(reading: Reading) -> list[tuple[str, str]]:
    return [(section.heading, reading.text[section.start : section.end].strip()) for section in reading.sections]


def pdf(*pages: str) -> bytes:
    """Return a PDF with a line of text on every page, written by hand."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>")
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        font = "<< /Font << /F1 3 0 R >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {font} /Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    content, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n{one}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF\n"
    return content + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def zipped(files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


def word(*paragraphs: tuple[str, str], styles: str = "") -> bytes:
    return word_of("".join(PARAGRAPH.format(style, text) for style, text in paragraphs), styles=styles)


def word_of(body: str, *, styles: str = "") -> bytes:
    namespace = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    files = {"word/document.xml": f"<w:document {namespace}><w:body>{body}</w:body></w:document>"}
    if styles:
        files["word/styles.xml"] = f"<w:styles {namespace}>{styles}</w:styles>"
    return zipped({"[Content_Types].xml": "<Types/>", **files})


def slide(*lines: str) -> str:
    said = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)
    return f'<p xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">{said}</p>'


def book(rows: str, **more: str) -> bytes:
    """Return a workbook of one sheet; other parts by their names, each with its content."""
    names = {"workbook": '<sheets><sheet name="Prices"/></sheets>', **more, "worksheets/sheet1": rows}
    sheet = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    return zipped({f"xl/{name}.xml": f"<all {sheet}>{content}</all>" for name, content in names.items()})


def test_sections_follow_each_other_and_hold_all_of_the_text() -> None:
    text = "before\n\n# One\n\nfirst\n\n```\n# no heading\n```\n\n## Two\n\nsecond\n\nThree\n=====\nthird\n"
    reading = of_markdown(text)
    assert "".join(reading.text[section.start : section.end] for section in reading.sections) == text
    assert [section.heading for section in reading.sections] == ["", "One", "One > Two", "Three"]


def test_python_is_divided_by_its_definitions_and_broken_python_by_lines() -> None:
    text = "import os\n\n\nclass A:\n    @property\n    def b(self):\n        return 1\n\n\ndef c():\n    pass\n"
    assert [section.heading for section in of_code(text, language="python").sections] == ["", "A", "A.b", "c"]
    broken = of_code("def f(:\n  x\ndef g():\n  y\n", language="python")
    assert [section.heading for section in broken.sections] == ["def f(:", "def g():"]
    assert [section.heading for section in of_code("fn main() {\n}\n", language="rust").sections] == ["fn main()"]


def test_html_keeps_its_headings_and_drops_scripts(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        "<html><h1>Rain</h1><p>Wet.</p><script>bad()</script><h2>Snow</h2><p>White.</p>"
    )
    assert said(read(tmp_path / "page.html")) == [("Rain", "# Rain\n\nWet."), ("Rain > Snow", "## Snow\n\nWhite.")]


def test_a_table_becomes_its_rows_with_the_names_of_the_columns(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("fruit,euros\napple,3\npear,\n")
    assert read(tmp_path / "prices.csv").text == "fruit: apple\neuros: 3\n\nfruit: pear"
    nested = {"refund": {"days": 30, "who": ["Käufer"]}, "paid": True}
    (tmp_path / "rules.jsonl").write_text(json.dumps(nested) + "\n")
    assert read(tmp_path / "rules.jsonl").text == 'refund: {"days": 30, "who": ["Käufer"]}\npaid: True'


def test_a_pdf_keeps_its_pages(tmp_path: Path) -> None:
    (tmp_path / "book.pdf").write_bytes(pdf("The first page says rain.", "The second page says snow."))
    reading = read(tmp_path / "book.pdf")
    assert [section.page for section in reading.sections] == [1, 2]
    assert "snow" in reading.text[reading.sections[1].start :]


def test_a_pdf_of_pictures_and_an_encrypted_one_are_said_to_be_that(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(pdf("", ""))
    with pytest.raises(DataError, match="without text"):
        read(tmp_path / "scan.pdf")
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(io.BytesIO(pdf("A secret."))))
    writer.encrypt("key", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    with pytest.raises(DataError, match="encrypted"):
        read(tmp_path / "locked.pdf")
    (tmp_path / "cut.pdf").write_bytes(pdf("A long line of text that is cut off.")[:200])
    with pytest.raises(DataError, match="PDF"):
        read(tmp_path / "cut.pdf")


@pytest.mark.parametrize("filters", ["/Adobe.PubSec /SubFilter /adbe.pkcs7.s4 /V 2", "/MicrosoftIRMServices /V 1"])
def test_a_pdf_for_the_holders_of_a_certificate_cannot_be_opened(filters: str) -> None:
    encrypt = f"/Root 1 0 R /Encrypt << /Filter {filters} >> /ID [<00><00>]"
    with pytest.raises(DataError, match="cannot be opened"):
        pdf_pages(pdf("A secret.").replace(b"/Root 1 0 R", encrypt.encode()))


def test_sections_of_a_page_that_no_parser_knows_are_passed_over() -> None:
    assert html_text("<p>a</p><![foo[x]]><p>b</p>").split() == ["a", "b"]
    assert html_text("<p>a</p><![[x]]><p>b</p><![").split()[:2] == ["a", "b"]


def test_office_files_become_markdown(tmp_path: Path) -> None:
    (tmp_path / "letter.docx").write_bytes(word(("Heading1", "Refunds"), ("Normal", "Within 30 days.")))
    assert said(read(tmp_path / "letter.docx")) == [("Refunds", "# Refunds\n\nWithin 30 days.")]
    plan = zipped({"ppt/slides/slide1.xml": slide("Plan", "Build it.")})
    assert office_markdown(plan, form="pptx") == "# Slide 1: Plan\n\nPlan\nBuild it."
    row = '<row><c t="s"><v>0</v></c><c><v>3</v></c></row>'
    assert office_markdown(book(row, sharedStrings="<si><t>apple</t></si>"), form="xlsx") == "# Prices\n\napple | 3"


def test_tabs_breaks_and_paragraphs_of_a_cell_keep_words_apart() -> None:
    body = "<w:p><w:r><w:t>Name:</w:t><w:tab/><w:t>Ann</w:t><w:br/><w:t>Street 5</w:t></w:r></w:p>"
    body += "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Alice</w:t></w:r></w:p><w:p><w:r><w:t>Bob</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    assert office_markdown(word_of(body), form="docx") == "Name:\tAnn\nStreet 5\n\nAlice Bob"
    line = slide("one<BREAK>two").replace("<BREAK>", "</a:t></a:r><a:br/><a:r><a:t>")
    assert office_markdown(zipped({"ppt/slides/slide1.xml": line}), form="pptx") == "# Slide 1: one two\n\none\ntwo"


@pytest.mark.parametrize("style", ["berschrift2", "Ttulo2", "Kop2", "Eigene"])
def test_headings_of_word_are_known_in_any_language(style: str) -> None:
    said = '<w:style w:styleId="{}"><w:name w:val="{}"/>{}</w:style>'
    named = said.format(style, "heading 2", "")
    levelled = said.format(style, "My own", '<w:pPr><w:outlineLvl w:val="1"/></w:pPr>')
    for styles in (named, levelled):
        assert office_markdown(word((style, "Rain"), styles=styles), form="docx") == "## Rain"
    plain = said.format("Heading2", "Kapitel", '<w:pPr><w:outlineLvl w:val="9"/></w:pPr>')
    assert office_markdown(word(("Heading2", "Rain"), styles=plain), form="docx") == "Rain"


def test_headings_of_word_are_known_without_a_table_of_styles() -> None:
    text = office_markdown(word(("berschrift1", "Rain"), ("Ttulo3", "Snow"), ("Normal", "Ice")), form="docx")
    assert text == "# Rain\n\n### Snow\n\nIce"


def test_dates_of_excel_are_dates_and_cells_stay_in_their_columns() -> None:
    styles = '<numFmts><numFmt numFmtId="164" formatCode="[Red]dd\\.mm\\.yyyy"/>'
    styles += '<numFmt numFmtId="165" formatCode="0.00_d &quot;days&quot;"/></numFmts>'
    styles += "<cellXfs>" + "".join(f'<xf numFmtId="{one}"/>' for one in (0, 14, 164, 165, 22, 21)) + "</cellXfs>"
    cells = [("A1", 0, 45321), ("B1", 1, 45321), ("D1", 2, 45322), ("E1", 3, 2), ("F1", 4, 45321.75), ("G1", 5, 0.25)]
    row = "".join(f'<c r="{place}" s="{style}"><v>{value}</v></c>' for place, style, value in cells)
    expected = "45321 | 2024-01-30 |  | 2024-01-31 | 2 | 2024-01-30 18:00:00 | 06:00:00"
    assert office_markdown(book(f"<row>{row}</row>", styles=styles), form="xlsx") == f"# Prices\n\n{expected}"
    late = '<workbookPr date1904="1"/><sheets><sheet name="Prices"/></sheets>'
    made = office_markdown(book('<row><c s="1"><v>1</v></c></row>', styles=styles, workbook=late), form="xlsx")
    assert made == "# Prices\n\n1904-01-02"
    for odd in ("1e300", "-5", "nan", "soon"):
        made = office_markdown(book(f'<row><c s="1"><v>{odd}</v></c></row>', styles=styles), form="xlsx")
        assert made == f"# Prices\n\n{odd}"


def test_the_readings_of_japanese_words_in_excel_are_no_part_of_them() -> None:
    said = "<si><r><t>東京</t></r><r><t>都</t></r><rPh><t>トウキョウト</t></rPh></si>"
    assert (
        office_markdown(book('<row><c t="s"><v>0</v></c></row>', sharedStrings=said), form="xlsx")
        == "# Prices\n\n東京都"
    )


def test_office_files_that_would_expand_are_refused() -> None:
    with pytest.raises(DataError, match="document type"):
        office_markdown(zipped({"word/document.xml": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}), form="docx")
    with pytest.raises(DataError, match="unpacks to more"):
        office_markdown(zipped({"word/document.xml": "0" * (65 << 20)}), form="docx")
    with pytest.raises(DataError, match="damaged"):
        office_markdown(b"PK\x03\x04 nothing", form="docx")
    flipped = bytearray(word(("Normal", "hello world " * 2000)))
    at = flipped.index(b"word/document.xml") + 40
    flipped[at : at + 20] = bytes(255 - one for one in flipped[at : at + 20])
    with pytest.raises(DataError, match="damaged"):
        office_markdown(bytes(flipped), form="docx")


def test_text_is_counted_while_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office, "LIMIT_CHARACTERS", 1000)
    parsed, tree = [], office._tree
    monkeypatch.setattr(office, "_tree", lambda archive, name: parsed.append(name) or tree(archive, name))
    slides = {f"ppt/slides/slide{number}.xml": slide("x " * 200) for number in range(1, 7)}
    with pytest.raises(DataError, match="more than 1,000 characters"):
        office_markdown(zipped(slides), form="pptx")
    assert len(parsed) < 4
    row = "<row>" + '<c t="s"><v>0</v></c>' * 10 + "</row>"
    with pytest.raises(DataError, match="more than 1,000 characters"):
        office_markdown(book(row, sharedStrings=f"<si><t>{'x' * 200}</t></si>"), form="xlsx")
