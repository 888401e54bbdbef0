# SPDX-License-Identifier: GPL-3.0-only
"""How a launcher takes the seccomp profile of a tag, in the words of its time when it cannot."""

import errno
import os
import stat
import time

import filters
import place
import profile_text
import words

MOST = "SNAP_CONFINE_MAX_PROFILE_WAIT"
LARGEST_PROGRAM = 32 * 1024
UNRESTRICTED = (b"@unrestricted\n", b"@complain\n")


class Profile:
    """A profile that was read; `load` puts this process under it."""

    def __init__(self, load=lambda: None):
        self.load = load


def prepare(tag, table):
    """What must happen before the mount namespace: all of it for a text, nothing for a program."""
    return _text(tag, table) if table.seccomp.form == "text" else None


def finish(tag, table, prepared):
    """The profile to load, last of all."""
    return prepared or _program(tag, table)


def _text(tag, table):
    _await(lambda: os.path.exists(f"{place.for_reading(table)}/{tag}"), table.seccomp)
    path = f"{place.for_reading(table)}//{tag}"
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        words.die(f"Can not open {path} ({os.strerror(error.errno)})\naborting", error.errno)
    made = filters.Filter()
    rules = _understand(text, table.seccomp, made)
    if rules is None:
        return Profile()
    made.allow(rules)
    return Profile(made.load)


def _understand(text, table, made):
    try:
        return profile_text.rules(text, table, made.resolve)
    except profile_text.Unreadable as error:
        words.die(f"hsearch_r failed for {error.word}", errno.ESRCH)
    except profile_text.TooLong:
        words.die("replica: a line of the seccomp profile is too long")
    except profile_text.TooNew:
        words.die("replica: the seccomp profile needs a later syntax")


def _program(tag, table):
    path = f"{place.for_reading(table)}/{tag}.bin"
    _await(lambda: os.path.exists(f"{place.for_reading(table)}/{tag}.bin"), table.seccomp)
    path = f"{place.for_reading(table)}/{tag}.bin"
    try:
        size = os.stat(path).st_size
    except OSError as error:
        words.die(f"cannot stat {path}", error.errno)
    _check_owners(path)
    if size > LARGEST_PROGRAM:
        words.die(f"replica: {path} is too large")
    with open(path, "rb") as file:
        raw = file.read()
    return Profile() if raw in UNRESTRICTED else Profile(lambda: _load(raw))


def _load(raw):
    try:
        filters.load_program(raw)
    except OSError as error:
        words.die("cannot apply seccomp profile", error.errno)


def _await(is_there, table):
    """snap-confine asks once a second."""
    for _ in range(_seconds(table)):
        if is_there():
            return
        time.sleep(1)


def _seconds(table):
    told = os.environ.get(MOST, "")
    if not table.wait or not told:
        return table.wait
    is_number = told.isascii() and told.isdigit() and int(told) > 0
    if table.longest_wait and not (is_number and int(told) <= table.longest_wait):
        words.die(f"replica: {MOST} is no number from 1 to {table.longest_wait}")
    return int(told) if is_number else table.wait


def _check_owners(path):
    """Every directory on the way must be root's, and nobody else's to write to."""
    parts = path.split("/")
    for end in range(2, len(parts) + 1):
        status = os.lstat("/".join(parts[:end]))
        if status.st_uid != 0 or (status.st_mode & stat.S_IWOTH and not stat.S_ISLNK(status.st_mode)):
            words.die(f"replica: {'/'.join(parts[:end])} is not root's alone")
