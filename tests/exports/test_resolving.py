"""Which file is a post's picture, where several are called alike, or otherwise than the post calls them."""

import csv
import io
import shutil
import tarfile

import pytest

from pipeline.exports.posts import Post, Shown
from pipeline.exports.resolving import Pictures
from pipeline.exports.sources import Tree
from pipeline.running.errors import UserError
from tests.exports.test_parts import run


def pictures(tmp_path, named, files, place="images"):
    """What is found of the pictures called `named`, a post each, among `files`."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(
        [("post_id", "user_id", "text", "image"), *((n, "u", "x", name) for n, name in enumerate(named))]
    )
    (tmp_path / "p.csv").write_text(text.getvalue(), newline="")
    for file in files:
        (tmp_path / place / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place / file).write_bytes(b"x")
    _, posts, _, _ = run(tmp_path, tmp_path / "p.csv", [tmp_path / place])
    return [post["image"] and post["image"].partition("!/")[2] for post in posts]


@pytest.mark.parametrize("before", ["", "images/", "/home/ann/images/", "C:\\Users\\ann\\images\\"])
def test_of_files_of_one_name_the_folders_decide(tmp_path, before):
    named = [f"{before}ann/1.jpg", f"{before}bob/1.jpg"]
    named = [name.replace("/", "\\") for name in named] if "\\" in before else named
    assert pictures(tmp_path, named, ["ann/1.jpg", "bob/1.jpg"]) == ["ann/1.jpg", "bob/1.jpg"]


def test_a_mere_number_that_several_files_are_called_by_is_none_and_a_long_name_is_the_same_picture(tmp_path):
    files = ["ann/1.jpg", "bob/1.jpg", "bob/2.jpg", "full/abcdef.jpg", "small/abcdef.jpg"]
    assert pictures(tmp_path, ["1.jpg", "2.jpg", "abcdef.jpg"], files) == [None, "bob/2.jpg", "full/abcdef.jpg"]


@pytest.mark.parametrize("name", ["1.jpg", "IMG_0001.jpg", "photo12.jpg", "image (3).jpg"])
def test_a_file_that_is_counted_in_a_folder_of_another_is_not_taken_for_one_that_is_gone(tmp_path, name):
    for files in ([f"bob/{name}"], [f"bob/{name}", f"carl/{name}"]):
        there = tmp_path / str(len(files))
        there.mkdir()
        assert pictures(there, [f"ann/{name}", f"bob/{name}"], files) == [None, f"bob/{name}"]
    assert pictures(tmp_path, [f"ann/{name}"], [name]) == [name]
    assert pictures(tmp_path, ["ann/EabcXYZ1.jpg"], ["other/EabcXYZ1.jpg"]) == ["other/EabcXYZ1.jpg"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["images/1.jpg", "images/EabcXYZ1.jpg", "EabcXYZ1.jpg"])
def test_of_files_of_one_path_in_several_exports_the_one_beside_the_table_is_the_posts(tmp_path, name, packed):
    export = tmp_path / "export"
    for who in ("ann", "bob", "carl"):
        (export / who / "images").mkdir(parents=True)
        (export / who / "posts.csv").write_text(f"post_id,user_id,text,image\n{who},{who},x,{name}\n")
        (export / who / "images" / name.rpartition("/")[2]).write_bytes(b"x")
        if packed:
            shutil.make_archive(str(export / who), "zip", export / who)
            shutil.rmtree(export / who)
    _, posts, _, _ = run(tmp_path, export)
    folders = {post["user_id"]: post["image"].replace(".zip!", "").replace("!", "").split("/")[-3] for post in posts}
    assert folders == {who: who for who in ("ann", "bob", "carl")}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("https://x/m/p.jpg?size=9&b=1", "p.jpg?size=9&b=1"),
        ("https://x/m/p.jpg?size=9", "p.jpg@size=9"),
        ("https://pbs.twimg.com/media/Exyz?format=jpg&name=large", "Exyz?format=jpg&name=large"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),
        ("https://x/m/my%20picture.jpg", "my picture.jpg"),
    ],
)
def test_a_file_is_found_as_programs_and_systems_call_it(tmp_path, name, file):
    assert pictures(tmp_path, [name], [file, "other.jpg"]) == [file]


def test_pictures_in_a_packed_tar_are_read_and_other_archives_told(tmp_path):
    pictures(tmp_path, ["p.jpg"], ["p.jpg"])
    with tarfile.open(tmp_path / "images.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "images", "images")
    _, (post,), _, _ = run(tmp_path, tmp_path / "p.csv", [tmp_path / "images.tar.gz"])
    assert post["image"].endswith("!/images/p.jpg")
    (tmp_path / "images.7z").write_bytes(b"7z")
    with pytest.raises(UserError, match=r"images\.7z is neither a folder nor a zip nor a tar of pictures: unpack it"):
        run(tmp_path, tmp_path / "p.csv", [tmp_path / "images.7z"])


def test_capitals_count_where_several_files_differ_in_them_alone(tmp_path):
    files = ["DSC1.JPG", "abcde.png", "ABCDE.png"]
    assert pictures(tmp_path, ["dsc1.jpg", "ABCDE.png", "Abcde.png"], files) == ["DSC1.JPG", "ABCDE.png", None]


def test_a_picture_without_an_ending_is_one_by_how_it_begins(tmp_path):
    """As Bluesky's blobs are kept, and X's pictures by their addresses in older scripts."""
    (tmp_path / "images/did").mkdir(parents=True)
    for name, data in (("did/bafkreiabc", b"\xff\xd8\xff\xe0"), ("LICENSE", b"words"), ("E1abc.jpg:large", b"x")):
        (tmp_path / "images" / name).write_bytes(data)
    found = pictures(tmp_path, ["bafkreiabc", "LICENSE", "E1abc.jpg"], [])
    assert found == ["did/bafkreiabc", None, "E1abc.jpg:large"]


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("1234567890123456789_1.jpg", ("1234567890123456789_1",)),
        ("111111_222222.jpg", ("222222",)),
        ("mastodon_111111_222222.jpg", ("222222",)),
        ("abc12 A title.jpg", ("abc12",)),
        ("abc12 02 A title.jpg", ("abc12_2",)),
        ("ann_A_title_abc12_2.jpg", ("abc12_2",)),
        ("bafkreia.jpg", ("https://cdn.bsky.app/img/plain/did:plc:a/bafkreia@jpeg",)),
        ("Exyz.jpg", ("https://pbs.twimg.com/media/Exyz?format=jpg&name=large",)),
    ],
)
def test_a_picture_is_found_by_what_downloaders_call_it(file, names, tmp_path):
    for name in (file, "other.jpg", "abcde.jpg"):
        (tmp_path / name).write_bytes(b"x")
    shown = (Shown(names),)
    found, _, missing, _ = Pictures([Tree(tmp_path)]).of(Post("1", "7", None, "words", shown=shown), False)
    assert [one.rpartition("!/")[2] for one in found] == [file] and not missing


@pytest.mark.parametrize(("post_id", "there"), [("5", False), ("1234567", True)])
def test_a_picture_known_by_its_address_may_be_called_by_its_post_but_not_by_a_mere_number(post_id, there, tmp_path):
    (tmp_path / "t.csv").write_text(f"post_id,user_id,text,image\n{post_id},ann,words,https://x/gone.jpg\n")
    (tmp_path / f"{post_id}.jpg").write_bytes(b"x")
    _, (post,), *_ = run(tmp_path, tmp_path / "t.csv", [tmp_path])
    assert bool(post["image"]) == there
