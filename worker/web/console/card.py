"""x."""

from worker.web.console.shell import Page, Shell


def pages(shell: Shell) -> list[Page]:
    """x."""
    return []
