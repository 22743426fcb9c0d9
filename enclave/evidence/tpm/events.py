# SPDX-License-Identifier: Apache-2.0
"""What a boot's event log says, as far as its digests cover what it says (tpm/SPEC.md, section 5).

An event's body is extended by nobody: firmware extends a digest and writes a body beside it. A body counts here only
where the digest is of the body, or of the part of it that the profile or the boot loader names.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from enclave.evidence.facts import Claim, Claims
from enclave.evidence.tpm.log import Event, EventKind, EventLog

_SECURE_BOOT = "SecureBoot".encode("utf-16-le")
_GLOBAL_VARIABLE = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c").bytes_le  # UEFI specification, section 3.3
_SECURE_BOOT_IS = {
    value: _GLOBAL_VARIABLE
    + (10).to_bytes(8, "little")
    + (1).to_bytes(8, "little")
    + _SECURE_BOOT
    + bytes([value])
    for value in (False, True)
}
_HANDED_OVER = bytes(4)  # EV_SEPARATOR
_COMMAND_LINE = "kernel_cmdline: "


@dataclass(frozen=True, slots=True, kw_only=True)
class EfiVariable:
    """A UEFI variable that was measured: UEFI_VARIABLE_DATA of the profile, section 10.4.2.6."""

    vendor: UUID
    name: str
    content: bytes = field(repr=False)


def variables(log: EventLog) -> Iterator[EfiVariable]:
    """The variables behind Secure Boot, PK, KEK, db and dbx among them, whose digests cover name and content."""
    for event in log.of_kind(EventKind.EV_EFI_VARIABLE_DRIVER_CONFIG):
        variable = variable_of(event.body)
        if variable is not None and event.covers(event.body):
            yield variable


def variable_of(body: bytes) -> EfiVariable | None:
    """The variable in an event's body; None where the body has another form."""
    names, contents = (int.from_bytes(body[at : at + 8], "little") for at in (16, 24))
    if len(body) < 32 or len(body) != 32 + 2 * names + contents:
        return None
    try:
        name = body[32 : 32 + 2 * names].decode("utf-16-le")
    except UnicodeDecodeError:
        return None
    return EfiVariable(vendor=UUID(bytes_le=body[:16]), name=name, content=body[32 + 2 * names :])


def secure_boot(log: EventLog, register: int = 7) -> bool | None:
    """Whether the firmware checked signatures of what it started; None where the log does not say, or says both.

    Known by digests alone, those of the two values that the variable has, among what went into `register` (1 in
    a CCEL log) before the firmware handed over.
    """
    said: set[bool] = set()
    for event in log.events:
        if event.pcr != register or event.kind == EventKind.EV_NO_ACTION:
            continue
        if event.covers(_HANDED_OVER):
            break
        said |= {value for value, measured in _SECURE_BOOT_IS.items() if event.covers(measured)}
    return said.pop() if len(said) == 1 else None


def applications(log: EventLog) -> Iterator[bytes]:
    """The Authenticode digests of the boot loaders and kernels that the firmware started, in order."""
    return (event.digest for event in log.of_kind(EventKind.EV_EFI_BOOT_SERVICES_APPLICATION))


def lines(log: EventLog) -> Iterator[tuple[int, str]]:
    """What boot loaders measured as text, with its register: commands, and kernel command lines."""
    for event in log.of_kind(EventKind.EV_IPL):
        if (line := _line(event)) is not None:
            yield event.pcr, line


def command_lines(log: EventLog) -> Iterator[str]:
    """The command lines that kernels were started with, as GRUB measures them or an EFI stub does.

    GRUB's label before a line is covered by no digest: the lines are what was measured, which of GRUB's texts is the
    command line is the log's word. Only the register that they were all extended into says which came in which order.
    """
    for event in log.of_kind(EventKind.EV_IPL):
        line = _line(event)
        if line is not None and (line.startswith(_COMMAND_LINE) or _wide(event.body) == line):
            yield line.removeprefix(_COMMAND_LINE)


def _line(event: Event) -> str | None:
    """The text of an EV_IPL event, if the digest is of it; GRUB measures what stands behind its own label."""
    text = event.body.rstrip(b"\0")
    label, colon, rest = text.partition(b": ")
    for measured in (rest, text, event.body):
        if measured and event.covers(measured) and (measured is not rest or colon):
            return _decoded(label + colon + rest if measured is rest else text) or _wide(event.body)
    return None


def _decoded(text: bytes) -> str | None:
    try:
        return None if b"\0" in text else text.decode()
    except UnicodeDecodeError:
        return None


def _wide(body: bytes) -> str | None:
    try:
        return body.decode("utf-16-le").rstrip("\0") if b"\0" in body.rstrip(b"\0") else None
    except UnicodeDecodeError:
        return None


def claims_of(log: EventLog) -> Claims:
    """What a log that replays to quoted registers vouches for: digests, and what follows from digests alone.

    Bodies and kinds are extended by nobody, so that another log with the same digests must not claim anything else.
    """
    measured: dict[str, Claim] = {}
    for event in log.events:
        if event.kind == EventKind.EV_NO_ACTION:
            continue
        of = measured.setdefault(str(event.pcr), [])
        assert isinstance(of, list)
        of.append(event.digest)
    return {"secure_boot": secure_boot(log), "measurements": measured}
