"""`vigencia up`: everything in one command."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from worker.cli.output import as_json_option, print_json


@click.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var"),
    show_default=True,
    help="Where the embedded queue keeps its log.",
)
@click.option("--quiet", is_flag=True, help="Print no line for each message that is sent.")
@as_json_option
def up(directory: Path, quiet: bool, as_json: bool) -> None:
    """Run the queue, the scheduler and the workers, until Ctrl-C.

    Each message that is sent is told in one line on stdout: when, to whom (masked), what about.

    With nothing configured this uses SQLite in ./var, an embedded queue server, and the sandbox
    instead of real providers. Where nobody else reaches the console, a link is printed that opens
    it signed in: once, within 15 minutes. SIGTERM and Ctrl-C let the workers finish what is in
    hand.
    """
    from worker.cli.console import own_link
    from worker.cli.run import stop_on_signals
    from worker.cli.sent_lines import SentLines
    from worker.paths import templates_dir
    from worker.processes.embedded import EmbeddedServer
    from worker.processes.queue_faults import QueueFaults
    from worker.processes.supervise import Web, run_all, web_address
    from worker.setup.broker import require_queue
    from worker.setup.build import build_ready
    from worker.setup.load_texts import try_texts
    from worker.setup.log import configure

    app = build_ready(serves=True)
    settings = app.settings
    configure(settings.log_level, settings.log_format, filters=[QueueFaults()])
    stopping = stop_on_signals()
    if app.gateways.sandboxed:
        prefixes = " and ".join(one.provider.prefix for one in app.gateways.own.values())
        banner = [
            "NO PROVIDER CREDENTIALS: nothing reaches a real phone or mailbox.",
            f"Everything is sent to the sandbox at {settings.sandbox.url}",
            f"What it received: {settings.sandbox.url}/sandbox/mailbox",
            f"To go live set the {prefixes} variables (see the README).",
        ]
        for line in ["!" * 78, *(f"!! {text}" for text in banner), "!" * 78]:
            click.secho(line, fg="yellow", bold=True, err=True)

    web_url = web_address(app)
    # Whoever runs this may read the database, and so may look at it in a browser.
    link = own_link(app, web_url)

    def opens() -> None:
        if link:
            click.secho(f"The console, once, within 15 minutes: {link}", bold=True, err=True)

    queue = EmbeddedServer(directory / "queue") if settings.redis_url is None else None
    url = require_queue(settings.redis_url) if queue is None else queue.url
    # The web process first: somebody waits for its pages, and trying all texts takes its time.
    with Web(app, web_url, url, opens):
        try_texts(templates_dir())
        with queue or nullcontext(), nullcontext() if quiet or as_json else SentLines(app):
            code = run_all(app, url, web_url, stopping)
    if as_json:
        print_json({"exit_code": code, "pid": os.getpid()})
    sys.exit(code)
