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
    bytes32 private constant _VERDICT_TYPE = keccak256(
        "Verdict(bytes32 policyId,bytes32 nodeId,bytes32 leaseNonce,bytes32 evidence,bytes32 workload,bytes32 platform,uint8 level,uint32 kinds,uint16 place,uint40 blockNumber,bytes32 blockHash,uint40 asOf,uint40 expiry)"
    );

    struct Kept {
        RecordSlot slot;
        bytes16 workload;
        bytes16 platform;
    }

    IPolicyRegistry public immutable POLICIES;

    mapping(bytes32 policyId => mapping(bytes32 nodeId => Kept)) private _records;

    constructor(IPolicyRegistry policies) EIP712("Exequatur", "1") {
        POLICIES = policies;
    }

    /// @inheritdoc IAttestationLog
    function record(Verdict calldata verdict, bytes[] calldata signatures) external {
        TermsSlot terms = _requireRuling(verdict);
        Kept storage kept = _records[verdict.policyId][verdict.nodeId];
        RecordSlot before = kept.slot;
        if (before.withdrawn()) revert NodeIsWithdrawn(verdict.policyId, verdict.nodeId);
        _requireFresh(verdict, terms, before.blockNumber());
        uint32 signers = _signers(verdict, signatures, terms);
        kept.slot = pack(verdict, signers);
        (kept.workload, kept.platform) = (bytes16(verdict.workload), bytes16(verdict.platform));
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
    function recordOf(bytes32 policyId, bytes32 nodeId) public view returns (Record memory) {
        Kept storage kept = _records[policyId][nodeId];
        return kept.slot.unpack(kept.workload, kept.platform);
    }

    /// @inheritdoc IAttestationLog
    function standing(bytes32 policyId, bytes32 nodeId, uint40 when) external view returns (Standing) {
        Record memory kept = recordOf(policyId, nodeId);
        (uint256 word, bool recalled, bool burnt) = POLICIES.rulingOf(policyId, kept.workload, kept.platform);
        TermsSlot terms = TermsSlot.wrap(word);
        if (!terms.inForce()) return Standing.PolicyNotInForce;
        if (kept.recordedAt == 0) return Standing.NoRecord;
        if (kept.flags != 0) return Standing.Withdrawn;
        if (when >= kept.expiry) return Standing.Expired;
        if (_count(kept.signers & ~terms.withdrawnVerifiers()) < terms.threshold()) return Standing.TooFewVerifiers;
        if (recalled) return Standing.WorkloadRecalled;
        return burnt ? Standing.PlatformBurnt : Standing.Live;
    }

    /// @inheritdoc IAttestationLog
    function digestOf(Verdict calldata verdict) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(_VERDICT_TYPE, verdict)));
    }

    function _requireFresh(Verdict calldata verdict, TermsSlot terms, uint40 recorded)
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
        if (current - verdict.asOf > terms.challengeAge()) {
            revert ChallengeTooOld(verdict.asOf, current, terms.challengeAge());
        }
        uint40 cap = verdict.asOf + terms.maximumAge();
        if (verdict.expiry > cap) revert ExpiryBeyondCap(verdict.expiry, cap);
        if (verdict.expiry <= current) revert AlreadyExpired(verdict.expiry, current);
        if (verdict.level < terms.minimumLevel()) revert LevelBelowPolicy(verdict.level, terms.minimumLevel());
    }

    function _requireRuling(Verdict calldata verdict) private view returns (TermsSlot terms) {
        (bytes16 workload, bytes16 platform) = (bytes16(verdict.workload), bytes16(verdict.platform));
        (uint256 word, bool recalled, bool burnt) = POLICIES.rulingOf(verdict.policyId, workload, platform);
        terms = TermsSlot.wrap(word);
        if (!terms.inForce()) revert PolicyNotInForce(verdict.policyId);
        if (recalled) revert IsRecalled(verdict.policyId, workload);
        if (burnt) revert IsBurnt(verdict.policyId, platform);
    }

    function _signers(Verdict calldata verdict, bytes[] calldata signatures, TermsSlot terms)
        private
        view
        returns (uint32 signers)
    {
        if (signatures.length < terms.threshold()) revert BelowThreshold(signatures.length, terms.threshold());
        bytes32 digest = digestOf(verdict);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = ECDSA.recover(digest, signatures[i]);
            uint32 bit = POLICIES.verifierBit(verdict.policyId, signer);
            if (bit == 0) revert NotVerifier(verdict.policyId, signer);
            if (terms.withdrawnVerifiers() & bit != 0) revert VerifierIsWithdrawn(verdict.policyId, signer);
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
