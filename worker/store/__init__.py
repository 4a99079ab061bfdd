"""The only truth: SQLAlchemy Core functions that take a connection. SQLite and PostgreSQL."""
