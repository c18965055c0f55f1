"""The server: addresses, formats, who may ask. Pages are made in `views`, drawn by templates/.

Read only, but for a picture that one asks with (kept in memory alone) and marks. No page holds a script or style of its
own, and a Content-Security-Policy forbids both, and every other host, whatever a post says.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from explore.guard import Guard
from explore.marks import Mark, Marks
from explore.pages.forms import (
    NARROWING,
    PAGE,
    Part,
    Wrong,
    listed,
    one_of,
    reworded,
    short,
    suffix,
    understood,
    whole,
    with_query,
    yes,
)  # fmt: skip
from explore.pages.lists import Lists
from explore.pages.marks import FIELDS, collected
from explore.pages.plane import Plane
from explore.pages.sheets import answered, flat
from explore.pages.thumbs import small
from explore.pages.views import NotFound, Views, address, chance_untold
from pipeline.pictures.reading import Rejected
from pipeline.report import cards, wording
from pipeline.running.errors import UserError
from pipeline.space.space import KINDS, Asked, Space

HERE = Path(__file__).parent
REPORT_STYLE = Path(wording.__file__).with_name("style.css")
MOST_BYTES = 64 << 20
"""Of a picture that one asks with."""
MOST_ROWS = 16 << 20
"""Bytes of a selection on the map, which is some two million things."""
KEPT = 32
"""Pictures that were asked with, which stay for as long as the server runs."""
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/schema+json"}
FILES = ("page.js", "map.js", "points.js", "labels.js", "explore.css", "icon.svg", "schema.json")


class Pages:
    """The handlers of one space."""

    def __init__(self, space: Space, metrics: Path, stale: Callable[[], str | None]) -> None:
        self.space, self.views = space, Views(space)
        self.lists = Lists(self.views, metrics)
        self.plane, self.people = Plane(self.views), self.views.people
        self.marks = Marks(space.data / "marks.csv")
        self.own: OrderedDict[str, bytes] = OrderedDict()
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters |= {"clip": cards.clip, "count": wording.count, "plural": wording.plural,
                                    "percent": wording.percent, "number": wording.number, "cosine": wording.cosine,
                                    "reworded": reworded, "day": without_midnight}  # fmt: skip
        self._templates.globals |= {"address": address, "with_query": with_query, "kinds": KINDS,
                                    "flat": flat, "listed": listed,
                                    "chance_untold": chance_untold(space.data)}  # fmt: skip
        self._asked = lru_cache(256)(self._ask)
        self._thumbnail = lru_cache(4096)(self._small)
        self._lock = threading.Lock()
        self._stale = stale

    # ------------------------------------------------------------ answers in the form that was asked for
    def _shown(self, request: Request, page: str, data: Mapping[str, Any], form: str, status: int = 200) -> Response:
        if page != "wrong":
            understood(request.query_params)
        if form == "json":
            return Response(json.dumps(data, ensure_ascii=False, indent=1), status, media_type="application/json")
        if form == "csv":
            return answered(page, data, yes(request.query_params, "excel"))
        marked, broken = self._marks_as_far()
        held = request.query_params
        query = {name: values[0] if len(values := held.getlist(name)) == 1 else values for name in held}
        about = {
            "languages": self.space.library.languages, "clusters": self._clusters, "posts_listed": data.get("posts"),
            "marked": marked, "shown": self.people.shown, "told": self.lists.filterable,
            "narrowed": any(query.get(name) for name in NARROWING), "examples": self._examples,
            "some_texts": self.lists.some_texts,
            "told_first": list(filter(None, (self._stale(), broken if page != "wrong" else None))),
            "interests_named": any(self.space.library.interests.values()),
        }  # fmt: skip
        text = self._templates.get_template(f"{page}.html").render(
            about | dict(data) | {"page": page, "query": query, "path": quote(request.scope["path"])}
        )
        return Response(text, status, media_type="text/html; charset=utf-8")

    def _marks_as_far(self) -> tuple[dict[str, list[Mark]], str | None]:
        """The collections; or none, and why their file cannot be read, which is no reason to show nothing else."""
        try:
            return self._marked(), None
        except UserError as error:
            return {}, str(error)

    def _marked(self) -> dict[str, list[Mark]]:
        """The collections, by what stands for the things in them."""
        return {
            name: [mark._replace(id=self.people.public(mark.kind, mark.id)) for mark in marks]
            for name, marks in self.marks.collections().items()
        }

    @cached_property
    def _clusters(self) -> list[dict[str, Any]]:
        return list(self.lists.clusters()["clusters"])

    def wrong(self, request: Request, status: int, message: str) -> Response:
        """A page that says in a sentence what went wrong."""
        form = "json" if request.url.path.endswith(".json") else "html"
        return self._shown(request, "wrong", {"message": message, "status": status}, form, status)

    # ------------------------------------------------------------ pages
    @cached_property
    def _examples(self) -> list[str]:
        return self.space.library.examples()

    def home(self, request: Request) -> Response:
        """Where one begins: examples, clusters, who posts most."""
        people = self.lists.users(Part())["users"][:12]
        return self._shown(request, "home", {"people_rows": people, "about": self._counts()}, "html")

    def _counts(self) -> dict[str, int]:
        library = self.space.library
        return {"posts": len(library.post_ids), "users": len(library.users), "images": len(library.images)}

    def search(self, request: Request) -> Response:
        """Answers to a question."""
        query, form = request.query_params, suffix(request)
        question = query.get("q", "").strip()
        top = whole("top", query.get("top"), 12, 1, 1000)
        chosen = {one_of("kind", kind, KINDS) for kind in query.getlist("kind") if kind}
        kinds = tuple(kind for kind in KINDS if kind in chosen) or KINDS
        picture = query.get("picture") or None
        if picture is not None and picture not in self.own:
            raise NotFound("That picture is no longer here: it was kept in memory only. Please choose it again.")
        asked = self._asked(question, picture)
        data = self.views.search(question, asked, top, self.views.filters(query), kinds)
        narrowed = any(query.get(name) for name in NARROWING)
        data |= {"tested": self.lists.tested(asked.kind), "picture": picture, "narrowed": narrowed}
        return self._shown(request, "search", data, form)

    def _ask(self, question: str, picture: str | None) -> Asked:
        return self.space.ask(self.views.terms(question), self.own[picture] if picture else None)

    async def upload(self, request: Request) -> Response:
        """Take in a picture, as the import does, and go on to what it finds."""
        short(request, MOST_BYTES)
        async with request.form(max_files=1, max_fields=30) as form:
            file = form.get("file")
            data = await file.read() if isinstance(file, UploadFile) and file.filename else None
            kept = [(name, value) for name, value in form.multi_items() if isinstance(value, str) and value]
        if data is not None:
            kept = [(name, value) for name, value in kept if name != "picture"]
            kept.append(("picture", hashlib.sha256(data).hexdigest()))
        # As if it had been asked so: a page that refuses the picture keeps the rest of the question.
        request.scope["query_string"] = urlencode(kept).encode()
        if data is not None:
            await run_in_threadpool(self._keep, data)
        return RedirectResponse(f"/search?{request.url.query}", 303)

    def _keep(self, data: bytes) -> None:
        self.space.ask("", data)  # refuses what is no picture
        with self._lock:
            self.own[hashlib.sha256(data).hexdigest()] = data
            while len(self.own) > KEPT:
                self.own.popitem(last=False)

    def user(self, request: Request) -> Response:
        """A user; ?with=NAME: what parts them from another."""
        query = request.query_params
        filters, other = self.views.filters(query), query.get("with", "").strip() or None
        return self._thing(request, "user", lambda name, part: self.views.user(name, part, filters, other))

    def image(self, request: Request) -> Response:
        """An image."""
        return self._thing(request, "image", lambda name, _: self.views.image_page(name))

    def post(self, request: Request) -> Response:
        """A post."""
        return self._thing(request, "post", lambda name, _: self.views.post_page(name))

    def cluster(self, request: Request) -> Response:
        """A cluster."""

        def of(name: str, _: Part) -> dict[str, Any]:
            if not name.isdecimal() or len(name) > 9:
                raise NotFound(f"There is no cluster {name}.")
            return self.lists.cluster(int(name), self.views.filters(request.query_params))

        return self._thing(request, "cluster", of)

    def _thing(self, request: Request, page: str, of: Callable[[str, Part], dict[str, Any]]) -> Response:
        name = request.path_params["id"] or request.query_params.get("id", "")
        try:
            return self._shown(request, page, of(name, self._part(request, "html")), "html")
        except NotFound:
            stem, _, form = name.rpartition(".")
            if form not in ("json", "csv"):
                raise
            named = stem or request.query_params.get("id", "")
            return self._shown(request, page, of(named, self._part(request, form)), form)

    def _part(self, request: Request, form: str) -> Part:
        """The part of a list that is asked for; a CSV has all of it where neither `page` nor `top` is given."""
        page, top = (request.query_params.get(name) for name in ("page", "top"))
        whole_list = form == "csv" and not page and not top
        return Part(whole("page", page, 1, 1, 10**6), None if whole_list else whole("top", top, PAGE, 1, 1000))

    def clusters(self, request: Request) -> Response:
        """All clusters."""
        return self._shown(request, "clusters", self.lists.clusters(), suffix(request))

    def users(self, request: Request) -> Response:
        """All users, or those with a post that the filters let through."""
        query, form = request.query_params, suffix(request)
        begins, filters = query.get("begins", "").strip(), self.views.filters(query)
        return self._shown(request, "users", self.lists.users(self._part(request, form), begins, filters), form)

    def posts(self, request: Request) -> Response:
        """All posts, or those that the filters let through."""
        query, form = request.query_params, suffix(request)
        order, filters = query.get("order") or "oldest", self.views.filters(query)
        return self._shown(request, "posts", self.lists.posts(self._part(request, form), filters, order), form)

    def left_out(self, request: Request) -> Response:
        """What was left out, and why."""
        form = suffix(request)
        found = self.lists.left_out(self._part(request, form), request.query_params.get("reason", ""))
        return self._shown(request, "left_out", found, form)

    def about(self, request: Request) -> Response:
        """What ran."""
        return self._shown(request, "about", self.lists.about(), suffix(request))

    def map(self, request: Request) -> Response:
        """Where things lie; ?rows=1,2 tells what lies there."""
        query, form = request.query_params, suffix(request)
        kind = query.get("kind", "user")
        if form != "html" and query.get("rows"):
            rows = [whole("rows", row, 0, 0, 10**8) for row in query["rows"].split(",")[:400]]
            return self._shown(request, "map_rows", self.plane.map_rows(kind, rows), "json")
        if form == "html":
            data = {"kind": kind, "points": len(self.plane.points(kind)), "held": self._counts()[f"{kind}s"]}
        else:  # a row of CSV is told by its id, a row of JSON by ?rows
            data = self.plane.map(kind) | ({"id": self.plane.public_ids(kind)} if form == "csv" else {})
        return self._shown(request, "map", data, form)

    async def mark(self, request: Request) -> Response:
        """Put a thing into a collection, or take it out, and go back."""
        short(request, MOST_ROWS)
        async with request.form(max_files=0, max_fields=10, max_part_size=MOST_ROWS) as form:
            told = {name: str(form.get(name, "")) for name in FIELDS}
        collection = await run_in_threadpool(self._mark, told)
        back = told["back"] or f"/marks/{quote(collection, safe='')}"
        inside = back.startswith("/") and not back.startswith("//") and "\\" not in back and back.isprintable()
        gone = told["do"] == "remove" and collection not in self.marks.collections()
        return RedirectResponse(back if inside and not gone else "/marks", 303)

    def _mark(self, told: Mapping[str, str]) -> str:
        """Do what a form asks for: with one thing, with those at some rows of the map, or with all of a list."""
        kind, add = told["kind"], told["do"] != "remove"
        if told["rows"]:
            names = self.plane.ids(kind, [whole("rows", row, 0, 0, 10**8) for row in told["rows"].split(",")])
        elif told["list"]:
            names = self.lists.chosen(kind, QueryParams(told["list"].partition("?")[2]))
        else:
            names = [self._named(kind, told["id"])]
        note = told["note"] if told["note"] or told["do"] == "note" else None
        return self.marks.change(told["collection"], kind, names, add, note)

    def _named(self, kind: str, public: str) -> str:
        name = self.people.find(kind, public)
        if name is None:  # what is no longer in the corpus can still be taken out
            held = {self.people.public(mark.kind, mark.id): mark.id for mark in self.marks.read() if mark.kind == kind}
            name = held.get(public)
        if name is None:
            raise NotFound(f"There is no {kind} {public[:60]}.")
        return name

    def collections(self, request: Request) -> Response:
        """All collections."""
        rows = [
            mark._asdict() | {"href": address(mark.kind, mark.id)} for held in self._marked().values() for mark in held
        ]
        return self._shown(request, "marks", {"marks": rows}, suffix(request))

    def collection(self, request: Request) -> Response:
        """A collection, more like it, what parts it from another (?with=NAME), how well its users are told (?tell)."""
        name, form = request.path_params["name"], "html"
        held = self.marks.collections()
        if name not in held and name.endswith((".json", ".csv")):
            name, _, form = name.rpartition(".")
        query = request.query_params
        top = whole("top", query.get("top"), 12, 1, 1000)
        whole("page", query.get("page"), 1, 1, 10**6)
        data = collected(self.views, held, name, query.get("with") or None, top, yes(query, "tell"))
        return self._shown(request, "collection", data, form)

    # ------------------------------------------------------------ files
    def thumb(self, request: Request) -> Response:
        """A picture of the corpus, small or as stored."""
        side = whole("side", request.query_params.get("side"), 240, 32, 1024)
        data = self._thumbnail(request.path_params["id"], 240 if side <= 240 else 1024)
        if data is None:
            return Response(b"", 404)
        return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=86400, immutable"})

    def _small(self, image: str, side: int) -> bytes | None:
        stored = self.space.library.picture(image)
        return None if stored is None else small(stored, side, self.space.reader.params.report.pictures)

    def own_picture(self, request: Request) -> Response:
        """A picture that was asked with, encoded anew by the guarded worker."""
        data = self.own.get(request.path_params["id"])
        if data is None:
            return Response(b"", 404)
        (taken,) = self.space.reader.take_in([data])
        stored = b"" if isinstance(taken, Rejected) else small(taken.bytes, 240)
        return Response(stored, media_type="image/webp")

    def file(self, request: Request) -> Response:
        """A style or a script of ours."""
        name = request.path_params["name"]
        if name == "report.css":
            return Response(REPORT_STYLE.read_bytes(), media_type="text/css")
        if name not in FILES:
            return Response(b"", 404)
        return Response((HERE / "static" / name).read_bytes(), media_type=TYPES[Path(name).suffix])


def without_midnight(time: str) -> str:
    """A time as pages show it: a day where only that was told, which is midnight then."""
    return time.removesuffix(" 00:00")


def application(space: Space, metrics: Path, token: str | None, stale: Callable[[], str | None]) -> Any:
    """The ASGI application for one space; each page says what is `stale` when it is asked for."""
    pages = Pages(space, metrics, stale)

    def told(of: Callable[[Any], tuple[int, str]]) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def answer(request: Request, error: Exception) -> Response:
            return await run_in_threadpool(pages.wrong, request, *of(error))

        return answer

    routes = [Route("/", pages.home), Route("/search", pages.upload, methods=["POST"])]
    for name in ("search", "clusters", "users", "posts", "left_out", "map", "about"):
        routes += [Route(f"/{name}{end}", getattr(pages, name)) for end in ("", ".json", ".csv")]
    routes += [Route(f"/{name}/{{id:path}}", getattr(pages, name)) for name in ("user", "image", "post", "cluster")]
    routes += [Route(f"/marks{end}", pages.collections) for end in ("", ".json", ".csv")]
    routes += [
        Route("/marks", pages.mark, methods=["POST"]),
        Route("/marks/{name:path}", pages.collection),
        Route("/thumb/{id}", pages.thumb),
        Route("/picture/{id}", pages.own_picture),
        Route("/static/{name}", pages.file),
    ]
    ours = "This page failed, for a fault of ours: the terminal in which the server runs has the details."
    handlers: Any = {
        404: told(lambda _: (404, "There is no such page.")),
        500: told(lambda _: (500, ours)),
        HTTPException: told(lambda error: (error.status_code, error.detail)),
        NotFound: told(lambda error: (404, str(error))),
        UserError: told(lambda error: (422, str(error))),
        Wrong: told(lambda error: (400, str(error))),
        ValueError: told(lambda error: (400, str(error))),
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.state.pages = pages
    return Guard(app, token)
