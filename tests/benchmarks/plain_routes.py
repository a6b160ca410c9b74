"""The registry's server, unchanged but that every write goes through FastAPI's own routes.

The server answers writes by their path alone, past the framework's routing; what that is
worth is the difference. Nobody but the benchmarks runs this program.
"""

from functools import partial

from api import front, server
from api.app import create_app

# On import, so that processes which this one may start do it too.
setattr(front, "create_app", partial(create_app, shortcut=False))  # noqa: B010

if __name__ == "__main__":
    server.main()
