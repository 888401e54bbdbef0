# SPDX-License-Identifier: GPL-3.0-only
"""Faults in finding and reading what a cut leaves."""

from __future__ import annotations

from tests.faults.fault import Fault

LOG = ("tests/unit/cut/test_write_log.py",)
STATES = ("tests/unit/cut/test_states.py", "tests/unit/cut/test_walk.py")
DISK = ("tests/unit/cut/test_policy_files.py",)
SWEEP = ("tests/unit/sweep",)

CUT_FAULTS = (
    Fault(
        "cut/states.py",
        "a write that is durable at once can be lost",
        "if entry.writes and not entry.durable:",
        "if entry.writes:",
        STATES,
    ),
    Fault(
        "cut/states.py",
        "what comes after the last flush is forgotten",
        "    if any(entry.writes for entry in entries[first:]):\n",
        "    if not entries:\n",
        STATES,
    ),
    Fault(
        "cut/states.py",
        "the data of a flush are flushed by it",
        "first = entry.number if entry.writes else entry.number + 1",
        "first = entry.number + 1",
        STATES,
    ),
    Fault(
        "cut/blocks.py",
        "a lost write takes the later ones of its epoch with it",
        "if entry is dropped or touched.start",
        "if entry.number >= dropped.number or touched.start",
        STATES,
    ),
    Fault(
        "cut/blocks.py",
        "a discard leaves what was there",
        "return ZEROS if entry.flags & DISCARD else",
        "return old if entry.flags & DISCARD else",
        STATES,
    ),
    Fault(
        "cut/write_log.py",
        "an entry that was not written is one",
        "    if not entry.flags and not entry.length:\n",
        "    if entry.number < 0:\n",
        LOG,
    ),
    Fault(
        "cut/write_log.py",
        "a log that breaks off has no gap",
        'f"the log of writes breaks off at entry {len(entries)}: {gap}"',
        '""',
        LOG,
    ),
    Fault(
        "cut/journal.py",
        "what a later transaction revoked is replayed",
        "if revoked.get(tag.home, -1) < transaction.sequence:",
        "if tag.home >= 0:",
        DISK,
    ),
    Fault(
        "cut/journal.py",
        "a transaction counts without its commit",
        "sequence != transaction.sequence:\n                return",
        "sequence != transaction.sequence:\n                yield transaction\n                return",
        DISK,
    ),
    Fault(
        "cut/journal.py",
        "a journalled block is replayed whatever its sum",
        "& (0xFFFFFFFF if log.features & _CSUM_V3 else 0xFFFF) != tag.sum:",
        "< 0:",
        DISK,
    ),
    Fault(
        "cut/journal.py",
        "a block that looks like the journal's own loses its beginning",
        "        if tag.escaped:\n",
        "        if tag.home < 0:\n",
        DISK,
    ),
    Fault(
        "cut/ext4.py",
        "an unknown feature of the file system is read over",
        "    if unknown:\n",
        "    if unknown < 0:\n",
        DISK,
    ),
    Fault(
        "sweep/sweeping.py",
        "a sweep that goes on looks at all states again",
        "rest = self._cuts[self._looked :]",
        "rest = self._cuts",
        SWEEP,
    ),
    Fault(
        "sweep/sweeping.py",
        "nobody else reads the last whole state",
        "        if not policy.trouble:\n",
        "        if policy.trouble:\n",
        SWEEP,
    ),
    Fault(
        "sweep/sweeping.py",
        "a sweep does not end at its deadline",
        "            if deadline.expired:\n",
        "            if deadline.remaining < 0:\n",
        SWEEP,
    ),
    Fault(
        "sweep/kept.py",
        "a sweep takes what another one found",
        "if kept.format != _FORMAT or kept.asked != self._wanted:",
        "if kept.format != _FORMAT:",
        SWEEP,
    ),
    Fault(
        "model/sweep.py",
        "a sweep with a gap is complete",
        "return self.looked == self.states and not self.gap",
        "return self.looked == self.states",
        SWEEP,
    ),
)
