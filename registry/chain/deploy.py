# SPDX-License-Identifier: Apache-2.0
"""Deploying the five contracts by CREATE2, so that the same code has the same addresses on every chain.

Through the canonical deployer (github.com/Arachnid/deterministic-deployment-proxy), whose own creation is a
transaction anyone can send. Repeating a deployment finds what is there.
"""

import time

from contracts.digests import keccak
from contracts.ids import Address, Digest
from contracts.records import Finality
from registry.chain.abi import interface
from registry.chain.book import AddressBook
from registry.chain.chain import Chain
from registry.chain.reading import octets
from registry.chain.transport import Json
from registry.errors import CodeMismatch, RpcFailed, WrongChain
from registry.signing import Account

DEPLOYER = Address.parse("0x4e59b44847b379578588920ca78fbf26c0b4956c")
_SIGNER = Address.parse("0x3fab184622dc19b6109349b94811493bf2a45362")
_SIGNER_NEEDS = 10**16
_CREATE_DEPLOYER = (
    "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba02222222222"
    "222222222222222222222222222222222222222222222222222222a02222222222222222222222222222222222222222222222222222"
    "222222222222"
)
_SALT = bytes(32)
_PATIENCE = 60.0


def deploy_all(chain: Chain, account: Account, *, finality_wait: int | None = None) -> AddressBook:
    """Deploy what is missing and return the address book; `account` pays.

    `finality_wait` is the seconds from a block to its finality; measured where it is not given.
    """
    _ensure_deployer(chain, account)
    probe_block_hashes(chain, account)
    policies = _create(chain, account, "PolicyRegistry")
    models = _create(chain, account, "ModelRegistry", policies)
    attestations = _create(chain, account, "AttestationLog", policies)
    licences = _create(chain, account, "LicenceRegistry", models)
    releases = _create(chain, account, "ReleaseLog", models, policies, attestations, licences)
    names = ("ModelRegistry", "PolicyRegistry", "AttestationLog", "LicenceRegistry", "ReleaseLog")
    places = (models, policies, attestations, licences, releases)
    return AddressBook(
        chain_id=chain.chain_id,
        models=models,
        policies=policies,
        attestations=attestations,
        licences=licences,
        releases=releases,
        code_hashes={n: keccak(chain.code(a)) for n, a in zip(names, places, strict=True)},
        deployed_at=_first_block(chain, policies),
        finality_wait=_finality_lag(chain) if finality_wait is None else finality_wait,
    )


def check_code(chain: Chain, book: AddressBook) -> None:
    """Raise `CodeMismatch` unless the code at every address is what the book recorded."""
    for name, address in book.addresses().items():
        code = chain.code(address)
        if not code or keccak(code) != book.code_hashes[name]:
            found = "other code than the address book recorded" if code else "no code"
            raise CodeMismatch(
                f"{found} at {address}",
                where=name,
                hint="another or a restarted chain? run `exequatur chain deploy`",
            )


def create2_address(creation: bytes) -> Address:
    """Where the canonical deployer puts creation code."""
    return Address(keccak(b"\xff" + DEPLOYER + _SALT + keccak(creation))[12:])


def probe_block_hashes(chain: Chain, account: Account) -> None:
    """Raise `WrongChain` unless the `BLOCKHASH` opcode and RPC agree; challenges rest on both."""
    deadline = time.monotonic() + _PATIENCE
    while (head := chain.head()).number < 2:
        if time.monotonic() > deadline:
            raise WrongChain("the chain makes no blocks", where=f"chain {chain.chain_id}")
        chain.send(account, account.address)
    asked = chain.block(head.number - 1)
    # PUSH8 number BLOCKHASH PUSH1 1 MSTORE PUSH1 33 PUSH0 RETURN, run as creation code: the hash follows a zero
    # octet, as EIP-3541 refuses created code that begins with 0xef
    code = b"\x67" + asked.number.to_bytes(8, "big") + bytes.fromhex("4060015260215ff3")
    call: dict[str, Json] = {"data": "0x" + code.hex(), "from": str(account.address)}
    try:
        told = octets(chain.transport.request("eth_call", call, hex(head.number)))
    except RpcFailed as error:
        raise WrongChain(
            f"the chain cannot run our code: {error.what}", where=f"chain {chain.chain_id}"
        ) from error
    if told != b"\0" + asked.hash:
        raise WrongChain(
            "its BLOCKHASH opcode and its RPC disagree",
            where=f"chain {chain.chain_id}",
            hint="use another chain",
        )


def _ensure_deployer(chain: Chain, account: Account) -> None:
    if chain.code(DEPLOYER):
        return
    if chain.balance(_SIGNER) < _SIGNER_NEEDS:
        chain.send(account, _SIGNER, value=_SIGNER_NEEDS)
    sent = chain.transport.request("eth_sendRawTransaction", _CREATE_DEPLOYER)
    chain.mined(Digest(octets(sent)), "deployer")


def _create(chain: Chain, account: Account, contract: str, *args: Address) -> Address:
    creation = interface(contract).creation(args)
    address = create2_address(creation)
    if not chain.code(address):
        chain.send(account, DEPLOYER, _SALT + creation, contract=contract)
        if not chain.code(address):
            raise CodeMismatch("the canonical deployer left no code", where=f"{contract} {address}")
    return address


def _first_block(chain: Chain, address: Address) -> int:
    """The first block with code at `address`, for whoever scans events; a node without history gives block 0."""
    low, high = 0, chain.head().number
    try:
        while low < high:
            middle = (low + high) // 2
            code = octets(chain.transport.request("eth_getCode", str(address), hex(middle)))
            low, high = (low, middle) if code else (middle + 1, high)
    except RpcFailed:
        return 0
    return low


def _finality_lag(chain: Chain) -> int:
    if chain.embedded:
        return 0
    return max(1, chain.head().timestamp - chain.head(Finality.FINAL).timestamp)
