# SPDX-License-Identifier: Apache-2.0
"""What the guest and the formats it reads raise; part of the trusted base, and of the tree in `errors.py`."""

from collections.abc import Iterable
from enum import Enum

from contracts.errors import ExequaturError, ExitCode


class EnclaveError(ExequaturError):
    """Root of this package's errors."""


class MalformedStatement(EnclaveError):
    """A grant, receipt, stop or usage that does not decode."""

    code = ExitCode.MALFORMED


class SealError(EnclaveError):
    """Root of what a sealed model, or a model to be sealed, can be at fault for."""


class MalformedModel(SealError):
    """A model that cannot be sealed or loaded as it is."""

    code = ExitCode.MALFORMED


class MalformedSeal(SealError):
    """Not a sealed model of a known version."""

    code = ExitCode.MALFORMED


class ChunkNotAuthentic(SealError):
    """A chunk that was changed, or comes from another sealed model."""

    code = ExitCode.NOT_AUTHENTIC

    def __init__(self, index: int) -> None:
        super().__init__(
            f"chunk {index} is not authentic", where="sealed model", hint="fetch the sealed model again"
        )
        self.index = index


class RootMismatch(SealError):
    """Authentic chunks that are not the ones the root was made over: somebody with the key made others."""

    code = ExitCode.NOT_AUTHENTIC


class WrongKey(SealError):
    """A data key that is not this model's."""

    code = ExitCode.NOT_AUTHENTIC


class DeviceError(EnclaveError):
    """Root of what a device that evidence comes from can be at fault for."""


class DeviceUnavailable(DeviceError):
    """No such device, or no program to speak to it."""

    code = ExitCode.UNAVAILABLE


class WireError(EnclaveError):
    """Root of what goes wrong on the socket between host, vault and quoter."""


class MalformedMessage(WireError):
    """A frame, message or stream that breaks the format."""

    code = ExitCode.MALFORMED


class UnknownMessage(WireError):
    """A message type nobody answers."""

    code = ExitCode.MALFORMED


class Disconnected(WireError):
    """The other side is gone."""

    code = ExitCode.UNAVAILABLE


class GuestError(EnclaveError):
    """Root of what a guest refuses, or fails at."""


class GrantFlaw(Enum):
    """Why a guest turns a grant away."""

    FORGED = "not signed by the model's grant key, nor by a broker it certified for this model and licence"
    NODE = "for another node"
    SEAL = "for another sealed model than the one presented"
    NONCE = "answers to no outstanding attestation: replayed, superseded or never asked for"
    LATE = "its time was over before it arrived, counted from the attestation it answers"
    CEILING = "a ceiling below the receipts already given"
    JOB = "for another release, model or licence than this guest's first grant"
    LEASE = "not a later lease than the one held"
    ENVELOPE = "the envelope is missing, unexpected, or not the one granted"


class GrantRefused(GuestError):
    """A grant that is not for this guest, now, by the right key."""

    code = ExitCode.REFUSED

    def __init__(self, flaws: Iterable[GrantFlaw]) -> None:
        self.flaws = frozenset(flaws)
        named = [flaw for flaw in GrantFlaw if flaw in self.flaws]
        super().__init__("; ".join(flaw.value for flaw in named), where="grant refused")
        self._reasons = tuple(flaw.name for flaw in named)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of the flaws."""
        return self._reasons


class OutOfTurn(GuestError):
    """A request that the guest's state does not allow."""

    code = ExitCode.REFUSED


class LeaseOver(GuestError):
    """The lease ended, or the guest was told to stop."""

    code = ExitCode.REFUSED


class CeilingReached(GuestError):
    """No receipts left under this release."""

    code = ExitCode.REFUSED


class MalformedInput(GuestError):
    """An input that is not the tensors the model takes."""

    code = ExitCode.MALFORMED


class GuestFault(GuestError):
    """The guest failed in a way nobody foresaw."""


def remote_error(body: object) -> ExequaturError:
    """The error an `error` message names, `[type, what, where, hint, reasons]`, of our own type if it is one."""
    match body:
        case ["GrantRefused", str(), str(), str(), [*names]] if names:
            return GrantRefused(flaw for flaw in GrantFlaw if flaw.name in names)
        case [str(name), str(what), str(where), str(hint), [*_]]:
            kind = _kinds(ExequaturError).get(name, GuestFault)
            error = kind.__new__(kind)  # fields of its own stay behind
            ExequaturError.__init__(error, what, where=where, hint=hint)
            return error
    return GuestFault("an error message that does not parse", where="guest")


def _kinds(root: type[ExequaturError]) -> dict[str, type[ExequaturError]]:
    found = {root.__name__: root} if root.reasons is ExequaturError.reasons else {}
    for kind in root.__subclasses__():
        found |= _kinds(kind)
    return found
