"""Lets every test of stores ask for a PostgreSQL, and ends it afterwards."""

from tests.postgres import postgres, servers

__all__ = ["postgres", "servers"]
