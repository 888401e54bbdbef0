# SPDX-License-Identifier: GPL-3.0-only
"""The releases of the debate, each as what it changed of the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.replica import rules, vocabulary
from harness.replica.release import AppArmor, Daemon, Form, Mounts, Release, Run, Seccomp, Units, Wait

_R24 = Release(
    name="2.24",
    seccomp=Seccomp(
        directory="seccomp/profiles",
        form=Form.TEXT,
        operators=vocabulary.OPERATORS_OF_2_24,
        constants=vocabulary.OF_2_24,
        template=(*rules.COMMON, *rules.PLAIN),
        rules=rules.INTERFACES_OF_2_24,
    ),
    apparmor=AppArmor(rules=rules.APPARMOR, launcher=rules.LAUNCHER),
    units=Units(),
    daemon=Daemon(notifies=False, regenerates=("seccomp", "apparmor")),
    run=Run(launcher_of_core=False),
    mounts=Mounts(),
)

# The rules on mknod come, which 2.24 cannot read; the launcher is the core's own from here on, and notes
# what it mounts.
_R25 = replace(
    _R24,
    name="2.25",
    seccomp=replace(
        _R24.seccomp,
        operators=vocabulary.OPERATORS_OF_2_25,
        constants=vocabulary.OF_2_25,
        template=(*rules.COMMON, *rules.OF_2_25),
        rules=rules.INTERFACES_OF_2_25,
    ),
    apparmor=replace(_R24.apparmor, launcher=(*rules.LAUNCHER, rules.NOTES)),
    run=replace(_R24.run, launcher_of_core=True),
    mounts=Mounts(noted=True),
)

# The template is 2.24's again; the interfaces keep the netlink rules that came with 2.26.
_R26_4 = replace(
    _R25,
    name="2.26.4",
    seccomp=replace(
        _R25.seccomp,
        constants=vocabulary.OF_2_26,
        template=(*rules.COMMON, *rules.PLAIN),
        rules=rules.INTERFACES_OF_2_26_4,
    ),
)

# Compiled profiles, in another directory.
_R26_5 = replace(
    _R26_4,
    name="2.26.5",
    seccomp=replace(_R26_4.seccomp, directory="seccomp/bpf", form=Form.BPF, wait=120),
)

# READY after regeneration; 2.25's and 2.26's rules are back.
_R27 = replace(
    _R26_5,
    name="2.27",
    seccomp=replace(
        _R26_5.seccomp,
        template=(*rules.COMMON, *rules.OF_2_27),
        rules=rules.INTERFACES_OF_2_27,
        longest_wait=3600,
    ),
    daemon=replace(_R26_5.daemon, notifies=True),
)

_R28 = replace(_R27, name="2.28")

# What was on the way to be 2.29: snap-update-ns mounts, and notes it under a part of the launcher's profile;
# everything is made anew at start; snaps are mounted before snapd starts.
_R29_EDGE = replace(
    _R28,
    name="2.29~edge",
    apparmor=replace(
        _R28.apparmor,
        launcher=(*rules.LAUNCHER, rules.EXECUTES_UPDATE_NS),
        launcher_child=(*rules.LAUNCHER, rules.NOTES),
    ),
    units=Units(mounts_before_snapd=True),
    daemon=replace(_R28.daemon, regenerates=("seccomp", "apparmor", "mount")),
    mounts=Mounts(by_update_ns=True, noted=True),
)

# After a revert of that, 2.28's launcher had run under its profile, which apparmor_parser still had compiled.
_R29 = replace(_R29_EDGE, name="2.29", daemon=replace(_R29_EDGE.daemon, forgets_compiled=True))

# Nothing of what is re-created here changed. What snap-update-ns learnt is left out of every replica: to make
# mount points (2.30), writable mimics, and to discard stale namespaces on classic (2.31).
_R31 = replace(_R29, name="2.31")

# The system-key, and a `snap run` that waits on it; snap-update-ns under a profile for each snap.
_R32 = replace(
    _R31,
    name="2.32",
    apparmor=replace(_R31.apparmor, launcher=rules.LAUNCHER, launcher_child=(), confines_update_ns=True),
    daemon=replace(_R31.daemon, key_version=1),
    run=replace(_R31.run, waits=Wait.SYSTEM_KEY, rounds=12, seconds=5.0),
)

RELEASES: Mapping[str, Release] = {
    release.name: release for release in (_R24, _R25, _R26_4, _R26_5, _R27, _R28, _R29_EDGE, _R29, _R31, _R32)
}
"""Every release that there is a replica of, by its version, from the oldest to the newest."""

OUT_ALREADY = frozenset({"2.24"})
"""What everybody had when the designs were proposed: 2.25 and later were still to come as core snaps."""
