"""The commands that run: once, scheduler, worker, sandbox."""

import asyncio
import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from datetime import datetime

import click

from worker.cli.output import InstantParam, as_json_option, print_json


@click.command()
@click.option("--now", type=InstantParam(), help="Do what is due at this instant instead of now.")
@as_json_option
def once(now: datetime | None, as_json: bool) -> None:
    """One tick, then work until nothing is due, then exit.

    For cron and for tests: needs no queue server. What failed for a reason that passes is tried
    again by a later run. Exit code 1 if a message failed for good.
    """
    from worker.errors import VigenciaError
    from worker.processes.clock_guard import guard_of
    from worker.processes.once import run_once
    from worker.processes.queue_faults import QueueFaults
    from worker.setup.build import build_ready, require_sandbox
    from worker.setup.log import configure

    app = build_ready(serves=True)
    configure(app.settings.log_level, app.settings.log_format, filters=[QueueFaults()])
    require_sandbox(app)
    if now is None and (ahead := guard_of(app).ahead()):
        raise VigenciaError(
            f"This machine's clock is {round(ahead.total_seconds())} s ahead of all others.",
            "Let it follow a time server (timedatectl); nothing was checked or sent.",
        )
    _ = app.content  # one that is wrong is told before anything is begun
    report = asyncio.run(run_once(app, now))
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(
            f"{report.checked} cards checked, {report.reminders} reminders written, "
            f"{report.sent} messages sent, {report.retryable} to try again, "
            f"{report.unknown} unknown, {report.failed} failed ({report.seconds} s)."
        )
    sys.exit(1 if report.failed else 0)


@click.command()
@click.option("--ticks", type=click.IntRange(1), help="Stop after this many looks.")
@as_json_option
def scheduler(ticks: int | None, as_json: bool) -> None:
    """Run the clock: find what is due and hand it to the workers.

    Any number of schedulers may run on one database. Stops on SIGTERM or Ctrl-C.
    """
    from worker.monitoring.metrics_page import show_metrics
    from worker.processes.actors import Hints
    from worker.processes.queue_faults import QueueFaults
    from worker.processes.scheduler import run
    from worker.setup.broker import open_broker, require_queue
    from worker.setup.build import build_ready
    from worker.setup.log import configure

    app = build_ready(serves=True)
    configure(app.settings.log_level, app.settings.log_format, filters=[QueueFaults()])
    queue_url = require_queue(app.settings.redis_url)
    hints = Hints(open_broker(queue_url), app)
    show_metrics(app, queue_url)
    found = run(app, hints, stop_on_signals(), ticks)
    if as_json:
        print_json(asdict(found))


@click.command()
@click.option("--processes", "-p", type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--threads", "-t", type=click.IntRange(1, 64), help="Queue messages at once in each.")
@click.option(
    "--queues",
    "-Q",
    multiple=True,
    type=click.Choice(["checks", "sms", "email", "reconcile", "jobs"]),
    help="Serve only these queues (default: all).",
)
@as_json_option
def worker(
    processes: int | None, threads: int | None, queues: tuple[str, ...], as_json: bool
) -> None:
    """Run the processes that check cards and send messages.

    Needs REDIS_URL. On SIGTERM they finish what is in hand; what they cannot finish is found and
    settled by the others.
    """
    from worker.processes.workers import serve, tune

    tune()
    from worker.setup.broker import require_queue
    from worker.setup.build import build_ready, require_sandbox

    app = build_ready(serves=True)
    require_queue(app.settings.redis_url)
    require_sandbox(app)
    _ = app.content  # all processes have it from here
    own = app.settings.worker
    _ = app.content  # compiled here once, and not in each worker process
    app.engine.dispose()
    code = serve(
        processes or own.processes,
        threads or own.threads,
        own.shutdown_seconds,
        queues,
        metrics=app.settings.metrics.worker_port > 0,
    )
    if as_json:
        print_json({"exit_code": code})
    sys.exit(code)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
@click.option("--latency-ms", type=click.FloatRange(0), default=0.0, help="Delay of each answer.")
@click.option("--seed", type=int, default=0, help="Makes random faults repeatable.")
@click.option(
    "--faults",
    help="JSON list of fault rules, such as "
    '[{"channel": "sms", "kind": "rate_limit", "rate": 0.1}].',
)
@click.option("--events-url", help="Address on this machine that takes the events of emails.")
@click.option("--inbound-url", help="Address on this machine that takes what holders write.")
@as_json_option
def sandbox(
    host: str,
    port: int | None,
    latency_ms: float,
    seed: int,
    faults: str | None,
    events_url: str | None,
    inbound_url: str | None,
    as_json: bool,
) -> None:
    """Serve the stand-in for the providers' APIs, until Ctrl-C.

    Its mailbox, /sandbox/mailbox, lists what each number and address received.
    """
    from worker.sandbox.credentials import PORT, SHOWN
    from worker.sandbox.fault_rules import FaultRuleError, parse_rules
    from worker.sandbox.server import serve
    from worker.sandbox.state import SandboxOptions
    from worker.sandbox.webhooks import Webhooks, WebhooksError, changed

    try:
        rules = parse_rules(json.loads(faults)) if faults else ()
    except (FaultRuleError, json.JSONDecodeError) as error:
        raise click.BadParameter(str(error), param_hint="--faults") from None
    try:
        webhooks = changed(Webhooks(), {"events_url": events_url, "inbound_url": inbound_url})
    except WebhooksError as error:
        raise click.UsageError(str(error)) from None

    def ready(at: int) -> None:
        url = f"http://{host}:{at}"
        if as_json:
            # One line at once: whoever started us waits for it.
            click.echo(json.dumps({"url": url, "mailbox": f"{url}/sandbox/mailbox"}))
            return
        click.echo(f"The sandbox answers at {url} (mailbox: {url}/sandbox/mailbox).")
        for line in SHOWN:
            click.echo(f"  {line}")
        click.echo("Vigencia without provider credentials sends here. Ctrl-C stops it.")

    settings = SandboxOptions(latency_ms=latency_ms, seed=seed, faults=rules, webhooks=webhooks)
    serve(host, PORT if port is None else port, settings, on_ready=ready)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C ends the process at once."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: object) -> None:
        if stopping.is_set():
            os._exit(130)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
