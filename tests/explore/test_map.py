"""The map in a real browser: 100,000 points of 60 clusters drawn, moved, chosen from; no name on another."""

import shutil
from http.client import HTTPConnection

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from benchmarks.page import map_frames
from explore import app
from explore.pages.plane import densest
from pipeline.space.space import Space
from pipeline.tables.layout import POINTS
from tests.explore.made_map import DRAWN, made
from tests.explore.serving import form, serving

LISTED = """(async () => {
    for (let i = 0; i < 100 && !document.querySelector('#chosen li'); i++) await new Promise(r => setTimeout(r, 50));
    return [...document.querySelectorAll('#chosen li a')].map(a => a.getAttribute('href'));
})()"""
SAID = """(async () => {
    const tip = document.getElementById('tip');
    for (let i = 0; i < 100 && !tip.textContent.startsWith('The'); i++) await new Promise(r => setTimeout(r, 50));
    return tip.textContent;
})()"""


@pytest.fixture(scope="module")
def mapped(run, tmp_path_factory):
    """A run with a map of its users, of which the pages tell made points: how many is asked by `served.points`."""
    folder = shutil.copytree(run, tmp_path_factory.mktemp("mapped") / "run", symlinks=True)
    users = Space.open(folder / "data").library.users.to_pylist()
    POINTS.write(
        POINTS.of([("user", name, i / 24, 0.0, 1) for i, name in enumerate(users)]), folder / "data/map/points"
    )
    with serving(folder) as served:
        served.app.app.state.pages.plane.map = lambda kind: made(*served.points)
        served.points = (100_000, 60)
        yield served


def test_the_benchmark_of_frames_serves_the_page(mapped):
    with map_frames.serving(made(100, 5)) as port:
        asked = HTTPConnection("127.0.0.1", port, timeout=60)  # urllib keeps the proxies of whoever asked first
        asked.request("GET", "/map")
        page = asked.getresponse().read()
        asked.close()
    assert b'id="map"' in page and b"/map.json" in page


@pytest.mark.parametrize("width", [390, 1440])
def test_names_of_sixty_clusters_lie_on_no_other_and_in_sight(mapped, tab, width):
    tab.open(mapped.url("/map"), width)
    tab.evaluate(DRAWN)
    assert tab.console == []
    boxes = tab.evaluate(
        """(async () => {
        const {Labels} = await import('/static/labels.js'), {Points} = await import('/static/points.js');
        const data = await (await fetch('/map.json?kind=user')).json(), c = document.createElement('canvas');
        const view = {scale: 1, left: 0, top: 0, width: WIDTH, height: 600, ratio: 1};
        c.width = view.width; c.height = view.height;
        const ink = c.getContext('2d'), part = (v) => v / 65535;
        const [x, y] = [data.x, data.y].map((values) => Float32Array.from(values, part));
        const points = new Points(x, y, Int32Array.from(data.cluster));
        points.paint(c, ink, view, new Uint32Array(100), 2, null, 10);
        const labels = new Labels(data.names.map((one) => ({...one, x: part(one.x), y: part(one.y)})));
        labels.place(ink, view, points.crowd, points.across, 0);
        labels.draw(ink, view, '#fff', '#000', () => '#888');
        return labels.boxes.map(({box}) => box);
    })()""".replace("WIDTH", str(width - 40))
    )
    assert len(boxes) >= (10 if width == 390 else 40)
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert 0 <= left < right <= width - 40 and 0 <= top < bottom <= 600
        assert all(right <= a or c <= left or bottom <= b or d <= top for a, b, c, d in boxes[:i])


def test_keys_move_come_nearer_list_what_is_in_sight_and_end_it(mapped, tab):
    mapped.points = (24, 3)
    tab.open(mapped.url("/map"), 1440)
    tab.evaluate(DRAWN)
    pressed = """(async (key) => {
        const c = document.getElementById('map');
        if (key !== 'Escape') c.focus();  // which ends it from wherever one is
        document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
        await new Promise((r) => setTimeout(r, 400));
        return [location.hash, document.getElementById('chosen').hidden, document.activeElement.tagName,
                document.querySelectorAll('#chosen li').length];
    })('%s')"""
    assert tab.evaluate(pressed % "Enter") == ["#0,0,1;0,0,1,0,1,1,0,1", False, "H2", 24]
    assert tab.evaluate(pressed % "Escape")[:3] == ["", True, "CANVAS"]
    assert tab.evaluate(pressed % "+")[0].endswith(",1.4")
    where = tab.evaluate(pressed % "ArrowRight")[0]
    assert where.endswith(",1.4")
    tab.open(mapped.url("/about"), 1440)  # elsewhere, as a browser loads nothing for another fragment
    tab.open(mapped.url("/map") + where, 1440)
    tab.evaluate(DRAWN)
    assert tab.evaluate(pressed % "F1")[0] == where  # the address keeps where one looks
    assert tab.evaluate(pressed % "0")[0] == ""
    mapped.points = (100_000, 60)


def test_two_fingers_come_nearer_and_move_and_the_map_stays_under_both(mapped, tab):
    mapped.points = (24, 3)
    tab.open(mapped.url("/map"), 390)
    tab.evaluate(DRAWN)
    where = """(async () => {
        const c = document.getElementById('map');
        c.scrollIntoView({block: 'center', behavior: 'instant'});
        await new Promise((r) => setTimeout(r, 400));  // the address follows
        const b = c.getBoundingClientRect(), left = b.left + c.clientLeft, top = b.top + c.clientTop;
        const [x, y, s] = location.hash ? location.hash.slice(1).split(',').map(Number) : [0, 0, 1];
        return [left, top, c.clientWidth, c.clientHeight, x, y, s, scrollY, visualViewport.scale];
    })()"""

    def touch(kind, *fingers):
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(fingers)]
        tab._call("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=points)

    left, top, width, height, *_, scrolled, page = tab.evaluate(where)

    def under(finger):  # what of the plane lies there
        x, y, scale = tab.evaluate(where)[4:7]
        return np.array([x + (finger[0] - left) / width / scale, y + (finger[1] - top) / height / scale])

    start = [(left + 0.4 * width, top + 0.5 * height), (left + 0.6 * width, top + 0.5 * height)]
    end = [(left + 0.2 * width, top + 0.4 * height), (left + 0.9 * width, top + 0.4 * height)]
    held = [under(finger) for finger in start]
    touch("Start", *start)
    for step in (0.25, 0.5, 0.75, 1):
        touch("Move", *(tuple(np.add(a, step * np.subtract(b, a)).tolist()) for a, b in zip(start, end, strict=True)))
    for finger, place in zip(end, held, strict=True):
        np.testing.assert_allclose(under(finger), place, atol=0.003)
    touch("End")
    told = tab.evaluate(where)
    assert told[6] == pytest.approx(3.5, rel=0.05) and told[7:] == [scrolled, page]  # the page itself stays
    nothing_opened = tab.evaluate("location.pathname + document.getElementById('chosen').hidden")
    assert nothing_opened == "/maptrue"
    touch("Start", end[0])
    touch("Move", (end[0][0] + 30, end[0][1]))
    touch("End")
    assert tab.evaluate(where)[4] == pytest.approx(told[4] - 30 / width / told[6], abs=2e-3)
    assert tab.console == []
    mapped.points = (100_000, 60)


def test_a_lasso_around_half_of_a_hundred_thousand_counts_and_lists_some(mapped, tab):
    tab.open(mapped.url("/map"), 1440)
    tab.evaluate(DRAWN)
    title, listed, further = tab.evaluate("""(async () => {
        document.getElementById('lasso').click();
        const c = document.getElementById('map'), b = c.getBoundingClientRect();
        c.setPointerCapture = () => {};
        const at = (kind, x, y) => c.dispatchEvent(new PointerEvent(kind,
            {clientX: b.left + x * b.width, clientY: b.top + y * b.height, pointerId: 1}));
        at('pointerdown', 0, 0);
        for (const [x, y] of [[1, 0], [1, .5], [0, .5]]) at('pointermove', x, y);
        at('pointerup', 0, .5);
        for (let i = 0; i < 100 && !document.querySelector('#chosen li'); i++)
            await new Promise(r => setTimeout(r, 50));
        return [document.querySelector('#chosen h2').textContent, document.querySelectorAll('#chosen li').length,
                document.getElementById('further').textContent];
    })()""")
    data = made(100_000, 60)
    above = [(1 - (0.03 + 0.94 * y / 65_535)) < 0.5 for y in data["y"]]
    count = int(title.split()[0].replace(",", ""))
    assert title.endswith(" users selected") and abs(count - sum(above)) <= 60
    assert listed == sum(above[:24])  # of the first 200 chosen rows those that the run has
    assert further == f"Show more: 200 of {count:,} are listed"


def test_a_name_stands_where_most_of_its_cluster_lies():
    x = np.concatenate([np.full(60, -0.8), np.full(40, 0.8)])
    a, b = densest(x, np.where(x < 0, 0.5, -0.5))
    assert abs(a + 0.8) < 1e-6 and abs(b - 0.5) < 1e-6


def test_a_map_of_what_the_corpus_lacks_says_so(run, monkeypatch):
    monkeypatch.setattr(app.Pages, "_counts", lambda self: {"posts": 24, "users": 24, "images": 0})
    with serving(run) as served:
        assert b"The corpus has no images" in served.get("/map?kind=image")[2]
        assert b"The corpus has no" not in served.get("/map")[2]


def test_the_map_draws_lists_what_a_lasso_holds_and_opens_it(run, tmp_path, tab):
    folder = shutil.copytree(run, tmp_path / "run", symlinks=True)
    with serving(folder) as served:
        assert b"This run has no map" in served.get("/map")[2]
    library = Space.open(folder / "data").library
    x = np.linspace(-1, 1, len(library.users)).astype(np.float32)
    POINTS.write(
        pa.table({"kind": ["user"] * len(x), "id": library.users, "x": x, "y": -x,
                  "cluster": pa.array(library.cluster, pa.int32())}),
        folder / "data/map/points",
    )  # fmt: skip
    with serving(folder) as served:
        assert len(served.json("/map.json")["x"]) == 24 and served.get("/map?kind=text")[0] == 400
        assert [t["user_id"] for t in served.json("/map.json?rows=0,3,99")["things"]] == ["user-00", "user-03"]
        rows = served.get("/map.csv")[2].decode().splitlines()
        assert rows[:2] == ["id,x,y,cluster", f"user-00,0,65535,{library.cluster[0]}"]
        for width in (390, 1440):
            tab.open(served.url("/map"), width)
            tab.evaluate(DRAWN)
            assert tab.console == []
            assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        lasso = """(async () => {
            document.getElementById('lasso').click();
            const c = document.getElementById('map'), b = c.getBoundingClientRect();
            c.setPointerCapture = () => {};
            const at = (kind, x, y) => c.dispatchEvent(new PointerEvent(kind,
                {clientX: b.left + x * b.width, clientY: b.top + y * b.height, pointerId: 1}));
            at('pointerdown', -.01, -.01);
            for (let round = 0; round < 2; round++)
                for (const [x, y] of [[.5, -.01], [.5, .5], [-.01, .5], [-.01, -.01]]) at('pointermove', x, y);
            at('pointerup', -.01, -.01);
        })()"""
        frame = """(async () => {
            const c = document.getElementById('map'), half = 14, x = .03 * c.clientWidth, y = .03 * c.clientHeight;
            const own = getComputedStyle(document.querySelector('[data-cluster="%d"]')).getPropertyValue('--cluster');
            const seen = () => [...c.getContext('2d').getImageData(x - half, y, 1, 1).data].slice(0, 3).join(' ');
            for (let i = 0; i < 60 && own !== `rgb(${seen()})`; i++) await new Promise((r) => setTimeout(r, 50));
            return [own, `rgb(${seen()})`];
        })()"""
        own, seen = tab.evaluate(frame % library.cluster[0])
        assert own == seen, "a picture is framed in the colour of its cluster"
        half = [f"/user/user-{i:02d}" for i in range(12)]
        tab.evaluate(lasso)
        assert tab.evaluate(LISTED) == half
        low = "[document.getElementById('tip').getBoundingClientRect().bottom, innerHeight]"
        bottom, height = tab.evaluate(low)
        assert 0 < bottom <= height, "what is told of the map is in sight"

        tab.await_load(lambda: tab.evaluate("document.querySelector('#chosen li a').click()"))
        tab.await_load(lambda: tab.evaluate("history.back()"))
        tab.evaluate(DRAWN)
        assert tab.evaluate(LISTED) == half, "what was chosen is still there"
        tab.evaluate("document.querySelector('#chosen [name=collection]').value = ' one  half '")
        tab.await_load(lambda: tab.evaluate("document.querySelector('#chosen form').requestSubmit()"))
        assert tab.evaluate("location.pathname") == "/marks/one%20half"
        assert [one["href"] for one in served.json("/marks/one%20half.json")["members"]] == half

        many = ",".join(map(str, range(200_000)))
        assert form(served, "/marks", collection="all", kind="user", rows=many)[0] == 303
        assert len(served.json("/marks/all.json")["members"]) == 24, "of so many rows, those that the map has"
        status, _, page = form(served, "/marks", **{str(name): "" for name in range(20)})
        assert status == 400 and b"Too many fields" in page and b"<nav" in page, "a page, as all that is refused has"

        tab.open(served.url("/map"), 1440)
        tab.evaluate(DRAWN)
        tab.await_load(
            lambda: tab.evaluate("""
            document.getElementById('lasso').click();
            const c = document.getElementById('map'), b = c.getBoundingClientRect();
            c.setPointerCapture = () => {};
            for (const kind of ['pointerdown', 'pointerup']) c.dispatchEvent(new PointerEvent(kind,
                {clientX: b.left + .03 * b.width - 12, clientY: b.top + .03 * b.height + 12, pointerId: 1}));""")
        )
        assert tab.evaluate("location.pathname") == "/user/user-00", "a click on a corner opens, with the lasso too"

        tab.open(served.url("/map#5,5,1"), 1440)
        tab.evaluate(DRAWN)
        assert "Whole map" in tab.evaluate(SAID.replace("'The'", "'Nothing lies here'"))
    tab.evaluate("document.getElementById('whole').click()")  # and the server has ended
    assert "does not answer" in tab.evaluate(SAID)
