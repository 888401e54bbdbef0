# SPDX-License-Identifier: GPL-3.0-only
"""Reads the seccomp programs of a process from the kernel, by PTRACE_SECCOMP_GET_FILTER (ptrace(2)).

* The request needs CAP_SYS_ADMIN, a tracer without seccomp, a stopped tracee, and a kernel with
  CONFIG_CHECKPOINT_RESTORE.
* PTRACE_SEIZE with PTRACE_INTERRUPT stops the tracee without a signal that it could see.
* A tracee that does not stop in time (an uninterruptible wait) cannot be detached. The kernel detaches
  all tracees of a *thread* that ends and lets them run, so the tracing is done in a thread of its own.
"""

from __future__ import annotations

import _thread
import ctypes
import errno
import os
import time

from .sha256 import hex_of

PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_SECCOMP_GET_FILTER = 0x420C
PTRACE_EVENT_STOP = 128
WALL = 0x40000000

INSTRUCTION_SIZE = 8
MOST_FILTERS = 64
SECONDS_TO_STOP = 2.0

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


class Filter:
    """A seccomp program; `length` counts its instructions."""

    def __init__(self, index: int, program: bytes) -> None:
        self.index = index
        self.length = len(program) // INSTRUCTION_SIZE
        self.sha256 = hex_of(program)


def read_filters(pid: int) -> list[Filter]:
    """The programs of a process, the one loaded first at index 0 (ptrace(2) says the opposite of the kernel).

    Raises OSError when the process is gone, did not stop in time or may not be traced.
    """
    answer: list[Filter] = []
    failure: list[OSError] = []

    running = _thread.allocate_lock()

    def trace() -> None:
        try:
            answer.extend(_read_stopped(pid))
        except OSError as error:
            failure.append(error)
        finally:
            running.release()

    running.acquire()
    _thread.start_new_thread(trace, ())
    running.acquire()
    if failure:
        raise failure[0]
    return answer


def _read_stopped(pid: int) -> list[Filter]:
    _ptrace(PTRACE_SEIZE, pid)
    pending = 0
    try:
        _ptrace(PTRACE_INTERRUPT, pid)
        pending = _await_stop(pid)
        return _filters(pid)
    finally:
        # A tracee that is gone or has not stopped cannot be detached; the end of this thread does it.
        _libc.ptrace(PTRACE_DETACH, pid, None, pending)


def _filters(pid: int) -> list[Filter]:
    found: list[Filter] = []
    while len(found) < MOST_FILTERS:
        try:
            count = _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found))
        except OSError as error:
            if error.errno == errno.ENOENT:
                break
            raise
        program = ctypes.create_string_buffer(count * INSTRUCTION_SIZE)
        _ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found), ctypes.addressof(program))
        found.append(Filter(len(found), program.raw))
    return found


def _await_stop(pid: int) -> int:
    """Wait for the stop; the signal that must be given back to the process when it is let go, or 0."""
    ends = time.monotonic() + SECONDS_TO_STOP
    while time.monotonic() < ends:
        reaped, status = os.waitpid(pid, os.WNOHANG | WALL)
        if reaped and os.WIFSTOPPED(status):
            return 0 if status >> 16 == PTRACE_EVENT_STOP else os.WSTOPSIG(status)
        if reaped:
            raise ProcessLookupError(errno.ESRCH, "the process ended")
        time.sleep(0.001)
    raise TimeoutError(errno.ETIMEDOUT, "the process did not stop")


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    ctypes.set_errno(0)
    answer = int(_libc.ptrace(request, pid, address, data))
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
