# SPDX-License-Identifier: GPL-3.0-only
"""Makes a copy of Python that bears the name of one of snapd's programs be that program.

A replica's programs are ELF files of their own, each with a build id of its release, because that is how
a program is told apart: by /proc/PID/exe and by its build id. They are copies of the Python beside which this
file lies, and this file is the first that such a copy reads. What follows `snap` on its command
line stays as it is, so that nobody who reads /proc/PID/cmdline has to know of replicas.
"""

import os
import sys

_PROGRAMS = ("snap", "snapd", "snap-confine", "snap-exec", "snap-seccomp", "snap-update-ns")


def _be_a_program():
    exe = os.readlink("/proc/self/exe")
    name = os.path.basename(exe)
    if name not in _PROGRAMS:
        return
    # A service's Python may run under a path that the program's own does not have: look where it lies.
    top = exe[: exe.rindex("/usr/")]
    sys.path.insert(0, top + "/usr/lib/snapd/replica")
    import start

    # The interpreter would go on to read the file that its first argument names.
    os._exit(start.run(name, sys.argv))


_be_a_program()
