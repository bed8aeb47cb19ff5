"""The console in Airflow's navigation.

Every process of Airflow loads this module; only the first page that the API server is asked for loads more.
"""

import asyncio
import threading
from typing import Any

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/gridgrade"
_ICONS = f"{PREFIX}/static"


class LazyApp:
    """An ASGI application that is made when it is first asked for something."""

    def __init__(self) -> None:
        self._app: Any = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            await asyncio.to_thread(self._make)
        await self._app(scope, receive, send)

    def _make(self) -> None:
        from gridgrade_console.app import create_app

        with self._lock:
            if self._app is None:
                self._app = create_app()


class GridgradeConsole(AirflowPlugin):
    """Pages of the month's grades, customers, actions and models, behind Airflow's own login."""

    name = "gridgrade_console"
    fastapi_apps = [  # noqa: RUF012 as Airflow declares it
        {"app": LazyApp(), "url_prefix": PREFIX, "name": "Gridgrade console"}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Gridgrade",
            "href": f"{PREFIX.removeprefix('/')}/",
            "destination": "nav",
            "url_route": "gridgrade",
            "icon": f"{_ICONS}/icon.svg",
            "icon_dark_mode": f"{_ICONS}/icon-dark.svg",
        }
    ]
