"""Networks for Gephi, as GEXF with weights: users by cosine above chance, users by hashtags.

    python -m explore.networks users.gexf --of users        # cosine, where it is nearer than chance
    python -m explore.networks tags.gexf --of hashtags      # how many posts of a user have a tag

The same tables give the same bytes.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from explore.pages.people import People
from pipeline.report.cards import clip
from pipeline.report.wording import plural
from pipeline.running.errors import UserError
from pipeline.running.files import write_text
from pipeline.running.utf8 import entry
from pipeline.space.space import Space

Node = tuple[str, str, dict[str, Any]]
Edge = tuple[str, str, float]
_BLOCK = 512


def main(arguments: list[str] | None = None) -> int:
    """Write the network; exit status 1, and one sentence, where there is none."""
    asked = argparse.ArgumentParser(
        "python -m explore.networks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("network", type=Path, help="the file to write, such as users.gexf")
    asked.add_argument("--of", choices=("users", "hashtags"), default="users", help="what the network is of; users")
    asked.add_argument("--data", type=Path, default=Path("data"), help="folder of a run's tables; data")
    given = asked.parse_args(arguments)
    try:
        space = Space.open(given.data)
        people = People.of(space)
        nodes, edges = users(space, people) if given.of == "users" else hashtags(space, people)
    except UserError as error:
        sys.stderr.write(f"networks: {error}\n")
        return 1
    write_text(gexf(nodes, edges), given.network)
    none = "" if nodes else " (no post has a hashtag)"
    sys.stdout.write(f"{plural(len(nodes), 'node')}, {plural(len(edges), 'edge')}{none}: {given.network}\n")
    return 0


def users(space: Space, people: People) -> tuple[list[Node], list[Edge]]:
    """Users, and the cosine of those pairs of which one is nearer to the other than chance explains.

    Raises UserError where the stage `chance` has not run.
    """
    held, library = space.vectors("user"), space.library
    names = held.ids.to_pylist()
    edges: dict[tuple[int, int], float] = {}
    null = space.nothing("user", "user")
    if null is None:
        raise UserError(f"{space.data / 'chance'} is missing: `dvc repro chance`. It tells who is nearer than chance.")
    common, least = held.values @ null.mean, null.surplus()
    for begin in range(0, len(names), _BLOCK):
        block = held.values[begin : begin + _BLOCK] @ held.values.T
        for row, cosines in enumerate(block, begin):
            for other in np.flatnonzero(cosines - common > least):
                if other != row:
                    edges[min(row, int(other)), max(row, int(other))] = float(cosines[other])
    nodes = [_user(library, people, name) for name in names]
    found = [(nodes[left][0], nodes[right][0], round(weight, 4)) for (left, right), weight in edges.items()]
    return sorted(nodes), sorted(found)


def hashtags(space: Space, people: People) -> tuple[list[Node], list[Edge]]:
    """Users and their hashtags, and in how many posts a user has each."""
    library = space.library
    tags, post, tag = library.hashtags
    pairs = np.unique(np.stack([post, tag]), axis=1) if len(post) else np.empty((2, 0), np.int64)
    together, counts = np.unique(np.stack([library.author[pairs[0]], pairs[1]]), axis=1, return_counts=True)
    nodes = sorted(_user(library, people, library.users[row].as_py()) for row in set(together[0].tolist()))
    nodes += [(f"tag:{name}", f"#{name}", {"kind": "hashtag"}) for name in tags.to_pylist()]
    edges = [
        (f"user:{people.public('user', library.users[int(user)].as_py())}", f"tag:{tags[int(name)].as_py()}", float(n))
        for user, name, n in zip(*together, counts, strict=True)
    ]
    return nodes, sorted(edges)


def gexf(nodes: Iterable[Node], edges: Iterable[Edge]) -> str:
    """The network as GEXF 1.3, undirected."""
    nodes = list(nodes)
    names = list(dict.fromkeys(key for _, _, told in nodes for key in told))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<gexf xmlns="http://gexf.net/1.3" version="1.3"><graph defaultedgetype="undirected">',
        '<attributes class="node">',
        *(f'<attribute id="{i}" title="{name}" type="string"/>' for i, name in enumerate(names)),
        "</attributes><nodes>",
    ]
    for node, label, told in nodes:
        values = "".join(f'<attvalue for="{names.index(k)}" value={_quoted(str(v))}/>' for k, v in told.items())
        lines.append(f"<node id={_quoted(node)} label={_quoted(label)}><attvalues>{values}</attvalues></node>")
    lines.append("</nodes><edges>")
    for i, (left, right, weight) in enumerate(edges):
        lines.append(f'<edge id="{i}" source={_quoted(left)} target={_quoted(right)} weight="{weight:g}"/>')
    return "\n".join([*lines, "</edges></graph></gexf>"]) + "\n"


def _user(library: Any, people: People, name: str) -> Node:
    row = library.row_of("user", name)
    cluster = int(library.cluster[row]) if row >= 0 else -1
    return (
        f"user:{people.public('user', name)}",
        clip(people.name(name), 80),
        {"kind": "user", "cluster": cluster if cluster >= 0 else ""},
    )


def _quoted(text: str) -> str:
    # XML knows no control characters, not even escaped.
    return quoteattr("".join(c if c >= " " and c not in "\ufffe\uffff" else "\ufffd" for c in text))


if __name__ == "__main__":
    entry(main)
