# SPDX-License-Identifier: Apache-2.0
"""How much gas a transaction needs, when the EVM is ours to run: what it costs before any code, and a search."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eth.abc import ComputationAPI

_BASE = 21_000
_ZERO, _NONZERO = 4, 16
_FLOOR_ZERO, _FLOOR_NONZERO = 10, 40  # EIP-7623
_CREATION = 32_000
_CODE_WORD, _CODE_BYTE = 2, 200
_STEPS = 24


def before_code(data: bytes, creation: bool) -> tuple[int, int]:
    """Gas a transaction pays before its code runs, and the least it pays at all."""
    zeros = data.count(0)
    others = len(data) - zeros
    paid = _BASE + zeros * _ZERO + others * _NONZERO
    if creation:
        paid += _CREATION + _CODE_WORD * ((len(data) + 31) // 32)
    return paid, _BASE + zeros * _FLOOR_ZERO + others * _FLOOR_NONZERO


def least_gas(data: bytes, creation: bool, run: Callable[[int], "ComputationAPI"]) -> int:
    """Nearly the lowest gas limit that succeeds; the caller knows that a high one does.

    A call that checks how much gas is left needs more than it uses, hence the search.
    """
    base, floor = before_code(data, creation)
    used = run(1 << 24).get_gas_used()
    limit = used
    for _ in range(_STEPS):
        made = run(limit)
        if not made.is_error:
            break
        limit += max(limit // 8, 2_000)
    deposit = _CODE_BYTE * len(made.output) if creation else 0
    return max(base + limit + deposit, floor)
