# SPDX-License-Identifier: GPL-3.0-only
"""Seccomp filters: made by libseccomp, and given to the kernel (seccomp(2))."""

import ctypes
import errno
import os

import era

ALLOW, KILL = 0x7FFF0000, 0x00000000
NO_NEW_PRIVILEGES = 3  # SCMP_FLTATR_CTL_NNP
PR_SET_SECCOMP, MODE_FILTER = 22, 2
NO_SUCH_CALL = -1
INSTRUCTION = 8
_MASKED_EQUAL = 7


class _Condition(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("comparison", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def _library():
    beside = os.path.join(era.HERE, "../../x86_64-linux-gnu/libseccomp.so.2")
    library = ctypes.CDLL(beside if os.path.exists(beside) else "libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Condition),
    )
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_load.argtypes = (ctypes.c_void_p,)
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    return library


class Filter:
    """A filter that kills what is not allowed."""

    def __init__(self):
        self._library = _library()
        self._context = self._library.seccomp_init(KILL)
        # The launcher may change what confines it, and with this set the kernel would not let it.
        self._check(self._library.seccomp_attr_set(self._context, NO_NEW_PRIVILEGES, 0))

    def resolve(self, name):
        """The number of a system call, None when there is none of that name."""
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        return None if number == NO_SUCH_CALL else number

    def allow(self, rules):
        """Add rules of profile_text."""
        for call, conditions in rules:
            given = (_Condition * len(conditions))(*map(_condition, conditions))
            done = self._library.seccomp_rule_add_array(self._context, ALLOW, call, len(conditions), given)
            if done != -errno.EEXIST:
                self._check(done)

    def load(self):
        """Put this process under it."""
        self._check(self._library.seccomp_load(self._context))

    def export(self, file):
        """Write it as the kernel takes it: an array of `struct sock_filter`."""
        self._check(self._library.seccomp_export_bpf(self._context, file.fileno()))

    @staticmethod
    def _check(done):
        if done < 0:
            raise OSError(-done, os.strerror(-done))


def _condition(condition):
    place, comparison, value = condition
    # Of a masked comparison the first number is the mask: the bits of the value must be set, others may.
    return _Condition(place, comparison, value, value if comparison == _MASKED_EQUAL else 0)


def load_program(raw):
    """Put this process under a program made before; raises OSError when the kernel does not take it."""
    memory = ctypes.create_string_buffer(raw, len(raw))
    length = len(raw) // INSTRUCTION if len(raw) % INSTRUCTION == 0 else 0
    program = _Program(length, ctypes.addressof(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
