# SPDX-License-Identifier: Apache-2.0
"""Step 3: licences: contracts that permit or refuse, and the registry that says for whom."""

from dataclasses import dataclass
from enum import Enum

from contracts.ids import Address, Digest, ModelId
from contracts.licences import NEVER, LicenceState
from contracts.records import Grant
from registry.chain.chain import Chain
from registry.chain.reads import Words
from registry.chain.view import Block, Mined
from registry.compiled import CompiledLicences
from registry.errors import CodeMismatch, Reverted
from registry.signing import Account

_CONTRACT = "LicenceRegistry"
_TERM = "TermLicence"
_ANY = "ILicence"
_REVOKED = 2  # TermLicence.State


class Kind(Enum):
    """What a licence's contract is, by what it answers."""

    TERM = "term"
    COMPILED = "compiled"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class TermDraft:
    """A licence for a term, a number of seats and a number of answers; instants are unix seconds."""

    model_id: ModelId
    lowest_version: int
    start: int
    end: int
    seats: int
    answers: int
    text: Digest


class Licences:
    """The licence registry of a chain, and the licence contracts it names."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._address = chain.book.licences
        self._compiled = CompiledLicences(chain)

    def kind_of(self, licence: Address, at: Block | None = None) -> Kind:
        """Whether a licence was compiled from words, is for a term, or of another make; the contract is asked."""
        try:
            self._compiled.terms(licence, at)
        except (Reverted, CodeMismatch):
            try:
                self._chain.call(licence, _TERM, "END", at=at)
            except (Reverted, CodeMismatch):
                return Kind.OTHER
            return Kind.TERM
        return Kind.COMPILED

    def deploy_term(self, account: Account, draft: TermDraft) -> Address:
        """Create the contract of a term licence; it counts once `grant` names it."""
        address, _ = self._chain.deploy(account, _TERM, draft_words(self._chain, draft))
        return address

    def grant(
        self, account: Account, licence: Address, model: ModelId, lowest_version: int, licensee: Address
    ) -> Mined:
        """Record a licence for a licensee, who has yet to accept it; the model's owner only."""
        return self._transact(account, "grant", licence, model, lowest_version, licensee)

    def accept(self, account: Account, licence: Address) -> Mined:
        """Accept a licence, or the licensee's role offered by its holder."""
        return self._transact(account, "accept", licence)

    def offer(self, account: Account, licence: Address, to: Address) -> Mined:
        """Offer the licensee's role; it moves when `to` accepts."""
        return self._transact(account, "offerLicensee", licence, to)

    def set_operator(
        self, account: Account, licence: Address, operator: Address, allowed: bool = True
    ) -> Mined:
        """Appoint or dismiss an account that may authorise and request for nodes."""
        return self._transact(account, "setOperator", licence, operator, allowed)

    def suspend(self, account: Account, licence: Address) -> Mined:
        """Refuse new leases until resumed; the model's owner only."""
        return self._chain.transact(account, licence, _TERM, "suspend")

    def resume(self, account: Account, licence: Address) -> Mined:
        """Take a suspension back; the model's owner only."""
        if self.kind_of(licence) is Kind.COMPILED:
            return self._compiled.resume(account, licence, self._compiled.standing(licence).turn)
        return self._chain.transact(account, licence, _TERM, "resume")

    def revoke(self, account: Account, licence: Address) -> Mined:
        """End a licence, for ever; the model's owner only."""
        return self._chain.transact(account, licence, _TERM, "revoke")

    def licensee(self, licence: Address, at: Block | None = None) -> Address:
        """Current licensee; zero when unknown or not accepted."""
        (found,) = self._chain.call(self._address, _CONTRACT, "licenseeOf", licence, at=at)
        return Words({"licensee": found}).address("licensee")

    def acts_for(self, licence: Address, account: Address, at: Block | None = None) -> bool:
        """Whether an account is the licensee or one of its operators."""
        return self._chain.call(self._address, _CONTRACT, "actsFor", licence, account, at=at) == (True,)

    def grant_of(self, licence: Address, at: Block | None = None) -> Grant:
        """The grant; raises the contracts' `UnknownLicence`."""
        (found,) = self._chain.call(self._address, _CONTRACT, "grantOf", licence, at=at)
        words = Words.of(found)
        return Grant(
            model_id=words.id("modelId", ModelId),
            licensee=words.address("licensee"),
            lowest_version=words.int("lowestVersion"),
            epoch=words.int("epoch"),
            accepted=words.flag("accepted"),
            pending_licensee=words.address("pendingLicensee"),
        )

    def seats(self, licence: Address, at: Block | None = None) -> int:
        """How many nodes may run at once."""
        (found,) = self._chain.call(licence, _ANY, "seats", at=at)
        return Words({"seats": found}).int("seats")

    def text(self, licence: Address, at: Block | None = None) -> Digest:
        """Digest of the licence's text."""
        (found,) = self._chain.call(licence, _ANY, "text", at=at)
        return Words({"text": found}).id("text", Digest)

    def remaining(self, licence: Address, at: Block | None = None) -> int:
        """Answers that a licence has yet to give out; `UNLIMITED` where a compiled one sets no limit."""
        (found,) = self._chain.call(licence, _TERM, "remaining", at=at)
        return Words({"remaining": found}).int("remaining")

    def over(self, licence: Address, at: Block | None = None) -> tuple[bool, int]:
        """Whether a licence is revoked, and the first second after its term, `NEVER` while that is not known.

        Raises `Reverted` or `CodeMismatch` for a licence of another make.
        """
        if self.kind_of(licence, at) is Kind.COMPILED:
            standing = self._compiled.standing(licence, at)
            return standing.state is LicenceState.REVOKED, standing.end or NEVER
        (state,) = self._chain.call(licence, _TERM, "state", at=at)
        (end,) = self._chain.call(licence, _TERM, "END", at=at)
        words = Words({"state": state, "end": end})
        return words.int("state") == _REVOKED, words.int("end")

    def _transact(self, account: Account, function: str, *args: object) -> Mined:
        return self._chain.transact(account, self._address, _CONTRACT, function, *args)


def draft_words(chain: Chain, draft: TermDraft) -> tuple[object, ...]:
    """The constructor's struct: a draft, bound to the chain's contracts."""
    return (
        chain.book.models,
        chain.book.releases,
        draft.model_id,
        draft.lowest_version,
        draft.start,
        draft.end,
        draft.seats,
        draft.answers,
        draft.text,
    )
