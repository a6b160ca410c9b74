"""What a server is told when it starts; nothing is read from anywhere else."""

from dataclasses import dataclass
from pathlib import Path

from registry.ids import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server of one ledger.

    Attributes:
        origin: The log's name.
        database: `sqlite:///path`; `memory:` keeps nothing.
        directory: Where the log key (`log-key.pem`) and the signer's memory
            (`signed.json`) are kept, apart from the database.
        host: Address to listen at.
        port: Port to listen at; 0 takes a free one.
        port_file: Where to write the port once requests are answered; none if None.
        stop_seconds: How long requests may take to end when the server is told to stop.
        waiting_max: Statements that may wait for the writer before it says that it is busy.
        fronts: Processes that answer HTTP and admit statements, before the one that writes; with
            0 that process does everything.
    """

    origin: Origin
    database: str
    directory: Path
    host: str = "127.0.0.1"
    port: int = 0
    port_file: Path | None = None
    stop_seconds: int = 5
    waiting_max: int = 8_192
    fronts: int = 0
