"""Moving a database between versions of the schema."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from worker.store.engine import writing
from worker.store.migrate import head


def move(engine: Engine, revision: str) -> None:
    """Migrate to ``revision``, such as "0013" or "head", from wherever the database is."""
    config = Config()
    config.set_main_option("script_location", "worker.store:migrations")
    steps = command.upgrade if revision in ("head", head()) else command.downgrade
    with writing(engine) as conn:
        config.attributes["connection"] = conn
        steps(config, revision)
