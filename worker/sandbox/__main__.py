"""``python -m worker.sandbox``: serve the sandbox in this process."""

import argparse
import json
import sys
from pathlib import Path

from worker.errors import VigenciaError
from worker.sandbox.credentials import HOST, PORT
from worker.sandbox.fault_rules import FaultRuleError, Rule, parse_rules
from worker.sandbox.server import serve
from worker.sandbox.state import SandboxOptions
from worker.sandbox.webhooks import Webhooks, is_here


def main() -> int:
    """Run until a signal; the exit code is 0, or that of the error told on stderr."""
    args = _arguments()
    try:
        settings = SandboxOptions(
            latency_ms=args.latency_ms,
            seed=args.seed,
            clock_file=args.clock_file,
            faults=args.faults,
            webhooks=Webhooks(events_url=args.events_url, inbound_url=args.inbound_url),
        )
        serve(args.host, args.port, settings, on_ready=lambda port: _tell(args.port_file, port))
    except VigenciaError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return error.exit_code
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m worker.sandbox",
        description="Serve a stand-in for the APIs of Twilio, Vonage and SendGrid.",
    )
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=PORT, help="0 picks a free one")
    parser.add_argument("--port-file", type=Path, help="where to write the real port")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every call")
    parser.add_argument("--seed", type=int, default=0, help="for the draws of the fault plan")
    parser.add_argument("--clock-file", type=Path, help="holds the present, ISO 8601")
    parser.add_argument("--faults", type=_rules, default=(), help="a JSON list of fault rules")
    parser.add_argument("--events-url", type=_here, help="takes the events of emails")
    parser.add_argument("--inbound-url", type=_here, help="takes what holders write")
    return parser.parse_args()


def _here(url: str) -> str:
    if not is_here(url):
        raise argparse.ArgumentTypeError("an http address on this machine")
    return url


def _rules(text: str) -> tuple[Rule, ...]:
    try:
        return parse_rules(json.loads(text))
    except (FaultRuleError, json.JSONDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{error}; it is a JSON list of rules") from error


def _tell(file: Path | None, port: int) -> None:
    """Write the port in one step, so that a reader never sees half of it."""
    if file is not None:
        part = file.with_name(f"{file.name}.part")
        part.write_text(str(port), encoding="ascii")
        part.replace(file)


if __name__ == "__main__":
    sys.exit(main())
