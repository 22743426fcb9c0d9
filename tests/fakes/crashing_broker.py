# SPDX-License-Identifier: Apache-2.0
"""A broker that dies at its nth write or sending: by SIGKILL as a process of its own, by an exception in a test's.

`python -m tests.fakes.crashing_broker <handed over>` reads a JSON file that `hand_over` wrote and steps a real broker
until it is killed, or until nothing moves.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.ids import Address, ModelId, PolicyId, SealId
from enclave.broker.journal import Job, Journal
from enclave.broker.service import Broker
from enclave.envelope import ReaderKey
from enclave.evidence.policy import Policy
from enclave.judging import Assigned
from enclave.keystore import Binding, Entry
from registry.chain.book import AddressBook
from registry.chain.chain import Chain
from registry.chain.connect import connect
from registry.chain.transport import Json, Transport
from registry.signing import Account
from registry.store import Store

if TYPE_CHECKING:
    from tests.fakes.desk import Desk

_KILLING = ("eth_sendRawTransaction", "eth_getTransactionReceipt")


@dataclass(slots=True)
class Fuse:
    """Counts what happens, and lets `blow` end it at the nth; `passed` names what happened before."""

    left: int
    blow: Callable[[], None]
    passed: list[str]

    def burn(self, what: str) -> None:
        """One more thing happened."""
        self.passed.append(what)
        self.left -= 1
        if self.left == 0:
            self.blow()


class FusedJournal(Journal):
    """A journal whose broker may die right before or after any write."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(path)
        self._fuse = fuse

    def add(self, job: Job) -> None:
        """Write, between two chances to die."""
        self._fuse.burn("before seen")
        super().add(job)
        self._fuse.burn("after seen")

    def update(self, job: Job) -> None:
        """Write, between two chances to die."""
        self._fuse.burn(f"before {job.stage.value}")
        super().update(job)
        self._fuse.burn(f"after {job.stage.value}")


class FusedTransport:
    """A node whose user may die right before or after sending a transaction, or once it is mined."""

    def __init__(self, inner: Transport, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse
        self.target = inner.target

    def request(self, method: str, *params: Json) -> Json:
        """Ask, with two chances to die around what matters."""
        if method not in _KILLING:
            return self._inner.request(method, *params)
        sending = method == "eth_sendRawTransaction"
        if sending:
            self._fuse.burn("before sending")
        answer = self._inner.request(method, *params)
        if sending or answer is not None:
            self._fuse.burn("after sending" if sending else "once mined")
        return answer

    def close(self) -> None:
        """Let go of the node."""
        self._inner.close()


def hand_over(desk: "Desk", target: str, path: Path, *, journal: Path, fuse: int) -> None:
    """Write everything a broker process needs; the keys are a test's own."""
    entry = desk.entry
    value = {
        "target": target,
        "book": desk.chain.book.encode(),
        "account": desk.clerk._key.secret.hex(),
        "model": str(desk.model),
        "sealId": str(entry.seal_id),
        "dataKey": entry.data_key.hex(),
        "grantKey": entry.grant_key.hex(),
        "policyId": str(desk.policy_id),
        "policy": desk.policy.canonical().decode(),
        "controller": str(desk.owner.address),
        "salt": desk.assigned[desk.policy_id].salt.hex(),
        "store": desk.store.url,
        "reader": desk.reader._seed.hex(),
        "journal": str(journal),
        "fuse": fuse,
    }
    path.write_text(json.dumps(value), "utf-8")


def _broker(given: dict[str, str], journal: Journal, chain: Chain) -> Broker:
    model, policy_id = ModelId.parse(given["model"]), PolicyId.parse(given["policyId"])
    bound = Binding(chain_id=chain.chain_id, registry=chain.book.models, model_id=model, version=1)
    entry = Entry(
        seal_id=SealId.parse(given["sealId"]),
        bound=bound,
        policies=(policy_id,),
        data_key=bytes.fromhex(given["dataKey"]),
        grant_key=bytes.fromhex(given["grantKey"]),
    )
    assigned = Assigned(
        policy=Policy.from_json(given["policy"].encode()),
        controller=Address.parse(given["controller"]),
        salt=bytes.fromhex(given["salt"]),
    )
    account = Account.from_key(bytes.fromhex(given["account"]))
    reader = ReaderKey(bytes.fromhex(given["reader"]))
    served = {(model, 1): entry}
    return Broker(chain, account, served, {policy_id: assigned}, Store(given["store"]), reader, journal)


def main(path: Path) -> None:
    """Be that broker."""
    given = json.loads(path.read_text("utf-8"))
    fuse = Fuse(int(given["fuse"]), lambda: os.kill(os.getpid(), signal.SIGKILL), [])
    book = AddressBook.decode(given["book"])
    plain = connect(given["target"], book=book)
    chain = Chain(FusedTransport(plain.transport, fuse), plain.chain_id, book)
    broker = _broker(given, FusedJournal(Path(given["journal"]), fuse), chain)
    while broker.step() or any(job.stage.value in ("decided", "mined") for job in broker.status()):
        pass
    print(json.dumps(fuse.passed))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
