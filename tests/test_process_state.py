"""Changes of the process's state: seen by their own thread only, one thread at a time, restored in any case."""

import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
import types
import warnings

import pytest

from dummyio.process_state import (
    hide_state,
    hold_process_state,
    ignore_warnings,
    replace_attributes,
    replace_functions,
    silence_thread,
    undo_at_end,
)


def in_thread(action):
    results = []
    thread = threading.Thread(target=lambda: results.append(action()))
    thread.start()
    thread.join()
    return results[0]


def make_owner():
    return types.SimpleNamespace(read=lambda: "original", number=1)


def test_a_function_is_replaced_in_this_thread_only():
    owner = make_owner()
    original = owner.read
    with replace_functions(owner, read=lambda: "other"):
        assert owner.read() == "other"
        assert in_thread(owner.read) == "original"
    assert owner.read is original


def test_a_method_of_a_class_is_replaced_in_this_thread_only():
    class Owner:
        def read(self, value):
            return self, value

    owner, original = Owner(), Owner.read
    with replace_functions(Owner, read=lambda self, value: "other"):
        assert owner.read(1) == "other"
        assert in_thread(lambda: owner.read(1)) == (owner, 1)
    assert Owner.read is original


def test_a_state_is_hidden_from_other_threads():
    state = {"exports": False}
    owner = types.SimpleNamespace(exports=lambda: state["exports"])
    with hide_state(owner, "exports"):
        state["exports"] = True
        assert owner.exports()
        assert in_thread(owner.exports) is False


def test_a_second_thread_waits():
    order = []

    def change(name):
        with hold_process_state():
            order.append(name)
            time.sleep(0.05)
            order.append(name)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order[::2] == order[1::2]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_everything_is_restored_after_an_exception(error):
    owner, filters = make_owner(), list(warnings.filters)
    before = dict(vars(owner)), sys.stderr, logging.Logger.callHandlers
    with (  # noqa: PT012 - the exception is raised in all of these contexts
        pytest.raises(error),
        replace_attributes(owner, number=2, added=3),
        replace_functions(owner, read=lambda: "other"),
        silence_thread(("x",)),
    ):
        assert vars(owner)["added"] == 3
        raise error
    assert (dict(vars(owner)), sys.stderr, logging.Logger.callHandlers) == before
    assert list(warnings.filters) == filters


def test_an_interrupt_while_it_is_undone_does_not_stop_that():
    calls = []

    def undo():
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), undo_at_end(undo):
        pass
    assert len(calls) == 2


def test_a_filter_is_removed_if_another_thread_copied_the_filters():
    inside, leave = threading.Event(), threading.Event()

    def catch():
        with warnings.catch_warnings():
            inside.set()
            leave.wait()

    before = list(warnings.filters)
    thread = threading.Thread(target=catch)
    with ignore_warnings():
        thread.start()
        inside.wait()
    leave.set()
    thread.join()
    assert list(warnings.filters) == before


SCRIPT = """
    import os, sys, threading
    from dummyio_tensorflow.calling.silence import silence_output

    def report():
        print("other thread out")
        print("other thread error", file=sys.stderr)

    streams = sys.stdout, sys.stderr
    with silence_output():
        os.write(1, b"native out")
        os.write(2, b"native error")
        print("this thread out")
        print("this thread error", file=sys.stderr)
        thread = threading.Thread(target=report)
        thread.start()
        thread.join()
    assert (sys.stdout, sys.stderr) == streams
    print("after")
"""


def test_output_of_native_code_is_dropped_and_that_of_other_threads_is_kept():
    pytest.importorskip("tensorflow")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "other thread out\nafter\n"
    assert "other thread error" in done.stderr
    assert "native" not in done.stderr
    assert "this thread" not in done.stderr
