"""The sandbox as an HTTP server."""

import asyncio
import signal
from collections.abc import Callable
from datetime import UTC
from email.utils import format_datetime

from aiohttp import web

from worker.errors import ConfigError
from worker.sandbox import admin_api, sendgrid_api, twilio_api, vonage_api
from worker.sandbox.state import SANDBOX, Sandbox, SandboxOptions

# A held connection (a timeout fault) must not hold up the end of the process.
_SHUTDOWN_S = 0.2


def build_app(settings: SandboxOptions) -> web.Application:
    """The whole application; raises ``ConfigError`` when the clock file cannot be read."""
    app = web.Application(client_max_size=sendgrid_api.BODY_LIMIT + 1)
    app[SANDBOX] = Sandbox(settings)
    app.on_cleanup.append(_end_callbacks)
    app.on_response_prepare.append(_date)
    apis = (admin_api, twilio_api, vonage_api, sendgrid_api)
    app.add_routes([route for api in apis for route in api.routes()])
    return app


async def _date(request: web.Request, response: web.StreamResponse) -> None:
    """The provider's own time of day stands in each of its answers."""
    sandbox = request.app[SANDBOX]
    now = sandbox.account.told(sandbox.clock.now())
    response.headers["Date"] = format_datetime(now.astimezone(UTC), usegmt=True)


async def _end_callbacks(app: web.Application) -> None:
    await app[SANDBOX].callbacks.close()


async def start(host: str, port: int, settings: SandboxOptions) -> tuple[web.AppRunner, int]:
    """Listen, and return the runner (to ``cleanup()``) with the real port; port 0 picks one.

    Raises ``ConfigError`` when the address cannot be had.
    """
    runner = web.AppRunner(
        build_app(settings), access_log=None, shutdown_timeout=_SHUTDOWN_S, handle_signals=False
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(
            f"The sandbox cannot listen on {host}:{port}: {error.strerror}",
            hint="Another process may hold the port; port 0 picks a free one.",
        ) from error
    return runner, int(runner.addresses[0][1])


def serve(
    host: str,
    port: int,
    settings: SandboxOptions,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; ``on_ready`` gets the real port once it answers.

    Prints nothing. To be called from the main thread, which is where signals arrive.
    """
    asyncio.run(_serve(host, port, settings, on_ready))


async def _serve(
    host: str, port: int, settings: SandboxOptions, on_ready: Callable[[int], None] | None
) -> None:
    runner, real_port = await start(host, port, settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        if on_ready is not None:
            on_ready(real_port)
        await stop.wait()
    finally:
        await runner.cleanup()
