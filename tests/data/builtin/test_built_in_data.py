"""Built-in data: always there, the same each time, labelled, licensed, and read without torch."""

import subprocess
import sys

import numpy as np
import pytest

from makar.data.builtin.glyphs import GlyphsSource, font_files
from makar.data.builtin.python_docs import module_documentation
from makar.data.builtin.table import BUILT_IN
from makar.data.dataset import open_dataset
from makar.errors import DataError, UnknownNameError


def ignore(source, reason):
    del source, reason


def test_glyphs_are_pictures_with_captions_and_labels():
    documents = list(GlyphsSource().documents(ignore))
    assert len(documents) >= 2000
    capital = next(document for document in documents if document.label == "A")
    assert capital.caption.startswith("latin capital letter a, ")
    pixels = capital.read()
    assert pixels.shape == (32, 32, 1) and pixels.dtype == np.uint8
    assert pixels.max() == 255 and pixels.min() < 64
    assert all(document.licence != "NOASSERTION" for document in documents)


def test_a_typeface_of_unknown_licence_is_not_drawn(tmp_path, monkeypatch):
    known = next(path for path in font_files() if path.suffix == ".ttf")
    for name in ("C059-Bold.ttf", "NotoSans-Regular.ttf"):
        (tmp_path / name).write_bytes(known.read_bytes())
    monkeypatch.setattr("makar.data.builtin.glyphs.SYSTEM_FOLDERS", (str(tmp_path),))
    names = [path.name for path in font_files()]
    assert "NotoSans-Regular.ttf" in names and "C059-Bold.ttf" not in names


def test_no_glyph_touches_the_edge_of_its_picture():
    touching = 0
    documents = list(GlyphsSource().documents(ignore))[::7]
    for document in documents:
        pixels = document.read()[..., 0]
        touching += bool((np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]) < 128).any())
    assert touching < 0.02 * len(documents)


def test_glyphs_are_the_same_each_time():
    first, second = (open_dataset("builtin:glyphs") for _ in range(2))
    assert first.fingerprint == second.fingerprint
    assert [record.id for record in first.records("held_out")] == [record.id for record in second.records("held_out")]


@pytest.mark.parametrize(
    "name, medium, least", [("digits", "image", 1700), ("python-docs", "text", 150), ("python-code", "code", 300)]
)
def test_built_in_data_is_there(name, medium, least):
    dataset = open_dataset(f"builtin:{name}")
    inspection = dataset.inspection
    assert dataset.medium == medium == BUILT_IN[name][1] and inspection.used >= least
    assert "NOASSERTION" not in inspection.licences
    assert next(dataset.records("inner")).licence == next(iter(inspection.licences))


def test_docstrings_are_read_from_source():
    source = 'class A:\n    """About A."""\n    def f(self, x=1):\n        """Do f."""\n'
    assert module_documentation(source) == "class A\n\nAbout A.\n\nf(self, x=1)\n\nDo f.\n"
    assert module_documentation("x = 1\n") == ""


def test_unknown_names_and_wrong_media_are_named():
    with pytest.raises(UnknownNameError, match='did you mean "glyphs"'):
        open_dataset("builtin:glyph")
    with pytest.raises(DataError):
        open_dataset("builtin:glyphs", medium="text")


def test_reading_data_imports_no_torch():
    code = "import sys; from makar.data.dataset import open_dataset; open_dataset('builtin:digits'); print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"}
    )
    assert result.stdout.strip() == "False"
