# SPDX-License-Identifier: Apache-2.0
"""Policies: strict to read, canonical to publish, and identified as the contract computes it."""

import hashlib
import json
from dataclasses import replace

import pytest
from eth_abi.abi import encode

from contracts.digests import keccak
from contracts.ids import ZERO_DIGEST, Address
from contracts.records import Level
from enclave.errors import MalformedPolicy, Refused
from enclave.evidence.appraise import Reason
from enclave.evidence.policy import Policy, burn_domain
from tests.fakes.evidence import CHAIN, CONTROLLER, REGISTRY, Case, policy_text

TEXT = policy_text()
POLICY = Policy.from_toml(TEXT)
_TERMS = "(address[],uint8,uint8,uint32,uint32,uint16,uint32,uint64,bytes32)"


def test_toml_and_json_are_one_policy() -> None:
    assert Policy.from_json(POLICY.canonical()) == POLICY
    assert Policy.from_toml("# a remark\n" + TEXT.replace("0x11", "0x11")).canonical() == POLICY.canonical()
    assert POLICY.document_digest == hashlib.sha256(POLICY.canonical()).digest()


def test_the_id_is_what_the_contract_computes() -> None:
    e = POLICY.enforced
    terms = (
        list(e.verifiers),
        e.threshold,
        int(e.minimum_level),
        e.maximum_age,
        e.challenge_age,
        e.depth,
        e.lease,
        e.quota,
        bytes(e.burn_domain),
    )
    encoded = encode(
        ["string", "uint256", "address", "address", _TERMS, "bytes32"],
        ["exequatur/v1/policy", CHAIN, REGISTRY, CONTROLLER, terms, bytes(POLICY.document_digest)],
    )
    assert POLICY.policy_id(CHAIN, REGISTRY, CONTROLLER) == keccak(encoded)


def test_ids_of_burn_domains_are_what_the_contract_computes() -> None:
    encoded = encode(
        ["string", "uint256", "address", "address", "bytes32"],
        ["exequatur/v1/burn-domain", CHAIN, REGISTRY, CONTROLLER, b"plant"],
    )
    assert burn_domain(CHAIN, REGISTRY, CONTROLLER, "plant") == keccak(encoded)


def test_the_id_depends_on_chain_controller_and_every_rule() -> None:
    stricter = replace(POLICY, clock="protected")
    ids = {
        POLICY.policy_id(CHAIN, REGISTRY, CONTROLLER),
        POLICY.policy_id(1, REGISTRY, CONTROLLER),
        POLICY.policy_id(CHAIN, CONTROLLER, CONTROLLER),
        POLICY.policy_id(CHAIN, REGISTRY, Address(b"\x01" * 20)),
        stricter.policy_id(CHAIN, REGISTRY, CONTROLLER),
        replace(POLICY, enforced=replace(POLICY.enforced, lease=1)).policy_id(CHAIN, REGISTRY, CONTROLLER),
    }
    assert len(ids) == 6


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "bearings"', 'name = "bearings"\nnamed = 1'),
        ('name = "bearings"', ""),
        ('name = "bearings"', "name = 1"),
        ("appraisal = 2", "appraisal = 1"),
        ("threshold = 1", "threshold = 1.0"),
        ("threshold = 1", "threshold = true"),
        ("threshold = 1", "threshold = 0"),
        ("threshold = 1", "threshold = 3"),
        ("threshold = 1", "threshold = 1\nextra = 1"),
        ("maximum_age = 3600", "maximum_age = 1199"),
        ("quota = 1000", "quota = 9007199254740992"),
        ("depth = 1", "depth = -1"),
        ('development = "software only, for development"\n', ""),
        ('development = "software only, for development"', 'development = "yes"'),
        ('minimum_level = "none"\nmaximum', 'minimum_level = "rooted"\nmaximum'),
        ('minimum_level = "none"\nmaximum', 'minimum_level = "any"\nmaximum'),
        ('clock = "host"', 'clock = "sundial"'),
        ("allow_test_root = true", "allow_test_root = 1"),
        ('"network"]', '"moat"]'),
        ('"network"]', '"NETWORK"]'),
        ('"network"]', '"network", "network"]'),
        ("readers = []", 'readers = ["0x00"]'),
        ("enrollers = []", 'enrollers = "0x00"'),
        ("extra_roots = []", f'extra_roots = ["{"00" * 32}"]'),
        ("extra_roots = []", f'extra_roots = ["0x{"0g" * 32}"]'),
        ("registers = []", "registers = [1]"),
        ("extra_roots = []", f'extra_roots = ["0x{"ab" * 32}", "0x{"AB" * 32}"]'),
        ('kind = "software"', 'kind = "abacus"'),
        ('kind = "software"', 'kind = "software"\ncolour = "red"'),
        (
            "most = 1\n",
            'most = 1\n[[devices]]\nkind = "software"\nminimum_level = "none"\nleast = 0\nmost = 1\n',
        ),
        ("[[devices]]", "[devices]"),
        ("[enforced]", "[forced]"),
        ('"0x1111111111111111111111111111111111111111", ', '"0x3333333333333333333333333333333333333333", '),
        ('name = "bearings"', 'name = "bearings'),
    ],
)
def test_what_is_not_said_exactly_is_malformed(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(MalformedPolicy) as caught:
        Policy.from_toml(TEXT.replace(old, new, 1))
    assert caught.value.code == 3


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        POLICY.canonical() + b"\n",
        json.dumps(json.loads(POLICY.canonical())).encode(),
    ],
)
def test_json_that_is_not_canonical_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedPolicy):
        Policy.from_json(raw)


def test_level_none_says_what_it_is() -> None:
    assert b'"development":"software only, for development"' in POLICY.canonical()


def test_a_document_that_differs_from_the_chain_is_refused() -> None:
    POLICY.require(POLICY.enforced)
    with pytest.raises(Refused) as caught:
        POLICY.require(replace(POLICY.enforced, minimum_level=Level.ROOTED))
    assert caught.value.reasons == (Reason.POLICY.name,)


def test_no_workload_listed_means_none() -> None:
    case = Case.software(TEXT.replace(str(POLICY.rules.workloads[0]), str(ZERO_DIGEST)))
    for policy in (case.policy, replace(case.policy, rules=replace(case.policy.rules, workloads=()))):
        with pytest.raises(Refused) as caught:
            case.but(policy=policy).judge()
        assert caught.value.reasons == (Reason.WORKLOAD.name,)
