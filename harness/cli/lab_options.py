# SPDX-License-Identifier: GPL-3.0-only
"""The options by which `harness run`, `gate` and `matrix` are told how machines are made."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli import sources
from harness.lab_spec import LabOptions
from harness.planning import find_catalogue

RUNS = Path("runs")
ACCELERATOR = "what machines run with (auto: KVM where a micro-boot shows that it works)"
ONE_THREAD = "without KVM, emulate all of a guest's CPUs in one thread: for machines side by side"


def options(parser: argparse.ArgumentParser) -> None:
    sources.options(parser)
    add = parser.add_argument
    add("--runs", type=Path, metavar="DIR", help="where run directories go (runs)")
    add("--accelerator", choices=("auto", "kvm", "tcg"), default="auto", help=ACCELERATOR)
    add("--one-thread", action="store_true", help=ONE_THREAD)
    add("--keep", action="store_true", help="keep the machine's disk and the run's keys in the run directory")
    add("--qemu", default="qemu-system-x86_64", metavar="PROGRAM", help="the QEMU to use")


def as_words(arguments: argparse.Namespace, *, beside_others: bool = False) -> tuple[str, ...]:
    """The same options for a `harness run` of its own, without where run directories go."""
    given = {
        "--catalogue": arguments.catalogue,
        "--cache": arguments.cache,
        "--mirror": arguments.mirror,
        "--snapshot": arguments.snapshot,
        "--snapshot-base": arguments.snapshot_base,
        "--accelerator": arguments.accelerator,
        "--qemu": arguments.qemu,
    }
    words = (word for option, value in given.items() if value for word in (option, str(value)))
    flags = {"--one-thread": arguments.one_thread or beside_others, "--keep": arguments.keep}
    return (*words, *(flag for flag, given in flags.items() if given))


def chosen(arguments: argparse.Namespace, near: Path) -> LabOptions:
    """The lab's options; the catalogue is looked for near that file when none is given."""
    return LabOptions(
        catalogue=arguments.catalogue or find_catalogue(near),
        cache=arguments.cache,
        runs=arguments.runs or RUNS,
        mirror=arguments.mirror,
        snapshot=arguments.snapshot,
        snapshot_base=arguments.snapshot_base,
        accelerator=arguments.accelerator,
        one_thread=arguments.one_thread,
        qemu=arguments.qemu,
        keep=arguments.keep,
    )
