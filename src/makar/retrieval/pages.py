"""The text of each page of a PDF, by pypdf; what is scanned or encrypted is said so and not passed over.

A PDF is a program for laying out glyphs: a page can ask for more memory than there is, or loop. pypdf bounds what it decompresses; pages
beyond ``MOST_PAGES`` are refused, and whatever else goes wrong inside a page becomes one error with its number.
"""

import io

from makar.errors import DataError

MOST_PAGES = 5000
LEAST_CHARACTERS_A_PAGE = 8
"""Below this on average there is no text but perhaps a page number: pictures of pages."""


def pdf_pages(content: bytes) -> list[str]:
    """Return the text of every page.

    Args:
        content: The file.

    Raises:
        DataError: It is damaged, needs a password, has too many pages, or holds pictures of pages only.
    """
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DataError("an encrypted PDF", do="save it without a password first")
        if len(reader.pages) > MOST_PAGES:
            raise DataError(f"a PDF of {len(reader.pages):,} pages", expected=f"at most {MOST_PAGES:,}")
        pages = [page.extract_text() for page in reader.pages]
    except DataError:
        raise
    except (NotImplementedError, DependencyError) as error:
        # Certificates and rights management, or a compression that nothing here unpacks.
        raise DataError(f"a PDF that cannot be opened: {error}", do="save it without encryption first") from error
    except Exception as error:  # a page is a program: a damaged one raises any kind of exception
        raise DataError(f"a damaged PDF: {type(error).__name__}: {error}") from error
    if pages and sum(len(page.strip()) for page in pages) < LEAST_CHARACTERS_A_PAGE * len(pages):
        raise DataError("a PDF without text, perhaps scanned", do="run a text recogniser over it first (ocrmypdf)")
    return pages
