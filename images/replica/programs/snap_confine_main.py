# SPDX-License-Identifier: GPL-3.0-only
"""`snap-confine TAG PROGRAM ARGUMENTS…`: executes a program under the policy of a security tag."""

import os
import sys

import era
import namespace
import seccomp_reader
import words

CORE = f"{era.SNAPS}/core/current"
_ENABLED = "/sys/module/apparmor/parameters/enabled"
# Whatever the host's is, it need not fit the core's root (snapd, cmd/snap-confine/snap-confine.c).
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games"


def main(arguments):
    """Does not return when all goes well."""
    tag, program = arguments[0], arguments[1]
    table = era.own()
    prepared = seccomp_reader.prepare(tag, table)
    namespace.enter(os.path.realpath(CORE))
    os.environ["PATH"] = _PATH
    _mount(tag.split(".")[1], table)
    _change_profile(tag)
    profile = seccomp_reader.finish(tag, table, prepared)
    sys.stderr.flush()
    profile.load()
    try:
        os.execv(program, arguments[1:])
    except OSError as error:
        words.die(f"replica: cannot execute {program}", error.errno)


def _mount(snap, table):
    if not namespace.entries(snap):
        return
    if not table.mounts.by_update_ns:
        namespace.mount_profile(snap, note=table.mounts.noted)
        return
    child = os.fork()
    if child == 0:
        if table.apparmor.confines_update_ns:
            _change_profile(f"snap-update-ns.{snap}")
        # The tool of the core, which is the root by now.
        os.execv("/usr/lib/snapd/snap-update-ns", ["/usr/lib/snapd/snap-update-ns", snap])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        words.die(f"snap-update-ns failed with code {status}")


def _change_profile(name):
    """The AppArmor profile that the next program gets (apparmor's own interface, below /proc/self/attr)."""
    try:
        # No other encoding: it would have to be imported, and the image's Python lies outside of this root.
        with open(_ENABLED, encoding="utf-8") as file:
            if file.read().strip() != "Y":
                return
    except OSError:
        return
    own = "/proc/self/attr/apparmor/exec"
    try:
        with open(own if os.path.exists(own) else "/proc/self/attr/exec", "w", encoding="utf-8") as file:
            file.write(f"exec {name}")
    except OSError as error:
        words.die("cannot change profile for the next exec call", error.errno)
