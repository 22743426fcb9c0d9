# SPDX-License-Identifier: Apache-2.0
"""Custom errors of the contracts as Python exceptions, one type per name, generated from the ABIs."""

from collections.abc import Mapping
from functools import cache

from contracts.records import Reason
from registry.chain.abi import Parameter, Shape, contracts, decode, interface
from registry.errors import ChainUnavailable, Reverted

_BUILT_IN = (
    Shape(contract="", name="Error", inputs=(Parameter(name="message", kind="string"),)),
    Shape(contract="", name="Panic", inputs=(Parameter(name="code", kind="uint256"),)),
)
_HINTS = {
    "NotOwner": "sign with the account that owns the model",
    "NotModelOwner": "sign with the account that owns the model",
    "NotController": "sign with the account that published the policy",
    "NotBroker": "sign with the model's broker account, or name it with `setBroker`",
    "NotLicensee": "sign with the licensee's account",
    "NotForLicensee": "sign with the licensee's account, or one he appointed with `exequatur licence appoint`",
    "NotPendingLicensee": "the licence, or its holder's role by `exequatur licence offer`, is offered to another",
    "NotPendingOwner": "its owner offers it with `exequatur model offer`",
    "UnknownModel": "give the model's id: a name means a model of your own account",
    "UnknownVersion": "`exequatur model show` lists the versions there are",
    "UnknownLicence": "give the address that `exequatur licence grant` printed",
    "NotRaised": "it can only be raised; `exequatur model show` says where it is",
    "StartNotAhead": "name an instant that is still to come",
    "PolicyNotInForce": "publish a policy with `exequatur policy publish`, and give its id",
    "AlreadyRetired": "a retired model takes no changes",
    "SeatTaken": "wait for the seat, stop a node that holds one, or license more seats",
    "ChallengeTooOld": "attest again: the evidence was recorded too late",
    "BlockHashMismatch": "attest again: the challenge block left the chain",
    "BlockNotHigher": "a newer verdict is recorded already",
    "Superseded": "a newer verdict is recorded; ask for the key again",
    "AlreadyPublished": "publish a changed document, or use the policy that is there",
    "NotLicensor": "sign with the account that owns the model",
    "OutOfTurn": "somebody moved the licence since you looked; look again with `exequatur licence show`",
    "FeeUnpaid": "pay first: `exequatur licence pay`",
    "NothingDue": "the fee is paid, and no more than one period ahead may be",
    "NoticeGiven": "it is to be revoked: pay for a new licence instead",
    "NoticeNotOver": "give notice with `exequatur licence notify`, and wait until it is over",
    "NotStarted": "wait for the first day of the term",
    "NotOver": "the term still runs",
    "CreditExhausted": "buy answers with `exequatur licence buy`",
    "AlreadyRegistered": "choose another name, or add a version",
}


class Refused(Reverted):
    """`ReleaseLog.Refused`: a node may not run this model, and why."""

    @property
    def reason(self) -> Reason:
        """Why, as `permits` says it."""
        return Reason(int(str(self.values["reason"])))

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reason's name."""
        return (self.reason.name,)


_NAMED: Mapping[str, type[Reverted]] = {"Refused": Refused}


@cache
def reverted_type(error: str) -> type[Reverted]:
    """The exception type of a custom error; `KeyError` when no contract has it."""
    if error not in {shape.name for shape in _shapes().values()}:
        raise KeyError(error)
    made = type(
        error, (Reverted,), {"__doc__": f"The contracts' custom error `{error}`.", "__module__": __name__}
    )
    return _NAMED.get(error, made)


def revert(contract: str, data: bytes) -> Reverted:
    """The exception for what a contract reverted with."""
    shape = _shapes().get(data[:4])
    if shape is None:
        return Reverted(contract, "unknown" if data else "unexplained", {"data": data} if data else {})
    try:
        values = decode(shape.inputs, data[4:])
    except ChainUnavailable:
        return Reverted(contract, shape.name, {"data": data})
    named = {p.name: value for p, value in zip(shape.inputs, values, strict=True)}
    return reverted_type(shape.name)(contract, shape.name, named, hint=_HINTS.get(shape.name, ""))


@cache
def _shapes() -> Mapping[bytes, Shape]:
    found = {bytes(shape.signature[:4]): shape for shape in _BUILT_IN}
    for contract in contracts():
        found |= interface(contract).errors
    return found
