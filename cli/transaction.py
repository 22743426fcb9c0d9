# SPDX-License-Identifier: Apache-2.0
"""Transactions of a command: sent and reported, or only rehearsed for what they would cost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from cli.output import show

if TYPE_CHECKING:
    from cli.session import Session
    from contracts.ids import Address
    from registry.chain.chain import Chain
    from registry.chain.view import Mined
    from registry.signing import Account

_ETHER = 10**18


class _Rehearsed(Exception):
    """Ends a dry run at its first transaction."""

    def __init__(self, what: str, gas: int, value: int = 0) -> None:
        super().__init__(what)
        self.what = what
        self.gas = gas
        self.value = value


def mined(what: "Mined") -> dict[str, object]:
    """What a result says of the transaction that made it so."""
    return {"transaction": what.transaction, "block": what.block.number, "gas": what.gas}


@contextmanager
def sending(
    opened: "Session", dry_run: bool, as_json: bool, *, moves: Sequence[str] = ()
) -> "Iterator[tuple[Chain, Account]]":
    """The chain and the account that signs.

    In a dry run nothing can be signed: the first transaction is estimated, printed, and ends the command. `moves` are those a
    licence makes by these transactions, which a dry run prints too.
    """
    chain = opened.chain()
    if not dry_run:
        yield chain, opened.account()
        return
    try:
        yield _rehearsal(chain), _unsigned(opened.address())
    except _Rehearsed as first:
        value = {"value_wei": first.value} if first.value else {}
        made = {"moves": list(moves)} if moves else {}
        sent = {"dry_run": True, "would_send": first.what, **made, **value}
        show({**sent, **cost(chain, first.gas)}, as_json)
        raise typer.Exit from None


def once(
    opened: "Session",
    result: dict[str, object],
    done: "Callable[[Chain], bool]",
    send: "Callable[[Chain, Account], Mined]",
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send a transaction unless the chain is already as it would make it, and print the result either way."""
    with sending(opened, dry_run, as_json) as (live, signer):
        if done(live):
            show({**result, "already": True}, as_json)
            return
        sent = send(live, signer)
    show({**result, "already": False, **mined(sent)}, as_json)


def cost(chain: "Chain", gas: int) -> dict[str, object]:
    """Gas, and what it would cost at the node's price of the moment."""
    price = int(str(chain.transport.request("eth_gasPrice")), 16)
    return {"gas": gas, "gas_price_wei": price, "cost_ether": f"{gas * price / _ETHER:.9f}"}


def _unsigned(address: "Address") -> "Account":
    from registry.signing import Account

    class Unsigned(Account):
        """An address that cannot sign, as its file was not unlocked."""

        def __init__(self) -> None:
            self.address = address

    return Unsigned()


def _rehearsal(chain: "Chain") -> "Chain":
    from contracts.ids import Address
    from registry.chain.chain import Chain
    from registry.signing import Account

    class Rehearsal(Chain):
        """Estimates where the chain would send."""

        def transact(
            self, account: Account, to: Address, contract: str, function: str, *args: object, value: int = 0
        ) -> "Mined":
            gas = self.estimate(account.address, to, contract, function, *args, value=value)
            raise _Rehearsed(f"{contract}.{function}", gas, value)

        def create(self, account: Account, code: bytes, contract: str) -> "tuple[Address, Mined]":
            raise _Rehearsed(f"create {contract}", self.estimate_creation(account.address, code, contract))

    return Rehearsal(chain.transport, chain.chain_id, chain.book)
