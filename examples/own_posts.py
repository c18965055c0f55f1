"""Your own posts, end to end, in a folder of its own: `python -m examples.own_posts [FOLDER]`, some minutes.

`write_posts` makes what you would bring: posts.csv, users.csv and a folder of pictures (docs/own-corpus.md); here 360
posts by 12 people who garden, drive or sail. `run` puts the pipeline beside them and runs it.
"""

import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw

from benchmarks import write_params

ROOT = Path(__file__).parents[1]
PEOPLE, POSTS = 12, 30
TOPICS = {
    "gardens": (
        "rose tulip bee soil seed petal hedge lawn pond fern compost trowel orchard beetle moss ivy bulb nettle "
        "blossom greenhouse apple rake acorn daisy",
        "seagreen",
    ),
    "roads": (
        "engine wheel truck road fuel brake tunnel lorry mirror gear bumper clutch highway diesel piston tyre garage "
        "bonnet bridge traffic axle horn bend spark",
        "dimgray",
    ),
    "sea": (
        "sail harbour wave anchor tide mast gull pier rope deck compass lighthouse current storm island captain net "
        "salt lagoon canoe whale coral bay keel",
        "royalblue",
    ),
}
EVERYDAY = "morning evening summer winter friend sister photo walk coffee market music letter window city holiday rain"


def write_posts(folder: Path) -> None:
    """posts.csv, users.csv and images/ in `folder`."""
    draw = random.Random(7)
    (folder / "images").mkdir(parents=True)
    posts, users = [], []
    for person in range(PEOPLE):
        topic = list(TOPICS)[person % len(TOPICS)]
        words, colour = TOPICS[topic]
        users.append({"user_id": f"person-{person}", "interests": topic, "brand": False})
        for number in range(POSTS):
            said = draw.sample(words.split(), 6) + draw.sample(EVERYDAY.split(), 3)
            draw.shuffle(said)
            image = f"{person}-{number}.png" if number % 2 else ""
            if image:
                picture(colour, draw).save(folder / "images" / image)
            posts.append(
                {
                    "post_id": f"{person}-{number}",
                    "user_id": f"person-{person}",
                    "text": f"My {said[0]} and the {said[1]}: {', '.join(said[2:7])}; {said[7]} by {said[8]} #{topic}",
                    "image": image,
                    "created_at": f"2024-0{1 + number % 9}-1{person % 10}T12:00",
                }
            )
    pd.DataFrame(posts).to_csv(folder / "posts.csv", index=False)
    pd.DataFrame(users).to_csv(folder / "users.csv", index=False)


def picture(colour: str, draw: random.Random) -> Image.Image:
    """A few shapes of one colour."""
    image = Image.new("RGB", (160, 120), "white")
    canvas = ImageDraw.Draw(image)
    for _ in range(6):
        left, top = draw.randrange(120), draw.randrange(80)
        shape = draw.choice([canvas.ellipse, canvas.rectangle, canvas.rounded_rectangle])
        shape((left, top, left + draw.randrange(15, 60), top + draw.randrange(15, 60)), fill=colour, outline="black")
    return image


def run(folder: Path) -> Path:
    """The whole pipeline in `folder`, on the posts in `folder`/mine. Returns the report."""
    for name in ("pipeline", "stages", "tools", "models"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", folder)
    own = {"source": "table", "posts": "mine/posts.csv", "images": "mine/images", "users": "mine/users.csv"}
    # A small corpus: rare words count, few passes suffice, and there are three kinds of people to be found.
    small = {"words": {"min_count": 2}, "train": {"epochs": 5}, "interests": {"min_positives": 4}, "clusters": {"k": 3}}
    sides = {"split": {"val": 0.2}}  # of 360 posts a twentieth is too few to choose an epoch by
    asked = {"report": {"queries": [["rose and tulip", "engine and wheel"], ["user:person-2", "anchor"]]}}
    write_params(folder, {"corpus": own, **small, **sides, **asked})
    for command in ("dvc init --quiet --no-scm", "dvc repro", f"{sys.executable} -m tools.results"):
        subprocess.run(command.split(), cwd=folder, check=True)
    return folder / "report/index.html"


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="own-posts-")).resolve()
    write_posts(place / "mine")
    print(f"The report: {run(place)}\nWhat was left out, and why: {place / 'data/corpus/rejected'}")
    print(f"Search and browse, from this folder: python -m explore {place / 'data'}")
