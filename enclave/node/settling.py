# SPDX-License-Identifier: Apache-2.0
"""Relays what a guest says of itself to the release log: its usage while it serves, its last word when it ends.

The statements are the guest's; the host pays. Each is sent only while the chain lacks it, so a step that broke off
is simply done again.
"""

from contracts.ids import Digest
from contracts.records import Status, Subject
from enclave.errors import GuestError, WireError
from enclave.node.host import Guest
from enclave.statements import NodeKeys, Stopped, Usage
from registry.releases import Releases
from registry.signing import Account

_OPEN = (Status.LIVE, Status.STOPPED_BY_BROKER, Status.STOPPED_BY_GUEST)


class Settling:
    """One release's accounts between guest and chain."""

    def __init__(self, releases: Releases, account: Account, subject: Subject, keys: NodeKeys) -> None:
        self._releases = releases
        self._account = account
        self._subject = subject
        self._release = subject.release(releases.domain)
        self._keys: tuple[Digest, Digest] = (keys.hpke_digest, keys.receipt_digest)

    def anchor(self, guest: Guest) -> bool:
        """Anchor every receipt that the chain lacks; False when there is none."""
        state = self._releases.state(self._release)
        if state.status is not Status.LIVE:
            return False
        usage, signature = guest.usage(state.last_counter)
        if usage.last_counter == state.last_counter:
            return False
        self._send(usage, signature)
        return True

    def close(self, guest: Guest, last_word: tuple[Stopped, bytes]) -> None:
        """Relay the last word, which frees the seat, and the last usage, which gives back what was not used."""
        stopped, signature = last_word
        status = self._releases.state(self._release).status
        if status in (Status.REQUESTED, Status.LIVE, Status.STOPPED_BY_BROKER):
            words = (stopped.release, stopped.seal_id, stopped.last_counter, stopped.root)
            self._releases.guest_stopped(self._account, self._subject, words, self._keys, signature)
        state = self._releases.state(self._release)
        if state.status not in _OPEN:
            return
        try:
            usage, signature = guest.usage(state.last_counter)
        except (GuestError, WireError):
            return  # the guest is gone, and with it the receipts it had not settled
        self._send(usage, signature)

    def _send(self, usage: Usage, signature: bytes) -> None:
        counters = (usage.first_counter, usage.last_counter)
        words = (usage.release, usage.seal_id, *counters, usage.root, usage.last)
        self._releases.anchor_usage(self._account, self._subject, words, self._keys, signature)
