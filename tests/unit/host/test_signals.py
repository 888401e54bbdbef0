# SPDX-License-Identifier: GPL-3.0-only
"""SIGTERM and SIGHUP leave every block on their way out."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest

from harness.host.signals import Interrupted, terminate_on_signals


def be_interrupted(number: signal.Signals, left: list[str]) -> None:
    with terminate_on_signals(), ExitStack() as stack:
        stack.callback(left.append, "outer")
        stack.callback(os.kill, os.getpid(), signal.SIGTERM)
        stack.callback(left.append, "inner")
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_unwinds_and_later_ones_are_ignored(number: signal.Signals) -> None:
    left: list[str] = []
    with pytest.raises(Interrupted, match=number.name):
        be_interrupted(number, left)
    assert left == ["inner", "outer"]


def test_no_handler_for_ordinary_errors_catches_it() -> None:
    assert not issubclass(Interrupted, Exception)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with terminate_on_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
