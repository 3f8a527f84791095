"""Migrations of the platform's database, run by Alembic when a server, worker or command opens it."""
