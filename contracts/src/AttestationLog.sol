// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";
import {RecordSlot, pack} from "contracts/RecordSlot.sol";
import {TermsSlot} from "contracts/TermsSlot.sol";

/// @title Verdicts accepted on chain, by whom, until when.
contract AttestationLog is IAttestationLog, EIP712 {
    /// @dev A record as it is kept; `halves` are the first of workload and platform.
    struct Kept {
        RecordSlot slot;
        bytes32 halves;
    }

    bytes32 private constant _VERDICT_TYPE = keccak256(
        "Verdict(bytes32 policyId,bytes32 nodeId,bytes32 leaseNonce,bytes32 evidence,bytes32 workload,bytes32 platform,"
        "uint8 level,uint32 kinds,uint16 place,uint40 blockNumber,bytes32 blockHash,uint40 asOf,uint40 expiry)"
    );

    IPolicyRegistry public immutable POLICIES;

    mapping(bytes32 policyId => mapping(bytes32 nodeId => Kept)) private _records;

    constructor(IPolicyRegistry policies) EIP712("Exequatur", "1") {
        POLICIES = policies;
    }

    /// @inheritdoc IAttestationLog
    function record(Verdict memory verdict, bytes[] calldata signatures) external {
        TermsSlot terms = _requireRuling(verdict);
        Kept storage kept = _records[verdict.policyId][verdict.nodeId];
        RecordSlot before = kept.slot;
        if (before.withdrawn()) revert NodeIsWithdrawn(verdict.policyId, verdict.nodeId);
        _requireFresh(verdict, terms, before.blockNumber());
        uint32 signers = _signers(verdict, signatures, terms);
        kept.slot = pack(verdict, signers, before);
        kept.halves = bytes32(bytes16(verdict.workload)) | (bytes32(bytes16(verdict.platform)) >> 128);
        emit Recorded(verdict.policyId, verdict.nodeId, verdict.evidence, verdict, signers);
    }

    /// @inheritdoc IAttestationLog
    function withdraw(bytes32 policyId, bytes32 nodeId) external {
        if (POLICIES.controllerOf(policyId) != msg.sender) revert NotController(policyId, msg.sender);
        Kept storage kept = _records[policyId][nodeId];
        if (kept.slot.withdrawn()) revert NodeIsWithdrawn(policyId, nodeId);
        kept.slot = kept.slot.withdraw();
        emit NodeWithdrawn(policyId, nodeId);
    }

    /// @inheritdoc IAttestationLog
    function recordOf(bytes32 policyId, bytes32 nodeId) external view returns (Record memory) {
        Kept storage kept = _records[policyId][nodeId];
        bytes32 halves = kept.halves;
        return kept.slot.unpack(bytes16(halves), bytes16(halves << 128));
    }

    /// @inheritdoc IAttestationLog
    function standing(bytes32 policyId, bytes32 nodeId, uint40 when) external view returns (Standing) {
        Kept storage kept = _records[policyId][nodeId];
        (RecordSlot slot, bytes32 halves) = (kept.slot, kept.halves);
        (uint256 word, bool recalled, bool burnt) =
            POLICIES.rulingOf(policyId, bytes16(halves), bytes16(halves << 128));
        TermsSlot terms = TermsSlot.wrap(word);
        if (!terms.inForce()) return Standing.PolicyNotInForce;
        if (slot.recordedAt() == 0) return Standing.NoRecord;
        if (slot.withdrawn()) return Standing.Withdrawn;
        if (when >= slot.expiry()) return Standing.Expired;
        if (_count(slot.signers() & ~terms.withdrawnVerifiers()) < terms.threshold()) return Standing.TooFewVerifiers;
        if (recalled) return Standing.WorkloadRecalled;
        return burnt ? Standing.PlatformBurnt : Standing.Live;
    }

    /// @inheritdoc IAttestationLog
    function digestOf(Verdict memory verdict) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(_VERDICT_TYPE, verdict)));
    }

    function _requireRuling(Verdict memory verdict) private view returns (TermsSlot terms) {
        (bytes16 workload, bytes16 platform) = (bytes16(verdict.workload), bytes16(verdict.platform));
        (uint256 word, bool recalled, bool burnt) = POLICIES.rulingOf(verdict.policyId, workload, platform);
        terms = TermsSlot.wrap(word);
        if (!terms.inForce()) revert PolicyNotInForce(verdict.policyId);
        if (recalled) revert IsRecalled(verdict.policyId, workload);
        if (burnt) revert IsBurnt(verdict.policyId, platform);
    }

    function _requireFresh(Verdict memory verdict, TermsSlot terms, uint40 recorded)
        private
        view
    {
        bytes32 known = Blockhash.blockHash(verdict.blockNumber);
        if (known == bytes32(0) || known != verdict.blockHash) {
            revert BlockHashMismatch(verdict.blockNumber, known, verdict.blockHash);
        }
        if (verdict.blockNumber <= recorded) revert BlockNotHigher(recorded, verdict.blockNumber);
        uint40 current = uint40(block.timestamp);
        if (verdict.asOf > current) revert AsOfAhead(verdict.asOf, current);
        uint32 challengeAge = terms.challengeAge();
        if (current - verdict.asOf > challengeAge) revert ChallengeTooOld(verdict.asOf, current, challengeAge);
        uint40 cap = verdict.asOf + terms.maximumAge();
        if (verdict.expiry > cap) revert ExpiryBeyondCap(verdict.expiry, cap);
        if (verdict.expiry <= current) revert AlreadyExpired(verdict.expiry, current);
        uint8 minimum = terms.minimumLevel();
        if (verdict.level < minimum) revert LevelBelowPolicy(verdict.level, minimum);
    }

    function _signers(Verdict memory verdict, bytes[] calldata signatures, TermsSlot terms)
        private
        view
        returns (uint32 signers)
    {
        uint8 threshold = terms.threshold();
        if (signatures.length < threshold) revert BelowThreshold(signatures.length, threshold);
        uint32 withdrawn = terms.withdrawnVerifiers();
        bytes32 digest = digestOf(verdict);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = ECDSA.recoverCalldata(digest, signatures[i]);
            uint32 bit = POLICIES.verifierBit(verdict.policyId, signer);
            if (bit == 0) revert NotVerifier(verdict.policyId, signer);
            if (withdrawn & bit != 0) revert VerifierIsWithdrawn(verdict.policyId, signer);
            if (signers & bit != 0) revert DuplicateSigner(signer);
            signers |= bit;
        }
    }

    function _count(uint32 bits) private pure returns (uint256 count) {
        for (; bits != 0; bits &= bits - 1) {
            ++count;
        }
    }
}
