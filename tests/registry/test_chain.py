# SPDX-License-Identifier: Apache-2.0
"""Sending and reading: typed reverts, consistent reads, nonces that survive a node that goes away."""

import threading
from dataclasses import replace

import pytest

from contracts.ids import ZERO_ADDRESS, Address, ModelId
from contracts.records import Reason
from registry.chain.chain import Chain
from registry.chain.dev import DevChain, fund
from registry.chain.reverts import Refused, revert, reverted_type
from registry.chain.transport import Json, Transport
from registry.errors import (
    ChainUnavailable,
    CodeMismatch,
    NotConfigured,
    Reorganised,
    Reverted,
    RpcFailed,
)
from registry.models import Models
from registry.signing import Account
from tests.fakes.chains import funded
from tests.fakes.nodes import Changed, Flaky, Repeating
from tests.fakes.scenes import Guest, Scene, digest

_NAME = "bearing"


def register(chain: Chain, account: Account, name: str = _NAME) -> ModelId:
    mined = chain.transact(account, chain.book.models, "ModelRegistry", "register", name)
    return Models(chain).model_id(account.address, name) if mined.events else ModelId(bytes(32))


def over(chain: Chain, transport: Transport) -> Chain:
    return Chain(transport, chain.chain_id, chain.book)


def test_a_revert_is_an_exception_with_its_values(story: Scene) -> None:
    with pytest.raises(reverted_type("NotOwner")) as refused:
        story.models.withdraw_version(story.stranger, story.model, 1)
    assert refused.value.values == {"modelId": story.model, "caller": story.stranger.address}
    assert (refused.value.contract, refused.value.error, refused.value.code) == (
        "ModelRegistry",
        "NotOwner",
        6,
    )
    assert refused.value.hint


def test_a_revert_in_a_view_is_typed_too(story: Scene) -> None:
    with pytest.raises(reverted_type("UnknownModel")):
        story.models.model(ModelId(digest()))


def test_a_revert_deep_in_another_contract_names_the_cause(story: Scene) -> None:
    guest = Guest()
    with pytest.raises(Refused) as refused:
        story.releases.request(story.licensee, story.model, 1, story.policy, guest.node, story.licence)
    assert refused.value.reason is Reason.NO_RECORD
    assert refused.value.reasons == ("NO_RECORD",)


def test_a_refused_transaction_uses_no_nonce(story: Scene) -> None:
    with pytest.raises(Reverted):
        story.models.withdraw_version(story.stranger, story.model, 1)
    assert register(story.chain, story.stranger, "afterwards")


def test_estimating_refuses_and_costs_nothing(chain: DevChain) -> None:
    (account,) = funded(chain, 1)
    before = chain.balance(account.address)
    args = (chain.book.models, "ModelRegistry", "register", _NAME)
    gas = chain.estimate(account.address, *args)
    assert chain.balance(account.address) == before
    mined = chain.transact(account, *args)
    assert mined.gas <= gas <= mined.gas * 1.1
    with pytest.raises(reverted_type("AlreadyRegistered")):
        chain.estimate(account.address, *args)


def test_no_custom_error_of_that_name() -> None:
    with pytest.raises(KeyError):
        reverted_type("NoSuchError")


@pytest.mark.parametrize(("data", "error"), [(b"", "unexplained"), (b"\1\2\3\4", "unknown")])
def test_a_revert_nobody_knows_is_still_a_revert(data: bytes, error: str) -> None:
    assert revert("ModelRegistry", data).error == error


def test_a_revert_with_a_text_or_a_broken_value() -> None:
    text = (
        bytes.fromhex("08c379a0")
        + (32).to_bytes(32, "big")
        + (2).to_bytes(32, "big")
        + b"no".ljust(32, b"\0")
    )
    assert revert("", text).values == {"message": "no"}
    assert revert("", text[:40]).values == {"data": text[:40]}


def test_an_account_without_money_is_told_by_the_node(chain: DevChain) -> None:
    with pytest.raises(RpcFailed):
        register(chain, Account.generate())


@pytest.mark.parametrize("after", [False, True])
def test_a_node_that_goes_away_while_sending_loses_no_nonce(chain: DevChain, after: bool) -> None:
    (account,) = funded(chain, 1)
    flaky = over(chain, Flaky(chain.transport, "eth_sendRawTransaction", after=after))
    with pytest.raises(ChainUnavailable) as gone:
        register(flaky, account)
    assert "0x" in gone.value.hint
    while (
        after and chain.transport.request("eth_getTransactionCount", str(account.address), "latest") == "0x0"
    ):
        chain.mine()
    if after:
        with pytest.raises(reverted_type("AlreadyRegistered")):
            register(flaky, account)
    assert register(flaky, account, "next")
    assert register(chain, account, "another process")


def test_a_node_that_goes_away_while_waiting_loses_no_nonce(chain: DevChain) -> None:
    (account,) = funded(chain, 1)
    flaky = over(chain, Flaky(chain.transport, "eth_getTransactionReceipt", after=False))
    with pytest.raises(ChainUnavailable):
        register(flaky, account)
    assert register(flaky, account, "next")


def test_a_transaction_that_arrives_twice_happens_once(chain: DevChain) -> None:
    (account,) = funded(chain, 1)
    repeating = over(chain, Repeating(chain.transport))
    before = chain.transport.request("eth_getTransactionCount", str(account.address), "latest")
    assert register(repeating, account)
    assert before == "0x0"
    assert chain.transport.request("eth_getTransactionCount", str(account.address), "latest") == "0x1"


def test_two_processes_share_an_account(chain: DevChain) -> None:
    (account,) = funded(chain, 1)
    one, two = over(chain, chain.transport), over(chain, chain.transport)
    names = [f"model {i}" for i in range(4)]
    for i, name in enumerate(names):
        assert register((one, two)[i % 2], account, name)


def test_threads_share_a_chain(chain: DevChain) -> None:
    accounts = funded(chain, 3)
    failures: list[Exception] = []

    def work(account: Account) -> None:
        try:
            register(chain, account)
            register(chain, account, "second")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(account,)) for account in accounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.anvil
def test_one_account_sends_from_many_threads(anvil_chain: DevChain) -> None:
    (account,) = funded(anvil_chain, 1)
    names = [f"model {i}" for i in range(6)]
    threads = [threading.Thread(target=register, args=(anvil_chain, account, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    models = Models(anvil_chain)
    assert all(models.model(models.model_id(account.address, name)) for name in names)


def test_reading_where_no_contract_is(chain: DevChain) -> None:
    with pytest.raises(CodeMismatch):
        chain.call(ZERO_ADDRESS, "ModelRegistry", "ownerOf", digest())


def test_a_read_at_an_old_block_sees_the_old_state(story: Scene) -> None:
    before = story.chain.head()
    story.models.set_broker(story.owner, story.model, story.stranger.address)
    assert story.models.model(story.model, at=before).broker == story.broker.address
    assert story.models.model(story.model).broker == story.stranger.address


def test_a_read_at_a_block_that_left_is_refused(story: Scene) -> None:
    gone = replace(story.chain.head(), hash=digest())
    with pytest.raises(Reorganised):
        story.models.model(story.model, at=gone)


def test_a_read_across_a_reorganisation_is_refused(story: Scene) -> None:
    def other(said: Json) -> Json:
        assert isinstance(said, dict)
        return {**said, "hash": str(digest())}

    torn = over(story.chain, Changed(story.chain.transport, "eth_getBlockByNumber", other))
    with pytest.raises(Reorganised):
        Models(torn).model(story.model)
    with pytest.raises(Reorganised):
        torn.events(0, story.chain.head().number)


@pytest.mark.parametrize("answer", [None, "0x", "0xzz", "0x00", [], {"number": "0x1"}, 7])
def test_s8_a_node_that_talks_nonsense(embedded_chain: DevChain, answer: Json) -> None:
    nonsense = over(
        embedded_chain, Changed(embedded_chain.transport, "eth_getBlockByNumber", lambda _: answer)
    )
    with pytest.raises((ChainUnavailable, Reorganised)):
        nonsense.head()


def test_a_block_the_chain_does_not_have(chain: DevChain) -> None:
    with pytest.raises(Reorganised):
        chain.block(10_000_000)


def test_a_chain_without_contracts_says_how_to_get_them(chain: DevChain) -> None:
    with pytest.raises(NotConfigured):
        _ = Chain(chain.transport, chain.chain_id).book


def test_funding_needs_a_development_chain(embedded_chain: DevChain) -> None:
    real = over(embedded_chain, Changed(embedded_chain.transport, "eth_accounts", lambda _: []))
    with pytest.raises(NotConfigured):
        fund(real, ZERO_ADDRESS)


def test_time_travels_and_comes_back(chain: DevChain) -> None:
    head, before = chain.head(), chain.snapshot()
    assert chain.advance(10_000).timestamp >= head.timestamp + 10_000
    chain.revert(before)
    assert chain.head().timestamp < head.timestamp + 10_000
    with pytest.raises((NotConfigured, RpcFailed)):
        chain.revert("0x7777")


def test_addresses_are_read_as_addresses(chain: DevChain) -> None:
    (told,) = chain.call(chain.book.models, "ModelRegistry", "POLICIES")
    assert told == chain.book.policies
    assert type(told) is Address
