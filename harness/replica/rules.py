# SPDX-License-Identifier: GPL-3.0-only
"""Rules of the replicas' policy: written for them, and as wide as the service snaps need.

Only what is known of a release is told apart here: which rules on sockets, ioctl, mknod and quotactl it
had. What every Linux program uses is one list for all, with no call newer than 2017: so programs need a C
library of that time, as they did under these releases.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.replica.vocabulary import ALLOWED_FAMILIES, netlink

# One name a rule. Left out is what changes the machine (mounts, modules, clocks, swap, keys, tracing,
# namespaces) and what only interfaces give.
_CALLS = """
access alarm arch_prctl brk capget capset chdir chmod chown clock_getres clock_gettime clock_nanosleep clone
close connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_wait
eventfd eventfd2 execve execveat exit exit_group faccessat fadvise64 fallocate fchdir fchmod fchmodat fchown
fchownat fcntl fdatasync fgetxattr flistxattr flock fork fstat fstatfs fsync ftruncate futex getcpu getcwd
getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid
getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt get_robust_list
gettid gettimeofday getuid getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioprio_get
kill lchown lgetxattr link linkat listxattr llistxattr lseek lstat madvise memfd_create mincore mkdir mkdirat
mlock mmap mprotect mremap msync munlock munmap nanosleep newfstatat open openat pause personality pipe pipe2
poll ppoll prctl pread64 preadv prlimit64 pselect6 pwrite64 pwritev read readahead readlink readlinkat readv
recvfrom recvmmsg recvmsg rename renameat renameat2 restart_syscall rmdir rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_getaffinity
sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler sched_yield
seccomp select sendfile sendmmsg sendmsg sendto setfsgid setfsuid setgid setgroups setitimer setpgid setregid
setresgid setresuid setreuid setrlimit set_robust_list setsid setsockopt set_tid_address setuid shutdown
sigaltstack signalfd signalfd4 socketpair splice stat statfs symlink symlinkat sync sync_file_range sysinfo
tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes
vfork wait4 waitid write writev
"""
# GLib of Debian 11 gives each thread of a pool the scheduling of the first: without sched_setattr,
# NetworkManager's main thread is killed, and the others live on.
COMMON = (*_CALLS.split(), "setpriority PRIO_PROCESS 0 -", "sched_setscheduler", "sched_setattr")

PLAIN = ("socket", "ioctl")
"""2.24, 2.26.4 and 2.26.5: any socket, any ioctl, no mknod."""

NO_TIOCSTI = "ioctl - !TIOCSTI"
SPECIAL_FILES = tuple(
    f"{call} |{kind} -" for kind in ("S_IFREG", "S_IFIFO", "S_IFSOCK") for call in ("mknod -", "mknodat - -")
)
"""2.25, and 2.27 on: mknod for regular files, FIFOs and sockets, which 2.24 cannot read."""

OF_2_25 = ("socket", NO_TIOCSTI, *SPECIAL_FILES)
OF_2_27 = (*(f"socket {family}" for family in ALLOWED_FAMILIES), NO_TIOCSTI, *SPECIAL_FILES)

_SERVER = ("accept", "accept4", "bind", "listen")
_OF_ALL: Mapping[str, tuple[str, ...]] = {
    "plug network-bind": _SERVER,
    "plug network-control": (*_SERVER, "sethostname"),
    "plug bluetooth-control": ("bind",),
    "slot bluez": _SERVER,
    "slot modem-manager": _SERVER,
    "slot network-manager": (*_SERVER, "socket AF_NETLINK - -", "sethostname"),
}

# 2.26's netlink mediation, in the interfaces of which facts are known; 2.26.4 left it there.
_NETLINK: Mapping[str, tuple[str, ...]] = {
    "plug network": ("ROUTE",),
    "plug network-bind": ("ROUTE",),
    "plug network-control": ("ROUTE", "GENERIC"),
    "plug firewall-control": ("FIREWALL", "NETFILTER", "ROUTE"),
    "plug hardware-observe": ("KOBJECT_UEVENT",),
    "plug bluetooth-control": ("KOBJECT_UEVENT",),
    "slot bluez": ("KOBJECT_UEVENT",),
    "slot modem-manager": ("KOBJECT_UEVENT",),
    "slot ofono": ("KOBJECT_UEVENT",),
    "slot udisks2": ("KOBJECT_UEVENT",),
    "slot pulseaudio": ("KOBJECT_UEVENT",),
    "slot fwupd": ("KOBJECT_UEVENT",),
    "slot upower-observe": ("KOBJECT_UEVENT",),
}

_QUOTAS = tuple(
    f"quotactl Q_{name} - - -" for name in ("GETQUOTA", "GETINFO", "GETFMT", "XGETQUOTA", "XGETQSTAT")
)
_OBSERVED: Mapping[str, tuple[str, ...]] = {"plug mount-observe": _QUOTAS}

INTERFACES_OF_2_24 = _OF_ALL
INTERFACES_OF_2_25: Mapping[str, tuple[str, ...]] = {**_OF_ALL, **_OBSERVED}
INTERFACES_OF_2_26_4: Mapping[str, tuple[str, ...]] = {
    side: (*_OF_ALL.get(side, ()), *netlink(_NETLINK.get(side, ())))
    for side in dict.fromkeys((*_OF_ALL, *_NETLINK))
}
INTERFACES_OF_2_27: Mapping[str, tuple[str, ...]] = {**INTERFACES_OF_2_26_4, **_OBSERVED}

# @SNAP@ is the snap's name. Debian's kernels mediate files, capabilities, networks, signals and ptrace.
_CAPABILITIES = """
chown dac_override dac_read_search fowner fsetid kill net_admin net_bind_service net_raw setgid setuid
sys_nice
"""
_FILES = """
/ r
/{bin,sbin,lib,lib64,usr}/{,**} mrix
/etc/{,**} r
/snap/ r
/snap/{core,@SNAP@}/{,**} mrkix
/var/snap/@SNAP@/{,**} mrwklix
/var/lib/NetworkManager/{,**} rwkl
/var/lib/bluetooth/{,**} rwkl
/var/lib/snapd/replica/{,**} r
/root/{,**} rwkl
/tmp/{,**} mrwklix
/var/tmp/{,**} rwkl
/run/{,**} rwkl
/dev/{,**} rw
/proc/{,**} r
/proc/sys/net/** rw
/proc/*/{oom_score_adj,comm} w
/sys/{,**} r
"""
APPARMOR = (
    *("network,", "signal,", "unix,", "dbus,", "ptrace (trace, read) peer=@{profile_name},"),
    *(f"capability {name}," for name in _CAPABILITIES.split()),
    *(f"{line}," for line in _FILES.split("\n") if line),
)

# Wide, because of the rules in the launcher's own profile one alone is known: what was mounted is noted in
# /run/snapd/ns, by the launcher or by its child, and only who did it in that release may write there.
_LAUNCHER_FILES = """
/{,**} mr
/{dev,home,media,proc,root,tmp,var}/{,**} rwk
/run/[^s]{,**} rwk
/run/snapd/{,ns/} rw
"""
LAUNCHER = (
    *("capability,", "network,", "unix,", "dbus,", "signal,", "ptrace,"),
    *("mount,", "remount,", "umount,", "pivot_root,", "change_profile unsafe /** -> **,"),
    *(f"{line}," for line in _LAUNCHER_FILES.split("\n") if line),
)
NOTES = "/run/snapd/ns/*.fstab rw,"
UPDATE_NS = "snap_update_ns"
EXECUTES_UPDATE_NS = f"/usr/lib/snapd/snap-update-ns cx -> {UPDATE_NS},"
