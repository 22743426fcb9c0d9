# SPDX-License-Identifier: Apache-2.0
"""The events that users and auditors rely on: from the chain, or from a file somebody exported."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.session import Session
    from contracts.ids import PolicyId
    from enclave.verification import History
    from registry.chain.book import AddressBook
    from registry.chain.chain import Chain
    from registry.chain.view import Event


def history(opened: "Session", file: Path | None, book: Path | None) -> "History":
    """What happened, as an exported file or else the chain tells it."""
    from enclave.verification import History

    if file is None:
        return history_of(opened.chain())
    return History(read_events(file), known_book(opened, book))


def history_of(live: "Chain") -> "History":
    """What happened up to the head of a chain."""
    from enclave.verification import History

    return History(all_events(live), live.book)


def all_events(live: "Chain") -> "list[Event]":
    """Every event from the deployment to the head."""
    return live.events(live.book.deployed_at, live.head().number)


def read_events(file: Path) -> "list[Event]":
    """Events that `audit export` wrote."""
    from registry.replay import load_events

    return load_events(file.read_text("utf-8"))


def published(events: "list[Event]") -> "list[PolicyId]":
    """The policies that events say anything was recorded under."""
    from contracts.ids import PolicyId
    from registry.chain.reads import Words

    recorded = [event for event in events if event.name == "Recorded"]
    return sorted({Words(event.args).id("policyId", PolicyId) for event in recorded})


def known_book(opened: "Session", file: Path | None) -> "AddressBook":
    """An address book by its file, or the only one in the home folder, or that of the chain."""
    from registry.chain.book import AddressBook

    if file is not None:
        return AddressBook.load(file)
    books = list((opened.home / "deployments").glob("*.json"))
    return AddressBook.load(books[0]) if len(books) == 1 else opened.book()
