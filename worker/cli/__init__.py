"""The command line: `vigencia COMMAND`. Commands are imported when they are used."""

import importlib
import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from worker import __version__
from worker.errors import VigenciaError
from worker.setup.terminal import in_colour, shows_all_letters, write_anything

# name: (module, attribute, one line of help). The help stands here so that `vigencia --help`
# imports no command.
_COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "demo": ("demo", "demo", "Watch 45 days of reminders for a sample card book."),
    "up": ("up", "up", "Run everything in one command, until Ctrl-C."),
    "once": ("run", "once", "Do what is due now, then exit (for cron)."),
    "scheduler": ("run", "scheduler", "Run the clock that finds what is due."),
    "worker": ("run", "worker", "Run the processes that check and send."),
    "web": ("web", "web", "Take what providers report and what links ask for."),
    "sandbox": ("run", "sandbox", "Serve the stand-in for the providers."),
    "db": ("db", "db", "Prepare the database."),
    "doctor": ("doctor", "doctor", "Say what is configured, reachable and missing."),
    "books": ("books", "books", "Show card books, and take them away."),
    "cards": ("cards", "cards", "Import and show cards."),
    "messages": ("messages", "messages", "Show messages, and decide about those that wait."),
    "jobs": ("jobs", "jobs", "Show imports, forecasts and other long work."),
    "suppressions": ("suppressions", "suppressions", "Show and change who is not written to."),
    "users": ("users", "users", "Say who may look at the console."),
    "console": ("console", "console", "Open the console without a password."),
    "retention": ("retention", "retention", "Erase what is older than it may be kept."),
    "lint": ("lint", "lint", "Check every text, operator pack, policy and word list."),
    "preview": ("preview", "preview", "Show a text as a holder would read it."),
    "promise": ("promise", "promise", "Account for every reminder that was owed."),
    "saves": ("saves", "saves", "Count what was renewed after a notice."),
    "storm": ("storm", "storm", "Prove the promise under kills and cuts (source tree only)."),
    "bench": ("bench", "bench", "Measure beside other designs (source tree only)."),
    "simulate": ("simulate", "simulate", "Tell what will be sent on which day; send nothing."),
}


# What a run of the program itself carries, and not a command that a test calls in its own process.
_PROGRAM = object()


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. What it logs goes to stderr: stdout is for its answer, which may be one
        JSON document."""
        if ctx.obj is _PROGRAM:
            from worker.setup.log import configure  # `vigencia --help` does without

            configure()
        return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"worker.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vigencia")
def cli() -> None:
    """Reminders that arrive before a prepaid SIM card or eSIM in Peru runs out.

    New here? `vigencia demo` shows it all; `vigencia doctor` says what is configured.
    """


def main() -> None:
    """Run a command; errors meant for people are printed without a traceback.

    Exit codes: 0 done, 1 the data or the world said no, 2 wrong usage.
    """
    write_anything()
    # Of its own, click knows whether there is a terminal and not what that wants.
    colour = None if in_colour(sys.stdout) else False
    try:
        cli.main(prog_name="vigencia", standalone_mode=True, color=colour, obj=_PROGRAM)
    except VigenciaError as error:
        _report(error)
        sys.exit(error.exit_code)


def _report(error: VigenciaError) -> None:
    if "--json" in sys.argv:
        told: dict[str, Any] = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
        }
        click.echo(json.dumps({"error": told}, ensure_ascii=not shows_all_letters(sys.stdout)))
        return
    colour = None if in_colour(sys.stderr) else False
    click.secho(f"Error: {error.message}", fg="red", err=True, color=colour)
    if error.hint:
        click.echo(f"  Next: {error.hint}", err=True)
