"""`vigencia web`: the process that providers and holders reach."""

import json

import click

from worker.cli.output import as_json_option


@click.command()
@click.option("--host", help="Address to listen on (default: web.host, 127.0.0.1).")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port; 0 takes a free one (default: PORT, else web.port, 8800).",
)
@as_json_option
def web(host: str | None, port: int | None, as_json: bool) -> None:
    """Take what providers report and what holders ask for by a link, until Ctrl-C.

    Stops on SIGTERM or Ctrl-C after answering what is in hand. Put it behind a server that speaks
    https and set web.public_url to the address of that.
    """
    from worker.processes.queue_faults import QueueFaults
    from worker.setup.build import build_ready
    from worker.setup.listening import address_of, listen
    from worker.setup.log import configure
    from worker.web.serve import serve

    app = build_ready(serves=True)
    own = app.settings
    configure(own.log_level, own.log_format, filters=[QueueFaults()])
    given = (port, own.port, own.web.port)
    with listen(host or own.web.host, next(p for p in given if p is not None)) as sock:
        url = address_of(sock)
        # Now: who started us may wait for this line, and connections wait for us from here on.
        click.echo(json.dumps({"url": url}) if as_json else f"Answers at {url}; Ctrl-C stops it.")
        serve(app, sock)
