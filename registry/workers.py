"""Pythons of our own that do a part of the work, asked and answering over pipes.

A worker runs the function `serve` of a module. It gets pickles on standard input and answers
with pickles on standard output: they are between two processes of one program, and no file
and no network ever holds one.
"""

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from threading import Thread
from typing import Any, BinaryIO, Final, cast

# `-P`: nothing is imported from the directory in which somebody happens to stand, which may be
# what is verified. The parent's own path comes over the pipe. An interrupt is the parent's affair.
START: Final = (
    "import pickle, signal, sys\n"
    "from importlib import import_module\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "sys.path[:] = pickle.load(sys.stdin.buffer)\n"
    "import_module(sys.argv[1]).serve()\n"
)


class Worker:
    """One process and its two pipes; the one to it stays open for as long as it is wanted."""

    def __init__(self, module: str, *, what: str) -> None:
        """Starts a process.

        Args:
            module: Whose `serve` it runs.
            what: What it is called in an error.

        Raises:
            ChildProcessError: It ended at once.
        """
        self._what = what
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and program)
            [sys.executable, "-P", "-c", START, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._in = cast(BinaryIO, self._process.stdin)
        self._out = cast(BinaryIO, self._process.stdout)
        self.put(pickle.dumps(sys.path))

    def put(self, message: bytes) -> None:
        """Hands over a pickle.

        Raises:
            ChildProcessError: Nobody takes it.
        """
        try:
            self._in.write(message)
            self._in.flush()
        except OSError:
            raise self._failed() from None

    def get(self) -> Any:
        """Waits for an answer.

        Raises:
            ChildProcessError: There will be none.
        """
        try:
            return pickle.load(self._out)  # noqa: S301 (our own)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._failed() from None

    def end(self) -> None:
        """Ends the process, whatever it is doing, and waits for it."""
        self._process.kill()
        self._process.wait()
        self._out.close()
        # What it had not taken yet cannot be flushed.
        with suppress(OSError):
            self._in.close()

    def _failed(self) -> ChildProcessError:
        self._process.kill()
        status = self._process.wait()
        return ChildProcessError(f"{self._what} ended before its work, status {status}")


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Returns a worker's two pipes; whatever it prints by mistake does not get between answers."""
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    return incoming, outgoing


def end_when_unwanted() -> None:
    """Lets this process end when its parent closes the pipe; it must expect nothing more from it.

    The descriptor is read, not the buffer over it: Python cannot end while a thread waits in
    that one.
    """

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    Thread(target=wait, daemon=True).start()
