# SPDX-License-Identifier: Apache-2.0
"""Everything this package raises.

RegistryError
├── ChainError                 the chain, or the way to it
│   ├── ChainUnavailable       no answer, or none that can be read; nothing is known about what was sent
│   ├── RpcFailed              the node answered that it will not or cannot
│   ├── WrongChain             another chain than the one asked for, or one whose block hashes disagree
│   ├── CodeMismatch           other code at an address than the address book recorded
│   ├── TimedOut               a transaction or block that did not get where it should in time
│   └── Reorganised            a block or transaction that left the chain
│       └── Rewound            a watcher's blocks left the chain, and events are to be taken back
├── Reverted                   a contract refused; one subclass per custom error (`registry.chain.reverts`)
├── NotConfigured              a setting, address book or program that is missing
├── WrongPassphrase            an account file that this passphrase does not open
├── MalformedAccount           an account file or key that is none
├── MalformedBook              an address book that does not parse
├── MalformedEvents            an exported event file that does not parse
├── NotReplayable              a licence whose rules this version does not know
└── StoreError                 the blob store
    ├── StoreUnavailable       the store does not answer, or may not be written
    ├── BlobMissing            nothing under that name
    └── BlobMismatch           a blob that is not what its name says
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from contracts.errors import ExequaturError, ExitCode

if TYPE_CHECKING:
    from registry.chain.view import Block


class RegistryError(ExequaturError):
    """Root of this package's errors."""


class ChainError(RegistryError):
    """Root of what the chain, or the way to it, can be at fault for."""

    code = ExitCode.UNAVAILABLE


class ChainUnavailable(ChainError):
    """No answer, or none that can be read; whether something sent arrived is not known."""


class RpcFailed(ChainError):
    """The node answered with an error; `number` and `data` are those of JSON-RPC."""

    def __init__(
        self, what: str, *, number: int = 0, data: bytes = b"", where: str = "", hint: str = ""
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.number = number
        self.data = data


class WrongChain(ChainError):
    """Another chain than the one asked for, or one whose `blockhash` and RPC disagree."""


class CodeMismatch(ChainError):
    """Other code at an address than the address book recorded."""


class TimedOut(ChainError):
    """A transaction or block that did not reach `level` in time; `head` is the last block seen at that level."""

    def __init__(self, level: str, head: "Block", *, where: str = "", hint: str = "") -> None:
        super().__init__(
            f"not {level} in time; the {level} head is block {head.number}", where=where, hint=hint
        )
        self.level = level
        self.head = head


class Reorganised(ChainError):
    """A block or transaction that left the chain while it was being read or waited for."""


class Rewound(Reorganised):
    """Every event after `to_block` left the chain and is to be taken back; the next poll goes on from there."""

    def __init__(self, to_block: int) -> None:
        super().__init__("the chain was reorganised", where=f"after block {to_block}")
        self.to_block = to_block


class Reverted(RegistryError):
    """A contract refused; `error` is its custom error and `values` what that names."""

    code = ExitCode.CONTRACT

    def __init__(self, contract: str, error: str, values: Mapping[str, object], *, hint: str = "") -> None:
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in values.items())
        super().__init__(f"{error}({shown})", where=contract, hint=hint)
        self.contract = contract
        self.error = error
        self.values = dict(values)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The contract's own word for why."""
        return (self.error,)


class NotConfigured(RegistryError):
    """A setting, address book or program that is missing."""

    code = ExitCode.USAGE


class WrongPassphrase(RegistryError):
    """An account file that this passphrase does not open."""

    code = ExitCode.USAGE


class MalformedAccount(RegistryError):
    """An account file or key that is none."""

    code = ExitCode.MALFORMED


class MalformedBook(RegistryError):
    """An address book that does not parse."""

    code = ExitCode.MALFORMED


class MalformedEvents(RegistryError):
    """An exported event file that does not parse."""

    code = ExitCode.MALFORMED


class NotReplayable(RegistryError):
    """A licence whose rules this version does not know."""


class StoreError(RegistryError):
    """Root of what the blob store can be at fault for."""

    code = ExitCode.UNAVAILABLE


class StoreUnavailable(StoreError):
    """The store does not answer, or may not be written."""


class BlobMissing(StoreError):
    """Nothing in the store under that name."""


class BlobMismatch(StoreError):
    """A blob that is not what its name says."""

    code = ExitCode.NOT_AUTHENTIC


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
