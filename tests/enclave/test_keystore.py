# SPDX-License-Identifier: Apache-2.0
"""A keystore entry opens with its passphrase, for its model and version, and in no other way."""

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from coincurve import PublicKey

from contracts.digests import keccak
from contracts.errors import ExitCode
from contracts.ids import Address, ModelId, PolicyId, SealId
from enclave import keystore
from enclave.errors import EntryRefused, MalformedEntry, NoEntry, WrongPassphrase
from enclave.keystore import Binding, Entry, Keystore, SealKeys

SEAL_ID = SealId(b"\x01" * 32)
PASSPHRASE = b"correct horse battery staple"
BOUND = Binding(
    chain_id=131277322940537, registry=Address(b"\x02" * 20), model_id=ModelId(b"\x03" * 32), version=1
)
POLICIES = (PolicyId(b"\x04" * 32), PolicyId(b"\x05" * 32))


REAL_COST = keystore._ARGON2


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests derive many keys, and not one of them is worth guessing."""
    monkeypatch.setattr(keystore, "_ARGON2", {"iterations": 1, "lanes": 1, "memory": 64})


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path)


@pytest.fixture
def entry(store: Keystore) -> Entry:
    return store.create(SEAL_ID, SealKeys.draw(), PASSPHRASE)


def test_an_entry_grows_from_sealing_to_pinning(store: Keystore, entry: Entry) -> None:
    assert store.open(SEAL_ID, PASSPHRASE) == entry
    bound = store.bind(SEAL_ID, PASSPHRASE, BOUND)
    assert bound == replace(entry, bound=BOUND)
    pinned = store.pin(SEAL_ID, PASSPHRASE, reversed(POLICIES))
    assert pinned == replace(bound, policies=POLICIES)
    assert Keystore(store.path(SEAL_ID).parents[1]).open(SEAL_ID, PASSPHRASE) == pinned
    assert store.pin(SEAL_ID, PASSPHRASE, POLICIES[:1]).policies == POLICIES[:1]


def test_the_grant_address_is_the_grant_keys(entry: Entry) -> None:
    public = PublicKey.from_secret(entry.grant_key).format(compressed=False)
    assert entry.grant_address == keccak(public[1:])[12:]
    assert len(entry.data_key) == len(entry.grant_key) == 32


def test_keys_are_drawn_afresh() -> None:
    drawn = [SealKeys.draw() for _ in range(20)]
    assert len({keys.data_key for keys in drawn} | {keys.grant_key for keys in drawn}) == 40


def test_only_the_owner_may_read(store: Keystore, entry: Entry) -> None:
    path = store.path(SEAL_ID)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_no_secret_shows(store: Keystore, entry: Entry) -> None:
    raw = store.path(SEAL_ID).read_text()
    for secret in (entry.data_key, entry.grant_key, PASSPHRASE):
        assert secret.hex() not in raw
        assert secret.hex() not in repr(entry)
        assert repr(secret) not in repr(entry)


def test_guessing_a_passphrase_is_expensive(store: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9106, section 4: the second recommended option, 64 MiB and 3 passes with 4 lanes."""
    monkeypatch.setattr(keystore, "_ARGON2", REAL_COST)
    entry = store.create(SEAL_ID, SealKeys.draw(), PASSPHRASE)
    document = json.loads(store.path(SEAL_ID).read_bytes())
    assert document["argon2"] == {"iterations": 3, "lanes": 4, "memory": 64 << 10}
    assert store.open(SEAL_ID, PASSPHRASE) == entry


def test_a_wrong_passphrase(store: Keystore, entry: Entry) -> None:
    before = store.path(SEAL_ID).read_bytes()
    for attempt in (
        lambda: store.open(SEAL_ID, b"wrong"),
        lambda: store.bind(SEAL_ID, b"", BOUND),
        lambda: store.pin(SEAL_ID, PASSPHRASE + b"\n", POLICIES),
    ):
        with pytest.raises(WrongPassphrase) as refused:
            attempt()
        assert refused.value.code == ExitCode.USAGE
    assert store.path(SEAL_ID).read_bytes() == before


def test_an_entry_is_never_overwritten(store: Keystore, entry: Entry) -> None:
    with pytest.raises(EntryRefused):
        store.create(SEAL_ID, SealKeys.draw(), PASSPHRASE)
    assert store.open(SEAL_ID, PASSPHRASE) == entry


def test_an_entry_is_bound_once(store: Keystore, entry: Entry) -> None:
    store.bind(SEAL_ID, PASSPHRASE, BOUND)
    store.bind(SEAL_ID, PASSPHRASE, BOUND)
    for other in (
        replace(BOUND, chain_id=1),
        replace(BOUND, registry=Address(bytes(20))),
        replace(BOUND, model_id=ModelId(bytes(32))),
        replace(BOUND, version=2),
    ):
        with pytest.raises(EntryRefused):
            store.bind(SEAL_ID, PASSPHRASE, other)


def test_policies_are_pinned_for_a_bound_entry_only(store: Keystore, entry: Entry) -> None:
    with pytest.raises(EntryRefused):
        store.pin(SEAL_ID, PASSPHRASE, POLICIES)


def test_no_entry(store: Keystore) -> None:
    with pytest.raises(NoEntry) as refused:
        store.open(SEAL_ID, PASSPHRASE)
    assert refused.value.code == ExitCode.USAGE
    assert store.list() == ()


def edited(field: str, value: object) -> Callable[[dict[str, object]], dict[str, object]]:
    return lambda document: document | {field: value}


FLAWS: dict[str, Callable[[dict[str, object]], object]] = {
    "seal id": edited("sealId", str(SealId(bytes(32)))),
    "grant address": edited("grantAddress", str(Address(bytes(20)))),
    "unbound": edited("bound", None),
    "another version": lambda d: d | {"bound": {**d["bound"], "version": 2}},  # type: ignore[dict-item]
    "another chain": lambda d: d | {"bound": {**d["bound"], "chainId": 1}},  # type: ignore[dict-item]
    "version as text": lambda d: d | {"bound": {**d["bound"], "version": "1"}},  # type: ignore[dict-item]
    "bound to a list": edited("bound", [1]),
    "a policy more": edited("policies", [str(PolicyId(bytes(32)))]),
    "policies as text": edited("policies", "0x"),
    "secret": edited("secret", "00" * 80),
    "nonce": edited("nonce", "00" * 12),
    "short salt": edited("salt", "00"),
    "cheaper": edited("argon2", {"iterations": 1, "lanes": 1, "memory": 8}),
    "ruinous": edited("argon2", {"iterations": 1 << 30, "lanes": 1, "memory": 1 << 30}),
    "another format": edited("format", "exequatur/v2/keystore"),
    "a field more": edited("comment", "hello"),
    "a field less": lambda d: {name: value for name, value in d.items() if name != "nonce"},
    "a list": lambda d: [d],
    "null": lambda d: None,
}


@pytest.mark.parametrize("flaw", FLAWS.values(), ids=FLAWS.keys())
def test_an_edited_entry_is_refused(
    store: Keystore, entry: Entry, flaw: Callable[[dict[str, object]], object]
) -> None:
    store.bind(SEAL_ID, PASSPHRASE, BOUND)
    path = store.path(SEAL_ID)
    path.write_text(json.dumps(flaw(json.loads(path.read_bytes()))))
    with pytest.raises(MalformedEntry) as refused:
        store.open(SEAL_ID, PASSPHRASE)
    assert refused.value.code == ExitCode.MALFORMED


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"{", b"[" * 100_000, b"0x"])
def test_a_file_that_is_no_entry(store: Keystore, entry: Entry, raw: bytes) -> None:
    store.path(SEAL_ID).write_bytes(raw)
    with pytest.raises(MalformedEntry):
        store.open(SEAL_ID, PASSPHRASE)


def test_an_entry_under_another_name(store: Keystore, entry: Entry) -> None:
    other = SealId(b"\x09" * 32)
    store.path(SEAL_ID).rename(store.path(other))
    with pytest.raises(MalformedEntry):
        store.open(other, PASSPHRASE)


def test_a_listing_needs_no_passphrase(store: Keystore, entry: Entry) -> None:
    store.bind(SEAL_ID, PASSPHRASE, BOUND)
    (found,) = store.list()
    assert (found.seal_id, found.grant_address, found.bound, found.policies) == (
        SEAL_ID,
        entry.grant_address,
        BOUND,
        (),
    )
