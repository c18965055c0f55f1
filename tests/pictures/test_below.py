"""A picture is found without the folders before its name, where that fits one file alone."""

import zipfile

import pytest

from pipeline.pictures.finding import opened
from pipeline.pictures.reading import Rejected
from pipeline.running.errors import UserError
from tests.pictures.test_finding import place, read  # noqa: F401

FILES = {
    "ann/1.png": "ann's",
    "bob/1.png": "bob's",
    "bob/2021/sea.png": "sea",
    "bob/2021/Caf\u00e9 2.PNG": "café",
    "top.png": "top",
}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *(("sea.png", "sea"), ("2021/sea.png", "sea"), ("2021\\SEA.png", "sea"), ("bob/2021/sea.png", "sea")),
        *(("cafe\u0301 2.png", "café"), ("caf%C3%A9%202.png", "café"), ('"sea.png"', "sea"), ("top.png", "top")),
        *(("ann/1.png", "ann's"), ("1.png", "several files of that name"), ("no.png", "missing")),
        # Named with a folder, it is in no other; a part of a folder's name is none.
        *(("ann/sea.png", "missing"), ("1/sea.png", "missing"), ("a/2021/sea.png", "missing"), ("ob/1.png", "missing")),
    ],
)
def test_a_name_is_the_end_of_a_path(place, name, found):  # noqa: F811
    assert read(place(**FILES), name) == [found]


def test_a_name_that_fits_several_tells_where_they_lie(place):  # noqa: F811
    with opened(place(**FILES)) as pictures:
        found = pictures.read("1.png")
    assert isinstance(found, Rejected) and found.detail == "1.png lies in ann and in bob"


def test_nothing_outside_is_found_and_links_to_folders_are_not_followed(tmp_path):
    (tmp_path / "pictures/a").mkdir(parents=True)
    (tmp_path / "store").mkdir()
    (tmp_path / "store/s.png").write_text("secret")
    for link, target in (("link", tmp_path / "store"), ("loop", ".."), ("t.png", tmp_path / "store/s.png")):
        (tmp_path / "pictures/a" / link).symlink_to(target)
    assert read(tmp_path / "pictures", "s.png", "t.png", "../s.png") == ["missing", *["outside the folder"] * 2]


def test_a_folder_of_archives_says_that_they_are_to_be_unpacked(tmp_path):
    (tmp_path / "pictures").mkdir()
    with zipfile.ZipFile(tmp_path / "pictures/all.zip", "w") as archive:
        archive.writestr("a.png", "a")
    (tmp_path / "pictures/.DS_Store").write_text("x")
    with pytest.raises(UserError, match=r"pictures holds archives alone, such as all\.zip: unpack them there"):
        read(tmp_path / "pictures", "a.png")
    (tmp_path / "pictures/b.png").write_text("b")
    assert read(tmp_path / "pictures", "a.png", "b.png") == ["missing", "b"]
