# SPDX-License-Identifier: Apache-2.0
"""A host's TPM through the TSS library, when tpm2-pytss is installed."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from enclave.errors import DeviceUnavailable

EK_HANDLE, EK_CERTIFICATE = 0x81010001, 0x01C00002  # RSA 2048, template L-1
_TEMPLATE = bytes.fromhex("0023000b00050472000000100018000b0003001000000000")
_PIECE = 1024


class Pytss:
    """A TPM through the TSS library."""

    def __init__(self, tcti: str) -> None:
        self._tss = importlib.import_module("tpm2_pytss")
        self._tcti = tcti

    def pcr(self, number: int) -> bytes:
        """The value of a PCR in the SHA-256 bank."""
        with self._esapi() as esapi:
            return bytes(esapi.pcr_read(f"sha256:{number}")[2][0])

    def extend(self, number: int, digest: bytes) -> None:
        """Extend a PCR of that bank."""
        tss = self._tss
        value = tss.TPMT_HA(hashAlg=tss.TPM2_ALG.SHA256, digest=tss.TPMU_HA(sha256=digest))
        with self._esapi() as esapi:
            esapi.pcr_extend(tss.ESYS_TR(number), tss.TPML_DIGEST_VALUES([value]))

    def attestation_key(self) -> bytes:
        """TPMT_PUBLIC of the attestation key."""
        with self._esapi() as esapi, self._key(esapi) as (_, public):
            return bytes(public.publicArea.marshal())

    def endorsement_certificate(self) -> bytes:
        """The manufacturer's certificate of the RSA endorsement key (DER)."""
        with self._esapi() as esapi:
            index = esapi.tr_from_tpmpublic(EK_CERTIFICATE)
            size = esapi.nv_read_public(index)[0].nvPublic.dataSize
            owner = self._tss.ESYS_TR.OWNER
            pieces = range(0, size, _PIECE)
            read = [esapi.nv_read(index, min(_PIECE, size - at), at, auth_handle=owner) for at in pieces]
            return b"".join(map(bytes, read))

    def activate(self, credential: bytes) -> bytes:
        """The secret in a credential that was made for this TPM and its attestation key."""
        tss = self._tss
        blob, used = tss.TPM2B_ID_OBJECT.unmarshal(credential)
        secret, _ = tss.TPM2B_ENCRYPTED_SECRET.unmarshal(credential[used:])
        with self._esapi() as esapi, self._key(esapi) as (key, _):
            ek = esapi.tr_from_tpmpublic(EK_HANDLE)
            nobody, symmetric = tss.ESYS_TR.NONE, tss.TPMT_SYM_DEF(algorithm=tss.TPM2_ALG.NULL)
            session = esapi.start_auth_session(
                nobody, nobody, tss.TPM2_SE.POLICY, symmetric, tss.TPM2_ALG.SHA256
            )
            try:
                esapi.policy_secret(tss.ESYS_TR.ENDORSEMENT, session, b"", b"", b"", 0)
                return bytes(
                    esapi.activate_credential(
                        key, ek, blob, secret, session1=tss.ESYS_TR.PASSWORD, session2=session
                    )
                )
            finally:
                esapi.flush_context(session)

    @contextmanager
    def _esapi(self) -> Iterator[Any]:  # the library is optional, so its types are not known here
        try:
            with self._tss.ESAPI(self._tcti) as esapi:
                yield esapi
        except RuntimeError as error:
            raise DeviceUnavailable(str(error), where=self._tcti) from error

    @contextmanager
    def _key(self, esapi: Any) -> Iterator[tuple[Any, Any]]:
        tss = self._tss
        template = tss.TPM2B_PUBLIC(publicArea=tss.TPMT_PUBLIC.unmarshal(_TEMPLATE)[0])
        key, public, *_ = esapi.create_primary(tss.TPM2B_SENSITIVE_CREATE(), template, tss.ESYS_TR.OWNER)
        try:
            yield key, public
        finally:
            esapi.flush_context(key)
