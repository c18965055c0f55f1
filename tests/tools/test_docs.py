"""The documentation is true of the code: links, commands, settings, and every column of every table."""

import importlib
import pkgutil
import re
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest
from ruamel.yaml import YAML

import pipeline.tables
from pipeline.tables import corpus, details, embedding, evaluation, images, layout, ocr, ranking, split, text
from pipeline.tables.table import TEXT, VECTOR, WORD_LIST, Table
from pipeline.tables.truth import TRUTH_POSTS, TRUTH_USERS
from tools import contract

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "paper/README.md", "models/**/README.md", "data/own/README.md")
    for page in ROOT.glob(pattern)
)
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
YAML_SAFE = YAML(typ="safe", pure=True)
STAGES = YAML_SAFE.load(ROOT / "dvc.yaml")["stages"]

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"(?ms)^```.*?^```")

PLACES = {
    "corpus/posts": corpus.POSTS,
    "corpus/details": details.DETAILS,
    "corpus/users": corpus.USERS,
    "corpus/images": corpus.IMAGES,
    "corpus/rejected": corpus.REJECTED,
    "text/words": text.WORDS,
    "text/duplicates": text.DUPLICATES,
    "text/edges": text.TEXT_EDGES,
    "text/vectors": text.TEXT_VECTORS,
    "text/letters": text.TEXT_VECTORS,
    "images/features": images.FEATURES,
    "images/style": images.FEATURES,
    "images/words": ocr.READ,
    "images/said": images.FEATURES,
    "images/groups": images.IMAGE_GROUPS,
    "images/edges": images.IMAGE_EDGES,
    "split/assigned": split.ASSIGNED,
    "split/posts": split.ASSIGNED,
    "split/largest": split.LARGEST,
    "split/train": split.CONTENT,
    "split/sets": split.SETS,
    "split/close": split.CLOSE,
    "words/parts": embedding.PARTS,
    "words/vocabulary": embedding.VOCABULARY,
    "words/users": embedding.EMBEDDINGS,
    "model/users": embedding.EMBEDDINGS,
    "embeddings/users": embedding.EMBEDDINGS,
    "baselines/METHOD/users": embedding.EMBEDDINGS,
    "encoder_means/METHOD/KIND": embedding.EMBEDDINGS,
    "evaluation/ranks": ranking.RANKS,
    "evaluation/interests": evaluation.INTERESTS,
    "clusters/users": evaluation.CLUSTER_USERS,
    "clusters/words": evaluation.CLUSTER_WORDS,
    "clusters/images": evaluation.CLUSTER_IMAGES,
    "map/points": layout.POINTS,
    "chance": layout.CHANCE,
    "queries/asked": evaluation.ASKED,
    "queries/answers": evaluation.ANSWERS,
    "truth/posts": TRUTH_POSTS,
    "truth/users": TRUTH_USERS,
}
"""The tables that docs/tables has a section of, by their place under data/."""
KINDS = {
    TEXT: "text",
    WORD_LIST: "list of text",
    VECTOR: "vector",
    pa.binary(): "bytes",
    pa.bool_(): "true or false",
    pa.timestamp("us"): "time",
    pa.float32(): "float32",
    pa.float64(): "float64",
}


def prose(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[Path, str]]:
    """Where the links of a page to files of the project lead, and to which heading."""
    words = re.sub(r"`[^`\n]+`", "", prose(page))  # what stands in code is no link
    targets = [target for target in LINK.findall(words) if "://" not in target]
    return [
        ((page.parent / file).resolve() if file else page, at) for file, _, at in (t.partition("#") for t in targets)
    ]


def test_the_readme_is_a_way_in_and_no_more():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_each_link_leads_somewhere(page):
    for target, heading in links(page):
        assert target.exists(), f"{page.name}: no {target.relative_to(ROOT)}"
        assert not heading or heading in anchors(target), f"{page.name}: no heading {heading} in {target.name}"


def test_each_page_is_found_from_the_readme():
    found: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in found and page.suffix == ".md":
            found.add(page)
            waiting += [target for target, _ in links(page)]
    assert {page for page in PAGES if ROOT / "docs" in page.parents} <= found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_each_command_that_a_page_names_is_there(page):
    said = page.read_text()
    ours = "|".join([*contract.FIRST_PARTY, "tools", "benchmarks", "explore", "examples"])
    for module in re.findall(rf"python -m ((?:{ours})(?:\.[a-z_0-9]+)+)", said):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), f"{page.name}: {module}"
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    in_code = "\n".join([*FENCE.findall(said), *re.findall(r"`[^`\n]+`", prose(page))])
    assert set(re.findall(r"(?m)(?:^|`|&& )make ([a-z-]+)", in_code)) <= targets
    for path in re.findall(r"pytest [^`\n]*?(tests/[\w/]+\.py)", in_code):
        assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_git_is_not_given_what_a_command_of_the_pages_writes():
    """It names people, or is made anew in seconds."""
    made = ["users.gexf", "vectors.parquet", "mine/users.parquet", "dvc_plots/index.html", "contact_sheet.png",
            "share/share.zip", "sbom.cdx.json", "report/index.html", "timings/train.json"]  # fmt: skip
    done = subprocess.run(["git", "check-ignore", *made], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == made


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_each_setting_that_a_page_names_is_there(page):
    params = YAML_SAFE.load(ROOT / "params.yaml")
    for key in re.findall(r"-S '?([a-z_0-9.]+)=", page.read_text()):
        value = params
        for part in key.split("."):
            assert part in value, f"{page.name}: {key}"
            value = value[part]


def test_the_page_of_params_says_from_which_stage_on_a_setting_reruns():
    rows = re.findall(r"(?m)^\| [^|]+ \| (`[^|]+) \| `(\w+)`[^|]* \|$", (ROOT / "docs/params.md").read_text())
    assert len(rows) > 10
    for keys, first in rows:
        readers = []
        for key in re.findall(r"`([a-z_0-9.]+)(?:=[^`]*)?`", keys):
            readers += [s for s, entry in STAGES.items() if any(_covers(p, key) for p in entry.get("params", []))]
            assert readers, f"{key} is no key that a stage reads"
        assert min(readers, key=list(STAGES).index) == first, keys


def _covers(param: str, key: str) -> bool:
    return key == param or key.startswith(f"{param}.")


def pages_of_tables() -> str:
    """The pages of docs/tables, one behind the other."""
    return "".join(page.read_text() for page in sorted((ROOT / "docs/tables").glob("*.md")))


def sections() -> dict[str, str]:
    """What docs/tables says of each table, by its place under data/."""
    parts = re.split(r"(?m)^##+ `data/(.+)`$", pages_of_tables())
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("place", PLACES)
def test_a_tables_columns_and_key_are_told_as_they_are_declared(place):
    table, said = PLACES[place], sections()[place]
    rows = re.findall(r"(?m)^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", said)
    assert [(name, kind) for name, kind, _ in rows] == [(field.name, kind(field)) for field in table.schema]
    assert all(about.strip() for *_, about in rows)
    key = re.search(r"Key: ([^.]+)\.", said)
    assert key and tuple(re.findall(r"`(\w+)`", key[1])) == table.key


def kind(field: pa.Field) -> str:
    """The type of a column as the page names it."""
    name = "vector" if field.type == pa.list_(pa.float32()) else KINDS.get(field.type, str(field.type))
    return name + (" or null" if field.nullable else "")


def test_no_table_is_left_out():
    modules = [
        importlib.import_module(f"pipeline.tables.{found.name}")
        for found in pkgutil.iter_modules(pipeline.tables.__path__)
    ]
    declared = {table.name for module in modules for table in vars(module).values() if isinstance(table, Table)}
    assert declared <= {table.name for table in PLACES.values()}
    assert set(sections()) == set(PLACES)
    pages = pages_of_tables()
    outs = [out for entry in STAGES.values() for out in entry.get("outs", []) if isinstance(out, str)]
    told = [out.removeprefix("data/") for out in outs if out.startswith("data/") and out != "data/fetched"]
    assert [out for out in told if out not in pages] == []


def test_each_stage_is_in_the_flow_of_the_readme():
    flow = re.search(r"(?s)```mermaid\n(.*?)```", (ROOT / "README.md").read_text())
    assert flow and [stage for stage in STAGES if not re.search(rf"\b{stage}\b", flow[1])] == []


def test_the_tree_in_contributing_has_each_room():
    (tree,) = re.findall(r"(?ms)^## The tree\n\n```\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text())
    rooms = {init.parent.name for init in (ROOT / "pipeline").glob("*/__init__.py")}
    shared = {folder.name for folder in (ROOT / "tests").iterdir() if any(folder.glob("*.py"))}
    shared -= {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert set(re.findall(r"(?m)^  (\w+)/ ", tree)) == rooms | shared


def test_what_runs_before_a_commit_is_what_make_lint_runs():
    hooks = YAML_SAFE.load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    recipe = re.search(r"(?m)^lint:.*\n((?:\t@.*\n)+)", (ROOT / "Makefile").read_text())
    assert recipe
    assert [hook["entry"].removeprefix(".venv/bin/") for hook in hooks] == re.findall(r"\t@(.*)", recipe[1])
