"""Chromium without a window, told by its DevTools protocol what to show and how."""

import asyncio
import base64
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # Nothing is fetched from anywhere: mail programs do not fetch either.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    *("--font-render-hinting=none", "--force-color-profile=srgb", "--remote-debugging-port=0"),
)
_PATIENCE = 60.0
_SHORTEST = 200


@dataclass(frozen=True, slots=True)
class Viewport:
    """How a page is looked at: ``width``, and how much of it at most, in CSS pixels."""

    width: int
    dark: bool = False
    phone: bool = False
    tallest: int = 16_000


@dataclass(slots=True)
class Browser:
    """One running browser. ``picture`` must not be called twice at a time."""

    _wire: ClientWebSocketResponse
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _events: set[str] = field(default_factory=set)

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, program: str, profile: Path, language: str) -> AsyncIterator["Browser"]:
        """Start ``program`` with a new ``profile``, in ``language``; it ends with the block."""
        process = await asyncio.create_subprocess_exec(
            *(program, *_FLAGS, f"--user-data-dir={profile}", f"--lang={language}", "about:blank"),
            env={**os.environ, "LANGUAGE": language.replace("-", "_")},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            file = profile / "DevToolsActivePort"
            port, path = await asyncio.to_thread(_address, file)
            url = f"ws://127.0.0.1:{port}{path}"
            async with ClientSession() as http, http.ws_connect(url, max_msg_size=0) as wire:
                yield cls(wire)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    async def picture(self, url: str, view: Viewport) -> bytes:
        """A PNG of the whole page at ``url``."""
        target, session = await self._new_page()
        metrics = {"width": view.width, "deviceScaleFactor": 1, "mobile": view.phone}
        await self._call("Emulation.setDeviceMetricsOverride", session, height=_SHORTEST, **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if view.dark else "light"}
        await self._call("Emulation.setEmulatedMedia", session, features=[scheme])
        self._events.clear()
        gone = await self._call("Page.navigate", session, url=url)
        assert "errorText" not in gone, gone
        await self._until("Page.loadEventFired")
        size = (await self._call("Page.getLayoutMetrics", session))["cssContentSize"]
        height = min(int(size["height"]), view.tallest)
        clip = {"x": 0, "y": 0, "width": view.width, "height": height, "scale": 1}
        shot = await self._call(
            "Page.captureScreenshot", session, captureBeyondViewport=True, clip=clip
        )
        await self._call("Target.closeTarget", targetId=target)
        return base64.b64decode(shot["data"])

    async def answer(self, url: str, *steps: str) -> Any:
        """What the last of ``steps`` (JavaScript) gives at ``url``, or at the page that a step
        before it leads to: each is asked until it gives something."""
        target, session = await self._new_page()
        await self._call("Page.navigate", session, url=url)
        found: Any = None
        for step in steps:
            give_up = time.monotonic() + _PATIENCE
            while not (found := await self._evaluated(session, step)):
                if time.monotonic() > give_up:
                    raise RuntimeError(f"{url}: never {step}")
                await asyncio.sleep(0.1)
        await self._call("Target.closeTarget", targetId=target)
        return found

    async def _evaluated(self, session: str, script: str) -> Any:
        try:
            told = await self._call("Runtime.evaluate", session, expression=script)
        except RuntimeError:  # the page has just gone
            return None
        return told["result"].get("value")

    async def _new_page(self) -> tuple[str, str]:
        made = await self._call("Target.createTarget", url="about:blank")
        target: str = made["targetId"]
        attached = await self._call("Target.attachToTarget", targetId=target, flatten=True)
        session: str = attached["sessionId"]
        await self._call("Page.enable", session)
        return target, session

    async def _call(self, method: str, session: str | None = None, **told: Any) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": told}
        await self._wire.send_json(message | ({"sessionId": session} if session else {}))
        while (heard := await self._hear()).get("id") != number:
            pass
        if "error" in heard:
            raise RuntimeError(f"{method}: {heard['error']}")
        return heard["result"]

    async def _until(self, event: str) -> None:
        while event not in self._events:
            await self._hear()

    async def _hear(self) -> Any:
        heard = await self._wire.receive_json(timeout=_PATIENCE)
        self._events.add(heard.get("method", ""))
        return heard


def _address(file: Path) -> list[str]:
    """Port and path, once the browser has written them."""
    give_up = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up:
        lines = file.read_text("ascii").split() if file.exists() else []
        if len(lines) == 2:
            return lines
        time.sleep(0.05)
    raise RuntimeError("the browser does not start")
