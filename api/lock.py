"""One server for one directory: a lock that ends with the process that holds it.

The log key and the signer's memory are files of one process. A second one on the same
machine is refused here, before it takes the writer's lease from the first; one on another
machine is not seen, and the lease alone decides between the two.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DirectoryInUseError(OSError):
    """Another process serves from the directory."""

    def __init__(self, *, directory: Path, pid: str) -> None:
        """Names the directory, and the process that has it."""
        self.directory = directory
        self.pid = pid
        super().__init__(f"{directory} is in use by process {pid}")


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Holds a directory; its file `lock` names the process for whoever asks.

    The file stays: it is the lock on it that counts, and the system ends that with the
    process, however it ends.

    Raises:
        DirectoryInUseError: Another process holds it.
        OSError: The directory cannot be made or written to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # Opened to append: a process that is refused must not empty the file.
    with (directory / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DirectoryInUseError(directory=directory, pid=file.read().strip()) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
