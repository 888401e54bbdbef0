# SPDX-License-Identifier: GPL-3.0-only
"""What a power cut leaves on a disk: the log of writes, the states, and the file system in each; pure."""
