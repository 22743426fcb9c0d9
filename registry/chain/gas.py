# SPDX-License-Identifier: Apache-2.0
"""How much gas a transaction needs, when the EVM is ours to run: what it costs before any code, and whether that suffices."""

from collections.abc import Callable

_BASE = 21_000
_ZERO, _NONZERO = 4, 16
_FLOOR_ZERO, _FLOOR_NONZERO = 10, 40  # EIP-7623
_CREATION = 32_000
_CODE_WORD, _CODE_BYTE = 2, 200
_STIPEND = 110_000


def before_code(data: bytes, creation: bool) -> tuple[int, int]:
    """Gas a transaction pays before its code runs, and the least it pays at all."""
    zeros = data.count(0)
    others = len(data) - zeros
    paid = _BASE + zeros * _ZERO + others * _NONZERO
    if creation:
        paid += _CREATION + _CODE_WORD * ((len(data) + 31) // 32)
    return paid, _BASE + zeros * _FLOOR_ZERO + others * _FLOOR_NONZERO


def least_gas(data: bytes, creation: bool, used: int, made: bytes, enough: Callable[[int], bool]) -> int:
    """A gas limit that succeeds, for code that was seen to use `used` with plenty and to return `made`.

    A call that checks how much gas is left needs more than it uses: then the stipend is added.
    """
    base, floor = before_code(data, creation)
    deposit = _CODE_BYTE * len(made) if creation else 0
    limit = used if enough(used) else used + _STIPEND
    return max(base + limit + deposit, floor)
