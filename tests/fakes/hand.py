# SPDX-License-Identifier: Apache-2.0
"""A hand that does random things to a scene, for comparing two answers after any history."""

import random
from collections.abc import Callable
from dataclasses import replace

from contracts.ids import Address, PolicyId
from registry.errors import Reverted
from tests.fakes.scenes import DOMAIN, LEASE, Guest, Scene, digest, half, licensed


class Hand:
    """Does something random to a scene, as whoever may; what the contracts refuse changes nothing."""

    def __init__(self, story: Scene, dice: random.Random) -> None:
        self.story, self.dice = story, dice
        self.guests = [Guest(workload=story.document, platform=digest()) for _ in range(3)]
        self.licences = [story.licence]
        self.policies = [story.policy]
        self.licensees = {story.licence: story.licensee}
        self.moves: list[Callable[[], object]] = [
            self.record, self.record, self.record, self.request, self.request, self.request, self.authorise,
            self.next_policy, self.publish, self.advance, self.add_version,
        ]  # fmt: skip
        self.taking: list[Callable[[], object]] = [
            self.revoke_node, self.stop, self.withdraw_verifier, self.burn, self.recall, self.withdraw_node,
            self.withdraw_policy, self.suspend, self.hand_over, self.raise_lowest, self.license_again,
            self.revoke, self.withdraw_version, self.retire,
        ]  # fmt: skip

    def act(self) -> None:
        """One random move; taking away is rarer, or nothing would be left."""
        moves = self.taking if self.dice.random() < 0.2 else self.moves
        try:
            self.dice.choice(moves)()
        except Reverted:
            pass

    def pick(self) -> tuple[Guest, Address, PolicyId]:
        """A guest, a licence and a policy."""
        return self.dice.choice(self.guests), self.dice.choice(self.licences), self.dice.choice(self.policies)

    def record(self) -> None:
        guest, _, policy = self.pick()
        expiry = self.story.chain.head().timestamp + self.dice.choice((600, LEASE, 2 * LEASE - 60))
        self.story.record(guest, policy=policy, expiry=expiry)

    def request(self) -> None:
        guest, licence, policy = self.pick()
        account = self.licensees[licence]
        version = self.dice.choice((1, 1, 2))
        self.story.releases.request(account, self.story.model, version, policy, guest.node, licence)

    def authorise(self) -> None:
        guest, licence, _ = self.pick()
        self.story.releases.authorise(self.licensees[licence], licence, guest.node)

    def next_policy(self) -> None:
        start = self.story.now + self.dice.choice((30, 600, 5_000))
        self.story.models.name_next(
            self.story.owner, self.story.model, 1, self.dice.choice(self.policies), start
        )

    def publish(self) -> None:
        enforced = replace(self.story.enforced, threshold=self.dice.choice((1, 2)))
        self.policies.append(self.story.policies.publish(self.story.owner, enforced, digest())[0])

    def advance(self) -> None:
        self.story.chain.advance(self.dice.choice((10, 300, 1_500)))

    def add_version(self) -> None:
        policy = self.dice.choice(self.policies)
        self.story.models.add_version(
            self.story.owner, self.story.model, seal_id=self.story.seal, policy=policy, uri=""
        )

    def revoke_node(self) -> None:
        guest, licence, _ = self.pick()
        self.story.releases.revoke_node(self.licensees[licence], licence, guest.node)

    def stop(self) -> None:
        self.story.releases.stop(self.story.broker, self.story.subject(self.dice.choice(self.guests)))

    def withdraw_verifier(self) -> None:
        verifier = self.dice.choice(self.story.verifiers).address
        self.story.policies.withdraw_verifier(self.story.owner, self.dice.choice(self.policies), verifier)

    def burn(self) -> None:
        self.story.policies.burn(self.story.owner, DOMAIN, half(self.guests[0].platform))

    def recall(self) -> None:
        guest = self.dice.choice(self.guests)
        self.story.policies.recall(self.story.owner, DOMAIN, half(guest.workload))
        self.guests.append(Guest(platform=guest.platform))

    def withdraw_node(self) -> None:
        guest, _, policy = self.pick()
        self.story.attestations.withdraw(self.story.owner, policy, guest.node)
        self.guests.append(Guest(platform=guest.platform))

    def withdraw_policy(self) -> None:
        self.story.policies.withdraw(self.story.owner, self.dice.choice(self.policies))

    def suspend(self) -> None:
        licence = self.dice.choice(self.licences)
        self.dice.choice((self.story.licences.suspend, self.story.licences.resume))(self.story.owner, licence)

    def hand_over(self) -> None:
        licence = self.dice.choice(self.licences)
        old, new = self.licensees[licence], self.dice.choice((self.story.licensee, self.story.stranger))
        self.story.licences.offer(old, licence, new.address)
        self.story.licences.accept(new, licence)
        self.licensees[licence] = new

    def raise_lowest(self) -> None:
        if self.dice.random() < 0.3:
            self.story.models.raise_lowest(self.story.owner, self.story.model, 2)

    def license_again(self) -> None:
        end = self.story.now + self.dice.choice((500, 10 * LEASE))
        licence = licensed(self.story.chain, self.story.owner, self.story.licensee, self.story.model, end=end)
        self.licences.append(licence)
        self.licensees[licence] = self.story.licensee

    def revoke(self) -> None:
        if len(self.licences) > 1:
            self.story.licences.revoke(self.story.owner, self.licences[0])

    def withdraw_version(self) -> None:
        if self.dice.random() < 0.3:
            self.story.models.withdraw_version(self.story.owner, self.story.model, 2)

    def retire(self) -> None:
        if self.dice.random() < 0.1:
            self.story.models.retire(self.story.owner, self.story.model)
