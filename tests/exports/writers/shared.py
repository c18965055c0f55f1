"""What the formats have in common: names of people and pictures, rows as lines or as a table."""

import csv
import json
from pathlib import Path
from zipfile import ZipFile

from tests.exports import truth
from tests.exports.truth import Truth


def handle(user: int) -> str:
    return f"Person_{user}"


def x_ids(post: Truth) -> str:
    return str(5_000_000_000_000_000_001 + post.user)


def lines(path: Path, rows: list, broken: str = '{"half": ', opener=open) -> None:
    with opener(path, "wb") as stream:
        for k, row in enumerate(rows):
            stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            if k == 2 and broken:
                stream.write(broken.encode() + b"\n")


def table(path: Path, rows: list[dict], delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def by_user(posts: list[Truth]) -> dict[int, list[Truth]]:
    found: dict[int, list[Truth]] = {}
    for post in posts:
        found.setdefault(post.user, []).append(post)
    return found


def base(post: Truth, k: int) -> str:
    return f"E{post.number}x{k}.png"


def media_files(folder: Path, posts: list[Truth], name=lambda post, k: base(post, k)) -> Path:
    for post in posts:
        if post.trap not in ("missing", "video"):
            for k, number in enumerate(post.pictures):
                truth.save(folder / "pictures", name(post, k), number)
    (folder / "pictures").mkdir(exist_ok=True)
    return folder / "pictures"


def pack(archive: ZipFile, name: str, number: int) -> None:
    """Put a picture into a zip: once, where its post is there twice."""
    if name not in archive.NameToInfo:
        archive.writestr(name, truth.picture(number))


def zeeschuimer(platform: str, items: list[dict]) -> list[dict]:
    return [
        {"nav_index": "1:2:3", "item_id": 12, "id": k, "timestamp_collected": 1_700_000_000_000 + k, "last_updated": 1,
         "source_platform": platform, "source_platform_url": "https://…", "user_agent": "…", "data": item}
        for k, item in enumerate(items)
    ]  # fmt: skip
