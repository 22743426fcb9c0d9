# SPDX-License-Identifier: Apache-2.0
"""Facts of a machine with everything that rules can speak of, and rules that it meets; tests change one thing."""

from datetime import timedelta

from contracts.ids import Digest
from contracts.records import Level
from enclave.evidence.cose import Sign1
from enclave.evidence.custody import Custody
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.rules import AgeRule, DeviceRule, FloorRule, ReferenceRule, RegisterRule, Rules
from tests.fakes.evidence import NOON

DAY = timedelta(days=1)
WORKLOAD, ENDORSER, KEY = Digest(b"\x0a" * 32), b"\x04" + b"\x0b" * 64, b"\x0c" * 32
CUSTODY = Custody(
    endorser=ENDORSER,
    platform=Digest(b"\x0d" * 32),
    place=7,
    not_before=NOON - DAY,
    not_after=NOON + 9 * DAY,
    signed=Sign1(protected=b"", algorithm=-7, unprotected={}, payload=b"", signature=b""),
)
FACTS = Facts(
    kind=Kind.TDX,
    index=0,
    bound=bytes(64),
    identity=b"\x99" * 16,
    workload=WORKLOAD,
    status=RootStatus.VENDOR,
    root="vendor",
    registers={"mr_td": b"\x01" * 48, "rtmr0": b"\x02" * 48},
    not_before=NOON - 30 * DAY,
    not_after=NOON + 30 * DAY,
    missed=(),
    trace=(),
    claims={
        "tcb": {"status": "UpToDate", "svn": [3, 4]},
        "debug": False,
        "xfam": b"\xe7",
        "ppid": b"\x99" * 16,
        "serial": ("99" * 16),
        "nothing": None,
    },
    inputs={"collateral": NOON - 5 * DAY},
    certificates=(b"\x01" * 32, KEY),
    clock="host",
    custody=CUSTODY,
)
RULES = Rules(
    devices=(DeviceRule(kind=Kind.TDX, minimum_level=Level.ISOLATED_CUSTODY, least=1, most=1),),
    workloads=(WORKLOAD,),
    registers=(RegisterRule(kind=Kind.TDX, name="mr_td", allow=(b"\x01" * 48, b"\x03" * 48)),),
    references=(
        ReferenceRule(kind=Kind.TDX, claim="tcb.status", allow=("UpToDate", "SWHardeningNeeded")),
        ReferenceRule(kind=Kind.TDX, claim="debug", allow=(False,)),
        ReferenceRule(kind=Kind.TDX, claim="xfam", allow=(b"\xe7",)),
        ReferenceRule(kind=Kind.TDX, claim="tcb.svn.0", allow=(3,)),
    ),
    floors=(FloorRule(kind=Kind.TDX, claim="tcb.svn.1", at_least=4, since=NOON - DAY, grace=0),),
    ages=(AgeRule(kind=Kind.TDX, input="collateral", at_most=30 * 86_400, required=True),),
    revoked=(b"\x02" * 32,),
    endorsers=(ENDORSER,),
    places=(7, 8),
    allow_test_root=False,
)
