# SPDX-License-Identifier: GPL-3.0-only
"""Policy compilers that are slow, cannot be executed, or die: a program in the guest stands before them."""

from __future__ import annotations

import shlex
from importlib import resources

from harness.fault.target import Target, Undo
from harness.host.deadline import Deadline
from harness.model.codec import tag_of
from harness.model.fault import Dying, Failing, Slow

# The image's own and those in each core, which snapd uses when it has gone over into it.
WHERE = {
    "snap-seccomp": ("/usr/lib/snapd/snap-seccomp", "/snap/*/[0-9x]*/usr/lib/snapd/snap-seccomp"),
    "apparmor_parser": ("/usr/sbin/apparmor_parser", "/snap/*/[0-9x]*/usr/lib/snapd/apparmor_parser"),
}
_BEGIN = """\
set -e
cd {directory}
setsid /usr/bin/python3 -I -S -B gate.py {arguments} </dev/null >gate.log 2>&1 &
echo $! >gate.pid
until test -e passed; do
	kill -0 $! 2>/dev/null || {{ cat gate.log >&2; exit 1; }}
	sleep 0.1
done
"""
# Nobody can be waiting any more once the process is gone: the kernel has answered in its place.
_END = """\
cd {directory}
kill -KILL "$(cat gate.pid)"
while test -e /proc/"$(cat gate.pid)"/exe; do sleep 0.05; done
cat passed
cd / && rm -r {directory}
"""


def apply(fault: Slow | Failing | Dying, target: Target, deadline: Deadline) -> Undo:
    """Stand before the compiler. Raises CommandFailed when it is not there, or the kernel cannot."""
    directory = f"/run/revert-safety/fault-{fault.program}"
    seconds = target.patience.seconds(fault.seconds) if isinstance(fault, Slow) else 0.0
    given = fault.given if isinstance(fault, Dying) else ""
    words = [directory, tag_of(type(fault)), f"{seconds:.3f}", given, *WHERE[fault.program]]
    target.shell.run(f"mkdir -p {directory}", deadline)
    target.shell.put(_program(), f"{directory}/gate.py", deadline)
    target.shell.run(_BEGIN.format(directory=directory, arguments=shlex.join(words)), deadline)
    boot = target.boot

    def undo(until: Deadline) -> int | None:
        if target.boot != boot:
            return None
        return int(target.shell.run(_END.format(directory=directory), until).stdout)

    return undo


def _program() -> bytes:
    return resources.files("harness.fault").joinpath("gate.py").read_bytes()
