"""Run by Alembic: migrates over the connection that ``migrate.upgrade`` hands in."""

from alembic import context

from worker.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite can change a table only by copying it
)
with context.begin_transaction():
    context.run_migrations()
