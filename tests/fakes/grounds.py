# SPDX-License-Identifier: Apache-2.0
"""A chain whose clock moves only when told, with a model, a policy and everybody's account: where compiled licences live.

Every block is made by a transaction or by `at`, one second after the last unless said; reads may ask about any time.
"""

import http.client
import json
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.ids import Address, BurnDomain, Digest, ModelId, SealId
from contracts.records import Enforced, Finality, Level
from registry.chain.anvil import down, up
from registry.chain.deploy import deploy_all
from registry.chain.dev import DevChain, fund
from registry.chain.reading import octets
from registry.chain.transport import Json, open_transport
from registry.chain.view import Mined
from registry.licensing.model import Licence
from registry.models import Models
from registry.policies import Policies, burn_domain
from registry.signing import Account
from tests.fakes.scenes import DOMAIN, Scene, digest

WEEK = 7 * 86_400
_LEAD = 10  # days from the head to the start of a term that has a date
_RICH = hex(10**40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call to ask about: from whom, to whom, what, with how many wei."""

    sender: Address
    to: Address
    data: bytes
    value: int = 0


class Ground:
    """The chain, its parties and its model; a licence is told from another by its address."""

    def __init__(self, chain: DevChain, port: int) -> None:
        self.chain, self._port = chain, port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.owner, self.broker, self.licensee, self.stranger = (Account.generate() for _ in range(4))
        self.scene = self._scene(Account.generate())
        for address in (self.owner.address, self.licensee.address, chain.book.releases):
            self.request("anvil_setBalance", str(address), _RICH)
        self.request("anvil_impersonateAccount", str(chain.book.releases))

    @property
    def model(self) -> ModelId:
        """The model that licences here are for."""
        return self.scene.model

    @property
    def now(self) -> int:
        """The head's timestamp."""
        return self.chain.head().timestamp

    def request(self, method: str, *params: Json) -> Json:
        """Ask the node."""
        return self.chain.transport.request(method, *params)

    def at(self, timestamp: int) -> None:
        """Make a block at a time, or one second after the head if that is later."""
        self.request("evm_setNextBlockTimestamp", hex(max(timestamp, self.now + 1)))
        self.request("evm_mine")

    def tick(self) -> None:
        """Let the next transaction come one second after the head."""
        self.request("evm_setNextBlockTimestamp", hex(self.now + 1))

    def ask(self, questions: Sequence[Question], when: int) -> list[bytes | None]:
        """What the chain's contracts would answer at a time, all in one message; None where one refuses."""
        batch = [
            {
                "jsonrpc": "2.0",
                "id": i,
                "method": "eth_call",
                "params": [_call(one), "latest", {}, {"time": hex(when)}],
            }
            for i, one in enumerate(questions)
        ]
        self._connection.request("POST", "/", json.dumps(batch), {"Content-Type": "application/json"})
        replies = json.loads(self._connection.getresponse().read())
        found = {reply["id"]: _answer(reply) for reply in replies}
        return [found[i] for i in range(len(questions))]

    def as_releases(self, to: Address, data: bytes) -> Mined:
        """Send a transaction from the release log's own address: only the caller matters to who is called."""
        self.tick()
        call: dict[str, Json] = {
            "from": str(self.chain.book.releases),
            "to": str(to),
            "data": "0x" + data.hex(),
        }
        found = self.request("eth_sendTransaction", {**call, "gas": hex(1_000_000)})
        return self.chain.mined(Digest(octets(found)), "ILicence")

    def fitted(self, licence: Licence) -> Licence:
        """A licence for this ground's model, every version of it, that begins soon if it has a date."""
        model = replace(licence.model, model_id=self.model, lowest_version=1)
        if licence.term.start is None:
            return replace(licence, model=model)
        start = datetime.fromtimestamp(self.scene.now, UTC).date() + timedelta(days=_LEAD)
        return replace(licence, model=model, term=replace(licence.term, start=start))

    def _scene(self, verifier: Account) -> Scene:
        chain, owner = self.chain, self.owner
        for account in (owner, self.broker, self.licensee, self.stranger):
            fund(chain, account.address)
        domain = burn_domain(chain.chain_id, chain.book.policies, owner.address, DOMAIN)
        enforced, document, seal = _enforced(verifier, domain), digest(), SealId(digest())
        policy, _ = Policies(chain).publish(owner, enforced, document)
        model, _ = Models(chain).register(
            owner,
            "walked",
            seal_id=seal,
            policy=policy,
            finality=Finality.SEEN,
            uri="",
            broker=self.broker.address,
        )
        return Scene(
            chain=chain,
            owner=owner,
            broker=self.broker,
            licensee=self.licensee,
            stranger=self.stranger,
            verifiers=[verifier],
            enforced=enforced,
            document=document,
            policy=policy,
            seal=seal,
            model=model,
            licence=Address(bytes(20)),
        )


@contextmanager
def ground() -> Iterator[Ground]:
    """A node of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="exequatur-ground-") as folder:
        port = _free()
        process = up(Path(folder) / "anvil.ipc", state=Path(folder) / "state.json", port=port)
        try:
            chain = DevChain(open_transport(f"http://127.0.0.1:{port}"), 31_337)
            chain.transport.request("evm_setAutomine", True)
            deployer = Account.generate()
            fund(chain, deployer.address)
            chain.adopt(deploy_all(chain, deployer))
            yield Ground(chain, port)
            chain.close()
        finally:
            down(process)


def _enforced(verifier: Account, domain: BurnDomain) -> Enforced:
    """A policy that never refuses first: what a licence asks of a record is stricter."""
    return Enforced(
        verifiers=(verifier.address,),
        threshold=1,
        minimum_level=Level.MEASURED,
        maximum_age=30 * WEEK,
        challenge_age=WEEK,
        depth=1,
        lease=8 * WEEK,
        quota=2**62,
        burn_domain=domain,
    )


def _call(one: Question) -> dict[str, Json]:
    return {
        "from": str(one.sender),
        "to": str(one.to),
        "data": "0x" + one.data.hex(),
        "value": hex(one.value),
    }


def _answer(reply: dict[str, Json]) -> bytes | None:
    result = reply.get("result")
    if isinstance(result, str):
        return bytes.fromhex(result[2:])
    error = reply["error"]
    assert isinstance(error, dict)
    assert error["code"] == 3, error  # a contract refused; anything else is a fault of the question
    return None


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
