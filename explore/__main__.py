"""`make explore`: serve the page over the tables of a run. `python -m explore --help`.

It listens on 127.0.0.1 alone. Elsewhere it needs a token (`--host 0.0.0.0 --token …`, or $EXPLORE_TOKEN), without which
it refuses: whoever reaches the port could read all posts.
"""

import argparse
import io
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import uvicorn
from PIL import Image

from explore.app import application
from explore.stale import watch
from pipeline.running.errors import UserError
from pipeline.running.utf8 import entry
from pipeline.space.space import KINDS, Space

LOCAL = ("127.0.0.1", "localhost", "::1")
LEAST = 16
"""Letters that a token has at least."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C; exit status 1, and one sentence, where that cannot be."""
    begun = time.perf_counter()
    asked = argparse.ArgumentParser(
        "python -m explore", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("data", nargs="?", type=Path, default=Path("data"), help="folder of a run's tables")
    asked.add_argument("--host", default="127.0.0.1")
    asked.add_argument("--port", type=int, default=8765, help="0: any that is free")
    asked.add_argument("--token", default=os.environ.get("EXPLORE_TOKEN"), help="needed for any host but 127.0.0.1")
    given = asked.parse_args(arguments)
    try:
        token = _token(given.host, given.token)
        space = Space.open(given.data)
        for kind in KINDS:
            space.prepare(kind)
        home = given.data.resolve().parent
        stale = watch(home)
        if told := stale():
            sys.stderr.write(f"explore: {told}\n")
        app = application(space, home / "metrics", token, stale)
        listening = _listen(given.host, given.port)
    except UserError as error:
        sys.stderr.write(f"explore: {error}\n")
        return 1
    address = f"http://{given.host}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else "")
    took = time.perf_counter() - begun
    warming = threading.Thread(target=_warm, args=(space,), daemon=True)
    with suppress(KeyboardInterrupt):  # which uvicorn raises anew when it has ended
        sys.stdout.write(f"Explore: {address}   (ready in {took:.1f} s; Ctrl-C ends it)\n")
        sys.stdout.flush()
        # The first text and picture need the model, and torch takes seconds to load. Meanwhile pages can be read.
        warming.start()
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False))
        server.run(sockets=[listening])
    if warming.is_alive():  # in libraries that abort where Python ends under them
        os._exit(0)
    return 0


def _token(host: str, token: str | None) -> str | None:
    if host in LOCAL:
        return token or None
    if not token or len(token) < LEAST:
        raise UserError(
            f"--host {host} lets others read all posts; give a --token of {LEAST} letters or more, or leave --host out."
        )
    return token


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot listen on {host}:{port} ({why}); --port chooses another, 0 any that is free."
        ) from None


def _warm(space: Space) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64)).save(picture, "PNG")
    for kind, words, shown in ("texts", "warm", None), ("pictures", "", picture.getvalue()):
        try:
            space.ask(words, shown)
        except UserError as error:
            sys.stderr.write(f"explore: {kind} cannot be asked: {error}\n")


if __name__ == "__main__":
    entry(main)
