"""`vigencia doctor`: what is configured, reachable and missing, and what to do."""

import sys
from dataclasses import asdict

import click

from worker.cli.output import as_json_option, print_json

_MARKS = {"ok": ("ok  ", "green"), "warning": ("warn", "yellow"), "error": ("FAIL", "red")}


@click.command()
@as_json_option
def doctor(as_json: bool) -> None:
    """Say what is configured, reachable and missing, and what to do about it.

    Exit code 1 if something would keep Vigencia from running.
    """
    from worker.health import examine

    findings = examine()
    failed = any(f.state == "error" for f in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(f) for f in findings]})
    else:
        for finding in findings:
            mark, color = _MARKS[finding.state]
            click.echo(f"{click.style(mark, fg=color)}  {finding.name:13} {finding.message}")
            if finding.hint:
                click.echo(f"{'':19} Next: {finding.hint}")
    sys.exit(1 if failed else 0)
