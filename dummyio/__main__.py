"""``python -m dummyio``, and the program ``dummyio``.

Importing the commands takes longer than many a command. A signal meanwhile ends the program at once and without a trace: nothing
has been made that would have to be removed. After the command, one ends it with the exit code of the command, and while the
interpreter itself ends, which takes seconds with a framework, it has no effect.
"""

import atexit
import os
import signal
from contextlib import suppress
from types import FrameType

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def _end_at_signals(code: int | None = None) -> None:
    """Let signals end the program, with `code`, except those that are ignored: ``nohup`` and shells ask for this."""

    def end(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and code is None:
            with suppress(OSError):  # standard error may be closed
                os.write(2, b"interrupted: nothing was done.\n")
        os._exit(128 + number if code is None else code)

    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def _ignore_signals() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def main() -> None:
    """Run the command line, and exit with its code."""
    _end_at_signals()
    atexit.register(_ignore_signals)  # what is registered first runs last
    from dummyio.cli import main as run  # noqa: PLC0415 - lazy: handlers are installed before the slow imports

    try:
        run(prog_name="dummyio")
    except SystemExit as ended:
        _end_at_signals(ended.code if isinstance(ended.code, int) else 2)
        raise


if __name__ == "__main__":
    main()
