"""`vigencia doctor`: what is configured, reachable and missing, and what to do."""

import json
import sys
from dataclasses import asdict
from typing import NoReturn

import click

from worker.cli.live import PARTS, living

_MARKS = {"ok": ("ok  ", "green"), "warning": ("warn", "yellow"), "error": ("FAIL", "red")}


@click.command()
@click.option("--online", is_flag=True, help="Ask the providers too; nothing is sent.")
@click.option(
    "--live",
    type=click.Choice(PARTS),
    is_flag=False,
    flag_value="any",
    help="Only ask a running process whether it lives: cheap, for health checks.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def doctor(online: bool, live: str | None, as_json: bool) -> None:
    """Say what is configured, reachable and missing, and what to do about it; changes nothing.

    Exit code 1 if something would keep Vigencia from running. With --live (or --live web, worker,
    scheduler) nothing is examined: exit code 0 if the process on this machine answers on its port
    (web.port, metrics.worker_port, metrics.scheduler_port), for any of them if none is named.
    """
    if live is not None:
        _tell_live(live, as_json)
    from worker.processes.doctor.examination import examine

    findings = examine(online=online)
    failed = any(f.state == "error" for f in findings)
    if as_json:
        from worker.cli.output import print_json

        print_json({"ok": not failed, "checks": [asdict(f) for f in findings]})
    else:
        for finding in findings:
            mark, color = _MARKS[finding.state]
            click.echo(f"{click.style(mark, fg=color)}  {finding.name:13} {finding.message}")
            if finding.hint:
                click.echo(f"{'':19} Next: {finding.hint}")
    sys.exit(1 if failed else 0)


def _tell_live(part: str, as_json: bool) -> NoReturn:
    answers = living(part)
    if as_json:
        click.echo(json.dumps({"live": any(answers.values()), "answers": answers}))
    else:
        for name, lives in answers.items():
            click.echo(f"{name}: {'lives' if lives else 'no answer'}")
    sys.exit(0 if any(answers.values()) else 1)
