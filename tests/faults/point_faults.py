# SPDX-License-Identifier: GPL-3.0-only
"""Deliberate faults in points, in faults (the other kind), and in how machines are cut off."""

from __future__ import annotations

from tests.faults.fault import Fault

POINTS = ("tests/unit/policy/test_points.py",)
LANGUAGE = ("tests/unit/scenario/test_faults.py",)
WATCH = ("tests/unit/test_boot_watch.py",)
EAR = ("tests/unit/guest/test_witness.py",)
CUT = ("tests/unit/fault/test_power_cut.py",)
GATE = ("tests/unit/fault/test_gate.py",)
GUEST = ("tests/unit/fault/test_in_the_guest.py",)
LAB = ("tests/unit/test_lab_spec.py",)
ENGINE = ("tests/unit/test_engine.py",)

SIGNALS = ("tests/unit/probe/test_signals.py",)
START = ("tests/unit/scenario/test_start.py",)
MACHINE = ("tests/unit/test_machine.py",)

POINT_FAULTS = (
    Fault(
        "machine_changes.py",
        "a service that was given up before it was connected stays so",
        "ConnectPlug) and action.units:",
        "ConnectPlug) and not action.units:",
        ("tests/unit/test_machine_changes.py",),
    ),
    Fault(
        "guest/orders.py",
        "what a start held is not held in the boot after it",
        "[_Order(hold) for hold in holds]",
        "[]",
        MACHINE,
    ),
    Fault(
        "lab_spec.py",
        "no machine is told what its start held",
        "plan.sweep is not None, held)",
        "plan.sweep is not None)",
        START,
    ),
    Fault(
        "lab_spec.py",
        "a start has the same key whatever core a change under way installs",
        "(change_of(step.action) for step in steps)",
        "(step.action for step in steps)",
        START,
    ),
    Fault(
        "scenario/start_end.py",
        "the guest shuts down at the end of a start that is to end by a reset",
        "if not isinstance(end, Reboot) or end.how is not RebootHow.RESET:",
        "if not isinstance(end, Reboot):",
        START,
    ),
    Fault(
        "judge.py",
        "a point that was not reached is not told",
        "    for missed in (*missed_points(timeline), *idle_faults(timeline)):",
        "    for missed in idle_faults(timeline):",
        POINTS,
    ),
    Fault(
        "judge.py",
        "a fault that struck nothing is not told",
        "    for missed in (*missed_points(timeline), *idle_faults(timeline)):",
        "    for missed in missed_points(timeline):",
        POINTS,
    ),
    Fault(
        "policy/points.py",
        "the engine is believed about a point that the witness does not tell of",
        "    return any(is_reached(point, seen.occurrence) for boot in boots for seen in boot.occurrences)",
        "    return bool(list(boots))",
        POINTS,
    ),
    Fault(
        "model/point.py",
        "a file that was deleted was written",
        "FileChanged(change=FileChange.WRITTEN, path=path)",
        "FileChanged(path=path)",
        ("tests/unit/model/test_point.py",),
    ),
    Fault(
        "guest/witness.py",
        "what the boot before did counts for this one",
        "            self._occurred.clear()",
        "            self._occurred.append(*self._occurred[:1])",
        EAR,
    ),
    Fault(
        "guest/witness.py",
        "a boot is ready because the one before was",
        "            self._ready = None\n            self._forgotten",
        "            self._forgotten",
        EAR,
    ),
    Fault(
        "scenario/emit.py",
        "a boot is looked at before its points",
        "return self._holds.await_release or isinstance(self._following, When)",
        "return self._holds.await_release",
        LANGUAGE,
    ),
    Fault(
        "scenario/emit.py",
        "a guest whose snapd is frozen is to settle",
        "if self._under_way or self._faults.frozen:",
        "if self._under_way:",
        LANGUAGE,
    ),
    Fault(
        "scenario/fault_blocks.py",
        "a change that can never be done is planned",
        "        if not self.frozen or not isinstance(change, _CHANGES):",
        "        if not isinstance(change, _CHANGES) or not self._count:",
        LANGUAGE,
    ),
    Fault(
        "scenario/points.py",
        "a point that cannot be reached is planned",
        "        if glob is None or can_be_written(glob.text):",
        "        if glob is None or glob.text:",
        LANGUAGE,
    ),
    Fault(
        "boot_watch.py",
        "a panic that was asked for fails the run",
        '            case "GUEST_PANICKED" if self._panic_expected:',
        '            case "GUEST_PANICKED" if not self._end_expected:',
        WATCH,
    ),
    Fault(
        "boot_watch.py",
        "after a panic that was asked for every other one is taken for it",
        "                self._end_expected = self._panic_expected = False",
        "                self._end_expected = False",
        WATCH,
    ),
    Fault(
        "fault/power_cut.py",
        "a cut of power keeps what was not flushed",
        "    return [e for e in log.entries if e.writes and (e.number < last or e.durable)]",
        "    return [e for e in log.entries if e.writes and (last is not None or e.durable)]",
        CUT,
    ),
    Fault(
        "fault/power_cut.py",
        "a cut of power loses what the disk was told to keep at once",
        "(e.number < last or e.durable)]",
        "e.number < last]",
        CUT,
    ),
    Fault(
        "fault/gate.py",
        "a compiler that must not run does",
        "                self.answer(file, FAN_DENY)",
        "                self.answer(file, FAN_ALLOW)",
        GATE,
    ),
    Fault(
        "fault/gate.py",
        "a slow compiler is not",
        "self.waiting.append((monotonic() + self.seconds, file))",
        "self.waiting.append((monotonic(), file))",
        GATE,
    ),
    Fault(
        "fault/target.py",
        "what a boot's end has put right is put right in the next boot",
        "        if target.boot == boot:",
        "        if target.boot >= boot:",
        GUEST,
    ),
    Fault(
        "fault/registry.py",
        "what went wrong stays so after an error",
        "    try:\n        yield\n    finally:\n        undo",
        "    try:\n        yield\n    except OSError:\n        undo",
        GUEST,
    ),
    Fault(
        "lab.py",
        "a start that others share is made on one plan's machine",
        "Wants() if leaves else prepared.wants",
        "prepared.wants",
        LAB,
    ),
    Fault(
        "machine_disk.py",
        "a power cut is planned on a disk that ignores flushes",
        "        cache = cache_for(power_cuts=log is not None)",
        "        cache = cache_for(power_cuts=False)",
        LAB,
    ),
    Fault(
        "engine.py",
        "a point counts what came since the point before",
        "            if self._plan.points and not isinstance(step.action, AwaitPoint):",
        "            if self._plan.points:",
        ENGINE,
    ),
    Fault(
        "probe/signals.py",
        "a hold that began before PID 1 took the connection is not told of until it ends",
        "dict(enumerate(holds, start=1))",
        "{0: 0 for _ in holds}",
        SIGNALS,
    ),
)
