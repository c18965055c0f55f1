"""A corpus of one's own as people's tools and disks leave it, from its files to the tables of the import."""

import csv
import json
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import write_params
from pipeline.running.errors import UserError
from pipeline.tables.corpus import IMAGES, POSTS, REJECTED, USERS
from stages import check_params, import_corpus, list_corpus
from tests.made.pictures import encoded, noise

ROOT = Path(__file__).parents[2]
CORPUS = Path("data/corpus")
COUNT = 24
HEAD = ("post_id", "user_id", "text", "image")


def png(number):
    return encoded(noise(number, 9, 12))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder to run stages in, whose params ask for the files that `imported` finds there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "dvc.yaml").symlink_to(ROOT / "dvc.yaml")
    for name in ("pipeline", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "images").mkdir()
    for number in range(COUNT):
        (tmp_path / f"images/{number:02}.png").write_bytes(png(number))
    (tmp_path / "users.csv").write_text("user_id,interests,brand\n")
    return tmp_path


def rows(name="{:02}.png", text="words {}", user="u{}"):
    return [(f"p{n:02}", user.format(n % 4), text.format(n), name.format(n)) for n in range(COUNT)]


def write(posts, path="posts.csv", head=HEAD):
    with Path(path).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([head, *posts])


def imported(**changes):
    """Run the stages; the metrics of the import."""
    own = {"source": "table", "posts": "posts.csv", "images": "images", "users": "users.csv", "min_posts_per_user": 1}
    write_params(Path(), {"corpus": own | changes})
    for stage in (check_params, list_corpus, import_corpus):
        stage.main()
    return json.loads(Path("metrics/import.json").read_text())


def test_what_lies_beside_the_pictures_does_not_matter(project):
    write(rows())
    os.mkfifo("images/pipe")
    Path("images/old.png").symlink_to("/nowhere/old.png")
    Path("images/loop").symlink_to("loop")
    Path("images", os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    assert imported()["rows_out"] == COUNT


@pytest.mark.parametrize(("stored", "asked"), [("./{:02}.png", "{:02}.png"), ("u\\{:02}.png", "u/{:02}.png")])
def test_zips_of_other_systems(project, stored, asked):
    write(rows(asked))
    with zipfile.ZipFile("images.zip", "w") as archive:
        for number in range(COUNT):
            archive.writestr(stored.format(number), png(number))
    assert imported(images="images.zip")["posts"]["with_image"] == COUNT


def test_pictures_in_data_images_beside_what_stages_write(project):
    Path("data").mkdir()
    Path("images").rename("data/images")
    Path("data/images/features").mkdir()
    write(rows("data/images/{:02}.png"))
    assert imported(images=".")["images"] == imported(images="data")["images"] == COUNT
    write(rows())
    assert imported(images="data/images")["images"] == COUNT


def test_without_pictures_none_need_be_named_and_names_that_lead_nowhere_are_told_at_once(project):
    Path("images").rename("elsewhere")
    write([row[:3] for row in rows()], head=HEAD[:3])
    assert imported(images=None)["posts"]["with_text"] == imported(images=None)["rows_out"] == COUNT
    write(rows(""))
    assert imported(images=None)["images"] == 0
    write(rows())
    with pytest.raises(UserError, match=r"posts\.csv names 24 pictures, and there are none: corpus\.images names no"):
        imported(images=None)
    assert imported(images=None, missing_images="text")["posts"]["with_text"] == COUNT
    with pytest.raises(UserError, match=r"corpus\.images is 'nowhere', which does not exist; if no post has a picture"):
        imported(images="nowhere")
    write([row[:3] for row in rows()], head=HEAD[:3])
    with pytest.raises(UserError, match=r"no column image"):
        imported(images="elsewhere")
    Path("elsewhere").rename("images")
    write(rows())
    assert imported(images=None)["images"] == COUNT  # beside the posts


@pytest.mark.parametrize("posts", ["", ".", "images"])
def test_posts_that_are_a_folder_are_refused_before_any_work(project, posts):
    write(rows())
    with pytest.raises(UserError, match=rf"corpus\.posts is '{posts}', a folder; expected the file of a table"):
        imported(posts=posts)


def test_pictures_alone_are_told_before_any_is_decoded(project, monkeypatch):
    write(rows(text=""))
    monkeypatch.setattr("pipeline.corpus.importing.intake", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(UserError, match=r"none of the 24 posts of posts\.csv has a text: .* alt texts"):
        imported()


@pytest.mark.parametrize("again", [*HEAD, "created_at"])
def test_a_column_that_is_there_twice_is_not_guessed_at(project, again):
    head = (*HEAD, "created_at", again)
    write(
        [(*row, "2024-05-01", row[HEAD.index(again)] if again in HEAD else "2023-05-01") for row in rows()], head=head
    )
    with pytest.raises(UserError, match=f"several columns {again}"):
        imported()


def test_names_of_another_place_are_told_as_such_and_not_as_links(project):
    write(rows("/home/ann/pics/{:02}.png"))
    with pytest.raises(UserError, match=r"image: outside the folder: 24\..*without the folders before their names"):
        imported()


def test_a_table_of_users_that_cannot_be_read_is_told_before_any_picture_is_decoded(project, monkeypatch):
    write(rows())
    Path("users.csv").write_text("user_id,likes\nu0,art\n")
    monkeypatch.setattr("pipeline.corpus.importing.intake", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(UserError, match=r"users\.csv: no column interests; .* all interests of a person, as a list"):
        imported()
    numbers = {"user_id": ["u0"], "interests": [[1.5]]}
    pq.write_table(pa.table(numbers), "users.parquet")
    with pytest.raises(UserError, match=r"users\.parquet: column interests is of the type list<.*double>"):
        imported(users="users.parquet")


def test_users_need_no_column_of_brands_and_truth_may_be_in_the_language_of_the_spreadsheet(project):
    write(rows())
    Path("users.csv").write_text("user_id,interests\nu0,art\n")
    assert imported()["interests"]["users_with_some"] == 1
    Path("users.csv").write_text("user_id;interests;brand\nu0;art;WAHR\nu1;art;FALSCH\nu2;art;faux\nu3;;\n")
    assert imported()["brands"] == 1 and imported()["interests"]["users_with_some"] == 3


def test_links_into_a_store(project):
    write(rows())
    Path("images").rename("store")
    Path("images").mkdir()
    for number in range(COUNT):
        Path(f"images/{number:02}.png").symlink_to(f"../store/{number:02}.png")
    with pytest.raises(UserError, match=r"image: outside the folder: 24\..*set corpus\.links_into"):
        imported()
    assert imported(links_into="store")["images"] == COUNT


@pytest.mark.parametrize("user", ["1.2003{}E+17", "1234567890123{}0000"])
def test_ids_that_a_spreadsheet_rounded_are_refused_with_what_to_do(project, user):
    write(rows(user=user))
    with pytest.raises(UserError, match=r"id rounded by a spreadsheet: 24.*export the table again"):
        imported()
    assert REJECTED.count(CORPUS / "rejected") == COUNT


def test_ids_and_lists_that_pandas_wrote_are_those_of_the_other_table(project):
    write(rows(user="10000{}.0"))
    lines = [
        "user_id,interests,brand",
        "100000,\"['art', 'music']\",False",
        '100001,"[""art""]",0',
        '100002,"art,food",',
    ]
    Path("users.csv").write_text("\n".join(lines) + "\n")
    imported()
    found = {row["user_id"]: row["interests"] for row in USERS.read(CORPUS / "users").to_pylist()}
    assert found == {"100000": ["art", "music"], "100001": ["art"], "100002": ["art", "food"], "100003": []}


def test_an_edit_changes_the_listing_and_what_no_post_names_does_not(project):
    write(rows())
    imported()
    before = list_corpus.LISTING.read_text()
    Path("images/more.png").write_bytes(b"x")
    list_corpus.main()
    assert list_corpus.LISTING.read_text() == before
    Path("images/03.png").write_bytes(png(99))
    list_corpus.main()
    assert list_corpus.LISTING.read_text() != before
    Path("images/03.png").write_bytes(png(3))
    write(rows(text="other {}"))
    list_corpus.main()
    assert list_corpus.LISTING.read_text() != before


def test_a_table_that_went_away_since_params_were_checked_is_told_in_a_sentence(project):
    write(rows())
    imported()
    Path("posts.csv").rename("moved.csv")
    with pytest.raises(UserError, match=r"corpus\.posts is '.*posts\.csv', which does not exist"):
        list_corpus.main()


@pytest.mark.parametrize("name", ["Beiträge (neu).csv", "posts, final.csv", "it's all [1].csv", "20240501"])
def test_any_name_of_a_file_or_folder(project, name):
    write(rows(), f"{name.removesuffix('.csv')}.csv")
    Path("images").rename("20240501")
    assert imported(posts=f"{name.removesuffix('.csv')}.csv", images="20240501")["rows_out"] == COUNT
    assert POSTS.count(CORPUS / "posts") == IMAGES.count(CORPUS / "images") == COUNT
