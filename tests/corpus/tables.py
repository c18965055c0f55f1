"""Small tables of posts, written and read."""

from pipeline.corpus.sources.table import TableCorpus

HEADER = "post_id,user_id,text,image\n"
PLAIN = [[f"p{n}", "u", f"x {n}", ""] for n in range(9)]


def read(path):
    """Rows as dicts, and reasons with details by id."""
    rows, refused = [], {}
    for good, bad in TableCorpus(path, path.parent, path).rows():
        rows += good.to_pylist()
        refused |= {row["id"]: (row["reason"], row["detail"]) for row in bad.to_pylist()}
    return rows, refused


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table_of(path, head, rows, mark=",", end="\n"):
    return written(path, head + end + "".join(mark.join(row) + end for row in rows))
