"""The stylesheet, the scripts and the icon: read once, compressed once, named by their content."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER: Final = Path(__file__).resolve().parents[1] / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# What changes gets another name.
_CACHE: Final = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


@dataclass(frozen=True, slots=True)
class _File:
    plain: bytes
    zipped: bytes
    media_type: str


class Statics:
    """The files of the folder ``static``."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._files: dict[str, _File] = {}
        for path, kind in _files():
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            served = f"{path.stem}.{digest}{path.suffix}"
            self._names[path.name] = served
            self._files[served] = _File(content, gzip.compress(content, mtime=0), kind)

    def path(self, name: str) -> str:
        """Where the file ``name`` is served, such as ``/static/console.0a1b2c3d4e5f.css``."""
        return f"/static/{self._names[name]}"

    def route(self) -> Route:
        """Serves each under its present name alone."""
        return Route("/static/{name}", self._serve, methods=["GET"])

    def _serve(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        headers = {**_CACHE, **({"Content-Encoding": "gzip"} if zipped else {})}
        body = file.zipped if zipped else file.plain
        return Response(body, headers=headers, media_type=file.media_type)


def _files() -> Iterator[tuple[Path, str]]:
    for path in sorted(_FOLDER.iterdir()):
        if kind := _TYPES.get(path.suffix):
            yield path, kind
