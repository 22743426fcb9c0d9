# SPDX-License-Identifier: Apache-2.0
"""S7: a watcher sees every event once and in order, and says which ones left the chain."""

import pytest

from contracts.records import Finality
from registry.chain.dev import DevChain
from registry.errors import Rewound
from registry.signing import Account
from registry.watch import Watcher
from tests.fakes.chains import funded


def register(chain: DevChain, account: Account, name: str) -> None:
    chain.transact(account, chain.book.models, "ModelRegistry", "register", name)


def names(watcher: Watcher) -> list[object]:
    return [event.args["name"] for event in watcher.poll() if event.name == "ModelRegistered"]


def test_s7_every_event_once_and_in_order(chain: DevChain) -> None:
    (account,) = funded(chain, 1)
    watcher = Watcher(chain, chain.head().number + 1)
    assert watcher.poll() == []
    for name in ("a", "b"):
        register(chain, account, name)
    assert names(watcher) == ["a", "b"]
    assert watcher.poll() == []
    register(chain, account, "c")
    assert names(watcher) == ["c"]
    assert names(Watcher(chain, 0))[-3:] == ["a", "b", "c"]


def test_s7_a_watcher_is_told_what_left_the_chain(chain: DevChain) -> None:
    (account,) = funded(chain, 1)
    start = chain.head().number + 1
    watcher = Watcher(chain, start)
    register(chain, account, "kept")
    assert names(watcher) == ["kept"]
    kept, before = watcher.cursor, chain.snapshot()
    register(chain, account, "gone")
    assert names(watcher) == ["gone"]
    chain.revert(before)
    chain.advance(100)
    register(chain, account, "instead")
    with pytest.raises(Rewound) as rewound:
        watcher.poll()
    assert rewound.value.to_block == watcher.cursor == kept
    assert names(watcher) == ["instead"]


def test_s7_a_chain_that_became_shorter(chain: DevChain) -> None:
    (account,) = funded(chain, 1)
    before, start = chain.snapshot(), chain.head().number + 1
    watcher = Watcher(chain, start)
    register(chain, account, "gone")
    chain.mine(3)
    assert names(watcher) == ["gone"]
    chain.revert(before)
    chain.advance(100)
    with pytest.raises(Rewound) as rewound:
        watcher.poll()
    assert rewound.value.to_block == start - 1
    register(chain, account, "after")
    assert names(watcher) == ["after"]


@pytest.mark.anvil
def test_s7_a_reorganisation_replaces_events(anvil_chain: DevChain) -> None:
    (account,) = funded(anvil_chain, 1)
    anvil_chain.mine(3)
    watcher = Watcher(anvil_chain, anvil_chain.head().number + 1)
    register(anvil_chain, account, "gone")
    assert names(watcher) == ["gone"]
    depth = anvil_chain.head().number - watcher.cursor + 2
    anvil_chain.transport.request("anvil_reorg", depth, [])
    with pytest.raises(Rewound):
        watcher.poll()


@pytest.mark.anvil
def test_a_watcher_of_final_blocks_waits_for_them(anvil_chain: DevChain) -> None:
    (account,) = funded(anvil_chain, 1)
    watcher = Watcher(anvil_chain, anvil_chain.head().number + 1, Finality.FINAL)
    register(anvil_chain, account, "late")
    seen: list[object] = []
    for _ in range(20):
        seen += names(watcher)
        anvil_chain.mine()
    assert seen == ["late"]
    assert watcher.cursor <= anvil_chain.head(Finality.FINAL).number
