"""Lets every test of stores ask for a PostgreSQL."""

from tests.postgres import postgres

__all__ = ["postgres"]
