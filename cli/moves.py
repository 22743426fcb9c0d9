# SPDX-License-Identifier: Apache-2.0
"""The moves of a licence, each by its name in the licence's net: whether it was made, and how to make it.

What a move costs and what the caller knew of (`turn`) are read from the contract when it is made.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cli.output import instant

if TYPE_CHECKING:
    from contracts.ids import Address, ModelId
    from contracts.licences import LicenceStanding, LicenceTerms
    from registry.chain.chain import Chain
    from registry.chain.view import Mined
    from registry.compiled import CompiledLicences
    from registry.signing import Account

    Make = Callable[[CompiledLicences, Account, Address], Mined]

_TO: Mapping[str, str] = {
    "suspend": "suspended",
    "resume": "active",
    "activate": "active",
    "revoke": "revoked",
}
_TERM = ("suspend", "resume", "revoke")
_TERM_STATES = ("active", "suspended", "revoked")
_NOTHING: Mapping[str, str] = {"pay": "NothingDue", "draw": "NothingToDraw", "notify": "NoticeGiven"}


def standing(chain: "Chain", licence: "Address", move: str) -> dict[str, object]:
    """How a licence stands that is to make a move.

    Raises `UnknownLicence` for one that was never granted, and `NotConfigured` for one that knows no such move.
    """
    from registry.compiled import CompiledLicences
    from registry.licences import Kind, Licences

    licences = Licences(chain)
    licences.grant_of(licence)
    kind = licences.kind_of(licence)
    if kind is Kind.COMPILED:
        return _told(CompiledLicences(chain).standing(licence))
    if kind is not Kind.TERM or move not in _TERM:
        raise _unknown(move, licence)
    (state,) = chain.call(licence, "TermLicence", "state")
    return {"state": _TERM_STATES[int(str(state))]}


def following(chain: "Chain", licence: "Address") -> dict[str, object]:
    """What is to be done before an accepted licence permits anything; nothing to say of licences not made from words."""
    from registry.compiled import CompiledLicences
    from registry.licences import Kind, Licences

    if Licences(chain).kind_of(licence) is not Kind.COMPILED:
        return {}
    licences = CompiledLicences(chain)
    return {"next": _next(licences.terms(licence), licences.standing(licence), chain.head().timestamp)}


def made(move: str, stands: Mapping[str, object]) -> bool:
    """Whether a licence that stands so is as the move would make it."""
    if move == "notify":
        return bool(stands.get("revocable_from"))
    return move in _TO and stands["state"] == _TO[move]


def make(move: str, chain: "Chain", signer: "Account", licence: "Address") -> "Mined | None":
    """Make a move; None when the contract says that nothing is left to be done."""
    from registry.licences import Kind, Licences

    if Licences(chain).kind_of(licence) is Kind.TERM and move in _TERM:
        return _term(move, chain, signer, licence)
    return compiled(move, _makers()[move], chain, signer, licence)


def compiled(
    move: str, send: "Make", chain: "Chain", signer: "Account", licence: "Address"
) -> "Mined | None":
    """Make a move of a licence compiled from words; None when the contract says that nothing is left to be done."""
    from registry.chain.reverts import reverted_type
    from registry.compiled import CompiledLicences
    from registry.errors import Reverted

    nothing = reverted_type(_NOTHING[move]) if move in _NOTHING else ()
    try:
        return send(CompiledLicences(chain), signer, licence)
    except nothing:
        return None
    except Reverted:
        if move == "expire" and standing(chain, licence, move)["state"] == "expired":
            return None
        raise


def buying(packs: int) -> "Make":
    """Buys so many packs, with the exact wei where the text asks for ether."""

    def buy(licences: "CompiledLicences", signer: "Account", licence: "Address") -> "Mined":
        terms, turn = licences.terms(licence), licences.standing(licence).turn
        return licences.buy(signer, licence, turn, packs, terms.pack_price * packs)

    return buy


def rebinding(releases: "Address", model: "ModelId") -> "Make":
    """Asks to move a licence to another release log, under the model's id there."""
    return lambda licences, signer, licence: licences.rebind(signer, licence, releases, model)


def bound(chain: "Chain", licence: "Address", releases: "Address", model: "ModelId") -> bool:
    """Whether a licence answers to this release log, under this id of its model."""
    from registry.compiled import CompiledLicences

    return CompiledLicences(chain).bound(licence) == (releases, model)


def _makers() -> "Mapping[str, Make]":
    return {
        "pay": lambda of, by, it: of.pay(by, it, of.standing(it).turn, of.terms(it).price),
        "activate": lambda of, by, it: of.activate(by, it, of.standing(it).turn),
        "suspend": lambda of, by, it: of.suspend(by, it),
        "resume": lambda of, by, it: of.resume(by, it, of.standing(it).turn),
        "notify": lambda of, by, it: of.notify(by, it),
        "revoke": lambda of, by, it: of.revoke(by, it),
        "expire": lambda of, by, it: of.expire(by, it),
        "draw": lambda of, by, it: of.draw(by, it),
    }


def _term(move: str, chain: "Chain", signer: "Account", licence: "Address") -> "Mined":
    from registry.licences import Licences

    licences = Licences(chain)
    acts = {"suspend": licences.suspend, "resume": licences.resume, "revoke": licences.revoke}
    return acts[move](signer, licence)


def _next(terms: "LicenceTerms", stands: "LicenceStanding", now: int) -> str:
    from contracts.licences import LicenceState

    if stands.state is not LicenceState.GRANTED:
        return f"nothing: it is {stands.state.name.lower()}"
    if terms.period and not stands.prepaid:
        if stands.notice_over:
            return "nothing: the licensor gave notice, and a licence under notice takes no first payment"
        if terms.price:
            return f"exequatur licence pay, which sends {terms.price} wei; then exequatur licence activate"
        return "pay the licensor, who confirms with exequatur licence pay; then exequatur licence activate"
    if now < terms.start:
        return f"exequatur licence activate, from {instant(terms.start)} on"
    return "exequatur licence activate"


def _unknown(move: str, licence: "Address") -> Exception:
    from registry.errors import NotConfigured

    hint = "`exequatur licence show` says what it is"
    return NotConfigured(f"only licences compiled from words know “{move}”", where=str(licence), hint=hint)


def _told(stands: "LicenceStanding") -> dict[str, object]:
    from contracts.licences import NEVER

    told: dict[str, object] = {"state": stands.state.name.lower()}
    if stands.paid_until:
        told["paid_until"] = "the end" if stands.paid_until == NEVER else instant(stands.paid_until)
    if stands.notice_over:
        told["revocable_from"] = instant(stands.notice_over)
    return told
