# SPDX-License-Identifier: GPL-3.0-only
"""The asyncio thread, from the outside."""

from __future__ import annotations

import asyncio  # noqa: TID251 - what is tested carries coroutines
import threading

import pytest

from harness.errors import TimedOut
from harness.host.loop import LoopThread


async def answer() -> str:
    return threading.current_thread().name


async def fail() -> None:
    raise ZeroDivisionError


async def for_ever() -> None:
    await asyncio.Event().wait()


async def time_out() -> None:
    raise TimeoutError("mine")


def test_results_come_from_the_other_thread() -> None:
    with LoopThread() as loop:
        assert loop.call(answer()) == "asyncio"


def test_exceptions_are_raised_on_the_caller() -> None:
    with LoopThread() as loop, pytest.raises(ZeroDivisionError):
        loop.call(fail())


def test_a_coroutine_that_takes_too_long_is_cancelled() -> None:
    with LoopThread() as loop:
        with pytest.raises(TimedOut):
            loop.call(for_ever(), timeout=0.01)
        assert loop.call(answer(), timeout=float("inf")) == "asyncio"


def test_a_time_out_of_the_coroutine_itself_is_not_ours() -> None:
    with LoopThread() as loop, pytest.raises(TimeoutError, match="mine"):
        loop.call(time_out(), timeout=100)


def test_leaving_cancels_what_still_runs_and_ends_the_thread() -> None:
    ended = threading.Event()

    async def watch() -> None:
        try:
            await for_ever()
        finally:
            ended.set()

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(watch())
        await asyncio.sleep(0)
        return task

    before = threading.active_count()
    with LoopThread() as loop:
        task = loop.call(begin())
    assert ended.is_set()
    assert task.cancelled()
    assert threading.active_count() == before
