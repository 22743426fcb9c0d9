# SPDX-License-Identifier: Apache-2.0
"""Evidence without a device: signed by a key of the quoter's own, so it proves nothing about the machine."""

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.digests import digest

KIND = "software"
_ES256 = cbor2.dumps({1: -7}, canonical=True)


class Software:
    """Makes COSE_Sign1 evidence; `guest_files` is the digest of the guest's file list."""

    kind = KIND

    def __init__(self, guest_files: bytes) -> None:
        self._workload = digest("workload", KIND, guest_files)
        self._key = ec.generate_private_key(ec.SECP256R1())

    def collect(self, report_data: bytes) -> bytes:
        """Evidence over the 64 bytes of report data."""
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        payload = cbor2.dumps([report_data, bytes(self._workload), point], canonical=True)
        to_be_signed = cbor2.dumps(["Signature1", _ES256, b"exequatur/v1/software", payload], canonical=True)
        r, s = utils.decode_dss_signature(self._key.sign(to_be_signed, ec.ECDSA(SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return cbor2.dumps(cbor2.CBORTag(18, [_ES256, {}, payload, signature]), canonical=True)
