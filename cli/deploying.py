# SPDX-License-Identifier: Apache-2.0
"""What `licence deploy` and `licence verify` ask of a chain: may this be granted, is it there, is it the same."""

from typing import TYPE_CHECKING

from cli.output import instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.ids import Address
    from registry.chain.chain import Chain
    from registry.licensing.building import Built
    from registry.licensing.model import Licence


def may_grant(chain: "Chain", caller: "Address", licence: "Licence") -> None:
    """Refuse what the contracts would refuse anyway, and what the text does not mean, before anything is compiled."""
    from registry.errors import NotConfigured
    from registry.models import Models

    owner = Models(chain).model(licence.model.model_id).owner
    if owner != caller:
        hint = "sign with the owner's account: --account NAME"
        raise NotConfigured(f"the model belongs to {owner}", where=str(licence.model.model_id), hint=hint)
    if licence.licensor.address != caller:
        what = f"the text names {licence.licensor.address} as licensor, and {caller} would sign"
        raise NotConfigured(what, where=licence.licensor.name, hint="name the model's owner in the text")


def overdue(licence: "Licence", now: int) -> str:
    """A warning when some of the term, or all of it, is over before anyone accepted; empty otherwise."""
    term = licence.term
    if term.start is None or now < term.starts_at:
        return ""
    if now >= term.ends_at:
        return f"warning: the term ended at {instant(term.ends_at)}; nobody can use this licence"
    return f"warning: the term started at {instant(term.starts_at)}; the time since then is lost"


def contracts_of(chain: "Chain", built: "Built") -> "list[Address]":
    """Contracts on this chain that are the one of this text, to the last byte, and answer to our release log."""
    from contracts.ids import Digest
    from registry.chain.reads import Words

    events = chain.events(chain.book.deployed_at, chain.head().number)
    made = ((event.address, Words(event.args)) for event in events if event.name == "Compiled")
    created = [address for address, said in made if said.struct("terms").id("text", Digest) == built.digest]
    return [address for address in dict.fromkeys(created) if not differing(chain, address, built)]


def open_grant(chain: "Chain", there: "Sequence[Address]") -> "Address | None":
    """The contract among these that is granted and not over yet."""
    from contracts.licences import LicenceState
    from registry.compiled import CompiledLicences
    from registry.licences import Licences

    over, licences = (LicenceState.REVOKED, LicenceState.EXPIRED), CompiledLicences(chain)
    for address in there:
        if not granted(chain, address) or licences.standing(address).state in over:
            continue
        # Any owner of a model may grant any contract: one granted under another model is not ours.
        if Licences(chain).grant_of(address).model_id == licences.bound(address)[1]:
            return address
    return None


def granted(chain: "Chain", licence: "Address") -> bool:
    """Whether the registry knows a licence."""
    from registry.chain.reverts import reverted_type
    from registry.licences import Licences

    try:
        Licences(chain).grant_of(licence)
    except reverted_type("UnknownLicence"):
        return False
    return True


def differing(chain: "Chain", address: "Address", built: "Built") -> list[str]:
    """In words, how the contract at an address differs from the text; none when it does not."""
    from registry.compiled import CompiledLicences
    from registry.licensing.verifying import differences

    found = list(differences(chain.code(address), built))
    if not found:
        releases, model = CompiledLicences(chain).bound(address)
        if releases != chain.book.releases:
            found.append(
                f"it answers to another release log: {releases}, and this chain's is {chain.book.releases}"
            )
        elif model != built.licence.model.model_id:
            found.append(f"it was moved to another model: {model}")
    return found
