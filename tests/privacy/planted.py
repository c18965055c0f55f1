"""A project whose own files are full of names, the stages run on it, and the search for these names."""

import csv
from functools import cache

import numpy as np

from benchmarks import lay_out, write_params
from tests.exports import test_end_to_end
from tests.made.pictures import encoded, noise
from tests.processes.started import stages, started
from tools.searching import Search

FIRST = ("check_params", "fetch_corpus", "list_corpus", "convert_corpus", "import_corpus", "clean_text")
PEOPLE = ("Änne_Quastenflosser", "bert.wolpertinger", "chlodwig-76", "dorothea_zwirbel")
TOLD_HERE = ("url", "reply_to", "answers", "alt")
PLANTED = (
    *PEOPLE,
    "quastenflosser", "wolpertinger", "zwirbel",  # also in addresses, files' names and ids of posts
    "nobody_at_all", "emil_ohnepost", "+49 171 5550123", "0171/5550123", "(555) 010-7788", "17:23:41", "a1b2c3d4",
)  # fmt: skip
SMALL = test_end_to_end.SMALL | {
    "clusters": {"k": 2},
    "split": test_end_to_end.SMALL["split"] | {"max_group_share": 1.0, "test": 0.3, "val": 0.3},
}


@cache
def png(number):
    return encoded(noise(number, 40, 50))


def planted(folder, count=80):
    """A project whose own files are full of names: a table of posts, its pictures, and users."""
    own = folder / "own"
    (own / "pictures").mkdir(parents=True)
    chance, rows = np.random.default_rng(3), []
    vocabulary = ["river", "castle", "engine", "garden", "violin", "harbour", "window", "mountain", "kitchen",
                  "lantern"]  # fmt: skip
    for number in range(count):
        person, other = PEOPLE[number % 4], PEOPLE[(number + 1) % 4]
        words = " ".join(chance.choice(vocabulary, 6))
        name = f"{person}_{number:03}.png"
        (own / "pictures" / name).write_bytes(png(number))
        if number % 20 == 7:
            name = f"lost_{person}.png"
        said = (
            f"{words} by @{other} and RT@{person}: see https://photos.example/{other}/a1b2c3d4 "
            f"or wolpertinger.example.com, mail quastenflosser@zwirbel.example, zwirbel (at) wolpertinger [dot] de; "
            f"call +49 171 5550123, 0171/5550123 or (555) 010-7788. On 2024-05-06 about 1 000 000 saw {number}"
        )
        told = (
            f"https://photos.example/{person}/{number}",
            other,
            f"{other}-post-{(number + 1) % count}",
            f"@{other} by wolpertinger.example.com",
        )
        rows.append((f"{person}-post-{number}", person, said, name, f"2024-05-{1 + number % 28:02}T17:23:41", *told))
    none = ("",) * 4
    rows += [
        ("", PEOPLE[0], "no id", "", "", *none),
        ("zwirbel-late", PEOPLE[3], "odd time", "", "zwirbel o'clock", *none),
    ]
    rows += [(rows[0][0], PEOPLE[0], "again", "", "", *none), ("zwirbel-lone", "nobody_at_all", "alone", "", "", *none)]
    with (own / "posts.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("post_id", "user_id", "text", "image", "created_at", *TOLD_HERE), *rows])
    users = [(person, "music;art" if k % 2 else "art", "false") for k, person in enumerate(PEOPLE)]
    with (own / "users.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("user_id", "interests", "brand"), *users, ("emil_ohnepost", "art", "no")])
    lay_out(folder)
    corpus = {
        "source": "table", "posts": "own/posts.csv", "images": "own/pictures", "users": "own/users.csv",
        "min_posts_per_user": 2, "pseudonyms": "keyed",
    }  # fmt: skip
    write_params(folder, {"corpus": corpus, **SMALL})
    return folder


def run(folder, names, status=0):
    """Run stages in one process, as DVC has them run; returns what they printed."""
    environment = {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "DU2MCE_CACHE": str(folder / "cache")}
    done = started(stages, *names, at=folder, environment=environment)
    assert done.returncode == status, done.stderr[-3000:]
    return done.stdout + done.stderr


def found(folder, printed, names=PLANTED):
    """Hits of planted names anywhere but in people's own files; the private folder counts."""
    search = Search(names)
    for path in sorted(folder.iterdir()):
        if path.name not in ("own", "export", "brands.csv", "params.yaml") and not path.is_symlink():
            search.folder(path)
    search.text(printed, "what was printed")
    searched = search.end()
    assert searched.files > 10 and not searched.unread
    return searched.hits
