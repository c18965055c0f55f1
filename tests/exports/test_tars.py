"""Archives in tars are read as those in zips are, and keep no text that their author told few."""

import gzip
import io
import json
import tarfile

import pytest

from pipeline.exports import tars
from pipeline.exports.converting import Settings, convert
from pipeline.running.errors import UserError
from tests.exports.test_formats import converted
from tests.exports.test_parts import run
from tests.exports.truth import truth
from tests.exports.writers import mastodon_archives, mastodon_tars


def comparable(rows):
    """Rows but for where their pictures lie."""
    told = []
    for row in rows:
        images = [name.rpartition("/")[2] for name in [row.get("image"), *(row.get("more_images") or [])] if name]
        told.append({**row, "image": images, "more_images": None, "export": None, "detail": None})
    return told


def test_a_tar_gives_the_posts_of_the_zip_and_keeps_pictures_alone(tmp_path):
    found = []
    for writer in (mastodon_archives, mastodon_tars):
        folder = tmp_path / writer.__name__
        (folder / "export").mkdir(parents=True)
        metrics, tables = converted(folder, writer(folder / "export", truth(4, 16)))
        found.append((metrics["rows_in"], metrics["rejected"], *(comparable(tables[name]) for name in tables)))
    assert found[0] == found[1] and found[0][0] > 40
    kept = folder / "converted"
    assert len(list(kept.glob("within-*.zip"))) >= 4
    for path in kept.glob("within-*.zip"):
        assert b"outbox.json" not in path.read_bytes()


def tar(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return path


def file(name, data=b"{}"):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    return member, data


def test_links_devices_and_paths_out_of_it_do_no_harm(tmp_path):
    odd = []
    for name, kind in (("link.png", tarfile.SYMTYPE), ("hard.png", tarfile.LNKTYPE), ("pipe.png", tarfile.FIFOTYPE)):
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        odd.append((member, b""))
    path = tar(tmp_path / "a.tar.gz", *odd, file("../../out.png", b"A"), file("./in/a.png", b"B"), file("b.mp4"))
    (tmp_path / "out").mkdir()
    (tree,) = tars.tars([path], [], tmp_path / "out").values()
    assert tree.names == ["../../out.png", "in/a.png"] and tree.open("in/a.png").read() == b"B"
    assert [one.name for one in tmp_path.iterdir()] == ["a.tar.gz", "out"] or len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-400]), "cut off or damaged"),
        (lambda path: path.write_bytes(gzip.compress(b"no tar" * 1000)), "cut off or damaged"),
        (lambda path: tar(path, file("big.json", bytes(1 << 21))), "unpack to"),
    ],
)
def test_a_tar_that_is_damaged_or_a_bomb_is_a_sentence(tmp_path, monkeypatch, spoil, told):
    monkeypatch.setattr(tars, "_MOST", 1 << 20)
    path = tar(tmp_path / "a.tar.gz", file("outbox.json", b'{"orderedItems": []}' * 99), file("actor.json"))
    spoil(path)
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=rf"a\.tar\.gz.*{told}"):
        convert([path], [], tmp_path / "out", tmp_path / "out", Settings())


def test_a_shard_gives_posts_and_the_pictures_of_their_keys(tmp_path):
    sample = {"post_id": "p1", "user_id": "u", "key": "000000017", "caption": "sea"}
    members = (
        file("000000017.jpg", b"A"),
        file("000000017.txt", b"sea"),
        file("000000017.json", json.dumps(sample).encode()),
    )
    _, (post,), _, _ = run(tmp_path, tar(tmp_path / "shard.tar.gz", *members))
    assert post["text"] == "sea" and post["image"].endswith("000000017.jpg")
