"""`vigencia jobs`: long work that was asked for in the console or by a program."""

import sys
from typing import Any

import click

from worker.cli.output import as_json_option, print_json, print_table
from worker.cli.times import local
from worker.core.jobs import JobKind, JobProgress
from worker.errors import VigenciaError
from worker.setup.build import build_ready
from worker.store import jobs as job_store
from worker.store.engine import reading

_job = click.argument("job", type=click.IntRange(1, 2**63 - 1))


@click.group()
def jobs() -> None:
    """Show imports, forecasts and other long work."""


@jobs.command(name="list")
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, help="At most so many.")
@as_json_option
def list_(limit: int, as_json: bool) -> None:
    """List jobs, the newest first. What came of them is kept for a day, forecasts for a week."""
    app = build_ready()
    with reading(app.engine) as conn:
        rows = [_plain(row) for row in job_store.every(conn, tuple(JobKind), limit)]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("There is no job. They begin in the console: vigencia up")
        return
    zone = app.settings.book.time_zone
    print_table(
        ("id", "kind", "state", "asked", "by", "done", "what is wrong"),
        [
            (row["id"], row["kind"], row["state"], local(row["asked_at"], zone), row["asked_by"],
             f"{JobProgress(row['done'], row['total']).percent} %", _wrong(row))
            for row in rows
        ],
    )  # fmt: skip


@jobs.command()
@_job
@as_json_option
def show(job: int, as_json: bool) -> None:
    """Show JOB (its id) with what came of it."""
    app = build_ready()
    with reading(app.engine) as conn:
        row = job_store.find(conn, job)
    if row is None:
        raise VigenciaError(f"There is no job {job}.", "List them with: vigencia jobs list")
    found = _plain(row)
    if as_json:
        print_json(found)
        return
    step = f", {found['step']}" if found["step"] else ""
    click.echo(f"{found['kind']} {found['id']}: {found['state']}{step}")
    if found["error"]:
        click.echo(_wrong(found))
    if found["result"]:
        click.echo("With --json it shows what came of it.")


@jobs.command(hidden=True)
@_job
def work(job: int) -> None:
    """Work JOB in this process, as a worker has it done. Exit code: 0 if it was done."""
    from worker.processes.jobs.work import work as work_job

    sys.exit(0 if work_job(build_ready(), job) else 1)


def _plain(row: Any) -> dict[str, Any]:
    return dict(row._mapping)


def _wrong(row: dict[str, Any]) -> str:
    told = row["error"]
    return f"{told['message']} {told['hint']}".strip() if told else ""
