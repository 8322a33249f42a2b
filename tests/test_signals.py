"""Handlers of signals: messages, cleanups, and blocks that redirect, defer or confirm signals."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from allocsim import __main__, signals
from allocsim.signals import (
    InterruptConfirmed,
    SignalsDeferred,
    SignalsRedirected,
    handle_signals,
    interrupt_message,
    on_interrupt,
)
from tests.cli.running import default_signals


class Exited(Exception):
    """Raised instead of ending the process."""


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Handle signals as allocsim does, but raise Exited where the process would end."""

    def end(status: int) -> None:
        raise Exited(status)

    before = {number: signal.getsignal(number) for number in signals.MESSAGES}
    monkeypatch.setattr(os, "_exit", end)
    for number in before:  # a background job inherits an ignored SIGINT
        signal.signal(number, signal.SIG_DFL)
    handle_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handled")
def test_cleanups_run_in_reverse_order(capfd: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def fail() -> None:
        done.append("failed")
        raise OSError

    with on_interrupt(lambda: done.append("never")):
        pass
    with (
        on_interrupt(lambda: done.append("first")),
        on_interrupt(fail),
        on_interrupt(lambda: done.append("last")),
        pytest.raises(Exited, match="130"),
    ):
        signal.raise_signal(signal.SIGINT)
    assert done == ["last", "failed", "first"]
    assert capfd.readouterr().err == "allocsim: error: interrupted\n"


@pytest.mark.usefixtures("handled")
def test_message_says_how_far_the_run_got(capfd: pytest.CaptureFixture[str]) -> None:
    with interrupt_message(lambda: "after 7 events"), pytest.raises(Exited, match="143"):
        signal.raise_signal(signal.SIGTERM)
    assert capfd.readouterr().err == "allocsim: error: terminated after 7 events\n"


@pytest.mark.usefixtures("handled")
def test_redirected_signals_end_the_process_after_the_block() -> None:
    came: list[int] = []
    with SignalsRedirected(came.append):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)
    assert came == [signal.SIGINT, signal.SIGHUP]
    with pytest.raises(Exited):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("handled")
def test_deferred_signal_takes_effect_after_the_block() -> None:
    done: list[str] = []

    def interrupted() -> None:
        with SignalsDeferred():
            signal.raise_signal(signal.SIGTERM)
            done.append("the block")

    with pytest.raises(Exited, match="143"):
        interrupted()
    assert done == ["the block"]
    with pytest.raises(Exited):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("handled")
def test_first_interrupt_warns_and_the_second_ends_the_process(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with InterruptConfirmed("nearly done"):
        signal.raise_signal(signal.SIGINT)
        assert capfd.readouterr().err == "\nallocsim: nearly done\n"
        with pytest.raises(Exited):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(Exited):
        signal.raise_signal(signal.SIGINT)


def test_second_signal_without_a_handler_in_python_has_its_default_effect() -> None:
    code = (
        "import signal; from allocsim.signals import InterruptConfirmed\n"
        "with InterruptConfirmed('nearly done'):\n"
        "    signal.raise_signal(15); signal.raise_signal(15); print('alive')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, b"")
    assert ended.stderr == b"\nallocsim: nearly done\n"


ENDING = """
import os, signal, threading, time
from allocsim.signals import SignalsDeferred, handle_signals, on_interrupt
handle_signals()
in_block, ending = threading.Event(), threading.Event()
def late():
    with SignalsDeferred():
        in_block.set()
        time.sleep(0.2)
        os.write(1, b"the block, ")
    ending.wait()
    with SignalsDeferred():
        os.write(1, b"another block, ")
def clean_up():
    ending.set()
    time.sleep(0.2)
    with SignalsDeferred():
        os.write(1, b"the cleanup")
with on_interrupt(clean_up):
    threading.Thread(target=late, daemon=True).start()
    in_block.wait()
    signal.raise_signal(signal.SIGTERM)
"""
"""A process that is ended while another of its threads is in a block of SignalsDeferred."""


FORK = """
import os, threading
from allocsim.signals import SignalsDeferred
began, done = threading.Event(), threading.Event()
def defer():
    with SignalsDeferred():
        began.set()
        done.wait()
thread = threading.Thread(target=defer)
thread.start()
began.wait()
child = os.fork()
if child == 0:
    with SignalsDeferred():
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
"""


def test_forked_child_can_defer_signals_while_another_thread_of_the_parent_does() -> None:
    command = (sys.executable, "-W", "ignore", "-c", FORK)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "7\n"


def test_process_ends_after_the_block_of_another_thread_which_begins_no_further_block() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, check=False, preexec_fn=default_signals
    )
    assert (ended.returncode, ended.stdout) == (143, b"the block, the cleanup"), ended.stderr


@pytest.mark.parametrize("context", [SignalsDeferred(), InterruptConfirmed("nearly done")])
def test_signals_in_another_thread_stay_as_they_are(context: SignalsRedirected) -> None:
    def handler_in_block() -> object:
        with context:
            return signal.getsignal(signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(handler_in_block).result() is handler


@pytest.mark.usefixtures("handled")
def test_interrupt_after_the_run_changes_nothing() -> None:
    signals.ignore_signals()
    signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("handled")
def test_interrupt_that_python_has_not_acted_on_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def pending(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "_signal", SimpleNamespace(getsignal=pending, SIGINT=2))
    with pytest.raises(Exited, match="130"):
        __main__.end_quietly_on_interrupt()
