# SPDX-License-Identifier: GPL-3.0-only
"""What a process has of its snap's mounts, by the files that snapd, snap-update-ns and the kernel keep."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from harness.model import codec
from harness.model.occurrence import MountProfile, Namespace, Occurrence, Started
from harness.probe import mountns

# The profile that snapd 2.49 to 2.77.1 write for the layout of images/snaps/bluez.
DESIRED = "/var/snap/bluez/common/lib /var/lib/bluetooth none rbind,rw,x-snapd.origin=layout 0 0\n"
# What snap-update-ns adds to make room for it in a directory of the base, and from 2.59 on for the root.
_MADE = "x-snapd.synthetic,x-snapd.needed-by=/var/lib/bluetooth"
_OF_BASE = ("apt", "dhcp", "dpkg", "extrausers", "misc", "pam", "shells.state", "snapd", "systemd")


def _kept(name: str) -> str:
    where = f"/var/lib/{name}"
    how = f"bind,x-snapd.kind=file,{_MADE}" if "." in name else f"rbind,{_MADE},x-snapd.detach"
    return f"{where} {where} none {how} 0 0\n"


ROOT = "tmpfs / tmpfs x-snapd.origin=rootfs 0 0\n"
MIMIC = f"tmpfs /var/lib tmpfs {_MADE},mode=0755,uid=0,gid=0 0 0\n" + "".join(map(_kept, _OF_BASE))
# As they were recorded in guests with 2.57.6, and with 2.68.3.
RECORDED = {
    MIMIC + DESIRED: "9875b59ce3187b070679022fbebee1eb3c5170f89afd2061fa87794812cc85de",
    "".join(
        reversed((MIMIC + DESIRED).splitlines(keepends=True))
    ): "17f3ae9f197b968f3b9d224f4f2922d82f908edb6115586e27edaeff18f0262a",
    ROOT + MIMIC + DESIRED: "a495967a4bcccfaeec4853877aaaea3774026834130073f826e1dd43c8048c0c",
}
# Under Linux 6.12, shortened.
MOUNTS = """\
121 45 7:0 / / ro,nodev,relatime master:19 - squashfs /dev/loop0 ro,errors=continue
160 121 0:60 / /var/lib rw,relatime - tmpfs tmpfs rw,mode=755,inode64
162 160 254:0 /var/snap/bluez/common/lib /var/lib/bluetooth rw,relatime - ext4 /dev/vda rw
163 121 254:0 /x /with\\040space rw,relatime - ext4 /dev/vda rw
""" + "".join(
    f"{number} 160 7:0 /var/lib/{name} /var/lib/{name} ro,nodev,relatime master:19 - squashfs /dev/loop0 ro\n"
    for number, name in enumerate(_OF_BASE, start=170)
)
LATER = 3600 * 10**9


class Guest:
    """A root and a /proc with one process, 7."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for pid, namespace in ((1, "mnt:[1]"), (7, "mnt:[7]")):
            (path / f"proc/{pid}/ns").mkdir(parents=True)
            (path / f"proc/{pid}/ns/mnt").symlink_to(namespace)
        self.write("proc/7/mountinfo", MOUNTS)
        self.write("var/lib/snapd/mount/snap.bluez.fstab", DESIRED)
        self.write("run/snapd/ns/snap.bluez.fstab", MIMIC + DESIRED)

    def write(self, name: str, text: str) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def read(self, *, at: int = LATER, tag: str = "snap.bluez.bluez", pid: int = 7) -> MountProfile | None:
        raw = mountns.read_mount_profile(at, tag, pid, lambda: 0, str(self.path / "proc"), f"{self.path}/")
        found: MountProfile | None = codec.decode(MountProfile | None, json.loads(json.dumps(raw)))
        assert raw is None or set(raw) - {"type"} == {f.name for f in dataclasses.fields(MountProfile)}
        return found


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path)


def read(guest: Guest, **more: Any) -> MountProfile:
    found = guest.read(**more)
    assert found
    return found


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("text", RECORDED)
def test_what_real_guests_noted_is_all_as_desired(guest: Guest, text: str) -> None:
    guest.write("run/snapd/ns/snap.bluez.fstab", text)
    assert read(guest) == MountProfile(
        desired=sha256(DESIRED), current=RECORDED[text], namespace=Namespace.OWN
    )


def test_a_process_with_all_its_mounts(guest: Guest) -> None:
    assert guest.read() == MountProfile(
        desired=sha256(DESIRED), current=sha256(MIMIC + DESIRED), namespace=Namespace.OWN
    )


def test_a_mount_that_the_process_lacks_is_missing(guest: Guest) -> None:
    guest.write(
        "proc/7/mountinfo", MOUNTS.replace(" /var/lib/dhcp rw", " /x rw").replace("/dhcp ro", "/y ro")
    )
    assert read(guest).missing == ("/var/lib/dhcp",)


def test_what_was_not_made_is_pending_also_when_it_came_from_elsewhere(guest: Guest) -> None:
    guest.write("run/snapd/ns/snap.bluez.fstab", MIMIC)
    assert (read(guest).pending, read(guest).surplus) == (("/var/lib/bluetooth",), ())
    guest.write("run/snapd/ns/snap.bluez.fstab", MIMIC + DESIRED.replace("common/lib", "common/old"))
    assert (read(guest).pending, read(guest).surplus) == (("/var/lib/bluetooth",), ("/var/lib/bluetooth",))
    assert read(guest).missing == ()


def test_what_is_no_longer_asked_for_is_surplus(guest: Guest) -> None:
    guest.write("var/lib/snapd/mount/snap.bluez.fstab", "")
    found = read(guest)
    assert (found.desired, found.surplus) == (sha256(""), ("/var/lib/bluetooth",))


@pytest.mark.parametrize(
    "line",
    [
        "# a comment",
        "",
        "  \t ",
        "none /var/lib/a none x-snapd.kind=symlink,x-snapd.symlink=/b,x-snapd.origin=layout 0 0",
        "none /home/x none x-snapd.kind=ensure-dir,x-snapd.must-exist-dir=/home 0 0",
        "/absent /c none bind,x-snapd.ignore-missing 0 0",
    ],
)
def test_lines_that_ask_for_no_mount(guest: Guest, line: str) -> None:
    guest.write("var/lib/snapd/mount/snap.bluez.fstab", f"{DESIRED}{line}\n")
    assert (read(guest).pending, read(guest).problem) == ((), "")


@pytest.mark.parametrize(
    "line", ["/a /b none", "/a /b none bind", "/a\t/b/ none bind 0 # x", "/a /./b none bind 0 0"]
)
def test_lines_that_ask_for_one(guest: Guest, line: str) -> None:
    guest.write("var/lib/snapd/mount/snap.bluez.fstab", f"{DESIRED}{line}\n")
    assert read(guest).pending == ("/b",)


def test_a_line_that_is_no_entry_is_a_problem(guest: Guest) -> None:
    guest.write("var/lib/snapd/mount/snap.bluez.fstab", f"{DESIRED}half a\n")
    assert read(guest).problem.endswith("var/lib/snapd/mount/snap.bluez.fstab is no mount entry")
    assert "line 2 of " in read(guest).problem


def test_escapes_are_read_in_both(guest: Guest) -> None:
    guest.write("run/snapd/ns/snap.bluez.fstab", f"{MIMIC}{DESIRED}/x /with\\040space none bind 0 0\n")
    assert read(guest).missing == ()
    assert mountns.unescaped(r"\134\040\011\012#") == "\\ \t\n#"


def test_many_are_capped_and_in_order(guest: Guest) -> None:
    lines = "".join(f"/a /m{number:03} none bind 0 0\n" for number in range(99, 0, -1))
    guest.write("run/snapd/ns/snap.bluez.fstab", MIMIC + DESIRED + lines)
    assert read(guest).missing == tuple(f"/m{number:03}" for number in range(1, 21))


def test_without_profiles(guest: Guest) -> None:
    found = read(guest, tag="snap.other.x")
    assert (found.desired, found.current, found.missing, found.pending) == ("", "", (), ())


def test_the_systems_namespace(guest: Guest) -> None:
    link = guest.path / "proc/7/ns/mnt"
    link.unlink()
    assert read(guest).namespace == Namespace.UNREAD
    link.symlink_to("mnt:[1]")
    assert read(guest).namespace == Namespace.SYSTEM


@pytest.mark.parametrize("name", ["var/lib/snapd/mount/snap.bluez.fstab", "run/snapd/ns/snap.bluez.fstab"])
def test_a_profile_that_changed_after_the_start_is_a_problem(guest: Guest, name: str) -> None:
    """The guest's clocks are alike here: time since the boot is the time of day."""
    began = time.time_ns() + LATER

    def problem() -> str:
        raw = mountns.read_mount_profile(
            began, "snap.bluez.b", 7, time.time_ns, str(guest.path / "proc"), f"{guest.path}/"
        )
        assert raw
        return str(raw["problem"])

    assert problem() == ""
    began = (guest.path / name).stat().st_ctime_ns
    guest.write(name, (guest.path / name).read_text())
    while (guest.path / name).stat().st_ctime_ns <= began:
        guest.write(name, (guest.path / name).read_text())
    assert problem() == "a profile changed after the start"


def test_a_profile_that_cannot_be_read_is_a_problem(guest: Guest) -> None:
    path = guest.path / "run/snapd/ns/snap.bluez.fstab"
    path.unlink()
    path.mkdir()
    assert "cannot read" in read(guest).problem


@pytest.mark.parametrize("more", [{"pid": 8}, {"tag": ""}, {"tag": "x.y"}])
def test_what_has_gone_or_has_no_snap_is_not_read(guest: Guest, more: dict[str, Any]) -> None:
    assert guest.read(**more) is None


@pytest.mark.parametrize("text", ["", "\n", "x", "1 2 3:4 /", "\0 \xff \\9 \\777 \\"])
def test_no_text_is_refused(guest: Guest, text: str) -> None:
    for name in ("proc/7/mountinfo", "var/lib/snapd/mount/snap.bluez.fstab", "run/snapd/ns/snap.bluez.fstab"):
        guest.write(name, text)
    assert guest.read()


def test_a_start_of_before_there_were_any_decodes() -> None:
    line = '{"type":"started","at":1,"read_at":2,"tag":"t","pid":3,"exe":"e","process":null,"profile":null}'
    start = codec.loads(Occurrence, line)
    assert isinstance(start, Started)
    assert start.mount_profile is None
    with_one = dataclasses.replace(start, mount_profile=MountProfile(missing=("/x",)))
    assert codec.loads(Occurrence, codec.dumps(with_one)) == with_one


@pytest.mark.parametrize("bad", ['"missing":"/x"', '"namespace":"mine"', '"desired":null', '"pending":[1]'])
def test_what_does_not_fit_is_undecodable(bad: str) -> None:
    with pytest.raises(codec.Undecodable):
        codec.loads(MountProfile, f'{{"type":"mount-profile",{bad}}}')
