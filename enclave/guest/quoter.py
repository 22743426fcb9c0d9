# SPDX-License-Identifier: Apache-2.0
"""Step 4: the quoter, the one process of the guest that opens the CPU's evidence device.

`python -E -s -B -m enclave.guest.quoter FD KIND [ARGUMENT ...] [+ KIND [ARGUMENT ...]] ...` names the root device and
then the peripherals (SPEC.md, section 3.1). It takes the nodeId once and then challenges from the vault over the inherited socket (SPEC.md, section 3), computes the report data itself, and
listens to nobody else, so that nobody else gets evidence for other keys.
"""

import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from contracts.digests import Cbor
from contracts.errors import ExequaturError
from contracts.ids import Address, Digest, NodeId, PolicyId
from enclave.evidence.binding import (
    Challenge,
    DeviceEntry,
    GuestClaims,
    device_nonce,
    evidence_digest,
    report_data,
)
from enclave.faults import DeviceError, Disconnected, OutOfTurn, UnknownMessage
from enclave.guest.devices import MOST, Collector, Peripherals, Processes, apart, collector
from enclave.wire import Channel


class Quoter:
    """Answers one vault; the device is opened with the first challenge, so that its failure is an answer too."""

    def __init__(
        self,
        *devices: str,
        peripherals: Peripherals | None = None,
        opened: Callable[..., Collector] = collector,
    ) -> None:
        self._wanted, *self._beside = apart(devices)
        self._peripherals = peripherals or Processes()
        self._opened = opened
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
                collected = self._collect(challenge, GuestClaims.decode(raw))
                listed: list[Cbor] = [[kind, len(evidence)] for kind, evidence in collected]
                stream = b"".join(evidence for _, evidence in collected)
                return [listed, len(stream)], stream
        raise UnknownMessage("no such request, or a body of another form", where=kind[:80])

    def _collect(self, challenge: Challenge, claims: GuestClaims) -> list[tuple[str, bytes]]:
        """Kind and evidence of every device; peripherals come first, as the root device signs their digests."""
        beside = self._collect_beside(challenge)
        device = self._device = self._device or self._opened(*self._wanted)
        entries = [DeviceEntry.root(device.kind)]
        for index, (kind, body) in enumerate(beside, 1):
            entries.append(DeviceEntry(index=index, kind=kind, evidence=evidence_digest(body)))
        return [(device.kind, device.collect(report_data(challenge, claims, entries))), *beside]

    def _collect_beside(self, challenge: Challenge) -> Sequence[tuple[str, bytes]]:
        named = [device for words in self._beside for device in self._peripherals.expand(words)]
        if len(named) >= MOST:
            raise DeviceError(f"{len(named)} peripherals, at most {MOST - 1}", where="quoter")
        collected: list[tuple[str, bytes]] = []
        for index, device in enumerate(named, 1):
            nonce = bytes(device_nonce(challenge, index, device[0]))
            collected.append((device[0], self._peripherals.collect(device, nonce)))
        return collected


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
