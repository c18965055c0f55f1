"""The page in a real browser: it fits, is quiet, asks nobody else, works by keyboard, and axe finds no fault."""

import pytest

pytest.importorskip("uvicorn", reason="the extra `explore` is not installed")
pytest.importorskip("starlette")

from pipeline.tables.corpus import IMAGES
from tests.explore.serving import pages, serving


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("whose", ["served", "hostile"])
def test_every_page_fits_is_quiet_and_asks_nobody_else(whose, width, tab, request):
    served = request.getfixturevalue(whose)
    for path in pages(served):
        tab.open(served.url(path), width, dark=width == 390)
        over = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, (path, over)
        hidden = (
            "[...document.querySelectorAll('nav a')].filter(a => a.getBoundingClientRect().right > innerWidth).length"
        )
        assert tab.evaluate(hidden) == 0, "every page is within reach"
        # A page that is not there is told so by the browser's console too.
        told = [line for line in tab.console if "404" not in line]
        assert not told, (path, told)
        # The browser draws the cross of a search field from an address of its own, which leaves nowhere.
        assert all(where.startswith((served.url("/"), "data:image/svg")) for where in tab.requests), (
            path,
            tab.requests,
        )
        assert tab.evaluate("document.title") != "owned"
        assert tab.evaluate("document.querySelectorAll('main h1').length") == 1
        assert tab.evaluate("[...document.images].every(i => i.hasAttribute('alt'))")
        unnamed = (
            "[...document.querySelectorAll('input:not([type=hidden]),select')].filter(i => !i.labels.length).length"
        )
        assert tab.evaluate(unnamed) == 0, path


def test_a_collection_and_its_notes_fit(run_copy, tab, axe):
    _, folder = run_copy
    rows = "".join(f"a,{kind},{name},{'why ' * 40}\n" for kind, name in (("user", "user-00"), ("post", "gone")))
    (folder / "data/marks.csv").write_text(f"collection,kind,id,note\n{rows}")
    with serving(folder) as served:
        for path, width in (("/marks/a", 390), ("/user/user-00", 390), ("/marks/a", 1440)):
            tab.open(served.url(path), width)
            assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            out = "[...document.querySelectorAll('form.out button')].filter(b => b.offsetHeight > b.offsetWidth).length"
            assert tab.evaluate(out) == 0, "words of a button are on one line"
            assert tab.faults(axe) == []
        tab.evaluate("document.querySelector('form.out [name=note]').value = 'ask them'; 0")
        tab.await_load(lambda: tab.evaluate("document.querySelector('form.out [value=note]').click()"))
        assert "ask them" in (folder / "data/marks.csv").read_text()


def test_figures_stay_behind_a_name_that_is_written_from_right_to_left(served, tab):
    tab.open(served.url("/posts"), 1440)
    name, day = tab.evaluate("""(() => {
        const line = document.querySelector('.posts .by');
        line.innerHTML = '<a href="/">עדי כהן</a> · 2010-08-11';
        const day = document.createRange();
        day.selectNodeContents(line.lastChild);
        return [line.firstChild.getBoundingClientRect().right, day.getBoundingClientRect().right];
    })()""")
    assert day > name + 40


def test_by_keyboard_alone_one_asks_and_opens_an_answer(served, tab):
    tab.open(served.url("/users"), 1440)
    tab.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to content"
    tab.open(served.url("/users"), 1440)
    tab.press("/")
    assert tab.evaluate("document.activeElement.id") == "begins"
    tab.open(served.url("/"), 1440)
    tab.evaluate("new Promise(requestAnimationFrame).then(() => 0)")  # autofocus comes with the first frame
    assert tab.evaluate("document.activeElement.id") == "q"
    for letter in "tiger":
        tab.press(letter)
    told = "localStorage.setItem('told', document.querySelector('.line button').textContent)"
    tab.evaluate(f"addEventListener('pagehide', () => {told}); 0")
    tab.await_load(lambda: tab.press("Enter"))
    assert tab.evaluate("localStorage.getItem('told')") == "Searching …"  # the first waits for the model
    assert tab.evaluate("location.search") == "?q=tiger"  # what was left as it was is no part of the address
    for _ in range(60):
        tab.press("Tab")
        where = tab.evaluate("document.activeElement.getAttribute('href') || ''")
        if where.startswith("/user/"):
            break
    tab.await_load(lambda: tab.press("Enter"))
    assert tab.evaluate("location.pathname") == where


def test_without_scripts_every_form_leads_to_an_answer(served, tab):
    tab.allow_scripts(False)
    try:
        for path in ("/search?q=tiger", "/posts", "/users", "/cluster/0", "/user/user-00", "/map"):
            for number in range(3):
                tab.open(served.url(path), 1440)
                sent = f"document.querySelectorAll('form[method=get] button:not([formmethod])')[{number}]"
                if tab.evaluate(f"Boolean({sent})"):
                    tab.evaluate("for (const one of document.querySelectorAll('[name=with]')) one.value = 'user-01'; 0")
                    tab.await_load(lambda sent=sent: tab.evaluate(f"{sent}.click()"))
                    assert tab.evaluate("document.querySelector('h1').textContent") != "That cannot be answered", path
    finally:
        tab.allow_scripts(True)


def test_what_was_typed_stays_with_a_picture_whether_it_is_taken_or_refused(served, tab, run, tmp_path):
    stored = IMAGES.read(run / "data/corpus/images")["bytes"]
    for name, data in (
        ("other.png", stored[9].as_py()),
        ("mine.png", stored[8].as_py()),
        ("no.png", b"GIF89a" + b"0" * 40),
    ):
        (tmp_path / name).write_bytes(data)
    tab.open(served.url("/"), 1440)
    fill = (
        "document.getElementById('q').value = %r; document.querySelector('[name=side][value=train]').checked = true; 0"
    )
    asked = "[...new URLSearchParams(location.search).keys()].join() + document.getElementById('q').value"
    for question, name, keys in (
        ("tiger", "no.png", ""),
        ("zebra", "mine.png", "q,side,picture"),
        ("lion", "other.png", "q,side,picture"),
    ):
        tab.evaluate(fill % question)
        tab.await_load(lambda name=name: tab.choose("#file", tmp_path / name))
        assert tab.evaluate(asked) == keys + question
        assert tab.evaluate("document.querySelector('[name=side][value=train]').checked")
    held = "new URLSearchParams(location.search).get('picture')"
    first = tab.evaluate(held)
    tab.await_load(lambda: tab.evaluate("document.querySelector('.line button').click()"))
    assert tab.evaluate(held) == first != "", "it stays with another question"


def test_axe_finds_no_fault(served, tab, axe):
    """All rules on the light page; on the dark one those of colours, as nothing else is another there."""
    of_colours = "{runOnly: {type: 'rule', values: ['color-contrast', 'link-in-text-block']}}"
    for path in pages(served):
        tab.open(served.url(path), 1440)
        for dark, rules in ((False, "{}"), (True, of_colours)):
            tab.darken(dark)
            assert (found := tab.faults(axe, rules)) == [], (path, dark, found)
