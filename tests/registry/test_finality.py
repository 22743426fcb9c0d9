# SPDX-License-Identifier: Apache-2.0
"""Waiting until a transaction is as deep as it should be, and what ends the wait otherwise."""

import pytest

from contracts.ids import Digest
from contracts.records import Finality
from registry.chain.chain import Chain
from registry.chain.dev import DevChain
from registry.errors import Reorganised, TimedOut
from tests.fakes.chains import funded
from tests.fakes.nodes import Stuck
from tests.fakes.scenes import digest


def test_the_embedded_chain_has_no_lag(embedded_chain: DevChain) -> None:
    (account,) = funded(embedded_chain, 1)
    mined = embedded_chain.send(account, account.address)
    assert embedded_chain.wait(mined, Finality.FINAL, 0) == mined.block
    assert embedded_chain.embedded


@pytest.mark.anvil
@pytest.mark.parametrize("level", Finality)
def test_waiting_for_finality(anvil_chain: DevChain, level: Finality) -> None:
    (account,) = funded(anvil_chain, 1)
    mined = anvil_chain.send(account, account.address)
    assert anvil_chain.wait(mined, level, 60) == mined.block
    assert anvil_chain.head(level).number >= mined.block.number


@pytest.mark.anvil
def test_a_wait_that_takes_too_long_names_level_and_head(anvil_chain: DevChain) -> None:
    (account,) = funded(anvil_chain, 1)
    mined = anvil_chain.send(account, account.address)
    transport = Stuck(anvil_chain.transport, anvil_chain.block(1))
    stuck = Chain(transport, anvil_chain.chain_id, anvil_chain.book)
    with pytest.raises(TimedOut) as late:
        stuck.wait(mined, Finality.FINAL, 0.2)
    assert (late.value.level, late.value.head.number) == ("final", 1)


@pytest.mark.anvil
def test_a_transaction_that_left_the_chain(anvil_chain: DevChain) -> None:
    (account,) = funded(anvil_chain, 1)
    before = anvil_chain.snapshot()
    mined = anvil_chain.send(account, account.address)
    anvil_chain.revert(before)
    with pytest.raises(Reorganised):
        anvil_chain.wait(mined, Finality.SAFE, 10)


def test_a_transaction_nobody_mines(chain: DevChain) -> None:
    with pytest.raises(TimedOut) as late:
        chain._sender.landed(Digest(digest()), timeout=0.05)
    assert late.value.level == "mined"
