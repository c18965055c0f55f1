"""The `.json` of every page is what the schema says, and the schema's file what the classes say."""

import json
import re
import urllib.parse

import pytest

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from pydantic import ValidationError

from explore import schema
from explore.pages.views import address
from explore.schema.__main__ import FILE
from explore.schema.__main__ import schema as whole
from pipeline.tables.layout import POINTS
from tests.explore.serving import form, serving


def addresses(served):
    """The page, and an address, of every kind of answer."""
    library = served.space.library
    image, post, user = library.images[3].as_py(), library.post_ids[3].as_py(), library.users[0].as_py()
    query = urllib.parse.urlencode({"q": "tiger xyzzy - user:user-02 + user:eve"})
    return [
        ("search", f"/search.json?{query}"), ("search", "/search.json?q=&kind=text"), ("users", "/users.json"),
        ("posts", "/posts.json"), ("users", "/users.json?side=test&likes=3"),
        ("user", address("user", user) + ".json"), ("image", address("image", image) + ".json"),
        ("post", address("post", post) + ".json"), ("clusters", "/clusters.json"), ("cluster", "/cluster/0.json"),
        ("about", "/about.json"), ("left_out", "/left_out.json"),
        ("user", address("user", user) + ".json?with=user-02"),
        ("map", "/map.json"), ("map_rows", "/map.json?rows=0,1"), ("marks", "/marks.json"),
        ("wrong", "/nowhere.json"), ("wrong", "/search.json?top=x"),
    ]  # fmt: skip


@pytest.mark.parametrize("whose", ["served", "hostile"])
def test_every_page_is_as_the_schema_says(whose, request):
    served = request.getfixturevalue(whose)
    for page, path in addresses(served):
        _, headers, data = served.get(path)
        assert headers["content-type"].startswith("application/json")
        schema.PAGES[page].model_validate_json(data)


def test_marks_and_the_map_are_too(run_copy):
    library, folder = run_copy
    points = {"kind": ["user", "image"], "id": [library.users[0], library.images[0]], "x": [0.5, 1], "y": [0, -1]}
    POINTS.write(POINTS.of([(*row, 0) for row in zip(*points.values(), strict=True)]), folder / "data/map/points")
    with serving(folder) as served:
        for kind, name in ("user", "user-00"), ("image", library.images[0].as_py()), ("post", "gone"):
            form(served, "/marks", collection="c", kind=kind, id=name)
        for page, path in (
            ("marks", "/marks.json"), ("collection", "/marks/c.json?tell=1"), ("map", "/map.json?kind=image"),
            ("map_rows", "/map.json?rows=0"), ("map_rows", "/map.json?kind=image&rows=0"),
        ):  # fmt: skip
            schema.PAGES[page].model_validate_json(served.get(path)[2])


def test_what_is_more_less_or_other_is_no_such_answer(served):
    found = served.json("/search.json?q=tiger")
    wrong = [found | {"more": 1}, {name: value for name, value in found.items() if name != "notes"}]
    wrong += [json.loads(json.dumps(found).replace('"held_out": false', '"held_out": 0', 1))]
    for data in wrong:
        with pytest.raises(ValidationError):
            schema.PAGES["search"].model_validate_json(json.dumps(data))


def test_the_file_is_what_the_classes_say_and_is_served(served):
    held = FILE.read_text(encoding="utf-8")
    assert held == whole()
    assert served.get("/static/schema.json")[2].decode() == held
    told = json.loads(held)
    assert set(re.findall(r'"#/\$defs/(\w+)"', held)) == set(told["$defs"])
    assert all(one.get("additionalProperties") is False or name == "Marked" for name, one in told["$defs"].items())
