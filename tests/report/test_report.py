"""The report: one page that opens offline, the same for the same run, whatever a post says."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lxml import html

from pipeline.common.metrics import read_metrics, write_metrics
from pipeline.evaluation import interests, paper
from pipeline.ranking.estimates import estimates
from pipeline.report import corpus, results
from pipeline.running.errors import UserError
from pipeline.running.params import validate
from pipeline.tables.evaluation import ANSWERS, ASKED
from pipeline.tables.images import IMAGE_GROUPS
from pipeline.tables.ranking import RANKS
from pipeline.tables.split import CLOSE
from pipeline.tables.text import DUPLICATES
from stages import report
from tests.made.corpus import PEOPLE
from tests.made.run import edit, fabricate

HOSTILE = (
    (
        "</p></style><script>document.title='owned'</script><img src=\"http://evil.invalid/x.png\" onerror=alert(1)> "
        "{{ 7 * 7 }} & \u202eesrever\u202c \x00 \ud83d\ude00 ' \" <svg onload=alert(2)> " + "W" * 100_000
    )
    .encode("utf-16", "surrogatepass")
    .decode("utf-16")
)


def page_of(folder: Path, monkeypatch) -> html.HtmlElement:
    monkeypatch.chdir(folder)
    report.main()
    return html.fromstring((folder / "report/index.html").read_bytes())


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to, dirs_exist_ok=True)
    return to


def section(page, name):
    (found,) = page.xpath(f"//section[h2='{name}']")
    return found.text_content()


@pytest.fixture(scope="module")
def page(fabricated):
    with pytest.MonkeyPatch.context() as patch:
        return page_of(fabricated, patch)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    fabricate(folder, text=HOSTILE, user="<b onclick=alert(3)>" + "W" * 300)
    with pytest.MonkeyPatch.context() as patch:
        page_of(folder, patch)
    return folder / "report/index.html"


def test_the_same_run_gives_the_same_bytes(fabricated, page, tmp_path, monkeypatch):
    first = (fabricated / "report/index.html").read_bytes()
    again = copied(fabricated, tmp_path / "elsewhere")
    page_of(again, monkeypatch)
    assert (again / "report/index.html").read_bytes() == first


def test_every_figure_says_what_to_see_and_has_its_table(page):
    figures = page.xpath("//figure")
    assert len(figures) >= 12
    for figure in figures:
        assert figure.xpath("./h3")[0].text_content().strip()
    for figure in page.xpath(
        "//figure[contains(@class,'figure') or contains(@class,'bars') or contains(@class,'clusters')]"
    ):
        assert figure.xpath("./details//td"), figure.xpath("./h3")[0].text_content()
    for picture in page.xpath("//*[name()='svg' and @role='img']"):
        assert picture.get("aria-label")
    assert all(image.get("alt") for image in page.xpath("//img"))


def test_figures_of_the_page_are_those_of_the_metrics(page):
    text = page.text_content()
    assert "Not better" not in text
    assert "a note that these are drawings" not in text and "not tweets" in section(page, "At a glance")
    assert "1 pair found, 1 post left out; 2 pairs of images judged different" in section(page, "Split")
    assert "0.96" in section(page, "Split") and "0.99" not in section(page, "Split")  # a copy is not shown as none
    funnel = page.xpath("//figure[contains(@class,'bars')][1]//li")
    shown = {li.xpath("./*[@class='what']")[0].text: li.xpath("./*[@class='n']")[0].text for li in funnel}
    assert shown["Read from the source"] == "300" and shown["user with too few posts"] == "−40"
    assert shown["Posts of the corpus"] == "240" and shown["near-copy of an earlier text"] == "−10"
    assert sum(int(shown[f"For {side}"]) for side in ("training", "validation", "test")) == 240
    differing = section(page, "What ran")
    assert "corpus.min_posts_per_user215" in differing.replace("\n", "")


def test_the_evidence_for_the_threshold_is_drawn(page):
    assert "60\u00a0% of 24 planted copies are found" in section(page, "Copies")


def test_hostile_text_stays_text(hostile):
    page = html.fromstring(hostile.read_bytes())
    assert not page.xpath("//script|//iframe|//object|//embed|//form|//base")
    assert not [a for element in page.iter(html.etree.Element) for a in element.attrib if a.lower().startswith("on")]
    sources = page.xpath("//@src|//@href")
    assert sources and all(source.startswith(("data:", "#")) for source in sources)
    assert "<script>document" in page.xpath("//div[@class='card']")[0].text_content()
    assert "{{ 7 * 7 }}" in page.text_content()
    assert "\x00" not in hostile.read_text()
    assert hostile.stat().st_size < 3e6


def test_what_was_not_measured_says_so(fabricated, tmp_path, monkeypatch):
    folder = copied(fabricated, tmp_path / "r")
    for name, why in (("interests", "no user has interests"), ("clusters", "3 users are too few for 10 clusters")):
        edit(
            folder / f"metrics/{name}.json",
            lambda found, why=why: (found.clear(), found.update(not_measured=why, users=3)),
        )
    page = page_of(folder, monkeypatch)
    assert "Not measured: no user has interests. A table of users brings them" in section(page, "Interests")
    assert "make paper" in [code.text for code in page.iter("code")]
    assert "Not clustered: 3 users are too few for 10 clusters." in section(page, "Clusters")
    assert "Interests, macro F1" not in section(page, "At a glance")
    assert "make paper" in section(page, "Tables of the paper")


def test_a_run_in_which_nothing_was_found_or_asked_still_has_its_page(fabricated, tmp_path, monkeypatch):
    folder = copied(fabricated, tmp_path / "r")
    empty = {
        "text/duplicates": DUPLICATES,
        "images/groups": IMAGE_GROUPS,
        "split/close": CLOSE,
        "evaluation/ranks": RANKS,
        "queries/asked": ASKED,
        "queries/answers": ANSWERS,
    }
    for place, kind in empty.items():
        kind.write(kind.empty(), folder / "data" / place)

    def unasked(found):
        for task in results.TASKS:
            found[task] = {"queries": 0, "candidates": 0, "by_activity": {}, "interval_95": {}}

    edit(folder / "metrics/retrieval.json", unasked)
    edit(folder / "metrics/train.json", lambda found: found.update(best_epoch=8))
    curves = pd.read_csv(folder / "plots/training.csv")
    curves.loc[:, curves.columns.str.startswith("val_")] = np.nan
    curves.to_csv(folder / "plots/training.csv", index=False)
    header = (folder / "plots/image_copies.csv").read_text().splitlines()[0]
    (folder / "plots/image_copies.csv").write_text(header + "\n")
    page = page_of(folder, monkeypatch)
    assert "Nothing was asked: the test side holds no query." in section(page, "Retrieval")
    assert "Nothing was validated" in section(page, "Training")
    assert "No copies were planted: the corpus has fewer than four pictures" in section(page, "Copies")
    assert "the test side asks nothing, so no rank" in section(page, "At a glance")
    assert "No questions" in section(page, "Any to any")


def test_the_papers_tables_show_when_they_are_of_this_run(fabricated, tmp_path, monkeypatch):
    folder = copied(fabricated, tmp_path / "r")
    asked = {task: read_metrics(folder / "metrics/retrieval.json")[task]["queries"] for task in results.TASKS}
    write_metrics(paper_tables(folder, asked), folder / "paper/tables.json")
    page = page_of(folder, monkeypatch)
    text = section(page, "Tables of the paper")
    assert all(f"Table {n}" in text for n in (2, 3, 4)) and "Image-to-user gains from the other pairs." in text
    assert len(page.xpath("//section[h2='Tables of the paper']//figure//*[@class='elsewhere']")) >= 9

    edit(folder / "paper/tables.json", lambda found: found["about"]["queries"].update(text_to_user=1))
    assert "from another corpus or split" in section(page_of(folder, monkeypatch), "Tables of the paper")


def paper_tables(folder, asked):
    ranks = estimates({"r": RANKS.read(folder / "data/evaluation/ranks")}, 100, 1)["r"]
    candidates = dict.fromkeys(results.TASKS, PEOPLE)
    weights = {"one": (1.0, 0.0, 0.0), "two": (0.0, 0.5, 0.5), "all": (0.1, 0.45, 0.45)}
    rows = {name: paper.Trained(lambdas, ranks, 0.1) for name, lambdas in weights.items()}
    baselines = {"avg_text": {"text_to_user": ranks["text_to_user"]}, "bridging": ranks, "merged": ranks}
    vectors = np.random.default_rng(0).normal(size=(30, 4))
    users = dict.fromkeys(("random", "avg_text", "avg_image", "text_user", "image_user", "all_pairs"), vectors)
    found = interests.predict(users, ["animals"], vectors[:, :1].T > 0, 1.0, 2, 1, 1)
    return {
        "about": {"corpus": "openclipart", "queries": asked, "candidates": candidates},
        "table_2": paper.table_2(rows, candidates),
        "table_3": paper.table_3(found, 100, 1),
        "table_4": paper.table_4(rows, baselines, candidates),
    }


def test_a_metric_that_is_missing_is_named(fabricated, tmp_path, monkeypatch):
    folder = copied(fabricated, tmp_path / "r")
    edit(folder / "metrics/audit.json", lambda found: found.pop("crossings"))
    with pytest.raises(UserError, match=r"audit\.json: no 'crossings'"):
        page_of(folder, monkeypatch)


def test_of_few_users_nothing_is_told_beyond_chance():
    def block(users, high):
        return {
            "random": 8.5,
            "mean_median_rank": 8.4,
            "interval_95": {"mean_median_rank": [8.4, high]},
            "by_activity": {"few": {"users": users - 1}, "many": {"users": 1}},
        }

    def title(**tasks):
        return results._headline(tasks, {}, list(tasks))

    assert title(text_to_user=block(6, 8.44)) == "Better than random: text to user 1 times"
    assert title(text_to_user=block(6, 8.6)) == "Not better than random in any task"
    few = "too few users ask to tell it from random in image to text"
    assert title(image_to_text=block(5, 8.44)) == few.capitalize()
    assert title(text_to_user=block(9, 9), image_to_text=block(1, 8.4)) == (
        f"Not better than random in text to user; {few}"
    )
    assert title(text_to_user=block(9, 8.4), image_to_text=block(1, 8.4)) == (
        f"Better than random: text to user 1 times; {few}"
    )


@pytest.mark.parametrize(("own", "said"), [(0.43, "ahead of"), (0.5501, "level with"), (0.56, "behind")])
def test_a_difference_that_is_not_shown_is_neither_ahead_nor_behind(own, said):
    model, rivals = {"joint_performance": own}, {"bridging": {"joint_performance": 0.55}}
    assert results._headline(model, rivals, []).endswith(f", {said} Bridging (0.55)")


def test_titles_follow_the_figures(fabricated, tmp_path, monkeypatch):
    folder = copied(fabricated, tmp_path / "r")

    def worse(found):
        for task in results.TASKS:
            found[task]["interval_95"]["mean_median_rank"][1] = found[task]["random"] + 1
        found["joint_performance"] = 1.5

    edit(folder / "metrics/retrieval.json", worse)
    edit(folder / "metrics/audit.json", lambda found: found["crossings"].update(left=2))
    edit(folder / "metrics/interests.json", lambda found: found["significance"].update(p=0.4))
    page = page_of(folder, monkeypatch)
    assert "Not better than random in any task. Joint performance 1.5, behind" in section(page, "Retrieval")
    assert "The split leaks: 2 near-copies" in section(page, "Split")
    assert "the difference is not significant" in section(page, "Interests")


@pytest.mark.parametrize("source", ["openclipart", "table"])
def test_a_setting_whose_auto_is_the_papers_value_does_not_differ(source):
    params = validate(Path(__file__).parents[2] / "params.yaml")
    params = params.model_copy(update={"corpus": params.corpus.model_copy(update={"source": source})})
    rows = {key: here for key, _, here in corpus.settings(params, "digest")[0].table.rows}
    assert rows.get("corpus.max_posts_per_user") == ("auto" if source == "openclipart" else None)
    assert rows["clusters.k"] == "by the corpus"


def test_pictures_that_posts_lost_are_told_where_what_went_in_is(page):
    told = "3 pictures of posts that stay could not be used: missing, kept for its text (3)."
    assert told in section(page, "What went in")


def test_a_list_that_a_recipe_empties_is_told_as_none():
    params = validate(Path(__file__).parents[2] / "params.yaml").model_copy(update={"recipe": "best"})
    rows = {key: here for key, _, here in corpus.settings(params, "digest")[0].table.rows}
    assert rows["model.windows"] == rows["model.filters"] == "none"


def test_the_papers_values_are_keys_and_values_that_params_take():
    here = dict(corpus._flat(validate(Path(__file__).parents[2] / "params.yaml").model_dump()))
    assert set(corpus.PAPER) <= set(here)
    assert {key: here[key] for key in ("words.size", "model.dim", "train.margin")} == {
        key: corpus.PAPER[key] for key in ("words.size", "model.dim", "train.margin")
    }


OVERFLOWING = """
[...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  if (!box.width || e.closest('details:not([open])') && !e.closest('summary')) return false;
  for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX == 'auto') return false;
  const svg = e.ownerSVGElement;
  if (svg) { const s = svg.getBoundingClientRect(); return box.left < s.left - 1 || box.right > s.right + 1; }
  return box.right > innerWidth + 1 || box.left < -1;
}).map(e => e.tagName + ' ' + e.textContent.slice(0, 60))
"""
"""Elements that reach beyond the window, or beyond their chart; what may be scrolled sideways is let be."""


OVERLAPPING = """
[...document.querySelectorAll('svg')].flatMap(svg => {
  const names = [...svg.querySelectorAll('text.name')].map(e => [e.getBoundingClientRect(), e.textContent]);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4;
  return names.filter(([a], i) => a.width && names.slice(0, i).some(([b]) => meet(a, b))).map(([, text]) => text);
})
"""
"""Names and values in charts that lie on one another."""


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("which", ["plain", "hostile"])
def test_in_a_browser_nothing_is_asked_for_logged_or_cut_off(tab, page, fabricated, hostile, which, width):
    file = hostile if which == "hostile" else fabricated / "report/index.html"
    tab.open(file, width, dark=width == 390)
    assert tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true); document.title").startswith(
        "Users"
    )
    shown = tab.evaluate(
        "Promise.all([...document.images].map(i => (i.loading = 'eager', i.decode()))).then(all => all.length)"
    )
    assert shown == tab.evaluate("document.images.length") > 20
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(OVERFLOWING) == []
    assert tab.evaluate(OVERLAPPING) == []
    assert tab.console == []
    assert [url for url in tab.requests if not url.startswith("data:")] == [file.resolve().as_uri()]


@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_no_fault(tab, page, fabricated, axe, width):
    tab.open(fabricated / "report/index.html", width, dark=width == 390)
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.faults(axe) == []


def test_dark_and_light_differ(tab, page, fabricated):
    colours = []
    for dark in (False, True):
        tab.open(fabricated / "report/index.html", 390, dark)
        colours.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(253, 253, 251)", "rgb(18, 20, 23)"]


def test_the_browser_test_would_notice(tab, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<p style='width:3000px'>wide</p><img src='http://127.0.0.1:9/x.png'><script>console.error('x')</script>"
    )
    tab.open(bad, 390)
    assert tab.evaluate(OVERFLOWING) and tab.console and len(tab.requests) == 2


def test_settings_are_those_that_the_recipe_leaves_in_force(fabricated, tmp_path, monkeypatch):
    folder = copied(fabricated, tmp_path / "r")
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("recipe: paper", "recipe: best"))
    rows = {
        row[0].text: [cell.text for cell in row[1:]]
        for row in page_of(folder, monkeypatch).xpath("//tr")
        if len(row) == 3
    }
    assert rows["train.loss"] == ["hinge", str(validate(folder / "params.yaml").best.loss)]
