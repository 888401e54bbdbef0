# SPDX-License-Identifier: GPL-3.0-only
"""Faults in sweeping over a step: in what is asked for, what is booted, and what all of it comes to."""

from __future__ import annotations

from tests.faults.fault import Fault

LANGUAGE = ("tests/unit/scenario/test_sweep.py",)
CARRYING_OUT = ("tests/unit/swept/test_running_sweep.py",)
RESUMING = ("tests/unit/swept/test_running_resume.py", "tests/unit/swept/test_running_resume_refused.py")
CHOOSING = ("tests/unit/cli/test_resume.py",)
SUMMARY = ("tests/unit/test_results_sweep.py",)
JUDGING = ("tests/unit/judge/test_after_cut.py",)

SWEEP_FAULTS = (
    Fault(
        "scenario/sweep.py",
        "a sweep over several steps is over the first",
        "    if len(found) == 1:\n",
        "    if found:\n",
        LANGUAGE,
    ),
    Fault(
        "scenario/sweep.py",
        "a killed QEMU does not begin a new log",
        "_NEW_LOG = (RebootHow.KILL, RebootHow.POWER_CUT)",
        "_NEW_LOG = (RebootHow.POWER_CUT,)",
        LANGUAGE,
    ),
    Fault(
        "scenario/after_cut.py",
        "a boot after a cut is judged by what it cannot be",
        "for each in plan.invariants if judged_after_cut(each.name))",
        "for each in plan.invariants if each.name)",
        LANGUAGE,
    ),
    Fault(
        "scenario/after_cut.py",
        "a snap whose installation was cut is surely there",
        "unsure = {snap for snap in (installs, removes) if snap} - (there - {removes})",
        "unsure = set[str]()",
        LANGUAGE,
    ),
    Fault(
        "running_sweep.py",
        "all of the log is swept over",
        "since=step.since, until=step.until",
        "since=0, until=None",
        CARRYING_OUT,
    ),
    Fault(
        "running_sweep.py",
        "what is large is left behind",
        "        place.discard() if done else place.tidy()\n",
        "        place.tidy()\n",
        CARRYING_OUT,
    ),
    Fault(
        "running_sweep.py",
        "states are booted after the budget is used up",
        "if one.result is None and not self.deadline.expired:\n",
        "if one.result is None:\n",
        CARRYING_OUT,
    ),
    Fault(
        "running_sweep.py",
        "files are from the future of the boot after a cut",
        "_POWER_IS_BACK = timedelta(minutes=2)",
        "_POWER_IS_BACK = timedelta(0)",
        CARRYING_OUT,
    ),
    Fault(
        "running_sweep.py",
        "the same policy under another core is the same state",
        '    names = ["core"]\n',
        "    names: list[str] = []\n",
        CARRYING_OUT,
    ),
    Fault(
        "running_sweep.py",
        "what going on needs is deleted when a sweep ends early",
        "        place.discard() if done else place.tidy()\n",
        "        place.discard()\n",
        RESUMING,
    ),
    Fault(
        "running_sweep.py",
        "a sweep does not hold its recording's lock",
        "    with locked(directory):\n",
        "    if directory:\n",
        RESUMING,
    ),
    Fault(
        "running_sweep.py",
        "what came of a state is not written before the next is booted",
        "                self._note(found, booted)\n",
        "                pass\n",
        RESUMING,
    ),
    Fault(
        "running_sweep.py",
        "the run of another cut counts",
        "        if result and not is_same(result.plan, self._plan(state)):\n",
        "        if result is None:\n",
        RESUMING,
    ),
    Fault(
        "running_resume.py",
        "a torn run counts",
        "        return is_closed(run)\n",
        "        return run.exists()\n",
        RESUMING,
    ),
    Fault(
        "running_resume.py",
        "two calls go on with one sweep at once",
        "    with locked(directory):\n",
        "    if directory:\n",
        RESUMING,
    ),
    Fault(
        "running_resume.py",
        "a sweep goes on with another start",
        "    if lab.start_key(plan, prepared) != settled.start:\n",
        "    if not settled.start:\n",
        RESUMING,
    ),
    Fault(
        "running_resume.py",
        "a sweep goes on with other bytes",
        "    if others:\n",
        "    if len(others) < 0:\n",
        RESUMING,
    ),
    Fault(
        "scenario/same_plan.py",
        "another sweep is the same plan",
        '    left_out = "budget" if kind == _SWEEP else ""\n',
        '    left_out = "points" if kind == _SWEEP else ""\n',
        CHOOSING,
    ),
    Fault(
        "results_sweep.py",
        "a sweep with a state that was not measured is complete",
        "all(run.outcome in MEASURED for run in runs)",
        "all(run.outcome for run in runs)",
        SUMMARY,
    ),
    Fault(
        "results_sweep.py",
        "a sweep that did not look at every state holds",
        "    if not found.complete:\n",
        "    if found.looked < 0:\n",
        SUMMARY,
    ),
    Fault(
        "results_sweep.py",
        "a state that was not booted does not matter",
        "    if left:\n",
        "    if len(left) < 0:\n",
        SUMMARY,
    ),
    Fault(
        "results_sweep.py",
        "a state that could not be measured does not matter",
        '    error = "\\n".join((*filter(None, [recorded.verdict.error]), *_errors(booted)))\n',
        "    error = recorded.verdict.error\n",
        SUMMARY,
    ),
    Fault(
        "results_sweep.py",
        "a control is met by the recording alone",
        "verdicts = (recorded.verdict, *(verdict for one in booted if (verdict := _verdict(one))))",
        "verdicts = (recorded.verdict,)",
        SUMMARY,
    ),
    Fault(
        "policy/knowledge.py",
        "the recording teaches nothing",
        "before = learnt_from(cls._learn(cut).authors, RECORDING) if cut else NOTHING",
        "before = NOTHING",
        JUDGING,
    ),
    Fault(
        "policy/confinement.py",
        "a service that outlived the change that was gone on with is stale",
        "if earlier is None and not seen.taken.expects_core:",
        "if False:",
        JUDGING,
    ),
    Fault(
        "policy/confinement.py",
        "whatever took over in a boot excuses old filters",
        "if earlier is None and not seen.taken.expects_core:",
        "if earlier is None:",
        JUDGING,
    ),
    Fault(
        "policy/system_key.py",
        "a key that the cut left is not asked for",
        "if not number and self.at_cut and self.at_cut.watched <= at:",
        "if number < 0:",
        JUDGING,
    ),
    Fault(
        "invariant/twin_agrees.py",
        "a twin may have any policy where snapd changed",
        " and _is_fresh(seen, twin.process, tag, known):",
        ":",
        JUDGING,
    ),
    Fault(
        "invariant/ends.py",
        "a snap that the cut left out must be there",
        "    return frozenset(installed - there) | _not_there(timeline, number)\n",
        "    return frozenset(installed - there)\n",
        JUDGING,
    ),
)
