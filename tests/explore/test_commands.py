"""The page's commands: a question from the shell, vectors of new users, networks."""

import csv
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from explore import ask, export, networks, new_users
from explore.marks import Marks
from explore.pages.people import People
from pipeline.running.errors import UserError
from pipeline.space.space import Space


def test_from_the_shell(run, tmp_path, capsys):
    assert ask.main(["tiger xyzzy", "--data", str(run / "data"), "--kind", "user"]) == 0
    told = capsys.readouterr().out
    assert "unknown: xyzzy" in told and "user-" in told
    assert ask.main(["xyzzy", "--data", str(run / "data")]) == 1
    capsys.readouterr()
    for asked, said in (
        ([], "nothing is asked"),
        (["--image", "/nowhere.png"], "/nowhere.png: there is no such file"),
        (["tiger", "--where", "colour=red"], "--where colour"),
        (["tiger", "--where", "likes=many"], "likes=many"),
        (["tiger", "--where", "by"], "each as KEY=VALUE"),
        (["tiger", "--top", "-3"], "--top -3: at least one"),
    ):
        assert ask.main([*asked, "--data", str(run / "data")]) == 1
        told = capsys.readouterr()
        assert said in told.err and not told.out
    assert ask.main(["user:user-1", "--data", str(run / "data")]) == 1
    told = capsys.readouterr().out
    assert "There is no user user-1" in told and "user:user-1" in told.partition("Similar names: ")[2]
    assert ask.main(["xyzzy qwxz", "--data", str(run / "data")]) == 1
    told = capsys.readouterr().out
    assert told.count("xyzzy") == 1 and "Nothing is left to ask. Words of this corpus: " in told
    assert ask.main(["tiger", "--where", "by=user-01", "--kind", "text", "--data", str(run / "data")]) == 0
    assert capsys.readouterr().out.count("post-") > 0
    likes = ["--where", "likes=10", "--where", "side=test", "--kind", "text"]
    assert ask.main(["tiger", *likes, "--data", str(run / "data")]) == 0  # of which this source told nothing
    assert "texts\n  none that fits likes=10 and side=test\n" in capsys.readouterr().out
    posts = tmp_path / "posts.csv"
    posts.write_text("user_id,text,image\nnew,tulip petal garden,\nnew,,missing.png\nother,xyzzy,\n")
    made = tmp_path / "vectors.parquet"
    assert new_users.main([str(posts), str(made), "--data", str(run / "data")]) == 0

    table = pq.read_table(made)
    assert table["id"].to_pylist() == ["new", "other"]
    lengths = [np.linalg.norm(vector) for vector in table["vector"].to_pylist()]
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    told = capsys.readouterr().err
    assert "row 3: missing" in told and "row 4: neither a known word nor a picture" in told


def test_a_part_is_exported_with_its_vectors_as_csv_and_parquet(run_copy, capsys):
    library, folder = run_copy
    data, space = ["--data", str(folder / "data")], Space.open(folder / "data")
    made = folder / "posts.csv"
    assert export.main([str(made), "--where", "by=user-03", "--where", "side=test", *data]) == 0
    with made.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    wanted = [n for n in library.by_user.rows(library.row_of("user", "user-03")) if library.side[n] == "test"]
    assert [row["post_id"] for row in rows] == [library.post_ids[int(n)].as_py() for n in wanted] and rows
    for row, n in zip(rows, wanted, strict=True):
        vector = [float(row[f"v{i + 1}"]) for i in range(len(space.vector("user", "user-03")))]
        np.testing.assert_allclose(vector, space.vector("post", space.library.post_ids[int(n)].as_py()), atol=1e-6)
    Marks(folder / "data/marks.csv").change("mine", "user", ["user-03", "user-07"], add=True)
    for kind, collection in ("users", "mine"), ("images", "mine"), ("texts", "mine"):
        made = folder / f"{kind}.parquet"
        assert export.main([str(made), "--of", kind, "--collection", collection, *data]) == 0
        table = pq.read_table(made)
        assert set(table["user_id"].to_pylist()) == {"user-03", "user-07"} and not set(table.column_names) & {"href"}
        name = {"users": "user_id", "images": "image_id", "texts": "post_id"}[kind]
        first = table[name][0].as_py(), table["vector"][0].as_py()
        np.testing.assert_allclose(first[1], space.vector(kind[:-1], first[0]), atol=1e-6)
    for wrong, said in (
        (["x.txt"], "ends in .csv or .parquet"),
        (["x.csv", "--collection", "yours"], "there are mine"),
        (["x.csv", "--where", "by"], "each as KEY=VALUE"),
        (["x.csv", "--where", "contains=nowhere"], "so nothing was written"),
    ):
        assert export.main([str(folder / wrong[0]), *wrong[1:], *data]) == 1
        assert said in capsys.readouterr().err and not (folder / wrong[0]).exists()


def test_ctrl_c_ends_the_server_without_a_traceback(run):
    command = [sys.executable, "-m", "explore", str(run / "data"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert "Ctrl-C ends it" in server.stdout.readline()
        time.sleep(1)
        server.send_signal(signal.SIGINT)
        told = server.stdout.read()
        assert server.wait(60) == 0 and "Traceback" not in told, told


def test_what_lies_beside_the_tables_is_missed_in_a_sentence(run_copy, capsys):
    _, folder = run_copy
    about = folder / "data/model/config.json"
    held = about.read_text()
    about.unlink()
    about.write_text(held.replace("{", '{"of_tomorrow": 1, ', 1))
    assert ask.main(["tiger", "--data", str(folder / "data")]) == 1
    assert "is of another version of this code" in capsys.readouterr().err
    (folder / "params.yaml").unlink()
    assert ask.main(["tiger", "--data", str(folder / "data")]) == 1
    assert "params.yaml: no such file. It has the settings" in capsys.readouterr().err


def test_new_users_are_read_as_the_import_reads_tables(tmp_path):
    lines = {"user_id": ["007", "7", "Null"], "text": ["tulip", "rose; thorn", "petal"]}
    rows = list(zip(*lines.values(), strict=True))
    written = {
        "semicolons.csv": "\ufeffuser_id;text\r\n" + "\r\n".join(f'{user};"{text}"' for user, text in rows),
        "tabs.tsv": "user_id\ttext\n" + "\n".join("\t".join(row) for row in rows),
        "lines.jsonl": "\n".join(json.dumps({"user_id": user, "text": text}) for user, text in rows),
    }
    for name, content in written.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        posts, refused = new_users.read(tmp_path / name)
        assert [(post["user_id"], post["text"], post["image"]) for post in posts] == [(*row, None) for row in rows]
        assert not refused
    (tmp_path / "some.csv").write_text("user_id,text\nann,tulip\n,rose\n1.2E+17,petal\n")
    posts, refused = new_users.read(tmp_path / "some.csv")
    assert [post["row"] for post in posts] == [2]
    assert [(row, why) for row, why, _ in refused] == [(3, "missing user_id"), (4, "id rounded by a spreadsheet")]
    for name, content, said in (
        ("none.csv", "user_id,text\n", "has no row that is a post; each needs"),
        ("empty.csv", "user_id,text\n,x\n", r"has no row that is a post \(row 2: missing user_id\)"),
        ("other.csv", "user_id,body\nann,tulip\n", "has no row that is a post; each needs"),
        ("names.csv", "name,text\nann,tulip\n", "no column user_id"),
        ("posts.xlsx", "", "spreadsheet"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match=said):
            new_users.read(tmp_path / name)
    with pytest.raises(UserError, match=r"nowhere\.csv"):
        new_users.read(tmp_path / "nowhere.csv")


def test_networks_are_well_formed_weighted_and_the_same_again(run, hostile, tmp_path):
    from lxml import etree

    for name in ("one", "two"):
        assert networks.main([str(tmp_path / f"{name}.gexf"), "--data", str(run / "data")]) == 0
    assert (tmp_path / "one.gexf").read_bytes() == (tmp_path / "two.gexf").read_bytes()
    tree = etree.fromstring((tmp_path / "one.gexf").read_bytes())
    nodes = {node.get("id") for node in tree.iter("{*}node")}
    edges = list(tree.iter("{*}edge"))
    assert len(nodes) == 24 and all({e.get("source"), e.get("target")} <= nodes for e in edges)
    assert all(-1 <= float(edge.get("weight")) <= 1 and edge.get("source") != edge.get("target") for edge in edges)
    etree.fromstring(networks.gexf(*networks.users(hostile.space, People.of(hostile.space))).encode())
    etree.fromstring(networks.gexf(*networks.hashtags(hostile.space, People.of(hostile.space))).encode())
    etree.fromstring(networks.gexf([("a", '\0\x1b\uffff<&"', {"kind": "user"})], []).encode())
