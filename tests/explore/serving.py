"""The page of a run, served by its real server."""

import contextlib
import http.client
import json
import threading
import time
import urllib.parse

import pyarrow as pa
import uvicorn

from explore.app import application
from explore.pages.views import address
from explore.stale import watch
from pipeline.space.space import Space
from pipeline.tables.corpus import IMAGES, POSTS
from pipeline.tables.details import DETAILS
from pipeline.tables.ocr import READ

USER = "<b onclick=alert(3)>=cmd/..\u202e?a=%41#" + "W" * 120
POST = (
    "</p><script>document.title='owned'</script><img src=\"http://evil.invalid/x.png\" onerror=alert(1)> "
    "tiger {{ 7 * 7 }}"
)
"""A user and a text that try to be more than words."""


class Served:
    """A server on a free port of the loopback, of a space in `folder`."""

    def __init__(self, folder, token=None):
        self.space = Space.open(folder / "data")
        self.app = application(self.space, folder / "metrics", token, watch(folder))
        config = uvicorn.Config(self.app, port=0, log_level="error", access_log=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def get(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), data

    def json(self, path):
        status, _, data = self.get(path)
        assert status == 200, (path, data[:300])
        return json.loads(data)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def serving(folder, token=None):
    served = Served(folder, token)
    try:
        yield served
    finally:
        served.server.should_exit = True
        served.thread.join(10)


def form(served, path, **fields):
    """Send a form as the page itself would."""
    body = urllib.parse.urlencode(fields).encode()
    kind = "application/x-www-form-urlencoded"
    return served.get(path, "POST", body, Origin=f"http://127.0.0.1:{served.port}", Content_Type=kind)


def pages(served):
    """An address of each kind of page, of things that are there and not."""
    library = served.space.library
    image, post, user = library.images[3].as_py(), library.post_ids[3].as_py(), library.users[0].as_py()
    query = urllib.parse.urlencode({"q": "tiger xyzzy + user:user-02", "least": "-1"})
    return [
        "/", f"/search?{query}", "/search?q=", "/users", "/users?begins=user-0", "/posts",
        "/posts?order=likes&side=train", "/clusters", "/cluster/0", "/cluster/0?side=test", "/about",
        "/map", "/marks", "/left_out",
        address("user", user), address("image", image), address("post", post), "/nowhere", "/user/eve",
    ]  # fmt: skip


def tell(folder, told):
    """As if the source told so much of the corpus's fourth post, and that the fifth answers it."""
    ids = POSTS.read(folder / "data/corpus/posts")["post_id"].to_pylist()
    details(folder, [{"post_id": ids[3], **told}, {"post_id": ids[4], "answers": ids[3]}])


def read(folder, text):
    """As if this text stood in the fourth image."""
    image = IMAGES.read(folder / "data/corpus/images", ["image_id"])["image_id"][3]
    row = {"image_id": image.as_py(), "text": text, "lines": 2, "score": 0.9}
    READ.write(pa.Table.from_pylist([row], READ.schema), folder / "data/images/words")


def details(folder, rows):
    """As if the source told these rows of DETAILS."""
    DETAILS.write(pa.Table.from_pylist(rows, DETAILS.schema), folder / "data/corpus/details")
