"""`python -m benchmarks.strain`: the cases in one go, with a verdict each."""

import json
import sys
from dataclasses import asdict

import click

from benchmarks.strain.cases import CASES, CaseResult
from benchmarks.strain.stage import stage


@click.command()
@click.option("--case", "cases", default=",".join(CASES), help="Which, with commas between them.")
@click.option("--scale", type=click.FloatRange(0.01, 50), default=0.2, help="1: 10,000 or so.")
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), default="postgresql")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def main(cases: str, scale: float, database: str, as_json: bool) -> None:
    """Play what goes wrong at scale, on the real program. Exit code 1 if something did not hold."""
    wanted = cases.split(",")
    if unknown := set(wanted) - set(CASES):
        raise click.UsageError(f"no such case: {', '.join(sorted(unknown))}")
    verdicts = []
    for name in wanted:
        with stage(database) as here:
            verdicts.append(CASES[name](here, scale))
        if not as_json:
            _tell(verdicts[-1])
    if as_json:
        click.echo(json.dumps([asdict(one) for one in verdicts], indent=1, default=str))
    sys.exit(1 if any(one.broken for one in verdicts) else 0)


def _tell(one: CaseResult) -> None:
    click.echo(f"{one.case}: {'; '.join(f'NOT: {what}' for what in one.broken) or 'holds'}")
    for name, value in one.seen.items():
        click.echo(f"  {name}: {value}")


if __name__ == "__main__":
    main()
