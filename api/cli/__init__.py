"""The command line: `tallystick <noun> <verb>`.

stdout is data, stderr is talk. Verifying commands are offline and import neither the
server nor a database; commands that write are derived from the table of kinds.
"""


def main() -> None:
    """Runs the command line."""
    from api.cli.app import app

    app()
