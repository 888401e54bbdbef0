# SPDX-License-Identifier: GPL-3.0-only
"""The seed, as cpio(1) and Python in a guest would see it."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.guest.cpio import Entry, archive
from harness.guest.keys import RunKeys
from harness.guest.seed import HOME, TAKE_ORDERS, make_seed, probe_sha256
from harness.host.process import run
from harness.probe import agent

# What the standard library brings along that a boot can do without.
DEAR = (
    "typing", "subprocess", "dataclasses", "inspect", "pathlib", "re", "json", "enum", "collections",
    "socket", "selectors", "threading", "hashlib", "_hashlib", "glob", "fnmatch", "contextlib", "functools",
)  # fmt: skip
KEYS = RunKeys.generate()
INIT = Path(__file__).resolve().parents[3] / "images/initrd/init"


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    run(["cpio", "-idm", "--quiet"], input=make_seed(KEYS, address="10.9.8.7/24"), cwd=tmp_path)
    return tmp_path / "seed"


def text(root: Path, path: str) -> str:
    return (root / path.removeprefix("/")).read_text()


def test_private_files_are_private(unpacked: Path) -> None:
    for name in ("host_key", "authorized_keys"):
        assert stat.S_IMODE((unpacked / f"run/revert-safety/{name}").stat().st_mode) == 0o600
    assert text(unpacked, f"{HOME}/authorized_keys") == f"{KEYS.client.public}\n"


@pytest.mark.parametrize(("slowness", "start", "stop"), [(2.9, "261s", "87s"), (1.5, "135s", "45s")])
def test_a_slow_hosts_guest_has_more_time(tmp_path: Path, slowness: float, start: str, stop: str) -> None:
    run(["cpio", "-idm", "--quiet"], input=make_seed(KEYS, slowness=slowness), cwd=tmp_path)
    told = text(tmp_path / "seed", "/run/systemd/system.conf.d/revert-safety.conf").splitlines()
    assert told == ["[Manager]", f"DefaultTimeoutStartSec={start}", f"DefaultTimeoutStopSec={stop}"]


@pytest.mark.parametrize("slowness", [1.0, 0.3])
def test_no_other_guest_has(slowness: float) -> None:
    assert make_seed(KEYS, slowness=slowness) == make_seed(KEYS)


def test_the_clients_private_key_is_not_in_it() -> None:
    assert KEYS.client.private not in make_seed(KEYS)
    assert KEYS.host.private in make_seed(KEYS)


def test_our_units_are_wanted_and_the_images_ssh_server_is_masked(unpacked: Path) -> None:
    units = unpacked / "run/systemd/system"
    for wanted in units.glob("*.wants/*"):
        assert wanted.resolve().is_file()
    assert len(list(units.glob("*.wants/*"))) == 2
    assert str((units / "ssh.service").readlink()) == "/dev/null"
    assert str((units / "ssh.socket").readlink()) == "/dev/null"


def test_nothing_of_ours_is_ordered_against_snapd_or_snaps(unpacked: Path) -> None:
    for unit in (unpacked / "run/systemd/system").glob("*.service"):
        if unit.is_file():
            assert "snap" not in unit.read_text()
            assert "Before=" not in unit.read_text()


def test_units_that_are_to_start_late_run_sleep_first(tmp_path: Path) -> None:
    late = {"snapd.service": 1200, "snap.bluez.bluez.service": 300}
    run(["cpio", "-idm", "--quiet"], input=make_seed(KEYS, delays=late), cwd=tmp_path)
    texts = {each.parent.name: each.read_text() for each in (tmp_path / "seed").rglob("*-late.conf")}
    assert texts == {
        "snapd.service.d": "[Service]\nExecStartPre=/bin/sleep 1.200\n",
        "snap.bluez.bluez.service.d": "[Service]\nExecStartPre=/bin/sleep 0.300\n",
    }


def test_nothing_is_late_by_itself(unpacked: Path) -> None:
    assert not list(unpacked.rglob("*.service.d"))


def test_the_guests_set_up_is_sh_and_knows_the_address(unpacked: Path) -> None:
    script = unpacked / "run/revert-safety/prepare"
    run(["sh", "-n", script])
    assert "10.9.8.7/24" in script.read_text()


def test_the_early_part_starts_the_witness_that_the_unit_then_does_not(unpacked: Path) -> None:
    script = unpacked / "run/revert-safety/early"
    run(["sh", "-n", script])
    unit = text(unpacked, "/run/systemd/system/revert-safety-witness.service")
    lines = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    assert f": >{lines['ConditionPathExists'].removeprefix('!')}\n" in script.read_text()
    assert f"until {lines['ExecStart']}; do" in script.read_text()


def test_orders_are_read_before_the_witness_starts_and_only_in_runs_that_have_some(
    unpacked: Path, tmp_path: Path
) -> None:
    assert not (unpacked / TAKE_ORDERS.removeprefix("/")).exists()
    run(["cpio", "-idmu", "--quiet"], input=make_seed(KEYS, orders=True), cwd=tmp_path)
    run(["sh", "-n", unpacked / TAKE_ORDERS.removeprefix("/")])
    early = text(unpacked, f"{HOME}/early")
    assert -1 < early.index(f"/bin/sh {TAKE_ORDERS}") < early.index("until ")


def test_our_initrd_runs_the_early_part_that_the_seed_has(unpacked: Path) -> None:
    (early,) = (line.partition("=")[2] for line in INIT.read_text().splitlines() if line.startswith("early="))
    assert (unpacked / early.removeprefix("/")).is_file()


def test_the_witness_imports_nothing_but_itself_and_knows_its_digest(unpacked: Path) -> None:
    where = unpacked / "run/revert-safety/witness"
    asked = f"""
import sys
sys.path.insert(0, {str(where)!r})
from probe import agent, waiting
print(agent.own_sha256())
"""
    done = run([sys.executable, "-I", "-B", "-S", "-c", asked], cwd=Path("/"))
    assert done.stdout.decode().strip() == probe_sha256()


def test_the_witness_takes_no_module_along_that_a_boot_does_not_need(unpacked: Path) -> None:
    asked = f"""
import sys
sys.path.insert(0, {str(unpacked / "run/revert-safety/witness")!r})
from probe import agent
print(*sorted(set({DEAR!r}) & set(sys.modules)))
"""
    assert run([sys.executable, "-I", "-B", "-S", "-c", asked], cwd=Path("/")).stdout == b"\n"


def test_a_witness_is_eager_where_it_is_asked_to_be(tmp_path: Path) -> None:
    asked = agent.EAGER_MARKER.removeprefix("/")
    for eager in (False, True):
        (tmp_path / "seed.cpio").write_bytes(make_seed(KEYS, eager=eager))
        listed = run(["cpio", "-t", "--quiet", "-F", tmp_path / "seed.cpio"]).stdout.decode().split()
        assert (f"seed/{asked}" in listed) is eager


def test_bytecode_lies_beside_the_sources(tmp_path: Path) -> None:
    (tmp_path / "seed.cpio").write_bytes(make_seed(KEYS, bytecode={"agent.cpython-313.pyc": b"code"}))
    run(["cpio", "-i", "--quiet", "-F", tmp_path / "seed.cpio"], cwd=tmp_path)
    probe = tmp_path / "seed/run/revert-safety/witness/probe"
    assert (probe / "__pycache__/agent.cpython-313.pyc").read_bytes() == b"code"
    assert (probe / "agent.py").exists()


def test_its_second_face_waits_for_changes(unpacked: Path) -> None:
    where = unpacked / "run/revert-safety/witness"
    done = run([sys.executable, "-I", "-B", where, "change", "7", "0"])
    assert b'"status": "unknown"' in done.stdout


def test_the_same_keys_give_the_same_bytes() -> None:
    assert make_seed(KEYS) == make_seed(KEYS)
    assert make_seed(KEYS) != make_seed(RunKeys.generate())


def test_a_seed_without_the_witness_has_nothing_of_it() -> None:
    words = (b"probe", b"revert-safety-witness.service", b"revert-safety/early")
    assert [word in make_seed(KEYS) for word in words] == [True] * 3
    alone = make_seed(KEYS, witness=False)
    assert [word in alone for word in words] == [False] * 3
    assert b"revert-safety-sshd.service" in alone


NAMES = st.text("abcXYZ019-_.é", min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=6))
def test_cpio_lists_what_was_put_in(files: dict[str, bytes]) -> None:
    raw = archive({f"top/{name}": Entry(content) for name, content in files.items()})
    listed = run(["cpio", "-t", "--quiet"], input=raw, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
    assert set(listed.stdout.decode().splitlines()) == {"top"} | {f"top/{name}" for name in files}
    assert len(raw) % 4 == 0


def test_content_and_modes_survive(tmp_path: Path) -> None:
    entries = {"a/b/one": Entry(b"1" * 7, 0o750), "a/two": Entry(b""), "a/link": Entry(target="b/one")}
    run(["cpio", "-id", "--quiet"], input=archive(entries), cwd=tmp_path)
    assert (tmp_path / "a/b/one").read_bytes() == b"1" * 7
    assert stat.S_IMODE((tmp_path / "a/b/one").stat().st_mode) == 0o750
    assert (tmp_path / "a/two").read_bytes() == b""
    assert (tmp_path / "a/link").readlink() == Path("b/one")
