# SPDX-License-Identifier: GPL-3.0-only
"""Carries the runs of a matrix out, some at once: each is a `harness run` in a process of its own.

A machine is a process of the run that started it, so a run that is ended leaves nothing running.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from harness.errors import EXIT_MISTAKE, CannotMeasure, HarnessError, Mistake, RecordUnusable
from harness.host.process import file_tail, spawn
from harness.host.rundir import RunDirectory
from harness.judge import judge_directory
from harness.model import codec
from harness.model.plan import Plan
from harness.model.verdict import Verdict
from harness.record import is_closed, read_plan
from harness.results import RunResult
from harness.scenario.same_plan import is_same

RUNS, OUTPUT = "matrix-runs", "output.txt"
_PROGRAM = (sys.executable, "-m", "harness.cli")
_EVERY = 0.5  # seconds between looks at whether all is to end
_GRACE = 30.0  # seconds that a run is given to end its machine

MatrixRunner = Callable[[Plan, threading.Event], RunResult]
"""Carries one plan out, or ends early when the event is set; raises HarnessError, and Ended in that case."""


class Ended(Exception):
    """A run was ended because all is to end."""


@dataclass(frozen=True, slots=True)
class RunsOf:
    """The runs of a matrix below its `directory`; `options` are those of `harness run`."""

    directory: Path
    options: Sequence[str]
    program: Sequence[str] = _PROGRAM

    def carry_out(self, plan: Plan, ends: threading.Event) -> RunResult:
        """Run a plan as a process, and read what it left.

        :raise Mistake: it ended with a mistake.
        :raise CannotMeasure: it left no verdict.
        """
        place = self.place(plan)
        before = set(_run_directories(place))
        output = place / OUTPUT
        place.mkdir(parents=True, exist_ok=True)
        variant = [word for pair in plan.variant.items() for word in ("--set-variant", "=".join(pair))]
        argv = [*self.program, "run", plan.file, *variant, "--runs", str(place), *self.options]
        with output.open("wb") as file, spawn(argv, stdout=file, stderr=file, grace=_GRACE) as child:
            while (status := child.exited_within(_EVERY)) is None:
                if ends.is_set():
                    raise Ended
        for directory in _run_directories(place):
            if directory not in before and (run := RunDirectory(directory)).verdict.exists():
                verdict: Verdict = codec.loads(Verdict, run.verdict.read_bytes())
                return RunResult(plan, directory, verdict)
        message = f"cannot tell what {plan.title} came to: it ended with status {status} and left no verdict"
        kind = Mistake if status == EXIT_MISTAKE else CannotMeasure
        raise kind(message, hint=f"{output} ends with:\n{file_tail(output, 5)}")

    def finished(self, plan: Plan) -> RunResult | None:
        """A run of just that plan that came to its end before, judged again; None when there is none."""
        for directory in reversed(_run_directories(self.place(plan))):
            try:
                if is_closed(directory) and is_same(plan, read_plan(directory)):
                    verdict = judge_directory(directory)
                    if not verdict.error:
                        return RunResult(plan, directory, verdict)
            except RecordUnusable:
                continue
        return None

    def place(self, plan: Plan) -> Path:
        """Where the runs of a plan lie: one, unless it could not be measured or was ended."""
        point = "-".join((*plan.variant.values(), Path(plan.file).stem))
        return self.directory / RUNS / point


def _run_directories(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if RunDirectory(path).plan.exists())


Done = tuple[Plan, RunResult | HarnessError]


def carry_out_rows(
    rows: Sequence[Sequence[Plan]], runner: MatrixRunner, at_once: int
) -> Generator[Done, None, None]:
    """Every plan with what came of it, as they come; `at_once` rows go on side by side.

    A row's plans come one after the other: they start alike, and what a start left is kept for the next.
    When the iterator is closed, all runs that go on are ended first.
    """
    return _Rows(rows, runner).carried_out(at_once)


class _Rows:
    def __init__(self, rows: Sequence[Sequence[Plan]], runner: MatrixRunner) -> None:
        self._todo = [row for row in rows if row]
        self._runner = runner
        self._count = sum(map(len, self._todo))
        self._ends = threading.Event()
        self._taking = threading.Lock()
        self._done: SimpleQueue[Done | Exception] = SimpleQueue()

    def carried_out(self, at_once: int) -> Generator[Done, None, None]:
        threads = [threading.Thread(target=self._work, name=f"row {n}") for n in range(at_once)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(self._count):
                done = self._done.get()
                if isinstance(done, Exception):
                    raise done
                yield done
        finally:
            self._ends.set()
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        while not self._ends.is_set():
            with self._taking:
                row = self._todo.pop(0) if self._todo else None
            if row is None:
                return
            for plan in row:
                if self._ends.is_set() or not self._one(plan):
                    return

    def _one(self, plan: Plan) -> bool:
        """Whether the next is to be carried out."""
        try:
            self._done.put((plan, self._runner(plan, self._ends)))
        except HarnessError as error:
            self._done.put((plan, error))
        except Ended:
            return False
        except Exception as defect:  # told by the thread that waits for all of them
            self._done.put(defect)
            return False
        return True
