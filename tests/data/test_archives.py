"""Archives: honest ones are read whole, hostile ones refused before anything of theirs is used."""

import io
import stat
import tarfile
import zipfile

import pytest

from makar.data.archives import ArchiveLimits, archive_members
from makar.data.dataset import open_dataset
from makar.errors import DataError, UnsafeArchiveError

FILES = {"a.txt": b"first " * 100, "deep/er/b.txt": b"second " * 100, "ä.txt": b"third"}


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path, files, *, mode="w", form=tarfile.PAX_FORMAT):
    with tarfile.open(path, mode, format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def tar_of(path, info, content=b""):
    with tarfile.open(path, "w") as archive:
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return path


def read(path, **options):
    return {member.name: member.stream.read() for member in archive_members(path, **options)}


def test_a_zip_gives_its_files(tmp_path):
    assert read(zipped(tmp_path / "a.zip", FILES), form="zip") == FILES


@pytest.mark.parametrize("compression", [None, "gz", "bz2", "xz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_gives_its_files_in_every_format(tmp_path, compression, form):
    long_name = {"d" * 60 + "/" + "f" * 95 + ".txt": b"long"}
    path = tarred(tmp_path / "a.tar", {**FILES, **long_name}, mode=f"w:{compression or ''}", form=form)
    assert read(path, form="tar", compression=compression) == {**FILES, **long_name}


def test_members_that_are_not_read_do_not_disturb_the_next(tmp_path):
    path = tarred(tmp_path / "a.tar", {f"{number}.txt": b"x" * (number * 700) for number in range(9)})
    sizes = [
        len(member.stream.read(10 if place % 2 else -1))
        for place, member in enumerate(archive_members(path, form="tar"))
    ]
    assert sizes == [min(10, place * 700) if place % 2 else place * 700 for place in range(9)]


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/etc/evil", "\\evil", "C:\\evil", "..\\evil", "a\nb", "x" * 2000]
)
def test_names_that_lead_outside_are_refused(tmp_path, name):
    for path, form in (
        (zipped(tmp_path / "a.zip", {"good.txt": b"x", name: b"x"}), "zip"),
        (tarred(tmp_path / "a.tar", {"good.txt": b"x", name: b"x"}), "tar"),
    ):
        with pytest.raises(UnsafeArchiveError):
            read(path, form=form)


def test_names_too_deep_are_refused_and_the_limit_can_be_reached(tmp_path):
    limits = ArchiveLimits(depth=3)
    assert read(zipped(tmp_path / "a.zip", {"a/b/c": b"x"}), form="zip", limits=limits)
    with pytest.raises(UnsafeArchiveError, match="deeper"):
        read(zipped(tmp_path / "b.zip", {"a/b/c/d": b"x"}), form="zip", limits=limits)


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    info = tarfile.TarInfo("innocent.txt")
    info.type = kind
    info.linkname = "/etc/passwd"
    with pytest.raises(UnsafeArchiveError):
        read(tar_of(tmp_path / "a.tar", info), form="tar")


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("innocent.txt")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UnsafeArchiveError):
        read(tmp_path / "a.zip", form="zip")


@pytest.mark.parametrize("form, compression", [("zip", None), ("tar", "gz"), ("tar", "xz")])
def test_a_bomb_is_refused(tmp_path, form, compression):
    content = {"bomb.txt": bytes(80 << 20)}
    path = tmp_path / "bomb"
    zipped(path, content) if form == "zip" else tarred(path, content, mode=f"w:{compression}")
    with pytest.raises(UnsafeArchiveError, match="expands"):
        for member in archive_members(path, form=form, compression=compression):
            while member.stream.read(1 << 20):
                pass


def test_many_members_beyond_the_limit_are_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", {f"{number}.txt": b"x" for number in range(5)})
    assert len(read(path, form="zip", limits=ArchiveLimits(members=5))) == 5
    with pytest.raises(UnsafeArchiveError, match="members"):
        read(path, form="zip", limits=ArchiveLimits(members=4))


def test_members_of_a_zip_that_share_bytes_are_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.txt": b"x" * 50, "b.txt": b"y" * 50})
    content = path.read_bytes()
    directory = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", directory + 4)
    # The second member of the directory now points at the first one's bytes.
    path.write_bytes(content[: second + 42] + bytes(4) + content[second + 46 :])
    with pytest.raises(UnsafeArchiveError, match="share"):
        read(path, form="zip")


def test_a_negative_size_ends_in_an_error_and_not_in_a_loop(tmp_path):
    path = tarred(tmp_path / "a.tar", {"a.txt": b"x"}, form=tarfile.GNU_FORMAT)
    header = bytearray(path.read_bytes())
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header[:512]):06o}\0 ".encode()
    path.write_bytes(bytes(header))
    with pytest.raises(DataError):
        read(path, form="tar")


@pytest.mark.parametrize("cut", [300, 700, 1400])
def test_a_cut_off_tar_is_an_error(tmp_path, cut):
    path = tarred(tmp_path / "a.tar", {"a.txt": b"x" * 600, "b.txt": b"y" * 600})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError):
        read(path, form="tar")


def test_an_unsafe_archive_alone_is_refused_and_in_a_folder_left_out(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    evil = zipped(folder / "evil.zip", {"../outside.txt": b"x" * 500})
    with pytest.raises(UnsafeArchiveError):
        open_dataset(evil)
    (folder / "good.txt").write_text("A sentence that is good. " * 100)
    dataset = open_dataset(folder)
    assert [row for row in dataset.inspection.skipped if "unsafe archive" in row["reason"]]
    assert not (tmp_path / "outside.txt").exists()
    assert all("good" in record.source for record in dataset.records("train"))
