"""Who may ask, and what a browser is told to let no page do."""

import hmac
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Who may ask: this machine by its own name, or whoever has the token. Every answer gets HEADERS.

    A page elsewhere that calls itself by this machine's address (DNS rebinding) has another Host; a form of another
    site has another Origin.
    """

    def __init__(self, app: Any, token: str | None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                held = {name.lower() for name, _ in message["headers"]}
                extra = [(n.lower().encode(), v.encode()) for n, v in HEADERS.items() if n.lower().encode() not in held]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        refused = self._refused(request)
        await (refused or self.app)(scope, receive, send_with_headers)

    def _refused(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if self.token is None and host.rpartition(":")[0] not in ("127.0.0.1", "localhost", "[::1]"):
            return Response("This page answers only to 127.0.0.1 and localhost.", 403, media_type="text/plain")
        if request.method not in ("GET", "HEAD", "POST"):
            return Response("", 405)
        if request.method == "POST" and request.headers.get("origin") not in (f"http://{host}", f"https://{host}"):
            return Response("Forms from other sites are not accepted.", 403, media_type="text/plain")
        if self.token is not None:
            given = request.query_params.get("token")
            if given is not None and hmac.compare_digest(given.encode(), self.token.encode()):
                # Out of the address, into a cookie.
                rest = urlencode([(n, v) for n, v in request.query_params.multi_items() if n != "token"])
                answer = RedirectResponse(quote(request.scope["path"]) + (f"?{rest}" if rest else ""), 303)
                answer.set_cookie("token", self.token, httponly=True, samesite="strict")
                return answer
            if not hmac.compare_digest(request.cookies.get("token", "").encode(), self.token.encode()):
                return Response("This page needs its token: open the address that was printed.", 401,
                                media_type="text/plain")  # fmt: skip
        return None
