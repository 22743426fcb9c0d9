# SPDX-License-Identifier: Apache-2.0
"""Step 3: licences compiled from words: how they stand, and every move their parties make.

`turn` is how many moves the caller knew of: who pays, activates, resumes or buys would be refused had another been made.
"""

from contracts.ids import Address, Digest, ModelId, NodeId
from contracts.licences import LicenceRefusal, LicenceStanding, LicenceState, LicenceTerms
from registry.chain.chain import Chain
from registry.chain.reads import Words
from registry.chain.view import Block, Mined
from registry.errors import CodeMismatch
from registry.signing import Account

CONTRACT = "ICompiledLicence"
_WORD = 32


class CompiledLicences:
    """The compiled licences of a chain, each by its address."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def deploy(self, account: Account, creation: bytes) -> tuple[Address, Mined]:
        """Create a licence from the compiler's creation code; it counts once the registry's `grant` names it."""
        return self._chain.create(account, self._creation(creation), CONTRACT)

    def terms(self, licence: Address, at: Block | None = None) -> LicenceTerms:
        """What the text says, in numbers; raises `Reverted` or `CodeMismatch` for any other contract."""
        (found,) = self._chain.call(licence, CONTRACT, "terms", at=at)
        return read_terms(Words.of(found))

    def standing(self, licence: Address, at: Block | None = None) -> LicenceStanding:
        """How it stands at a block; expired from its end on, recorded or not."""
        (found,) = self._chain.call(licence, CONTRACT, "standing", at=at)
        return read_standing(Words.of(found))

    def remaining(self, licence: Address, at: Block | None = None) -> int:
        """Answers left; `UNLIMITED` where the text sets no limit."""
        (found,) = self._chain.call(licence, CONTRACT, "remaining", at=at)
        return Words({"remaining": found}).int("remaining")

    def bound(self, licence: Address, at: Block | None = None) -> tuple[Address, ModelId]:
        """The release log it answers to, and the model's id there."""
        releases, model = self._chain.call(licence, CONTRACT, "bound", at=at)
        words = Words({"releases": releases, "modelId": model})
        return words.address("releases"), words.id("modelId", ModelId)

    def refusal(
        self, licence: Address, model: ModelId, version: int, node: NodeId, when: int, at: Block | None = None
    ) -> LicenceRefusal:
        """Why it does not let a node run a version at `when`; raises `CodeMismatch` for a reason that none has."""
        asked = (model, version, node, when)
        allowed, reason = self._chain.call(licence, CONTRACT, "permits", *asked, at=at)
        if allowed is True:
            return LicenceRefusal.NONE
        code = Words({"reason": reason}).int("reason")
        if code not in list(LicenceRefusal):
            raise CodeMismatch(f"no reason of a licence: {code}", where=CONTRACT)
        return LicenceRefusal(code)

    def pay(self, account: Account, licence: Address, turn: int, value: int = 0) -> Mined:
        """Pay the fee: the licensee with the exact wei, or the licensor, who confirms other money, with none."""
        return self._chain.transact(account, licence, CONTRACT, "pay", turn, value=value)

    def activate(self, account: Account, licence: Address, turn: int) -> Mined:
        """Begin to use it; the licensee, once the term has begun and the fee is paid."""
        return self._transact(account, licence, "activate", turn)

    def suspend(self, account: Account, licence: Address) -> Mined:
        """Permit nothing until resumed; the licensor."""
        return self._transact(account, licence, "suspend")

    def resume(self, account: Account, licence: Address, turn: int) -> Mined:
        """Take a suspension back; the licensor."""
        return self._transact(account, licence, "resume", turn)

    def notify(self, account: Account, licence: Address) -> Mined:
        """Give notice, which runs within the term; the licensor."""
        return self._transact(account, licence, "notify")

    def revoke(self, account: Account, licence: Address) -> Mined:
        """End it, for ever; the licensor, after notice where the text asks for it."""
        return self._transact(account, licence, "revoke")

    def expire(self, account: Account, licence: Address) -> Mined:
        """Record that the term is over; anyone."""
        return self._transact(account, licence, "expire")

    def buy(self, account: Account, licence: Address, turn: int, packs: int, value: int = 0) -> Mined:
        """Buy packs of answers: the licensee with the exact wei, or the licensor, who confirms other money, with none."""
        return self._chain.transact(account, licence, CONTRACT, "buy", turn, packs, value=value)

    def draw(self, account: Account, licence: Address) -> Mined:
        """Draw what was paid; the licensor."""
        return self._transact(account, licence, "draw")

    def rebind(self, account: Account, licence: Address, releases: Address, model: ModelId) -> Mined:
        """Ask to move it to another release log and the model's id there; it moves once both parties asked."""
        return self._transact(account, licence, "rebind", releases, model)

    def _transact(self, account: Account, licence: Address, function: str, *args: object) -> Mined:
        return self._chain.transact(account, licence, CONTRACT, function, *args)

    def _creation(self, creation: bytes) -> bytes:
        return creation + bytes(self._chain.book.releases).rjust(_WORD, b"\0")


def read_terms(words: Words) -> LicenceTerms:
    """The terms from their struct."""
    first, second, third, fourth = words.ints("places")
    return LicenceTerms(
        model_id=words.id("modelId", ModelId),
        lowest_version=words.int("lowestVersion"),
        start=words.int("start"),
        end=words.int("end"),
        length=words.int("length"),
        seats=words.int("seats"),
        every=words.int("every"),
        removes=words.flag("removes"),
        kinds=words.int("kinds"),
        places=(first, second, third, fourth),
        period=words.int("period"),
        price=words.int("price"),
        notice=words.int("notice"),
        pack=words.int("pack"),
        pack_price=words.int("packPrice"),
        text=words.id("text", Digest),
    )


def read_standing(words: Words) -> LicenceStanding:
    """The standing from its struct; raises `CodeMismatch` for a state that no compiled licence has."""
    state = words.int("state")
    if state not in list(LicenceState):
        raise CodeMismatch(f"no state of a licence: {state}", where=CONTRACT)
    return LicenceStanding(
        state=LicenceState(state),
        prepaid=words.flag("prepaid"),
        since=words.int("since"),
        end=words.int("end"),
        paid_until=words.int("paidUntil"),
        notice_over=words.int("noticeOver"),
        turn=words.int("turn"),
    )
