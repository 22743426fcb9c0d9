# SPDX-License-Identifier: Apache-2.0
"""Chains for tests: one embedded chain and one anvil for a whole run, put back to where they were after each test.

A folder's conftest makes them fixtures:

    @pytest.fixture(params=KINDS)
    def chain(request: pytest.FixtureRequest) -> Iterator[DevChain]:
        with fresh(request.param) as chain:
            yield chain
"""

import atexit
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import pytest

from registry.chain.anvil import anvil
from registry.chain.dev import DevChain, fund
from registry.chain.embedded import embedded
from registry.signing import Account

KINDS = ("embedded", pytest.param("anvil", marks=pytest.mark.anvil))
_BLOCK_TIME = 0.05
_open: Counter[str] = Counter()


@contextmanager
def fresh(kind: str) -> Iterator[DevChain]:
    """A chain with the contracts deployed and nothing else; `kind` is `embedded` or `anvil`."""
    chain = kept(kind)
    before = chain.snapshot()
    _open[kind] += 1
    try:
        yield chain
    finally:
        _open[kind] -= 1
        chain.revert(before)


def untouched(kind: str) -> bool:
    """Whether nobody is using the kept chain, so that what is done to it now stays."""
    return _open[kind] == 0


def funded(chain: DevChain, count: int) -> list[Account]:
    """Accounts with money."""
    accounts = [Account.generate() for _ in range(count)]
    for account in accounts:
        fund(chain, account.address)
    return accounts


@cache
def kept(kind: str) -> DevChain:
    """The one chain of a kind that lasts for the whole run."""
    if kind == "embedded":
        return embedded()
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(anvil(block_time=_BLOCK_TIME))
