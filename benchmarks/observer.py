# SPDX-License-Identifier: GPL-3.0-only
"""Whether the witness, or a hold, changes what is observed: the same boot with and without it, often.

    python benchmarks/observer.py [--of witness|holds] [--boots 20] [--at-once 2] [--seed 1] [--out FILE]

Takes one disk (what the start of scenarios/core-revert/2.57.6-2.68.3-2.57.6.yaml left, switched off), and
boots it `--boots` times each way, each time on an overlay of its own, in a random order that `--seed`
repeats. What is compared is what systemd and the journal keep in both cases. Of a service, that is the first
line that its own program logs: the snap `witness` logs one at once, bluetoothd and NetworkManager when they
have set themselves up, in an emulated guest seconds after they were executed. The journal stamps a line of a
standard output when it reads it. All of that is the same both ways.

`--of holds` compares, with the witness in all boots, those in which snapd and each service are held and
released at once with those in which nothing is held. An order to hold something is taken by a running guest
and carried out from its next boot on, so all of these boots come after a reset.

Prints a table of Markdown; `--out` gets every boot as a line of JSON as soon as it is measured. Ctrl-C prints
what there is. Times can be compared with each other, not with another host's.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TextIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.observer_stats import (
    EXECUTED,
    HOLDS,
    READY,
    SNAPD,
    WITNESS,
    Boot,
    busy_seconds,
    first_of_program,
    own_seconds,
    parse_show,
    stamp,
    table,
)
from harness.engine import start_of_run
from harness.errors import CannotMeasure, HarnessError
from harness.guest.seed import HOME
from harness.host.deadline import Deadline, NotYet, monotonic, wait_until
from harness.host.signals import terminate_on_signals
from harness.image.starts import Start
from harness.lab import Lab
from harness.lab_prepared import Prepared
from harness.lab_spec import LabOptions
from harness.machine import Machine
from harness.model.plan import HoldUnit, Plan
from harness.model.scenario import RebootHow
from harness.planning import CATALOGUE, plans_of

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "scenarios/core-revert/2.57.6-2.68.3-2.57.6.yaml"
READ_EVERY = 5.0
BEGINNING = 40  # entries of the journal: the program's first is among them
FIELDS = "_EXE,_COMM,_SYSTEMD_UNIT"
CUT = "-- cut --"
# One loop of the shell's own words and a `sleep`: waiting must not load what is measured.
AWAIT = """
for unit in {units}; do
    until read -r pid </sys/fs/cgroup/system.slice/$unit/cgroup.procs && read -r name </proc/$pid/comm &&
        case $name in "("* | systemd* | snap | snapd | snap-*) false ;; esac
    do sleep 2; done
done 2>/dev/null
"""
READ = f"""
getconf CLK_TCK; echo '{CUT}'
head -n 1 /proc/stat; echo '{CUT}'
witness=$(pgrep -f '^/usr/bin/python3 .* {HOME}/witness') && cat /proc/$witness/stat; echo '{CUT}'
systemctl show -p Id,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic {SNAPD}; echo '{CUT}'
for unit in {{units}}; do
    journalctl -q -b -o json --output-fields={FIELDS} _SYSTEMD_UNIT=$unit | head -n {BEGINNING}
done
"""


class Benchmark:
    """The machines of one call; `tell` gets a line for whatever takes long."""

    def __init__(self, arguments: argparse.Namespace, directory: Path) -> None:
        options = LabOptions(
            catalogue=ROOT / CATALOGUE, runs=directory, cache=arguments.cache, qemu=arguments.qemu
        )
        self._labs = {watch: Lab(replace(options, watch=watch), tell) for watch in (True, False)}
        self._of_holds = arguments.of == HOLDS
        self.plan: Plan = plans_of(SCENARIO, self._labs[True].catalogue, {})[0]
        self._machines: set[Machine] = set()
        self._lock = threading.Lock()

    def host_facts(self) -> Mapping[str, str]:
        """What the host is."""
        return self._labs[True].host_facts()

    def prepare(self) -> tuple[Prepared, Start]:
        """All bytes, and the start, which the cache may have."""
        lab = self._labs[True]
        prepared = lab.prepare(self.plan)
        with lab.record(self.plan) as (directory, record):
            start = start_of_run(self.plan, lab, prepared, directory, record, tell)
        return replace(prepared, orders=self._of_holds), start

    def boot(self, number: int, has_it: bool, prepared: Prepared, start: Start) -> Boot:
        """Boot the start's disk and measure it; what goes wrong is in the answer's `error`."""
        how = "with" if has_it else "without"
        tell(f"boot {number} ({how}) begins")
        began = monotonic()
        try:
            with self._machine(self._labs[has_it or self._of_holds], prepared, start) as machine:
                deadline = machine.patience.deadline(self.plan.timeouts.boot + self.plan.timeouts.settle)
                if self._of_holds:
                    self._reset(machine, has_it, deadline)
                else:
                    machine.await_shell(deadline)
                measured = self._measure(machine, number, has_it, deadline)
        except HarnessError as error:
            measured = Boot(number, has_it, error=error.message)
        said = measured.error or f"last service start at {measured.last_start:.1f} s"
        tell(f"boot {number} ({how}) took {monotonic() - began:.0f} s: {said}")
        return measured

    def end(self) -> None:
        """Make every wait for a guest end now."""
        with self._lock:
            for machine in self._machines:
                machine.stop_waiting(CannotMeasure("the benchmark was ended"))

    def _reset(self, machine: Machine, holds: bool, deadline: Deadline) -> None:
        """Go on to a boot that begins with holds, or without."""
        machine.await_boot(deadline)
        services = [f"{service}.service" for service in self.plan.services]
        machine.shell.run(AWAIT.format(units=" ".join(services)), deadline)
        for number, unit in enumerate((SNAPD, *services) if holds else (), 1):
            machine.hold(HoldUnit(number, unit, until="true"), deadline)
        machine.reboot(RebootHow.RESET, deadline)

    def _measure(self, machine: Machine, number: int, has_it: bool, deadline: Deadline) -> Boot:
        units = " ".join(f"{service}.service" for service in self.plan.services)
        with ThreadPoolExecutor(1) as aside:
            # A run asks for a look as soon as the guest takes commands, and the witness waits for calm.
            watch = has_it or self._of_holds
            look = aside.submit(machine.look, "settled", deadline, settle=True) if watch else None
            tell(f"boot {number} takes commands; waiting for {units}")
            machine.shell.run(AWAIT.format(units=units), deadline)
            if look:
                look.result()

        def read() -> Boot | NotYet:
            text = machine.shell.run(READ.format(units=units), deadline).stdout
            measured = understood(text, self.plan.services, number, has_it)
            missing = wanted_moments(self.plan.services) - set(measured.moments)
            return NotYet(f"nothing of {', '.join(sorted(missing))}") if missing else measured

        return wait_until(read, deadline, what="the journal", every=READ_EVERY)

    @contextmanager
    def _machine(self, lab: Lab, prepared: Prepared, start: Start) -> Iterator[Machine]:
        with (
            lab.record(self.plan) as (directory, record),
            lab.machine(prepared, directory, record, start=start) as machine,
        ):
            with self._lock:
                self._machines.add(machine)
            try:
                yield machine
            finally:
                with self._lock:
                    self._machines.discard(machine)


def wanted_moments(services: tuple[str, ...]) -> set[str]:
    """The names of the moments that a measured boot has."""
    return {EXECUTED, READY, *services}


def understood(text: str, services: tuple[str, ...], number: int, has_it: bool) -> Boot:
    """A boot from what READ prints; raises CannotMeasure."""
    parts = [part.strip() for part in text.split(f"{CUT}\n")]
    if len(parts) != 5 or not parts[0].isdecimal():
        raise CannotMeasure(f"cannot read what the guest says of itself: {text[:200]!r}")
    ticks, stat, witness, show, journal = parts
    shown = parse_show(show)
    moments = {service: first_of_program(journal, f"{service}.service") for service in services}
    moments[EXECUTED] = stamp(shown, SNAPD, "ExecMainStartTimestampMonotonic")
    moments[READY] = stamp(shown, SNAPD, "ActiveEnterTimestampMonotonic")
    return Boot(
        number=number,
        has_it=has_it,
        moments={name: at for name, at in moments.items() if at is not None},
        cpu=busy_seconds(stat, int(ticks)),
        witness_cpu=own_seconds(witness, int(ticks)) if witness else 0.0,
    )


def schedule(boots: int, seed: int) -> list[bool]:
    """With or without for each boot, in pairs of one each: what drifts on the host meets both alike."""
    chance = random.Random(seed)
    return [way for _ in range(boots) for way in chance.sample((True, False), 2)]


def carry_out(arguments: argparse.Namespace, measured: list[Boot], out: TextIO | None) -> None:
    """Fill `measured`, boot by boot."""
    with tempfile.TemporaryDirectory(prefix="observer-", dir=arguments.scratch) as scratch:
        benchmark = Benchmark(arguments, Path(scratch))
        told = {
            "of": arguments.of,
            "boots": arguments.boots,
            "at_once": arguments.at_once,
            "seed": arguments.seed,
        }
        write(out, {**told, "host": benchmark.host_facts()})
        prepared, start = benchmark.prepare()
        with ThreadPoolExecutor(arguments.at_once) as workers:
            ways = enumerate(schedule(arguments.boots, arguments.seed), start=1)
            boots = [workers.submit(benchmark.boot, number, way, prepared, start) for number, way in ways]
            try:
                for boot in as_completed(boots):
                    measured.append(boot.result())
                    write(out, asdict(measured[-1]))
            except BaseException:
                stop(benchmark, boots)
                raise


def stop(benchmark: Benchmark, boots: list[Future[Boot]]) -> None:
    """Let no further boot begin, and end those that run."""
    for boot in boots:
        boot.cancel()
    while wait(boots, timeout=1.0).not_done:
        benchmark.end()  # again and again, for a machine that was just being started


def write(out: TextIO | None, line: object) -> None:
    """Append a line of JSON."""
    if out:
        out.write(f"{json.dumps(line, sort_keys=True)}\n")
        out.flush()


def tell(line: str) -> None:
    """A line for whoever waits."""
    print(line, file=sys.stderr, flush=True)


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare a boot with the witness, or holds, and without.")
    add = parser.add_argument
    add("--of", choices=(WITNESS, HOLDS), default=WITNESS, help="what some boots have (witness)")
    add("--boots", type=int, default=20, metavar="N", help="how many boots each way (20)")
    add("--at-once", type=int, default=2, metavar="N", help="how many machines at once (2)")
    add("--seed", type=int, default=1, metavar="N", help="of the order, and of the statistics (1)")
    add("--qemu", default="qemu-system-x86_64", metavar="PROGRAM", help="the QEMU to use")
    add("--cache", type=Path, metavar="DIR", help="where images are kept")
    add("--scratch", type=Path, metavar="DIR", help="where disks go while it runs (the system's)")
    add("--out", type=Path, metavar="FILE", help="gets each boot as a line of JSON")
    found = parser.parse_args()
    if min(found.boots, found.at_once) < 1:
        parser.error("--boots and --at-once are 1 or more")
    return found


def main() -> int:
    """Measure and print; 0 when every boot was measured."""
    arguments = options()
    measured: list[Boot] = []
    status = 3
    try:
        with terminate_on_signals(), arguments.out.open("w") if arguments.out else nullcontext() as out:
            carry_out(arguments, measured, out)
        status = 3 if any(boot.error for boot in measured) else 0
    except (HarnessError, OSError) as error:
        tell(f"observer: {error}")
    except KeyboardInterrupt:
        tell("observer: ended early; what was measured until now:")
        status = 130
    print("\n".join(table(measured, arguments.of, arguments.boots, arguments.seed)))
    return status


if __name__ == "__main__":
    sys.exit(main())
