# SPDX-License-Identifier: GPL-3.0-only
"""The names that readers of seccomp profiles know, with their numbers in Linux's headers on x86-64.

Which release knew which: 2.24 had the address families of socket(2), TIOCSTI, PRIO_* and Q_*; 2.25
added S_IF* and the operator ``|``; 2.26 the other address families and all of NETLINK_*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

OPERATORS_OF_2_24 = (">=", "<=", "!", ">", "<")
OPERATORS_OF_2_25 = (*OPERATORS_OF_2_24, "|")

# linux/socket.h; AF_LOCAL is AF_UNIX.
_FAMILIES = {
    "AF_UNIX": 1, "AF_LOCAL": 1, "AF_INET": 2, "AF_INET6": 10, "AF_IPX": 4, "AF_NETLINK": 16, "AF_X25": 9,
    "AF_AX25": 3, "AF_ATMPVC": 8, "AF_APPLETALK": 5, "AF_PACKET": 17, "AF_ALG": 38,
}  # fmt: skip
_MORE_FAMILIES = {
    "AF_BRIDGE": 7, "AF_NETROM": 6, "AF_ROSE": 11, "AF_NETBEUI": 13, "AF_SECURITY": 14, "AF_KEY": 15,
    "AF_ASH": 18, "AF_ECONET": 19, "AF_SNA": 22, "AF_IRDA": 23, "AF_PPPOX": 24, "AF_WANPIPE": 25,
    "AF_BLUETOOTH": 31, "AF_RDS": 21, "AF_LLC": 26, "AF_TIPC": 30, "AF_CAN": 29, "AF_IUCV": 32,
    "AF_RXRPC": 33, "AF_ISDN": 34, "AF_PHONET": 35, "AF_IEEE802154": 36, "AF_CAIF": 37, "AF_NFC": 39,
    "AF_VSOCK": 40, "AF_IB": 27, "AF_MPLS": 28,
}  # fmt: skip
# linux/netlink.h
_NETLINK = {
    "NETLINK_ROUTE": 0, "NETLINK_USERSOCK": 2, "NETLINK_FIREWALL": 3, "NETLINK_SOCK_DIAG": 4,
    "NETLINK_INET_DIAG": 4, "NETLINK_NFLOG": 5, "NETLINK_XFRM": 6, "NETLINK_SELINUX": 7, "NETLINK_ISCSI": 8,
    "NETLINK_AUDIT": 9, "NETLINK_FIB_LOOKUP": 10, "NETLINK_CONNECTOR": 11, "NETLINK_NETFILTER": 12,
    "NETLINK_IP6_FW": 13, "NETLINK_DNRTMSG": 14, "NETLINK_KOBJECT_UEVENT": 15, "NETLINK_GENERIC": 16,
    "NETLINK_SCSITRANSPORT": 18, "NETLINK_ECRYPTFS": 19, "NETLINK_RDMA": 20, "NETLINK_CRYPTO": 21,
}  # fmt: skip
# sys/socket.h, sys/resource.h, asm-generic/ioctls.h, linux/quota.h, linux/dqblk_xfs.h
_OTHERS = {
    "SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3, "SOCK_SEQPACKET": 5, "PRIO_PROCESS": 0, "PRIO_PGRP": 1,
    "PRIO_USER": 2, "TIOCSTI": 0x5412, "Q_GETFMT": 0x800004, "Q_GETINFO": 0x800005, "Q_GETQUOTA": 0x800007,
    "Q_XGETQUOTA": 0x5803, "Q_XGETQSTAT": 0x5805,
}  # fmt: skip
# sys/stat.h
_FILE_TYPES = {
    "S_IFREG": 0o100000, "S_IFCHR": 0o020000, "S_IFBLK": 0o060000, "S_IFIFO": 0o010000, "S_IFSOCK": 0o140000,
}  # fmt: skip

OF_2_24: Mapping[str, int] = {**_FAMILIES, **_OTHERS}
OF_2_25: Mapping[str, int] = {**OF_2_24, **_FILE_TYPES}
OF_2_26: Mapping[str, int] = {**OF_2_25, **_MORE_FAMILIES, **_NETLINK}

ALLOWED_FAMILIES = tuple(name for name in (*_FAMILIES, *_MORE_FAMILIES) if name != "AF_NETLINK")
"""The 38 families for which 2.26's template has a rule each: netlink is for interfaces to give."""


def netlink(protocols: Iterable[str]) -> tuple[str, ...]:
    """The rules that allow a netlink socket of these protocols."""
    return tuple(f"socket AF_NETLINK - NETLINK_{protocol}" for protocol in protocols)
