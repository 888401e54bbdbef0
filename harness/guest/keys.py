# SPDX-License-Identifier: GPL-3.0-only
"""The keys of one run: made when it starts, held in memory, and gone with it."""

from __future__ import annotations

import io
from dataclasses import dataclass

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """An ed25519 key: `private` in OpenSSH's format, `public` as one line of an authorized_keys file."""

    private: bytes
    public: str

    @classmethod
    def generate(cls) -> KeyPair:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        return cls(private, public.decode("ascii"))

    def for_paramiko(self) -> paramiko.Ed25519Key:
        """The key as paramiko signs and compares with it."""
        return paramiko.Ed25519Key.from_private_key(io.StringIO(self.private.decode("ascii")))


@dataclass(frozen=True, slots=True, repr=False)
class RunKeys:
    """The key that we log in with and the one that the guest must show; both are new for each run."""

    client: KeyPair
    host: KeyPair

    @classmethod
    def generate(cls) -> RunKeys:
        return cls(KeyPair.generate(), KeyPair.generate())
