"""The openclipart corpus, on small packages made up for the purpose."""

import time

import pytest
from PIL import Image

from pipeline.corpus.importing import import_corpus
from pipeline.corpus.sources.openclipart import Openclipart, person, read_drawing, texts
from pipeline.tables.corpus import IMAGES, POSTS, REJECTED, USERS
from tests.corpus.packages import deb
from tests.made.pictures import encoded

FREE = "http://web.resource.org/cc/PublicDomain"


def svg(title="", creator="Ann Author", description="", keywords=(), license=FREE):  # noqa: A002
    subject = "".join(f"<rdf:li>{keyword}</rdf:li>" for keyword in keywords)
    agent = f"<cc:Agent><dc:title>{creator}</dc:title></cc:Agent>"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:cc="http://web.resource.org/cc/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<metadata><rdf:RDF><cc:Work rdf:about=""><dc:title>{title}</dc:title><dc:description>{description}</dc:description>
<dc:subject><rdf:Bag>{subject}</rdf:Bag></dc:subject><dc:publisher><cc:Agent><dc:title>A Publisher</dc:title></cc:Agent>
</dc:publisher><dc:creator>{agent}</dc:creator><cc:license rdf:resource="{license}"/></cc:Work></rdf:RDF></metadata>
<path d="M 0 0"/></svg>""".encode()


def text_of(name, **metadata):
    return texts([read_drawing(name, svg(**metadata))])[0]


def test_metadata_is_read_from_damaged_and_odd_files():
    drawing = read_drawing(
        "a/b", svg("A\n  title", "J&amp;ouml;rg", "Says", ["one", "", "HASH(0x89c79d4)", "hash", "two"])
    )
    assert (drawing.title, drawing.creator, drawing.description) == ("A title", "Jörg", "Says")
    assert drawing.keywords == ["one", "two"] and drawing.license == FREE
    assert text_of("b/title", title="A title", description="HASH(0x868a30c)", keywords=["one"]) == "A title. one"
    cut = read_drawing("a/b", svg("A title")[:-12] + b"<g \xff \x00")
    assert (cut.title, cut.creator) == ("A title", "Ann Author")
    other = svg("A title").replace(b"http://web.resource.org/cc/", b"http://creativecommons.org/ns#")
    assert read_drawing("a/b", other).title == "A title"
    for empty in (b"<svg/>", b"no markup", b"<!-- -->"):
        assert read_drawing("a/b", empty).creator == ""


def test_an_entity_of_a_hostile_file_is_not_expanded(tmp_path):
    (tmp_path / "secret").write_text("the secret")
    hostile = svg("&secret;").replace(
        b"<svg", b'<!DOCTYPE svg [<!ENTITY secret SYSTEM "file://%s/secret">]><svg' % bytes(tmp_path)
    )
    assert "the secret" not in read_drawing("a/b", hostile).title


@pytest.mark.parametrize(
    ("creator", "user_id"),
    [
        ("Cédric  Bosdonnat", "cedric-bosdonnat"),
        ("cedric bosdonnat", "cedric-bosdonnat"),
        ("Martin Kozák <martin.kozak@openoffice.cz>", "martin-kozak"),
        ("Jakob [chaosinfaith@hotmail.com]", "jakob"),
        ("Spencer Joplin, http://www.calpoly.edu/~sjoplin/", "spencer-joplin"),
        ("Rollandin Francesco", "architetto-francesco-rollandin"),
        ("A.J. Ashton", "aj-ashton"),
        ("unknown", None),
        ("N/A", None),
        ("HASH(0x89c79d4)", None),
        ("ralf@example.org", None),
        ("", None),
    ],
)
def test_people_are_folded_and_nobody_is_no_one(creator, user_id):
    assert person(creator) == user_id


def test_the_authors_name_does_not_leak_into_the_text():
    assert text_of("toys/rubik", title="Clipart by Nicu Buculei - Cube", creator="Nicu Buculei") == "Cube. rubik"
    # File names are cut anywhere: what is left of the author goes, and so do words that the title has in full.
    creator = "Architetto Francesco Rollandin"
    assert text_of("animals/gattina_cat_architetto_f_01", creator=creator) == "gattina cat"
    assert (
        text_of("plants/simbol_strai_rollandin_fra3", title="Straight line", creator=creator) == "Straight line. simbol"
    )
    assert text_of("food/x", description="mail a.b@example.org or www.example.org", creator="Mo") == "x. mail or"
    assert text_of("food/cake", keywords=["by Bénji", "sweet"], creator="Benji Park") == "cake. by, sweet"


def test_the_categorys_own_words_do_not_leak_into_the_text():
    assert text_of("animals/birds/owl", keywords=["animal", "Animals", "bird"]) == "owl. bird"
    assert text_of("signs_and_symbols/stop", keywords=["sign", "symbol", "red"]) == "stop. red"
    assert text_of("transportation/bus", keywords=["transport", "transit"]) == "bus. transit"
    assert text_of("tools/animal") == "animal"


def test_what_one_person_says_five_times_is_not_said_of_the_drawing():
    def drawings(count, creator="Ann Author"):
        return [read_drawing(f"food/d{chr(97 + i)}", svg("My set", creator, "A description")) for i in range(count)]

    assert texts(drawings(4))[0] == "My set. da. A description"
    assert texts(drawings(5))[0] == "da"
    assert texts(drawings(4) + drawings(4, "Bob"))[0] == "My set. da. A description"


def png(shade, side=4):
    return encoded(Image.new("L", (side, side), shade))


def test_the_packages_become_a_corpus(tmp_path):
    root = "usr/share/openclipart"
    drawings = {
        f"food/fruit/apple{i:02}": svg("Apple", "Ann Author", keywords=[f"kind {chr(97 + i)}"]) for i in range(12)
    }
    drawings |= {f"tools/saw{i}": svg("Saw", "ann author") for i in range(3)}
    drawings |= {f"tools/plane{i}": svg("Plane", "Bob", license="") for i in range(8)}
    drawings |= {
        "food/lonely": svg("Lonely", "Carl"),
        "food/gpl": svg("Not free", license="http://creativecommons.org/licenses/GPL/2.0/"),
        "food/nobody": svg("Nobody's", "unknown"),
        "food/huge": svg("Huge"),
    }
    pictures = {f"{root}/png/{name}.png": png(number) for number, name in enumerate(drawings) if name != "tools/saw2"}
    pictures[f"{root}/png/food/huge.png"] = png(1, side=40)
    copies = {f"{root}/png/tools/saw2.png": "../food/fruit/apple00.png"}
    (tmp_path / "openclipart-svg.deb").write_bytes(
        deb({f"{root}/svg/{n}.svg": d for n, d in drawings.items()}, {f"{root}/svg/tools/link.svg": "saw0.svg"})
    )
    (tmp_path / "openclipart-png.deb").write_bytes(deb(pictures, copies))

    (tmp_path / "scratch").mkdir()
    source = Openclipart(tmp_path, 0.15, 2)
    metrics = import_corpus(source, tmp_path / "c", tmp_path / "scratch", 5, None, 1000, 64, workers=1)
    asked = f"{root}/png/tools/saw0.png"  # what was unpacked ahead is used up
    assert dict(source.pictures(["tools/saw0.png"])) == {"tools/saw0.png": pictures[asked]}
    assert metrics["rows_in"] == len(drawings) + 1
    posts = {row["post_id"]: row for row in POSTS.read(tmp_path / "c/posts").to_pylist()}
    assert set(posts) == {name for name in drawings if name.startswith(("food/fruit/", "tools/"))}
    assert posts["tools/saw1"]["user_id"] == "ann-author" and posts["tools/plane7"]["user_id"] == "bob"
    assert posts["tools/saw2"]["image_id"] == posts["food/fruit/apple00"]["image_id"]  # a link inside the package
    assert IMAGES.count(tmp_path / "c/images") == 12 + 2 + 8
    rejected = {row["id"]: row["reason"] for row in REJECTED.read(tmp_path / "c/rejected").to_pylist()}
    assert rejected == {
        "tools/link": "link to another drawing",
        "food/gpl": "not in the public domain",
        "food/nobody": "no author named",
        "food/lonely": "user with too few posts",
        "food/huge": "image: too many pixels",
    }
    # Of Ann's 15 posts 12 are food and 3 tools, both above 15 %; titles said 12 times are boilerplate.
    assert USERS.read(tmp_path / "c/users").to_pylist() == [
        {"user_id": "ann-author", "interests": ["food", "tools"], "brand": False},
        {"user_id": "bob", "interests": ["tools"], "brand": False},
    ]
    assert posts["food/fruit/apple03"]["text"] == "apple. kind d"


@pytest.mark.parametrize(
    ("share", "least", "interests"), [(0.25, 2, ["food"]), (0.1, 4, ["food"]), (0.2, 3, ["food", "tools"])]
)
def test_an_interest_takes_both_its_share_and_its_number(tmp_path, share, least, interests):
    import pyarrow as pa

    ids = [f"food/{i}" for i in range(12)] + [f"tools/{i}" for i in range(3)]
    users, _ = Openclipart(tmp_path, share, least).users(pa.table({"post_id": ids, "user_id": ["ann"] * 15}))
    assert users["interests"].to_pylist() == [interests]


def test_an_empty_svg_and_odd_authors_are_read_in_no_time():
    assert read_drawing("a", b"").creator == read_drawing("a", b"no xml").title == ""
    begun = time.process_time()
    for creator in ("(" * 200_000, "<[" * 100_000, "a" * 200_000, "@" + "b" * 200_000):
        person(creator)
    assert time.process_time() - begun < 5
    assert person("Jane Doe <jane@x.example> (1990)") == "jane-doe"
