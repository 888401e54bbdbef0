# SPDX-License-Identifier: GPL-3.0-only
"""Faults in what launchers that died are blamed on."""

from __future__ import annotations

from tests.faults.fault import STARTS, Fault

LAUNCHER_FAULTS = (
    Fault(
        "policy/start_class.py",
        "another build's policy breaks no launcher",
        "    if daemon.build in authors:",
        "    if authors:",
        STARTS,
    ),
    Fault(
        "policy/start_class.py",
        "policy is blamed for every launcher that ended",
        'unit.result == "exit-code" and unit.exit_status == _LAUNCHER_GAVE_UP and attempt.launched',
        "attempt.launched",
        STARTS,
    ),
    Fault(
        "policy/launcher_profiles.py",
        "a launcher under its own core's profile is broken by it",
        "found.build != build and has_own",
        "has_own",
        STARTS,
    ),
    Fault(
        "policy/launcher_profiles.py",
        "a profile that comes after a launch broke it",
        "in _contents(self.loaded.get(boot, ())) if when <= at]",
        "in _contents(self.loaded.get(boot, ())) if when >= 0]",
        STARTS,
    ),
    Fault(
        "policy/launcher_profiles.py",
        "a profile is of the snapd that loads it for the next",
        "snapd = daemons[boot].coming(at)",
        "snapd = daemons[boot].running(at)",
        STARTS,
    ),
    Fault(
        "policy/start_class.py",
        "the image's launcher runs under the cores' profile",
        "known.launchers.foreign(boot, attempt.begun, daemon.build) if of_core else None",
        "known.launchers.foreign(boot, attempt.begun, daemon.build)",
        STARTS,
    ),
    Fault(
        "policy/start_class.py",
        "a launcher that died over good policy is broken",
        'return _Fate(StartClass.DEAD, " over good policy")',
        'return _Fate(StartClass.BROKEN, " over good policy")',
        STARTS,
    ),
    Fault(
        "policy/start_class.py",
        "a launcher that was refused nothing died of its own profile",
        "if said and not any(refusal in text for text in said for refusal in _REFUSED):",
        "if said and not any(text for text in said for refusal in _REFUSED):",
        ("tests/unit/invariant/test_launcher_profiles.py",),
    ),
)
