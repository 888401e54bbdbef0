# SPDX-License-Identifier: GPL-3.0-only
"""Orders: what the guest unpacks, and that what it runs waits for as long as it must."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import Mistake
from harness.guest.orders import SIZE, Orders, archive
from harness.host.deadline import Deadline
from harness.host.process import Child, run, spawn
from harness.model.plan import HoldUnit
from harness.probe.holds import HOLDS, Holds

UNTIL_RELEASED = HoldUnit(1, r"snap-network\x2dmanager-x1.mount")
FOR_A_TIME = HoldUnit(2, "snapd.service", 0.05)
UNTIL_TRUE = HoldUnit(3, "snapd.apparmor.service", until="test -e flag\n")


def unpacked(orders: Orders, root: Path) -> set[str]:
    """What a guest finds after reading its disk."""
    root.mkdir()
    run(["tar", "-x", "-C", root, "--skip-old-files"], input=orders.disk.read_bytes())
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    return Orders(tmp_path / "orders")


def test_without_orders_there_is_nothing(orders: Orders, tmp_path: Path) -> None:
    assert orders.disk.stat().st_size == SIZE
    assert unpacked(orders, tmp_path / "guest") == set()


def test_a_held_unit_wants_the_service_that_waits_and_comes_after_it(orders: Orders, tmp_path: Path) -> None:
    orders.add(UNTIL_RELEASED)
    root = tmp_path / "guest"
    units = "run/systemd/system"
    assert unpacked(orders, root) == {
        f"{units}/revert-safety-hold-1.service",
        f"{units}/{UNTIL_RELEASED.unit}.d/revert-safety-hold-1.conf",
        f"{HOLDS.removeprefix('/')}/1",
        f"{HOLDS.removeprefix('/')}/1.fifo",
    }
    drop_in = (root / units / f"{UNTIL_RELEASED.unit}.d/revert-safety-hold-1.conf").read_text()
    assert drop_in.splitlines() == [
        "[Unit]",
        *(f"{key}={UNTIL_RELEASED.service}" for key in ("Wants", "After")),
    ]
    text = (root / units / UNTIL_RELEASED.service).read_text()
    for line in ("DefaultDependencies=no", "Type=oneshot", "RemainAfterExit=yes", "TimeoutStartSec=infinity"):
        assert line in text.splitlines()
    assert f"ExecStart=/bin/sh {HOLDS}/1" in text.splitlines()
    assert "Before=" not in text
    assert "After=" not in text
    assert stat.S_ISFIFO((root / HOLDS.removeprefix("/") / "1.fifo").stat().st_mode)


def test_a_release_and_a_boot_take_orders_back(orders: Orders, tmp_path: Path) -> None:
    for hold in (UNTIL_RELEASED, FOR_A_TIME, UNTIL_TRUE):
        orders.add(hold)
    orders.booted()
    assert held(unpacked(orders, tmp_path / "second")) == {"1"}, "the others were for one boot's beginning"
    orders.booted()
    assert held(unpacked(orders, tmp_path / "third")) == {"1"}
    assert orders.drop(1), "a boot has had it"
    assert unpacked(orders, tmp_path / "fourth") == set()
    assert orders.disk.stat().st_size == SIZE


def test_those_of_an_earlier_machine_go_on(tmp_path: Path) -> None:
    orders = Orders(tmp_path / "orders", [UNTIL_RELEASED])
    assert held(unpacked(orders, tmp_path / "first")) == {"1"}
    orders.booted()
    assert orders.drop(1), "its boot began with it"


def held(paths: set[str]) -> set[str]:
    return {path.rpartition("/")[2] for path in paths if path.startswith("run/revert-safety/holds/")} - {
        f"{number}.{kind}" for number in range(9) for kind in ("fifo", "until")
    }


def test_what_waits_already_is_not_disturbed_by_more_orders(orders: Orders, tmp_path: Path) -> None:
    orders.add(UNTIL_RELEASED)
    root = tmp_path / "guest"
    unpacked(orders, root)
    fifo = root / HOLDS.removeprefix("/") / "1.fifo"
    before = fifo.stat().st_ino
    orders.add(FOR_A_TIME)
    run(["tar", "-x", "-C", root, "--skip-old-files"], input=orders.disk.read_bytes())
    assert fifo.stat().st_ino == before
    assert (fifo.parent / "2").is_file()


def test_a_command_that_there_is_no_room_for_is_a_mistake(orders: Orders) -> None:
    with pytest.raises(Mistake, match=r"takes .* bytes, 65536 are there"):
        orders.add(HoldUnit(1, "a.service", until="true\n" * SIZE))


# -- what the guest runs


@contextmanager
def waiting(hold: HoldUnit, root: Path) -> Iterator[Child]:
    """The service of a hold, below `root`."""
    root.mkdir(exist_ok=True)
    run(["tar", "-x", "-C", root, "--skip-old-files"], input=archive([hold]))
    script = root / HOLDS.removeprefix("/") / str(hold.number)
    script.write_text(script.read_text().replace("/run/", f"{root}/run/"))
    with spawn(["sh", script], cwd=root) as shell:
        yield shell


def holds_of(root: Path) -> Holds:
    return Holds(str(root / HOLDS.removeprefix("/")))


def test_it_waits_until_it_is_released(tmp_path: Path) -> None:
    with waiting(UNTIL_RELEASED, tmp_path) as shell:
        assert shell.exited_within(0.3) is None
        holds_of(tmp_path).release(1)
        assert shell.wait(Deadline.after(60)) == 0


def test_a_release_before_it_waits_is_kept(tmp_path: Path) -> None:
    run(["tar", "-x", "-C", tmp_path], input=archive([UNTIL_RELEASED]))
    holds = holds_of(tmp_path)
    holds.release(1)
    with waiting(UNTIL_RELEASED, tmp_path) as shell:
        assert shell.wait(Deadline.after(60)) == 0


def test_there_is_no_release_without_a_hold(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        holds_of(tmp_path).release(7)


def test_it_ends_when_a_command_succeeds(tmp_path: Path) -> None:
    with waiting(UNTIL_TRUE, tmp_path) as shell:
        assert shell.exited_within(0.3) is None
        (tmp_path / "flag").touch()
        assert shell.wait(Deadline.after(60)) == 0


def test_it_ends_when_a_time_has_passed(tmp_path: Path) -> None:
    with waiting(FOR_A_TIME, tmp_path) as shell:
        assert shell.wait(Deadline.after(60)) == 0


def test_files_are_there_beside_holds_until_they_are_taken_back(orders: Orders, tmp_path: Path) -> None:
    orders.add(UNTIL_RELEASED)
    path = "run/systemd/system/x.service.d/y.conf"
    orders.put({path: b"[Service]\n"})
    assert path in unpacked(orders, tmp_path / "one")
    assert (tmp_path / "one" / path).read_text() == "[Service]\n"
    orders.booted()
    assert path in unpacked(orders, tmp_path / "two")
    orders.take_back({path: b""})
    assert unpacked(orders, tmp_path / "three") == unpacked(orders, tmp_path / "four")
    assert held(unpacked(orders, tmp_path / "five")) == {"1"}
    assert path not in unpacked(orders, tmp_path / "six")
