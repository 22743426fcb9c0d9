# SPDX-License-Identifier: Apache-2.0
"""Step 4: the quoter, the one process of the guest that opens the CPU's evidence device.

`python -E -s -B -m enclave.guest.quoter FD KIND [ARGUMENT ...]`, where the arguments are those of the collector:
`software GUEST_FILES_DIGEST` or `tpm TCTI CERTIFICATE [EVENT_LOG [IMA_LOG]]`. It takes the nodeId once and then
challenges from the vault over the inherited socket (SPEC.md, section 3), computes the report data itself, and
listens to nobody else, so that nobody else gets evidence for other keys.
"""

import socket
import sys
from contextlib import suppress
from typing import Protocol

from contracts.digests import Cbor
from contracts.errors import ExequaturError
from contracts.ids import Address, Digest, NodeId, PolicyId
from enclave.evidence.binding import Challenge, DeviceEntry, GuestClaims, report_data
from enclave.faults import Disconnected, OutOfTurn, UnknownMessage
from enclave.guest.collectors.software import Software
from enclave.guest.collectors.tpm import Tpm
from enclave.wire import Channel


class Collector(Protocol):
    """The interface to an evidence device."""

    kind: str

    def collect(self, report_data: bytes) -> bytes:
        """Evidence over the 64 bytes."""


def collector(kind: str, *arguments: str) -> Collector:
    """The collector of that kind; raises `UnknownMessage` for one that this guest does not have."""
    match kind, arguments:
        case "software", (guest_files,):
            return Software(Digest.parse(guest_files))
        case "tpm", (tcti, certificate, *logs) if len(logs) <= 2:
            return Tpm(tcti, certificate, *logs)
    raise UnknownMessage("no such evidence device, or other arguments than it takes", where=kind[:80])


class Quoter:
    """Answers one vault; the device is opened with the first challenge, so that its failure is an answer too."""

    def __init__(self, kind: str, *arguments: str) -> None:
        self._wanted = (kind, *arguments)
        self._device: Collector | None = None
        self._node: NodeId | None = None

    def answer(self, kind: str, body: Cbor) -> tuple[Cbor, bytes | None]:
        """The answer to one request, and the stream it declares."""
        match kind, body:
            case "node", bytes(node):
                if self._node is not None:
                    raise OutOfTurn("the quoter has its node already", where=kind)
                self._node = NodeId(node)
                return None, None
            case "quote", [
                int(chain),
                bytes(log),
                bytes(policy),
                bytes(nonce),
                int(number),
                bytes(hash_),
                bytes(raw),
            ]:
                if self._node is None:
                    raise OutOfTurn("the quoter has no node yet", where=kind)
                challenge = Challenge(
                    chain_id=chain,
                    log=Address(log),
                    policy_id=PolicyId(policy),
                    node_id=self._node,
                    lease_nonce=Digest(nonce),
                    block_number=number,
                    block_hash=Digest(hash_),
                )
                kind, evidence = self._collect(challenge, GuestClaims.decode(raw))
                return [[[kind, len(evidence)]], len(evidence)], evidence
        raise UnknownMessage("no such request, or a body of another form", where=kind[:80])

    def _collect(self, challenge: Challenge, claims: GuestClaims) -> tuple[str, bytes]:
        device = self._device = self._device or collector(*self._wanted)
        bound = report_data(challenge, claims, [DeviceEntry.root(device.kind)])
        return device.kind, device.collect(bound)


def serve(channel: Channel, quoter: Quoter) -> None:
    """Answer until the vault is gone; what is refused is answered by an error."""
    with suppress(Disconnected):
        while True:
            _step(channel, quoter)


def _step(channel: Channel, quoter: Quoter) -> None:
    number = 0
    try:
        message = channel.receive()
        number = message.id
        body, stream = quoter.answer(message.kind, message.body)
    except Disconnected:
        raise
    except ExequaturError as error:
        told = [type(error).__name__, error.what, error.where, error.hint, list(error.reasons)]
        channel.send("error", number, told)
    else:
        channel.send(f"{message.kind}.ok", number, body, None if stream is None else [stream])


def main(arguments: list[str]) -> None:
    """Serve the socket that was inherited."""
    descriptor, *device = arguments
    with socket.socket(fileno=int(descriptor)) as link:
        serve(Channel(link), Quoter(*device))


if __name__ == "__main__":
    main(sys.argv[1:])
