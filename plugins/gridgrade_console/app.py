"""The application: routes behind the login, headers on every answer, refusals as pages."""

import logging
import threading
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DBAPIError

from gridgrade_console import security
from gridgrade_console.pages import actions, customers, models, months, portfolio
from gridgrade_console.render import FOLDER, TEMPLATES
from pipeline import errors
from pipeline.console import pictures

log = logging.getLogger(__name__)

_STATUS = {
    errors.NotRatedError: 404,
    errors.NotPublishedError: 404,
    errors.MonthError: 400,
    errors.ActionError: 409,
    errors.ModelError: 409,
    errors.WarehouseUnavailableError: 503,
}
_HINTS = {
    401: "Log in to Airflow, then open this page again.",
    403: "Reading takes Airflow's permission to read the DAG service_actions, changing to trigger it.",
}


def create_app() -> FastAPI:
    """Every route is behind the login and the permission to read, but for /static, which holds no data."""
    app = FastAPI(
        title="Gridgrade console", docs_url=None, redoc_url=None, openapi_url=None, dependencies=security.READS
    )
    for page in (portfolio, customers, actions, models, months):
        app.include_router(page.router)
    app.add_api_route("/palette.css", _palette)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.add_exception_handler(errors.GridgradeError, _refused)
    for kind in (HTTPException, 404, 405):  # the latter two are also of routes that are not there
        app.add_exception_handler(kind, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_middleware(Headers)
    threading.Thread(target=_warm_up, name="gridgrade-console-warm-up", daemon=True).start()
    return app


class Headers:
    """The headers of ``security.HEADERS`` on every answer."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                extra = [(name.lower().encode(), value.encode()) for name, value in security.HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *(h for h in extra if h[0] not in own)]}
            await send(message)

        await self.app(scope, receive, with_headers)


def _warm_up() -> None:
    """What draws charts and what explains a customer take seconds to load: they are there before a person asks."""
    pictures.warm_up()
    import pipeline.grading.explain.explanation  # noqa: F401


def _palette() -> Response:
    """The colours of charts."""
    return Response(pictures.PALETTE, media_type="text/css")


def _refused(request: Request, error: Exception) -> HTMLResponse:
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 409)
    return _error(status, str(error))


def _http_error(request: Request, error: Any) -> HTMLResponse:
    return _error(error.status_code, str(error.detail))


def _wrong_request(request: Request, error: Any) -> HTMLResponse:
    first = error.errors()[0]
    return _error(422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")


def _database_error(request: Request, error: Exception) -> HTMLResponse:
    log.exception("a page could not be read from the warehouse")
    return _error(503, "the warehouse did not answer this page: the API server's log says why")


def _error(status: int, message: str) -> HTMLResponse:
    template = TEMPLATES.get_template("error.html")
    title = HTTPStatus(status).phrase
    return HTMLResponse(template.render(title=title, message=message, hint=_HINTS.get(status)), status)
