# SPDX-License-Identifier: GPL-3.0-only
"""File systems that e2fsprogs made are read as e2fsprogs read them, journal included."""

from __future__ import annotations

import functools
import hashlib
import random
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cut.partitions import file_system
from harness.cut.policy_files import Found, differences
from harness.errors import HarnessError, HostLacks, Mistake
from harness.host.process import run
from harness.model.sweep import FileDiffers, How
from harness.sweep.second_reader import read_with_tools
from tests.unit.cut.disks import MIB, block_size, debugfs, make_disk, policy_of
from tests.unit.cut.write_logs import reader

MANY = {f"d/{number:03}-{'n' * 60}": b"%d" % number for number in range(200)}
FILES = {"a/one": b"one", "a/b/two": b"two" * 5000, "nothing": b"", **MANY}
KINDS = [
    (),
    ("-b", "1024"),
    ("-b", "4096", "-O", "^metadata_csum"),
    ("-b", "2048", "-O", "^64bit,^metadata_csum", "-I", "128"),
    ("-O", "^has_journal"),
    ("-b", "4096", "-O", "metadata_csum_seed,64bit"),
]


@pytest.mark.parametrize("options", KINDS, ids=" ".join)
def test_a_tree_is_read_whole(tmp_path: Path, options: tuple[str, ...]) -> None:
    disk = make_disk(tmp_path / "disk", FILES, *options, size="16M")
    policy = policy_of(disk.read_bytes())
    assert policy.trouble == ""
    found = policy.files
    assert {path.removeprefix("/policy/") for path, each in found.items() if each.kind == "file"} == set(
        FILES
    )
    assert found["/policy/a/b/two"] == Found("file", hashlib.sha256(b"two" * 5000).hexdigest(), 15000)
    assert found["/policy/link"] == Found("link", hashlib.sha256(b"a/target").hexdigest(), 8)
    assert found["/policy/long"] == Found("link", hashlib.sha256(b"x" * 200).hexdigest(), 200)
    assert found["/policy/empty"].kind == found["/policy"].kind == "directory"
    assert dict(found) == dict(read_with_tools(disk, 0, ["/policy"]))


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", {"a": b"1"}).read_bytes()
    assert policy_of(disk, ["/no/such", "/policy/a/below", "/policy/link/x"]).files == {}
    assert set(policy_of(disk, ["/policy/a", "/no"]).files) == {"/policy/a"}
    with pytest.raises(Mistake, match="no absolute path"):
        policy_of(disk, ["policy"])


def test_holes_and_large_files(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", {}, "-b", "1024", size="32M")
    parts = [(n * 40_000, random.Random(n).randbytes(3000)) for n in range(200)]
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        for offset, content in parts:
            file.seek(offset)
            file.write(content)
        file.truncate(9 * MIB)
    debugfs(disk, f"write {sparse} policy/sparse")
    assert "(ETB" in debugfs(disk, "stat policy/sparse"), "so many pieces need a tree of extents"
    expected = hashlib.sha256(sparse.read_bytes()).hexdigest()
    assert policy_of(disk.read_bytes(), ["/policy/sparse"]).files["/policy/sparse"].content == expected


JOURNALS = [
    ("-b", "1024", "-O", "^64bit,^metadata_csum"),
    ("-b", "1024", "-O", "64bit,^metadata_csum"),
    ("-b", "4096", "-O", "64bit,metadata_csum"),
    ("-b", "1024", "-O", "^64bit,metadata_csum"),
]


def journalled(tmp_path: Path, options: tuple[str, ...]) -> tuple[Path, str]:
    """A disk with a file of several blocks, and the command that opens its journal."""
    size = int(options[1])
    old = b"".join(bytes([65 + n]) * size for n in range(6))
    disk = make_disk(tmp_path / "disk", {"file": old}, *options, size="16M")
    return disk, "jo -c" if "metadata_csum" in options[3].split(",") else "jo"


def blocks_of(disk: Path) -> list[int]:
    return [int(word) for word in debugfs(disk, "blocks policy/file").split() if word.isdigit()]


def with_new(disk: Path, name: str, *contents: bytes) -> Path:
    size = block_size(disk.read_bytes())
    path = disk.with_suffix(f".{name}")
    path.write_bytes(b"".join(content.ljust(size, b".") for content in contents))
    return path


@pytest.mark.parametrize("options", JOURNALS, ids=" ".join)
def test_the_journal_is_replayed_as_e2fsck_does(tmp_path: Path, options: tuple[str, ...]) -> None:
    disk, opening = journalled(tmp_path, options)
    home = blocks_of(disk)
    escaped = b"\xc0\x3b\x39\x98 looks like the journal's own"
    one = with_new(disk, "1", b"first 0", escaped, b"first 2", b"first 3")
    two = with_new(disk, "2", b"second 2")
    said = debugfs(
        disk,
        opening,
        f"jw -b {','.join(map(str, home[:4]))} {one}",
        f"jw -b {home[2]} {two}",
        f"jw -r {home[3]}",
        "jc",
    )
    assert "rror" not in said
    before = disk.read_bytes()
    (mine,) = policy_of(before, ["/policy/file"]).files.values()
    run(["e2fsck", "-E", "journal_only", "-p", disk], check=False)
    debugfs(disk, f"dump policy/file {tmp_path}/out")
    after = (tmp_path / "out").read_bytes()
    assert disk.read_bytes() != before
    size = block_size(before)
    assert after[: 3 * size] == (
        b"first 0".ljust(size, b".") + escaped.ljust(size, b".") + b"second 2".ljust(size, b".")
    )
    assert after[3 * size :].startswith(b"D" * size), "what was revoked is not replayed"
    assert mine.content == hashlib.sha256(after).hexdigest()


def commit_block_of(disk: bytes, sequence: int) -> int:
    """Where on the disk the commit block of a transaction begins."""
    wanted = struct.pack(">III", 0xC03B3998, 2, sequence)
    (place,) = [at for at in range(0, len(disk), 1024) if disk.startswith(wanted, at)]
    return place


def one_transaction(tmp_path: Path) -> bytearray:
    disk, opening = journalled(tmp_path, JOURNALS[2])
    new = with_new(disk, "1", b"new")
    debugfs(disk, opening, f"jw -b {blocks_of(disk)[0]} {new}", "jc")
    return bytearray(disk.read_bytes())


def content_of(disk: bytes) -> str:
    (found,) = policy_of(disk, ["/policy/file"]).files.values()
    return found.content


def test_a_transaction_without_its_commit_does_not_count(tmp_path: Path) -> None:
    disk = one_transaction(tmp_path)
    replayed = content_of(bytes(disk))
    place = commit_block_of(disk, 1)
    disk[place : place + 4096] = bytes(4096)
    old = content_of(bytes(disk))
    assert old == hashlib.sha256(b"".join(bytes([65 + n]) * 4096 for n in range(6))).hexdigest() != replayed


@pytest.mark.parametrize("what", ["commit", "descriptor", "data"])
def test_a_journal_that_the_kernel_refuses_is_trouble(tmp_path: Path, what: str) -> None:
    disk = one_transaction(tmp_path)
    commit = commit_block_of(disk, 1)
    place = {"commit": commit, "data": commit - 4096, "descriptor": commit - 8192}[what]
    disk[place + 40] ^= 1
    policy = policy_of(bytes(disk))
    assert "corrupt" in policy.trouble
    assert policy.files == {}


def test_a_journal_that_need_not_be_replayed_is_left(tmp_path: Path) -> None:
    disk = one_transaction(tmp_path)
    replayed = content_of(bytes(disk))
    disk[1024 + 0x60] &= ~0x4
    assert content_of(bytes(disk)) != replayed


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("-O", "inline_data"), "features 0x8000"),
        (("-O", "fast_commit"), "features 0x400"),
        (("-O", "meta_bg,^resize_inode"), "features 0x10"),
    ],
)
def test_what_this_reader_does_not_know_is_refused(
    tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    disk = make_disk(tmp_path / "disk", {"a": b"1"}, *options)
    with pytest.raises(HostLacks, match=complaint):
        policy_of(disk.read_bytes())


def test_a_disk_without_ext4_is_a_mistake() -> None:
    with pytest.raises(Mistake, match="no ext4 file system"):
        policy_of(bytes(MIB))


def partitioned(tmp_path: Path, *, gpt: bool, second: bool = False) -> bytes:
    part = make_disk(tmp_path / "part", {"a": b"1"}).read_bytes()
    disk = bytearray(MIB) + part + (part if second else bytes(len(part)))
    disk[510:512] = b"\x55\xaa"
    starts = [2048, 2048 + len(part) // 512]
    for number, start in enumerate(starts):
        if gpt:
            disk[450] = 0xEE
            disk[512:520] = b"EFI PART"
            struct.pack_into("<QII", disk, 512 + 72, 2, 4, 128)
            struct.pack_into("<16s16sQ", disk, 1024 + 128 * number, b"t", b"u", start)
        else:
            disk[446 + 16 * number + 4] = 0x83
            struct.pack_into("<I", disk, 446 + 16 * number + 8, start)
    return bytes(disk)


@pytest.mark.parametrize("gpt", [False, True])
def test_partitions_are_found(tmp_path: Path, gpt: bool) -> None:
    disk = partitioned(tmp_path, gpt=gpt)
    assert file_system(reader(disk), len(disk)).start == MIB
    assert set(policy_of(disk).files) >= {"/policy", "/policy/a"}


def test_of_two_file_systems_one_must_be_named(tmp_path: Path) -> None:
    disk = partitioned(tmp_path, gpt=False, second=True)
    with pytest.raises(Mistake, match=r"file systems at bytes \[1048576, 9437184\]"):
        file_system(reader(disk), len(disk))
    assert file_system(reader(disk), len(disk), 9 * MIB).start == 9 * MIB
    with pytest.raises(Mistake, match="at byte 512"):
        file_system(reader(disk), len(disk), 512)


def test_differences_name_each_file(tmp_path: Path) -> None:
    whole = policy_of(make_disk(tmp_path / "1", {"same": b"1", "gone": b"22", "other": b"333"}).read_bytes())
    mine = policy_of(make_disk(tmp_path / "2", {"same": b"1", "new": b"4444", "other": b""}).read_bytes())
    assert differences(mine, whole) == (
        FileDiffers("/policy/gone", How.MISSING, None, 2),
        FileDiffers("/policy/new", How.EXTRA, 4, None, hashlib.sha256(b"4444").hexdigest()),
        FileDiffers("/policy/other", How.CHANGED, 0, 3, hashlib.sha256(b"").hexdigest()),
    )
    assert differences(whole, whole) == ()


@functools.cache
def a_small_disk() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        disk = make_disk(Path(name, "disk"), {"a/b": b"1" * 3000, "c": b"2"}, "-b", "1024", size="2M")
        new = with_new(disk, "1", b"new")
        debugfs(disk, "jo -c", f"jw -b {blocks_of(disk) or 700} {new}", "jc")
        return disk.read_bytes()


@functools.cache
def used_parts() -> list[int]:
    disk = a_small_disk()
    return [at for at in range(0, len(disk), 64) if any(disk[at : at + 64])]


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=30))
def test_garbage_on_a_disk_never_costs_a_traceback(damage: list[tuple[float, int]]) -> None:
    disk, used = bytearray(a_small_disk()), used_parts()
    for where, value in damage:
        place, offset = divmod(int(where * len(used) * 64), 64)
        disk[used[place] + offset] = value
    try:
        policy = policy_of(bytes(disk))
    except HarnessError:
        return
    assert policy.trouble or policy.files is not None
