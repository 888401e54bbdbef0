# SPDX-License-Identifier: GPL-3.0-only
"""One asyncio thread under a synchronous program: only the QMP library is asynchronous.

paramiko, testinfra, pytest and test authors block, so coroutines are carried to this thread and
their results and exceptions back to the caller.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from harness.errors import TimedOut

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread for the life of the block; what still runs in it is cancelled."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="asyncio", daemon=True)

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._future(_cancel_all_others()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run the coroutine in the thread and return its result; what it raises is raised here.

        :raise TimedOut: `timeout` seconds have passed; the coroutine is cancelled.
        """
        future = self._future(coroutine)
        try:
            return future.result(_finite(timeout))
        except concurrent.futures.TimeoutError:
            if future.done():  # the coroutine's own TimeoutError, which is the same class
                raise
            raise TimedOut(f"cannot wait longer for {coroutine}: {timeout} s have passed") from None
        finally:
            future.cancel()

    def _future(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or seconds == float("inf") else seconds


async def _cancel_all_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
