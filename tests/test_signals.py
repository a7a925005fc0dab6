"""When signals take effect."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest

from dummyio.signals import Terminated, handle_signals, hold_signals, is_handling_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(autouse=True)
def interruptible():
    """Where the tests run in the background, SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_held_signals_run_their_handlers_at_the_end():
    steps = []
    before = signal.signal(signal.SIGUSR1, lambda *_: steps.append("handled"))
    try:
        with hold_signals():
            signal.raise_signal(signal.SIGUSR1)
            steps.append("done")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert steps == ["done", "handled"]


def test_a_held_interrupt_is_raised_after_the_work_and_the_handler_is_restored():
    done = []
    with pytest.raises(KeyboardInterrupt), hold_signals():  # noqa: PT012 - a signal arrives later
        signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_hold_nothing():
    errors = []

    def hold():
        try:
            with hold_signals(), handle_signals():
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert errors == []


def wait_for_the_exception():
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass
    pytest.fail("No exception came within a minute.")


@pytest.mark.parametrize(
    ("number", "kind"), [("SIGINT", KeyboardInterrupt), ("SIGTERM", Terminated), ("SIGHUP", Terminated)]
)
def test_a_signal_becomes_an_exception_and_the_handlers_are_restored(number, kind):
    number = getattr(signal, number)
    if signal.getsignal(number) is signal.SIG_IGN:  # by the program that runs the tests, such as nohup
        signal.signal(number, signal.SIG_DFL)
    before = signal.getsignal(number)
    with handle_signals() as watch, pytest.raises(kind) as caught:  # noqa: PT012 - a signal arrives later
        assert is_handling_signals()
        os.kill(os.getpid(), number)
        wait_for_the_exception()
    assert watch.received == number
    assert kind is KeyboardInterrupt or caught.value.code == 128 + number
    assert signal.getsignal(number) == before
    assert not is_handling_signals()
    assert "dummyio-signals" not in [thread.name for thread in threading.enumerate()]


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with handle_signals() as watch:
        os.kill(os.getpid(), signal.SIGINT)
    assert watch.received == 0


@pytest.mark.slow
def test_an_exception_that_a_library_catches_is_raised_again():
    with handle_signals(), pytest.raises(KeyboardInterrupt):  # noqa: PT012 - a signal arrives later
        try:
            os.kill(os.getpid(), signal.SIGINT)
            wait_for_the_exception()
        except KeyboardInterrupt:
            pass
        wait_for_the_exception()


def test_an_exception_that_python_drops_is_raised_again_and_not_printed(capsys):
    class Thing:
        pass

    def callback(_):
        os.kill(os.getpid(), signal.SIGINT)
        wait_for_the_exception()

    with handle_signals(), pytest.raises(KeyboardInterrupt):  # noqa: PT012 - a signal arrives later
        thing = Thing()
        reference = weakref.ref(thing, callback)
        del thing
        gc.collect()
        assert reference() is None
        wait_for_the_exception()
    assert capsys.readouterr().err == ""


def test_clean_up_is_not_interrupted():
    steps = []
    with handle_signals(), pytest.raises(KeyboardInterrupt):  # noqa: PT012 - a signal arrives later
        try:
            os.kill(os.getpid(), signal.SIGINT)
            wait_for_the_exception()
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.2)
            steps.append("clean")
    assert steps == ["clean"]


def run(code, folder, *, seconds=0.0):
    """Run a script that prints "ready"; send SIGINT after that, and again after `seconds`."""
    (folder / "script.py").write_text(code)
    command = [sys.executable, "-u", "script.py"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stdout.readline() == "ready\n", job.stderr.read()
        job.send_signal(signal.SIGINT)
        if seconds:
            threading.Event().wait(seconds)
            job.send_signal(signal.SIGINT)
        output, errors = job.communicate(timeout=60)
    return job.returncode, output, errors


START = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = ["site-packages"]
from dummyio.signals import handle_signals
"""


def test_an_interrupt_waits_for_the_import_of_a_library(tmp_path):
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "framework.py").write_text(
        "import time\nprint('ready')\nend = time.monotonic() + 0.5\nwhile time.monotonic() < end: pass\nprint('imported')\n"
    )
    code, output, errors = run(f"{START}with handle_signals():\n    import framework\n    time.sleep(60)\n", tmp_path)
    assert output == "imported\n"
    assert "KeyboardInterrupt" in errors
    assert code == -signal.SIGINT


def test_an_interrupt_does_not_wait_for_a_module_of_the_user(tmp_path):
    (tmp_path / "mine.py").write_text("import time\nprint('ready')\ntime.sleep(60)\nprint('imported')\n")
    code, output, _ = run(f"{START}with handle_signals():\n    import mine\n", tmp_path)
    assert output == ""
    assert code == -signal.SIGINT


@pytest.mark.slow
def test_a_second_signal_ends_native_code_that_does_not_return(tmp_path):
    native = "    threading.Timer(0.3, print, ['ready']).start()\n    hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)\n"
    code, _, errors = run(f"{START}import hashlib, threading\nwith handle_signals():\n{native}", tmp_path, seconds=1.5)
    assert (code, errors) == (130, "")


@pytest.mark.filterwarnings("ignore:.*fork")
def test_the_signals_of_a_forked_process_are_its_own():
    with handle_signals() as watch:
        child = os.fork()
        if child == 0:
            os._exit(0 if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert watch.received == 0
