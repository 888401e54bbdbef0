# SPDX-License-Identifier: GPL-3.0-only
"""The plugin's options, and its hook."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.pytest_plugin import hookspecs


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("revert-safety", "snapd revert-safety scenarios")
    add = group.addoption
    add(
        "--harness-runs",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="where run directories go (runs)",
    )
    add("--harness-catalogue", type=Path, metavar="FILE", help="what names stand for (images/catalogue.yaml)")
    add("--harness-cache", type=Path, metavar="DIR", help="where images, cores and snaps are kept")
    add("--harness-mirror", default="", metavar="URL", help="Debian mirror to build from (this host's own)")
    add("--harness-snapshot", default="", metavar="DATE", help="build from the archive of that date")
    add("--harness-snapshot-base", default="", metavar="URL", help="where dated archives are")
    add(
        "--harness-accelerator", choices=("auto", "kvm", "tcg"), default="auto", help="what machines run with"
    )
    add("--harness-qemu", default="qemu-system-x86_64", metavar="PROGRAM", help="the QEMU to use")
