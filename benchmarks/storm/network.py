"""The network between us and the providers: a TCP proxy that can be cut and made slow."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

_PIECE = 64 * 1024


class Network:
    """Listens on a free port of 127.0.0.1 and passes everything on to ``port`` there.

    Runs in a thread of its own, from ``with`` to its end; ``cut`` and ``slow`` may be called from
    any thread.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._ready = threading.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._delay = 0.0
        self.port = 0
        self.broken = 0

    def __enter__(self) -> "Network":
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self, is_cut: bool) -> None:
        """Break every connection and refuse new ones, until it is mended again."""
        self._loop.call_soon_threadsafe(self._cut, is_cut)

    def slow(self, delay: float) -> None:
        """Let every piece of data take ``delay`` seconds more in each direction; 0 to end it."""
        self._delay = delay

    def _cut(self, is_cut: bool) -> None:
        self._is_cut = is_cut
        if is_cut:
            for writer in self._open:
                writer.transport.abort()
                self.broken += 1

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, "127.0.0.1", 0)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in (tasks := asyncio.all_tasks(self._loop)):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        with self._kept(writer), contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            with self._kept(far_writer):
                await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    @contextlib.contextmanager
    def _kept(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            self._open.discard(writer)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(_PIECE):
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(piece)
                await writer.drain()
        finally:
            # One side has ended: so does the other.
            writer.close()
