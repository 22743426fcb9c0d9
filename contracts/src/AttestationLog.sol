// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";

/// @title Verdicts accepted on chain, by whom, until when.
contract AttestationLog is IAttestationLog, EIP712 {
    bytes32 private constant _VERDICT_TYPE = keccak256(
        "Verdict(bytes32 policyId,bytes32 nodeId,bytes32 leaseNonce,bytes32 evidence,bytes32 workload,bytes32 platform,uint8 level,uint32 kinds,uint16 place,uint40 blockNumber,bytes32 blockHash,uint40 asOf,uint40 expiry)"
    );
    uint8 private constant _WITHDRAWN = 1;

    IPolicyRegistry public immutable POLICIES;

    mapping(bytes32 policyId => mapping(bytes32 nodeId => Record)) private _records;

    constructor(IPolicyRegistry policies) EIP712("Exequatur", "1") {
        POLICIES = policies;
    }

    /// @inheritdoc IAttestationLog
    function record(Verdict calldata verdict, bytes[] calldata signatures) external {
        IPolicyRegistry.Terms memory terms = POLICIES.termsOf(verdict.policyId);
        if (!terms.published || terms.withdrawn) revert PolicyNotInForce(verdict.policyId);
        Record storage slot = _records[verdict.policyId][verdict.nodeId];
        if (slot.flags & _WITHDRAWN != 0) revert NodeIsWithdrawn(verdict.policyId, verdict.nodeId);
        _requireFresh(verdict, terms, slot.blockNumber);
        _requireNotTakenBack(verdict);
        uint32 signers = _signers(verdict, signatures, terms);
        _records[verdict.policyId][verdict.nodeId] = Record({
            asOf: verdict.asOf,
            expiry: verdict.expiry,
            recordedAt: uint40(block.timestamp),
            blockNumber: verdict.blockNumber,
            level: verdict.level,
            kinds: verdict.kinds,
            place: verdict.place,
            signers: signers,
            flags: 0,
            workload: bytes16(verdict.workload),
            platform: bytes16(verdict.platform)
        });
        emit Recorded(verdict.policyId, verdict.nodeId, verdict.evidence, verdict, signers);
    }

    /// @inheritdoc IAttestationLog
    function withdraw(bytes32 policyId, bytes32 nodeId) external {
        if (POLICIES.controllerOf(policyId) != msg.sender) revert NotController(policyId, msg.sender);
        Record storage slot = _records[policyId][nodeId];
        if (slot.flags & _WITHDRAWN != 0) revert NodeIsWithdrawn(policyId, nodeId);
        slot.flags |= _WITHDRAWN;
        emit NodeWithdrawn(policyId, nodeId);
    }

    /// @inheritdoc IAttestationLog
    function recordOf(bytes32 policyId, bytes32 nodeId) external view returns (Record memory) {
        return _records[policyId][nodeId];
    }

    /// @inheritdoc IAttestationLog
    function standing(bytes32 policyId, bytes32 nodeId, uint40 when) external view returns (Standing) {
        IPolicyRegistry.Terms memory terms = POLICIES.termsOf(policyId);
        if (!terms.published || terms.withdrawn) return Standing.PolicyNotInForce;
        Record memory kept = _records[policyId][nodeId];
        if (kept.recordedAt == 0) return Standing.NoRecord;
        if (kept.flags & _WITHDRAWN != 0) return Standing.Withdrawn;
        if (when >= kept.expiry) return Standing.Expired;
        if (_count(kept.signers & ~terms.withdrawnVerifiers) < terms.threshold) return Standing.TooFewVerifiers;
        (bool recalled, bool burnt) = POLICIES.takenBack(policyId, kept.workload, kept.platform);
        if (recalled) return Standing.WorkloadRecalled;
        return burnt ? Standing.PlatformBurnt : Standing.Live;
    }

    /// @inheritdoc IAttestationLog
    function digestOf(Verdict calldata verdict) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(_VERDICT_TYPE, verdict)));
    }

    function _requireFresh(Verdict calldata verdict, IPolicyRegistry.Terms memory terms, uint40 recorded)
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
        if (current - verdict.asOf > terms.challengeAge) {
            revert ChallengeTooOld(verdict.asOf, current, terms.challengeAge);
        }
        uint40 cap = verdict.asOf + terms.maximumAge;
        if (verdict.expiry > cap) revert ExpiryBeyondCap(verdict.expiry, cap);
        if (verdict.expiry <= current) revert AlreadyExpired(verdict.expiry, current);
        if (verdict.level < terms.minimumLevel) revert LevelBelowPolicy(verdict.level, terms.minimumLevel);
    }

    function _requireNotTakenBack(Verdict calldata verdict) private view {
        (bytes16 workload, bytes16 platform) = (bytes16(verdict.workload), bytes16(verdict.platform));
        (bool recalled, bool burnt) = POLICIES.takenBack(verdict.policyId, workload, platform);
        if (recalled) revert IsRecalled(verdict.policyId, workload);
        if (burnt) revert IsBurnt(verdict.policyId, platform);
    }

    function _signers(Verdict calldata verdict, bytes[] calldata signatures, IPolicyRegistry.Terms memory terms)
        private
        view
        returns (uint32 signers)
    {
        if (signatures.length < terms.threshold) revert BelowThreshold(signatures.length, terms.threshold);
        bytes32 digest = digestOf(verdict);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address signer = ECDSA.recover(digest, signatures[i]);
            uint32 bit = POLICIES.verifierBit(verdict.policyId, signer);
            if (bit == 0) revert NotVerifier(verdict.policyId, signer);
            if (terms.withdrawnVerifiers & bit != 0) revert VerifierIsWithdrawn(verdict.policyId, signer);
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
