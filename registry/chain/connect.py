# SPDX-License-Identifier: Apache-2.0
"""Connecting to a node, and finding the contracts there: chain id and code are checked before anything is read."""

from registry.chain.book import AddressBook, find_book
from registry.chain.chain import Chain
from registry.chain.deploy import check_code
from registry.chain.reading import quantity
from registry.chain.transport import open_transport
from registry.errors import WrongChain


def connect(target: str, *, book: AddressBook | None = None) -> Chain:
    """The chain behind `http(s)://`, `ws(s)://` or an IPC socket, with its contracts checked."""
    chain = connect_bare(target)
    known = find_book(chain.chain_id) if book is None else book
    if known.chain_id != chain.chain_id:
        raise WrongChain(
            f"the node is on chain {chain.chain_id}, the address book is for {known.chain_id}", where=target
        )
    check_code(chain, known)
    chain.adopt(known)
    return chain


def connect_bare(target: str) -> Chain:
    """The chain behind a node, with no contracts known yet: what `chain deploy` starts from."""
    transport = open_transport(target)
    return Chain(transport, quantity(transport.request("eth_chainId")))
