"""A picture is found under the names that tables, zips and disks of any origin have for it, and never outside."""

import io
import os
import random
import socket
import struct
import unicodedata
import zipfile

import pytest

from pipeline.pictures import finding
from pipeline.pictures.finding import opened
from pipeline.pictures.reading import MAX_BYTES, Rejected
from pipeline.running.errors import UserError


def read(path, *names, store=None):
    """What each name leads to: text, or the reason why there is none."""
    with opened(path, store) as pictures:
        found = [pictures.read(name) for name in names]
        facts = [pictures.facts(name) for name in names]
    # A listing, which only looks, and the import, which reads, agree on what is missing.
    missing = [isinstance(f, Rejected) and f.reason == "missing" for f in found]
    assert missing == [isinstance(f, Rejected) and f.reason == "missing" for f in facts]
    return [one.decode() if isinstance(one, bytes) else one.reason for one in found]


def zipped(path, **names):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(params=["folder", "zip"])
def place(request, tmp_path):
    """Makes pictures/, a folder, or pictures.zip of files by name."""

    def make(**files):
        if request.param == "zip":
            return zipped(tmp_path / "pictures.zip", **files)
        for name, content in files.items():
            path = tmp_path / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path / "pictures"

    return make


@pytest.mark.parametrize(
    "name",
    [
        *("u1/a b.png", "./u1/a b.png", "u1//a b.png", "u1\\a b.png", ".\\u1\\a b.png", "u1/a%20b.png"),
        *("pictures/u1/a b.png", "U1/A B.PNG", "u1/a\u00a0b.png", "pictures\\U1\\a%20b.PNG"),
        *("/home/me/pictures/u1/a b.png", "C:\\Users\\me\\pictures\\u1\\a b.png", "file:///data/pictures/u1/a%20b.png"),
        *("../data/pictures/u1/a b.png", "..\\..\\pictures\\u1\\a b.png", "~/pictures/u1/a b.png"),
    ],
)
def test_names_are_found_as_tables_write_them(place, name):
    assert read(place(**{"u1/a b.png": "it", "u1/c.png": "other", "d.png": "other"}), name) == ["it"]


def test_an_exact_name_comes_before_one_that_is_alike_and_what_fits_several_fits_none(place):
    files = {
        "a.png": "small",
        "A.png": "large",
        "a%20b.png": "quoted",
        "a b.png": "plain",
        "b.PNG": "b",
        "c%20d.png": "c",
    }
    names = ("a.png", "A.png", "a.PNG", "a%20b.png", "a b.png", "b.png", "c d.png", "no.png")
    assert read(place(**files), *names) == ["small", "large", "missing", "quoted", "plain", "b", "c", "missing"]


def test_the_one_folder_that_wraps_all_files_may_be_left_out(place):
    beside = {".DS_Store": "x", "__MACOSX/export/._a.png": "x", "thumbs.db": "x", "_SUCCESS": "x", ".hidden": "x"}
    assert read(place(**{"export/u/a.png": "it"}, **beside), "u/a.png", "export/u/a.png") == ["it", "it"]


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_letters_composed_or_not(place, stored, asked):
    stored, asked = (unicodedata.normalize(form, "Café Äpfel.png") for form in (stored, asked))
    assert read(place(**{stored: "it"}), asked) == ["it"]


@pytest.mark.parametrize(
    ("name", "page"), [("café.png", "latin-1"), ("café.png", "cp437"), ("猫の写真.jpg", "cp932"), ("мир.jpg", "cp866")]
)
def test_names_in_the_bytes_of_another_system(tmp_path, name, page):
    folder = tmp_path / "pictures"
    folder.mkdir()
    theirs = folder / os.fsdecode(name.encode(page))
    theirs.write_text("it")
    (folder / name.encode().decode("cp437")).write_text("by unzip, of UTF-8 without its mark")
    assert read(folder, name) == ["it"]
    theirs.unlink()
    assert read(folder, name) == ["by unzip, of UTF-8 without its mark"]

    # In a zip, marked as UTF-8 or not: same length of a name in the two places where a zip has it.
    stand_in = "x" * len(name.encode(page))
    data = zipped(tmp_path / "plain.zip", **{stand_in: "it", "other.png": "other"}).read_bytes()
    (tmp_path / "z.zip").write_bytes(data.replace(stand_in.encode(), name.encode(page)))
    assert read(tmp_path / "z.zip", name, "other.png") == ["it", "other"]


def test_a_name_marked_as_utf8_that_is_none_costs_no_other_entry(tmp_path):
    data = zipped(tmp_path / "a.zip", **{"é.png": "broken", "b.png": "b"}).read_bytes()
    (tmp_path / "z.zip").write_bytes(data.replace("é.png".encode(), b"\xe9\xe9.png"))
    assert read(tmp_path / "z.zip", "é.png", "éé.png", "b.png") == ["missing", "broken", "b"]


@pytest.mark.parametrize(
    ("place", "value"), [(6, b"\xff\xff"), (10, b"\x63\0"), (8, b"\1\0"), (42, b"\xff\xff\xff\x7f"), (16, b"abcd")]
)
def test_a_broken_entry_is_a_reason_on_its_name_and_costs_no_other(tmp_path, place, value):
    """version, method, encrypted, offset, checksum"""
    data = bytearray(zipped(tmp_path / "a.zip", **{"a.png": "a", "b.png": "b"}).read_bytes())
    begin = data.index(b"PK\1\2") + place
    data[begin : begin + len(value)] = value
    (tmp_path / "z.zip").write_bytes(data)
    assert read(tmp_path / "z.zip", "a.png", "b.png") == ["a" if place == 6 else "unreadable", "b"]


def test_odd_extra_fields_and_names_with_backslashes_and_dots(tmp_path):
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as archive:
        odd = zipfile.ZipInfo("odd.png")
        odd.extra = struct.pack("<HH", 0x7075, 4000)
        archive.writestr(odd, "odd")
        archive.writestr("./dot.png", "dot")
        archive.writestr("u\\back.png", "back")
    assert read(path, "odd.png", "dot.png", "./dot.png", "u/back.png") == ["odd", "dot", "dot", "back"]


def test_what_no_name_asks_for_does_not_matter(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "u").mkdir(parents=True)
    (folder / "u/a.png").write_text("it")
    os.mkfifo(folder / "u/pipe.png")
    (folder / "u/nowhere.png").symlink_to("/nowhere/x.png")
    (folder / "u/loop").symlink_to("loop")
    (folder / "u/up").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "u/socket.png"))
    (folder / "u" / os.fsdecode(b"\xff\xfe.png")).write_text("")
    names = ("U/A.PNG", "u/pipe.png", "u/nowhere.png", "u/loop", "u/socket.png", "u/up/u/a.png", "u")
    reasons = ["it", "not a file", "missing", "unreadable", "not a file", "it", "not a file"]
    assert read(folder, *names) == reasons


def test_nothing_is_read_from_outside(tmp_path):
    folder, store = tmp_path / "pictures", tmp_path / "store"
    folder.mkdir()
    store.mkdir()
    (tmp_path / "secret.png").write_text("secret")
    (store / "1234").write_text("of the store")
    (folder / "a.png").write_text("a")
    (folder / "link.png").symlink_to("../store/1234")
    (folder / "far.png").symlink_to("../secret.png")
    (folder / "inside.png").symlink_to("a.png")
    with (folder / "huge.png").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    outside = ("../secret.png", "u/../../secret.png", "..\\secret.png", "%2e%2e/secret.png", "link.png", "far.png")
    outside = (*outside, str(tmp_path / "secret.png"), "C:\\secret.png", "a\0.png")
    assert read(folder, *outside) == ["outside the folder"] * len(outside)
    assert read(folder, "inside.png", str(folder / "a.png"), "huge.png") == ["a", "a", "too large a file"]
    # A path of another machine is told by the folder's own name.
    assert read(folder, "C:\\Users\\me\\pictures\\a.png", "/home/me/pictures/a.png") == ["a", "a"]
    assert read(folder, "link.png", "far.png", store=store) == ["of the store", "outside the folder"]


def test_an_entry_larger_than_the_limit_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(finding, "MAX_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", b"0" * 100_000)
    with opened(tmp_path / "z.zip") as pictures:
        assert pictures.read("bomb.png") == Rejected("too large a file", "bomb.png: 100000 bytes, limit 1000")


def test_what_is_neither_a_folder_nor_a_zip_is_told(tmp_path):
    (tmp_path / "a.png").write_text("no zip")
    with pytest.raises(UserError, match=r"a\.png is neither a folder nor a whole zip of images"):
        read(tmp_path / "a.png")


def mutated_zips(count, seed):
    """Zips with some bytes changed, most of them near the headers, or cut."""
    chance = random.Random(seed)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(4):
            archive.writestr(f"u/é{n}.png" if n % 2 else f"{n}.png", bytes(chance.randrange(256) for _ in range(200)))
    sound = buffer.getvalue()
    begin = sound.index(b"PK\1\2")
    for _ in range(count):
        data = bytearray(sound)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(begin, len(data)) if chance.random() < 0.7 else chance.randrange(len(data))] = (
                chance.choice([0, 255, chance.randrange(256)])
            )
        yield bytes(data[: chance.randint(1, len(data))] if chance.random() < 0.1 else data)


def look_into(zips, path):
    """How many opened, and how many names were read, out of `zips`; anything but a sentence or a reason is raised."""
    opens = reads = 0
    for data in zips:
        path.write_bytes(data)
        try:
            with opened(path) as pictures:
                opens += 1
                for name in ("0.png", "u/é1.png", "2.png", "u/é3.png"):
                    found = pictures.read(name)
                    reads += isinstance(found, bytes)
                    assert isinstance(found, bytes) or found.reason in ("missing", "unreadable", "too large a file")
        except UserError:
            pass
    return opens, reads


def test_mutated_zips_end_in_reasons_and_sentences(tmp_path):
    opens, reads = look_into(mutated_zips(600, 1), tmp_path / "z.zip")
    assert opens > 300 and reads > 600  # most still give what is whole in them


@pytest.mark.slow
def test_many_mutated_zips_end_in_reasons_and_sentences(tmp_path):
    opens, reads = look_into(mutated_zips(20_000, 2), tmp_path / "z.zip")
    assert opens > 10_000 and reads > 20_000, (opens, reads)


def test_an_address_of_this_machine_is_a_path(tmp_path):
    (tmp_path / "pictures/u1").mkdir(parents=True)
    (tmp_path / "pictures/u1/a b.png").write_text("A")
    (tmp_path / "other.png").write_text("B")
    asked = "file:///home/ann/pictures/u1/a%20b.png", f"file://{tmp_path}/other.png", "file://u1/a b.png"
    assert read(tmp_path / "pictures", *asked) == ["A", "outside the folder", "A"]


@pytest.mark.parametrize(
    "name", ["photos/a.png?width=640&s=1", "photos/a%20b.png?x", "photos/kept.png?v=2", "photos/a&amp;b.png"]
)
def test_what_an_address_asks_for_may_stand_behind_a_name_or_be_a_part_of_it(tmp_path, name):
    (tmp_path / "photos").mkdir()
    for file in ("a.png", "a b.png", "kept.png", "kept.png?v=2", "a&b.png"):
        (tmp_path / "photos" / file).write_bytes(file.encode())
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as packed:
        for file in (tmp_path / "photos").iterdir():
            packed.write(file, f"photos/{file.name}")
    want = {
        "photos/a.png?width=640&s=1": b"a.png",
        "photos/a%20b.png?x": b"a b.png",
        "photos/kept.png?v=2": b"kept.png?v=2",
        "photos/a&amp;b.png": b"a&b.png",
    }
    for place in (tmp_path, tmp_path / "p.zip"):
        with opened(place) as pictures:
            assert pictures.read(name) == want[name]


def test_a_zip_of_archives_says_that_they_are_to_be_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as packed:
        packed.writestr("part-1.zip", b"PK")
        packed.writestr("part-2.tar.gz", b"x")
    with (
        pytest.raises(UserError, match=r"p\.zip holds archives alone, such as part-1\.zip: unpack it"),
        opened(tmp_path / "p.zip"),
    ):
        pass
