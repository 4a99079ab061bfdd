"""The first page."""

from starlette.responses import Response

from worker.web.console.shell import Page, Shell
from worker.web.console.visit import Visit


def pages(shell: Shell) -> list[Page]:
    """x."""

    def look(visit: Visit) -> Response:
        return shell.page(visit, "failure", heading="x", advice="y", back=None, code=200)

    return [Page("GET", "/", look), Page("GET", "/cards", look)]
