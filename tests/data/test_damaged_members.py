"""One damaged member of an archive or of a NumPy file is left out with the reason; everything else is used."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from makar.data.archives import archive_members
from makar.data.array_reader import array_rows, image_arrays
from makar.data.dataset import open_dataset
from makar.errors import DataError
from tests.data.test_dataset import all_records, picture, prose, reasons, write


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: info for info in archive.infolist()}


def damaged(path, name, *, where="content"):
    """Flip one bit of a member's content, or its local header, or mark it as encrypted or compressed by method 99."""
    content = bytearray(path.read_bytes())
    info = members_of(path)[name]
    start = info.header_offset
    if where == "content":
        content[start + 30 + len(name.encode()) + int.from_bytes(content[start + 28 : start + 30], "little") + 5] ^= 1
    elif where == "header":
        content[start + 4 + 26 - 4] ^= 1
        content[start] ^= 1
    else:
        entry = content.rindex(name.encode()) - 46
        assert content[entry : entry + 4] == b"PK\x01\x02"
        if where == "encrypted":
            content[entry + 8] |= 1
            content[start + 6] |= 1
        else:
            content[entry + 10 : entry + 12] = content[start + 8 : start + 10] = (99).to_bytes(2, "little")
    path.write_bytes(content)


@pytest.fixture
def shelf(tmp_path):
    """A folder of texts and a zip of forty more, stored, so that a flipped bit changes only the content."""
    folder = write(tmp_path / "shelf", {f"{number:02}.txt": prose(number) for number in range(5)})
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for number in range(40):
            archive.writestr(f"{number:02}.txt", prose(100 + number, 4000 if number == 7 else 120))
    return folder


@pytest.mark.parametrize(
    "where, reason", [("content", "CRC"), ("header", "damaged"), ("encrypted", "encrypted"), ("method", "compress")]
)
@pytest.mark.parametrize("name", ["03.txt", "07.txt"])
def test_a_damaged_member_of_a_zip_is_left_out_and_the_rest_is_used(shelf, where, reason, name):
    damaged(shelf / "more.zip", name, where=where)
    dataset = open_dataset(shelf)
    assert dataset.inspection.used == 44
    (row,) = dataset.inspection.skipped
    assert reason in row["reason"] and row["examples"] == [f"more.zip!/{name}"]
    assert len({record.source for records in all_records(dataset).values() for record in records}) == 44


def test_an_undamaged_zip_is_used_whole(shelf):
    assert open_dataset(shelf).inspection.used == 45


def npz(path, **arrays):
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            file = io.BytesIO()
            np.save(file, array)
            archive.writestr(f"{name}.npy", file.getvalue())
    return path


@pytest.mark.parametrize("where", ["header", "encrypted", "method"])
def test_a_member_of_an_npz_that_cannot_be_opened_is_left_out(tmp_path, where):
    arrays = {f"x{part}": np.stack([picture(10 * part + number) for number in range(8)]) for part in range(3)}
    path = npz(tmp_path / "images.npz", **arrays)
    damaged(path, "x1.npy", where=where)
    dataset = open_dataset(path)
    assert dataset.inspection.used == 16
    (row,) = dataset.inspection.skipped
    assert "damaged or encrypted" in row["reason"] and row["examples"] == ["images.npz:x1"]


def test_an_npz_with_a_wrong_checksum_gives_what_is_before_the_damage(tmp_path):
    path = npz(tmp_path / "images.npz", good=np.zeros((4, 8, 8), np.uint8), bad=np.zeros((2, 8, 8), np.uint8))
    damaged(path, "bad.npy", where="content")
    with path.open("rb") as stream:
        found = {array.member: array for array in image_arrays(stream, "npz")}
        assert len(list(array_rows(stream, "npz", found["good"]))) == 4
        assert "CRC" in found["bad"].problem or "damaged" in found["bad"].problem


def test_an_npz_of_which_nothing_can_be_opened_says_why(tmp_path):
    path = npz(tmp_path / "images.npz", x=np.zeros((4, 8, 8), np.uint8))
    damaged(path, "x.npy", where="encrypted")
    with pytest.raises(DataError, match="encrypted"):
        open_dataset(path)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, -8, -8)}",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 4294967296, 4294967296, 3)}",
        b"{'descr': ('a', 'b', 'c'), 'fortran_order': False, 'shape': (4, 8, 8)}",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 8, 8)",
        b"'''",
    ],
)
def test_a_header_that_lies_is_an_error_of_the_data(header):
    header += b" " * (-len(header) - 11 % 64) + b"\n"
    file = io.BytesIO(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(256))
    with pytest.raises(DataError):
        (array,) = image_arrays(file, "npy")
        file.seek(0)
        list(array_rows(file, "npy", array))


def test_labels_that_are_no_text_are_left_out(tmp_path):
    labels = np.frombuffer(np.full(8, 0x7FFFFFFF, "<u4").tobytes(), "<U1")
    path = npz(tmp_path / "x.npz", images=np.stack([picture(number) for number in range(8)]), labels=labels)
    dataset = open_dataset(path)
    assert dataset.inspection.used == 8
    assert any("no text" in reason for reason in reasons(dataset))


@pytest.mark.parametrize("size", ["²", "9" * 5000, "-5", "1_0", ""])
def test_a_size_in_an_extended_header_that_is_no_number_is_damage(tmp_path, size):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.txt")
        info.size, info.pax_headers = 5, {"size": size}
        archive.addfile(info, io.BytesIO(b"hello"))
    with pytest.raises(DataError, match="no number"):
        list(archive_members(path, form="tar"))
    folder = write(tmp_path / "folder", {f"{number:02}.txt": prose(number) for number in range(5)})
    path.rename(folder / "a.tar")
    dataset = open_dataset(folder)
    assert dataset.inspection.used == 5
    assert any("no number" in reason for reason in reasons(dataset))
