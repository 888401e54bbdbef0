# SPDX-License-Identifier: GPL-3.0-only
"""The launcher's own profile: who may note what was mounted, and what stays compiled when cores change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.image.replica import launcher_profile, put_into_core
from harness.image.tree import Tree
from harness.model.catalogue import Replica
from harness.replica.releases import RELEASES
from tests.replica.stages import Act, core, current, launch, launches, play, snap, snapd
from tests.replica.test_snapd import PROGRAMS, state_with
from tests.unit.image.test_replica import PYTHON

Program = Callable[[str], ModuleType]
Table = Callable[..., Any]

BY_LAUNCHER = ("2.25", "2.26.4", "2.26.5", "2.27", "2.28")
BY_CHILD = ("2.29~edge", "2.29", "2.31")
NOTED = "/run/snapd/ns/snap.plain.fstab"
MAY_NOTE = "/run/snapd/ns/*.fstab rw,"
MOUNTS = "/tmp /target none bind,rw 0 0\n"
HAS_MOUNTS: Act = ("write", {"path": "/var/lib/snapd/mount/snap.plain.fstab", "content": MOUNTS})
# Nobody may write there, whatever else he may (kernel/sysctl).
REFUSES: Act = ("link", {"path": NOTED, "target": "/proc/sys/kernel/ostype"})


@pytest.mark.parametrize("release", RELEASES)
def test_who_may_note_what_was_mounted(release: str) -> None:
    text = launcher_profile(RELEASES[release].apparmor)
    own, _, child = text.partition("profile snap_update_ns ")
    assert own.startswith("/snap/core/*/usr/lib/snapd/snap-confine flags=")
    assert (MAY_NOTE in own, MAY_NOTE in child) == (release in BY_LAUNCHER, release in BY_CHILD)
    assert ("/usr/lib/snapd/snap-update-ns cx" in own) == (release in BY_CHILD)
    # Nothing else in it is for files there.
    others = [line for line in text.splitlines() if "/run/" in line and MAY_NOTE not in line]
    assert {line.split()[0] for line in others} == {"/run/[^s]{,**}", "/run/snapd/{,ns/}"}


def test_who_notes_is_who_may() -> None:
    for name, release in RELEASES.items():
        by_launcher = release.mounts.noted and not release.mounts.by_update_ns
        assert by_launcher == (name in BY_LAUNCHER), name
        confined = release.mounts.by_update_ns and not release.apparmor.confines_update_ns
        assert confined == (name in BY_CHILD), name


def refused(release: str) -> tuple[int, str]:
    """A launch of a snap with a mount profile by a launcher that may not note what it mounts."""
    acts = [core("x1", release), snap("plain"), current("x1"), snapd(), HAS_MOUNTS, REFUSES, launch("plain")]
    (found,) = launches(*acts)
    return found.status, found.stderr


@pytest.mark.parametrize("release", BY_LAUNCHER)
def test_a_launcher_that_may_not_note_dies_in_the_words_of_its_time(release: str) -> None:
    assert refused(release) == (1, f"cannot open current mount profile: {NOTED}: Permission denied\n")


def test_later_it_is_the_child_that_says_so(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = program("namespace")
    monkeypatch.setattr(namespace, "MOUNT_PROFILE", str(tmp_path / "{}"))
    monkeypatch.setattr(namespace, "NOTED", "/proc/sys/kernel/{}")
    (tmp_path / "ostype").write_text(MOUNTS)
    with pytest.raises(SystemExit):
        program("snap_update_ns_main").main(["ostype"])
    words = "replica: cannot write what is mounted: /proc/sys/kernel/ostype: Permission denied\n"
    assert capsys.readouterr().err == words


def test_2_24_notes_nothing() -> None:
    assert refused("2.24") == (0, "")


@pytest.mark.parametrize("release", BY_LAUNCHER)
def test_what_was_mounted_is_noted(release: str) -> None:
    acts = [core("x1", release), snap("plain"), current("x1"), snapd(), HAS_MOUNTS, launch("plain")]
    *_, launched, noted = play(*acts, ("read", {"path": NOTED}))
    assert (launched.status, launched.stderr) == (0, "")
    assert noted == MOUNTS


# -- the daemon


@pytest.fixture
def changed(
    program: Program, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Let a release's daemon go over to the core x1; gives what is left compiled, and what was loaded."""
    cache = tmp_path / "cache"
    for name in ("26b63962.0/usr.lib.snapd.snap-confine", "26b63962.0/.features"):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text("compiled")
    text = tmp_path / "snap/core/x1/etc/apparmor.d/usr.lib.snapd.snap-confine"

    def change(release: str, *, ships: bool = True) -> tuple[set[str], list[tuple[list[str], str, str]]]:
        if ships:
            text.parent.mkdir(parents=True)
            text.write_text("profile")
        loaded = []

        def load(paths: list[str], where: str) -> None:
            loaded.append((paths, where, str((tmp_path / "snap/core/current").readlink())))

        monkeypatch.setattr(program("era"), "SNAPS", str(tmp_path / "snap"))
        monkeypatch.setattr(program("policy"), "load", load)
        monkeypatch.setattr(program("launcher_profile"), "CACHE", str(cache))
        steps = program("tasks").Steps(table(release), state_with(core=["x1", "x2"]))
        assert steps.do("link-core", "x1")
        return {path.name for path in cache.rglob("*") if path.is_file()}, loaded

    return change


@pytest.mark.parametrize(
    ("release", "forgets"),
    [("2.24", False), ("2.28", False), ("2.29~edge", False), ("2.29", True), ("2.31", True), ("2.32", True)],
)
def test_what_was_compiled_is_taken_away_by_2_29_and_not_before(
    changed: Callable[..., Any], release: str, forgets: bool
) -> None:
    left, _ = changed(release)
    assert ("usr.lib.snapd.snap-confine" in left) != forgets
    assert ".features" in left


def test_the_new_core_s_profile_is_loaded_when_it_is_the_current_one(
    changed: Callable[..., Any], tmp_path: Path
) -> None:
    _, loaded = changed("2.28")
    text = tmp_path / "snap/core/x1/etc/apparmor.d/usr.lib.snapd.snap-confine"
    assert loaded == [([str(text)], str(tmp_path / "cache"), "x1")]


def test_a_boot_loads_the_same_in_the_same_way(program: Program) -> None:
    own = program("launcher_profile")
    units = Path(__file__).resolve().parents[2] / "images/guest/files-replica/etc/systemd/system"
    lines = (units / "sysinit.target.wants/core-apparmor.service").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    path = f"/snap/core/current/{own._TEXT}"
    assert told["ConditionPathExists"] == path
    assert told["ExecStart"].split()[-1] == path
    assert {"--replace", "--write-cache", f"--cache-loc={own.CACHE}"} <= set(told["ExecStart"].split())
    tree = Tree()
    tree.file("usr/bin/python3.9", PYTHON)
    put_into_core(tree, Replica("2.28", str(PROGRAMS.parent)))
    assert own._TEXT in tree


def test_a_core_without_one_changes_nothing_in_the_kernel(changed: Callable[..., Any]) -> None:
    assert changed("2.28", ships=False)[1] == []
