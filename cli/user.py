# SPDX-License-Identifier: Apache-2.0
"""Model user, steps 9 and 10: ask a model, and check where an answer came from."""

from cli.output import reporting


def verify() -> None:
    """Check a receipt."""
    with reporting():
        raise NotImplementedError


def infer() -> None:
    """Ask."""
    with reporting():
        raise NotImplementedError
