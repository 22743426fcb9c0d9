# SPDX-License-Identifier: Apache-2.0
"""Accounts: the bytes other wallets make, and files other wallets open."""

import json
from pathlib import Path

import pytest
from eth_account import Account as Reference
from hypothesis import given
from hypothesis.strategies import binary, integers

from contracts.digests import keccak
from contracts.ids import Address, Digest
from registry.errors import MalformedAccount, NotConfigured, WrongPassphrase
from registry.signing import Account, creation_address, recover

KEY = bytes(range(1, 33))
QUICK = 2
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_numbers = integers(min_value=0, max_value=2**63)


@given(nonce=_numbers, fee=_numbers, value=_numbers, data=binary(max_size=300))
def test_a_signed_transaction_is_its_accounts_and_named_by_its_hash(
    nonce: int, fee: int, value: int, data: bytes
) -> None:
    fields = {"chainId": 31_337, "nonce": nonce, "maxPriorityFeePerGas": fee, "maxFeePerGas": fee, "type": 2}
    account = Account.from_key(KEY)
    raw, name = account.sign_transaction(
        fields | {"gas": 21_000, "to": bytes(20), "value": value, "data": data}
    )
    assert name == keccak(raw)
    assert Reference.recover_transaction(raw).lower() == str(account.address)


@given(message=binary(max_size=64))
def test_a_signature_recovers_to_its_account(message: bytes) -> None:
    account, digest = Account.from_key(KEY), keccak(message)
    signature = account.sign_typed(digest)
    assert recover(digest, signature) == account.address
    assert recover(Digest(bytes(32)), signature) != account.address or digest == bytes(32)


def test_the_address_is_the_one_other_wallets_show() -> None:
    assert str(Account.from_key(KEY).address) == Reference.from_key(KEY).address.lower()
    assert Account.generate().address != Account.generate().address


def test_a_created_contract_is_where_the_yellow_paper_says() -> None:
    sender = Address.parse("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert str(creation_address(sender, 0)) == "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    assert str(creation_address(sender, 1)) == "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"


def test_s6_a_signature_has_one_form() -> None:
    digest = keccak(b"")
    signature = Account.from_key(KEY).sign_typed(digest)
    s = int.from_bytes(signature[32:64], "big")
    high = signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes((55 - signature[64],))
    for bad in (high, signature[:64], signature[:64] + b"\0", signature + b"\0", bytes(64) + b"\x1b"):
        with pytest.raises(MalformedAccount):
            recover(digest, bad)


def test_a_keystore_file_opens_with_its_passphrase_only(tmp_path: Path) -> None:
    path, account = tmp_path / "keys" / "owner.json", Account.generate()
    account.save(path, b"open sesame", iterations=QUICK)
    assert Account.load(path, b"open sesame").address == account.address
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["owner.json"]
    with pytest.raises(WrongPassphrase) as wrong:
        Account.load(path, b"hunter2")
    assert b"hunter2" not in repr(wrong.value.__dict__).encode()
    assert wrong.value.code == 2


def test_other_wallets_files_open_and_ours_open_there(tmp_path: Path) -> None:
    path = tmp_path / "owner.json"
    path.write_text(json.dumps(Reference.encrypt(KEY, "word", iterations=QUICK)))
    account = Account.load(path, b"word")
    assert account.address == Account.from_key(KEY).address
    account.save(path, b"other", iterations=QUICK)
    assert bytes(Reference.decrypt(json.loads(path.read_text()), "other")) == KEY


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": 3}', '{"version": 9, "crypto": {}}', "[" * 10_000]
)
def test_s8_a_file_that_is_no_keystore(tmp_path: Path, text: str) -> None:
    path = tmp_path / "owner.json"
    path.write_text(text)
    with pytest.raises(MalformedAccount):
        Account.load(path, b"")


def test_a_missing_account_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured) as missing:
        Account.load(tmp_path / "none.json", b"")
    assert "keys new" in missing.value.hint


@pytest.mark.parametrize("key", [b"", bytes(32), b"\xff" * 32, bytes(31)])
def test_a_key_that_is_none(key: bytes) -> None:
    with pytest.raises(MalformedAccount):
        Account.from_key(key)


def test_s4_an_account_shows_its_address_only() -> None:
    account = Account.from_key(KEY)
    assert repr(account) == f"Account({account.address})"
