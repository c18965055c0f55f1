"""What every corpus goes through on its way in, whatever its source: checked rows, chosen users, plain pictures.

The order in which something is left out, each with its own reason in `rejected`:

1. rows without post_id, without user, without both text and image; rows whose ids a program rounded; rows that repeat
   an earlier row's post_id;
2. posts of users who have fewer than `min_posts` of them;
3. posts of a user beyond `max_posts`, chosen by a hash: before any picture is decoded, so that they cost nothing;
4. posts whose picture is missing, damaged or too large: a post is a whole, and is not kept for its text alone, unless
   the picture is just missing, or a video, and `keep_missing` asks for it. Of several pictures those are left out, each
   counted, and the post only where none is left;
5. posts of users whom step 4 left with fewer than `min_posts`. Each user kept has at least that many.

Rows are streamed. In memory at once are, for each row, its ids and a few numbers; for each distinct picture, its hash.
Texts and pictures wait on disk (`pipeline.corpus.spill`) until their place in the sorted tables is known. Pictures cost
most of the time: they are taken in by parts, and the parts that a killed run finished are not taken in again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import details, names, telling
from pipeline.corpus.choosing import TAKEN, Choice, Rows
from pipeline.corpus.rows import CANDIDATES, WITH_DETAILS, Rejects, Source, as_they_are, joined, rejected_rows
from pipeline.corpus.spill import Spill
from pipeline.pictures.reading import Picture, Rejected, intake
from pipeline.running.errors import UserError
from pipeline.running.files import sealed_file, stands
from pipeline.running.progress import bar
from pipeline.tables.corpus import IMAGES, POSTS, REJECTED, USERS
from pipeline.tables.details import DETAILS, TOLD

log = logging.getLogger("import_corpus")

MIN_POSTS, MIN_USERS = 20, 2
"""With less than this there is nothing to split, to train on and to look for."""

WITHOUT_TEXTS = (
    "none of the {} posts of {} has a text: words and users start from texts, so pictures alone make no space. What "
    "describes the pictures (titles, keywords, alt texts) may stand in the column text."
)
OF_THE_FUTURE = (
    "{} rows of {} have a created_at of the future: SPSS, Stata, SAS and spreadsheets count from other days than Unix "
    "does; write times as 2024-05-01 10:00."
)
Decode = Callable[[Iterable[tuple[str, bytes]]], Iterator[tuple[str, Picture | Rejected]]]
"""Takes in picture files, (name, bytes) each, in their order."""
_PICTURES = 64
"""Pictures that are held and written at once."""
PART = 4096
"""Pictures of a part: what a killed run may have to take in again."""


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def import_corpus(
    source: Source,
    folder: Path,
    scratch: Path,
    min_posts: int,
    max_posts: int | None,
    max_pixels: int,
    max_side: int,
    workers: int | None = None,
    keep_missing: bool = False,
    image_id: Callable[[str], str] = str,
    as_read: Callable[[str, pa.Array], pa.Array] = as_they_are,
) -> dict[str, Any]:
    """Write `posts`, `details`, `users`, `images` and `rejected` under `folder`; returns the metrics of the import.

    `image_id` names a picture by the hash of its file, `as_read` tells what ids of a column (post_id, user_id) were in
    the source, by which rounded ones are known. `scratch` is a folder for what waits; the parts of pictures that
    stand there, of an earlier run with the same arguments, are used. Raises UserError, with
    the counts, where too little is left to work with; `rejected` is written nevertheless.
    """
    with Spill(scratch / "rejected.arrow", REJECTED.schema) as spilled_rejects:
        rejects = Rejects(spilled_rejects)
        with Spill(scratch / "rows.arrow", WITH_DETAILS) as rows:
            rows_in = _check_rows(source, rows, rejects)
        choice = Choice(rows, source.name, rejects)
        choice.drop_rounded(as_read)
        choice.drop_duplicates()
        choice.drop_users(min_posts)
        choice.cap_users(max_posts)
        if (posts := len(choice.kept())) and not choice.has_text[choice.kept()].any():
            raise UserError(WITHOUT_TEXTS.format(posts, source.name))
        decode = partial(intake, max_pixels=max_pixels, max_side=max_side, workers=workers)
        pictures = _take_in(source, choice, scratch, decode, image_id)
        choice.resolve(pictures, keep_missing)
        choice.drop_users(min_posts)
        kept = choice.kept()
        users, strangers = source.users(
            pa.table({"post_id": choice.post_ids.take(kept), "user_id": choice.users(kept)})
        )
        rejects.add(strangers, rejects.users)
        interests = pa.array(
            [names.labels(found) for found in users["interests"].to_pylist()], USERS.schema.field("interests").type
        )
        users = users.set_column(users.column_names.index("interests"), "interests", interests)
    rejects.write(folder / "rejected")

    def why(reason: str) -> str:
        return telling.why(reason, choice.missing.get(reason, ()), lambda names: _those_there(source, names))

    _ask_for_enough(rows_in, len(kept), users.num_rows, rejects, folder / "rejected", why)

    told = _write_posts(choice, rows, kept, folder / "posts", folder / "details")
    USERS.write(users, folder / "users")
    images = _write_images(pictures, choice.all_images(), folder / "images")
    metrics = {"rows_in": rows_in, **_metrics(choice, kept, rejects), "told_of_posts": told, "images": images}
    metrics |= {"users_in": choice.users_in, **_metrics_of_users(users, rejects)}
    if (beyond := rejects.posts["beyond the limit of posts per user"]) and max_posts:
        log.info("%d posts are beyond corpus.max_posts_per_user, %d, and left out", beyond, max_posts)
    log.info("%d of %d posts, %d users, %d images", len(kept), rows_in, users.num_rows, images)
    different = pc.unique(interests.flatten()).to_pylist()
    doubts = (*telling.doubts(choice.posts_of_users()), *telling.doubts_of_interests(different))
    for sentence in (*doubts, *telling.losses(metrics, why)):
        log.warning(sentence)
    return metrics


def _metrics(choice: Choice, kept: Rows, rejects: Rejects) -> dict[str, Any]:
    """What stays of the posts, and what does not."""
    has_text, shown = choice.has_text[kept], choice.pictures_held()[kept]
    has_image = shown > 0
    return {
        "rows_out": len(kept),
        "rejected": _most_first(rejects.posts),
        "posts": {
            "with_text": int(has_text.sum()),
            "with_image": int(has_image.sum()),
            "with_both": int((has_text & has_image).sum()),
            "with_several_images": int((shown > 1).sum()),
        },
        "pictures_left_out_of_posts_that_stay": _most_first(rejects.pictures),
    }


def _metrics_of_users(users: pa.Table, rejects: Rejects) -> dict[str, Any]:
    """Of the rows of USERS that stay. Interests are counted, not named: the file of metrics is in Git, and a label may
    be what a single person wrote of themselves.
    """
    return {
        "users": users.num_rows,
        "users_rejected": _most_first(rejects.users),
        "brands": pc.sum(users["brand"]).as_py() or 0,
        "interests": {
            "different": len(users["interests"].combine_chunks().flatten().unique()),
            "users_with_some": int((pc.list_value_length(users["interests"]).to_numpy() > 0).sum()),
        },
    }


def _those_there(source: Source, names: Iterable[str]) -> set[str]:
    return {name for name, found in source.pictures(names) if not isinstance(found, Rejected)}


def _check_rows(source: Source, spill: Spill, rejects: Rejects) -> int:
    rows_in, late, now = 0, list[int](), datetime.now(UTC).replace(tzinfo=None) + timedelta(days=2)
    with bar("rows", "rows") as shown:
        for rows, refused in source.rows():
            rejects.add(refused)
            rows_in += rows.num_rows + refused.num_rows
            late.append(pc.sum(pc.greater(rows["created_at"], pa.scalar(now, pa.timestamp("us")))).as_py() or 0)
            spill.append(_well_formed(rows, source.name, rejects))
            shown.update(rows.num_rows + refused.num_rows)
    if any(late):
        log.warning(OF_THE_FUTURE.format(sum(late), source.name))
    return rows_in


def _well_formed(rows: pa.Table, name: str, rejects: Rejects) -> pa.Table:
    """`rows` without blanks around ids, blank values null, and without the rows that lack what each needs."""
    columns = {field: rows[field] for field in rows.column_names}
    if "more_images" not in columns:
        columns["more_images"] = pa.nulls(rows.num_rows, CANDIDATES.field("more_images").type)
    for field in ("post_id", "user_id"):
        columns[field] = names.folded(columns[field])
    columns["image"] = pc.utf8_trim_whitespace(columns["image"])
    for field in ("post_id", "user_id", "image", "text"):
        blank = pc.equal(pc.utf8_trim_whitespace(columns[field]), "")
        columns[field] = pc.if_else(blank, pa.scalar(None, pa.string()), columns[field])
    rows = details.with_details(pa.table(columns))
    for reason, missing in (
        ("missing post_id", ["post_id"]),
        ("missing user", ["user_id"]),
        ("no text and no image", ["text", "image"]),
    ):
        bad = pc.is_null(rows[missing[0]])
        for field in missing[1:]:
            bad = pc.and_(bad, pc.is_null(rows[field]))
        rows = _without(rows, bad, reason, name, rejects)
    lengths = pc.max_element_wise(pc.utf8_length(rows["post_id"]), pc.utf8_length(rows["user_id"]))
    return _without(rows, pc.greater(lengths, names.MAX_ID), "id longer than a name", name, rejects)


def _without(rows: pa.Table, bad: pa.ChunkedArray, reason: str, name: str, rejects: Rejects) -> pa.Table:
    found = rows.filter(bad)
    if not found.num_rows:
        return rows
    place = joined("row ", found["row"], f" of {name}")
    ids = pc.utf8_slice_codeunits(pc.coalesce(found["post_id"], place), 0, names.MAX_ID)
    rejects.add(rejected_rows(ids, reason, place))
    return rows.filter(pc.invert(bad))


def _take_in(source: Source, choice: Choice, scratch: Path, decode: Decode, image_id: Callable[[str], str]) -> Spill:
    """Decode the pictures that are needed; returns rows of TAKEN."""
    codes, called = choice.picture_names()
    parts: list[Path] = []
    seen: set[str] = set()
    with bar("pictures", "pictures", total=len(called)) as shown:
        for begin in range(0, len(called), PART):
            here, part = slice(begin, begin + PART), scratch / f"pictures-{begin:09}.arrow"
            if stands(part):
                shown.update(len(called[here]))
                shown.initial = shown.n
            else:
                with sealed_file(part) as temporary, Spill(temporary, TAKEN) as spill:
                    pictures = zip(codes[here].tolist(), source.pictures(called[here]), strict=True)
                    _take_part(pictures, spill, seen, shown, decode, image_id)
            seen.update(Spill.over([part], TAKEN).column("image_id").drop_null().to_pylist())
            parts.append(part)
    return Spill.over(parts, TAKEN)


def _take_part(
    files: Iterable[tuple[int, tuple[str, bytes | Picture | Rejected]]],
    spill: Spill,
    seen: Collection[str],
    shown: Any,
    decode: Decode,
    image_id: Callable[[str], str],
) -> None:
    """Append a row of TAKEN for each of `files`, by code; `seen` are the hashes of the pictures of earlier parts."""
    waiting: list[tuple[object, ...]] = []
    here: set[str] = set()

    def keep(code: int, picture: Picture | Rejected) -> None:
        if isinstance(picture, Rejected):
            waiting.append((code, None, None, None, None, *picture))
        else:
            called = image_id(picture.image_id)
            known = called in seen or called in here
            here.add(called)
            data = None if known else picture.bytes
            waiting.append((code, called, data, picture.width, picture.height, None, None))
        if len(waiting) >= _PICTURES:
            flush()

    def flush() -> None:
        columns = zip(*waiting, strict=True) if waiting else [()] * len(TAKEN)
        spill.append(pa.table(dict(zip(TAKEN.names, columns, strict=True)), schema=TAKEN))
        waiting.clear()

    def encoded() -> Iterator[tuple[str, bytes]]:
        for code, (_, data) in files:
            shown.update()
            if isinstance(data, bytes):
                yield str(code), data
            else:
                keep(code, data)

    for code, picture in decode(encoded()):
        keep(int(code), picture)
    flush()


def _ask_for_enough(
    rows_in: int, posts: int, users: int, rejects: Rejects, path: Path, why: Callable[[str], str]
) -> None:
    if posts >= MIN_POSTS and users >= MIN_USERS:
        return
    counts = _most_first(rejects.posts)
    reasons = "; ".join(f"{reason}: {count}" for reason, count in counts.items())
    to_do = "".join(f" {reason}: {cause}." for reason in counts if (cause := why(reason)))
    raise UserError(
        f"{posts} posts by {users} users are left of {rows_in} rows; at least {MIN_POSTS} by {MIN_USERS} are needed. "
        + (f"Left out, each with its reason in {path}: {reasons}.{to_do}" if reasons else "None was left out.")
    )


def _write_posts(choice: Choice, spill: Spill, kept: Rows, path: Path, beside: Path) -> dict[str, int]:
    """Write POSTS, and `beside` them DETAILS; returns how many posts each detail is known of."""
    known: Counter[str] = Counter()
    with POSTS.writer(path) as writer, DETAILS.writer(beside) as told:
        for rows in choice.in_pieces(kept):
            first, others = choice.images(rows)
            part = spill.take(rows)
            found = details.known(part)
            told.write(found)
            known.update({name: found.num_rows - found[name].null_count for name in TOLD})
            part = part.drop_columns("more_images").append_column("image_id", first)
            writer.write(part.append_column("more_images", others).select(POSTS.schema.names))
    return {name: known[name] for name in TOLD}


def _write_images(taken: Spill, used: pa.Array, path: Path) -> int:
    """Write the pictures that are `used`, hashes, out of rows of TAKEN."""
    ids = taken.column("image_id")
    held = pc.and_(taken.column("bytes").is_valid(), pc.is_in(ids, used)).to_numpy()
    rows = np.flatnonzero(held)
    order = rows[pc.sort_indices(ids.take(pa.array(rows))).to_numpy().astype(np.int64)]
    with IMAGES.writer(path) as writer:
        for begin in range(0, len(order), _PICTURES):
            writer.write(taken.take(order[begin : begin + _PICTURES]).select(IMAGES.schema.names))
    return len(order)
