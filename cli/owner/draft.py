# SPDX-License-Identifier: Apache-2.0
"""The text of a policy that an owner starts from: every key there is, each saying what it decides."""

from collections.abc import Sequence
from dataclasses import dataclass

_LOCKDOWN = ("no_new_privileges", "not_dumpable", "no_core")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the command knows of a policy before a person edits it; everything is text as it will be read.

    `rules` are the keys and the tables of the fragment that judges devices.
    """

    name: str
    domain: str
    verifiers: Sequence[str]
    threshold: int
    level: str
    lease: int
    quota: int
    readers: Sequence[str]
    enrollers: Sequence[str]
    verifier_urls: Sequence[str]
    broker_url: str
    rules: tuple[str, str]


def text(draft: Draft) -> str:
    """The policy in TOML; `level` is the lowest that the evidence's root device may have."""
    keys, tables = draft.rules
    return f"{_judged(draft)}\n{keys}{_enforced(draft)}\n{tables}"


def _judged(draft: Draft) -> str:
    development = 'development = "software only, for development"\n' if draft.level == "none" else ""
    return f"""\
# Which machines may run the model. Every key is required; a changed policy is another policy.
appraisal = 2
name = {_string(draft.name)}
{development}
# Whom evidence is sealed to besides the chain's digest: HPKE public keys (`exequatur broker reader-key`).
readers = {_list(draft.readers)}
verifier_urls = {_list(draft.verifier_urls)}
broker_url = {_string(draft.broker_url)}

# Keys that may vouch for a TPM's attestation key, and roots outside the vendor table (they lower the level to none).
enrollers = {_list(draft.enrollers)}
extra_roots = []

# The list of burnt platforms this policy shares with others of the same owner, and those that this document names.
burn_domain_name = {_string(draft.name)}
burnt = []

# What the guest must say of itself.
clock = "host"
lockdown = {_list(_LOCKDOWN)}
"""


def _enforced(draft: Draft) -> str:
    challenge_age = max(60, draft.lease // 2)
    return f"""
# What the contracts enforce. maximum_age >= lease + challenge_age; ages and lease in seconds.
[enforced]
verifiers = {_list(sorted(draft.verifiers))}
threshold = {draft.threshold}
minimum_level = {_string(draft.level)}
maximum_age = {draft.lease + challenge_age}
challenge_age = {challenge_age}
depth = 1
lease = {draft.lease}
quota = {draft.quota}
burn_domain = {_string(draft.domain)}
"""


def installed_workload(kind: str) -> list[str]:
    """The workload of the guest in this installation; a TPM's also covers the boot, so it is left to the owner."""
    from enclave.evidence.software.verify import workload_of
    from enclave.node.measure import guest_files_digest

    return [str(workload_of(guest_files_digest()))] if kind == "software" else []


def _string(value: str) -> str:
    escaped = "".join(c if c >= " " and c not in '"\\\x7f' else f"\\u{ord(c):04x}" for c in value)
    return f'"{escaped}"'


def _list(values: Sequence[str]) -> str:
    if len(values) < 2:
        return f"[{''.join(map(_string, values))}]"
    return "[\n" + "".join(f"    {_string(value)},\n" for value in values) + "]"
