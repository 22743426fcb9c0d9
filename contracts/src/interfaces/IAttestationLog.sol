// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Verdicts accepted on chain, by whom, until when.
/// @notice Step 6 of the protocol. Anyone submits; k of n verifiers must have signed.
interface IAttestationLog {
    /// @notice An attestation result, as verifiers sign it (EIP-712).
    struct Verdict {
        bytes32 policyId;
        bytes32 nodeId;
        bytes32 leaseNonce;
        bytes32 evidence;
        bytes32 workload;
        bytes32 platform;
        uint8 level;
        uint32 kinds;
        uint16 place;
        uint40 blockNumber;
        bytes32 blockHash;
        uint40 asOf;
        uint40 expiry;
    }

    /// @notice What is stored per (policy, node), in two slots.
    struct Record {
        uint40 asOf;
        uint40 expiry;
        uint40 recordedAt;
        uint40 blockNumber;
        uint8 level;
        uint32 kinds;
        uint16 place;
        uint32 signers;
        uint8 flags;
        bytes16 workload;
        bytes16 platform;
    }

    /// @notice Why a record does not count.
    enum Standing {
        Live,
        PolicyNotInForce,
        NoRecord,
        Withdrawn,
        Expired,
        TooFewVerifiers,
        WorkloadRecalled,
        PlatformBurnt
    }

    event Recorded(
        bytes32 indexed policyId, bytes32 indexed nodeId, bytes32 indexed evidence, Verdict verdict, uint32 signers
    );
    event NodeWithdrawn(bytes32 indexed policyId, bytes32 indexed nodeId);

    error PolicyNotInForce(bytes32 policyId);
    error NodeIsWithdrawn(bytes32 policyId, bytes32 nodeId);
    error BlockHashMismatch(uint40 blockNumber, bytes32 expected, bytes32 given);
    error BlockNotHigher(uint40 recorded, uint40 given);
    error ChallengeTooOld(uint40 asOf, uint40 current, uint32 challengeAge);
    error AsOfAhead(uint40 asOf, uint40 current);
    error ExpiryBeyondCap(uint40 expiry, uint40 cap);
    error AlreadyExpired(uint40 expiry, uint40 current);
    error LevelBelowPolicy(uint8 level, uint8 minimum);
    error NotVerifier(bytes32 policyId, address signer);
    error VerifierIsWithdrawn(bytes32 policyId, address signer);
    error DuplicateSigner(address signer);
    error BelowThreshold(uint256 signatures, uint8 threshold);
    error IsRecalled(bytes32 policyId, bytes16 workload);
    error IsBurnt(bytes32 policyId, bytes16 platform);
    error NotController(bytes32 policyId, address caller);

    /// @notice Record a verdict signed by at least the policy's threshold of distinct, unwithdrawn verifiers.
    /// @param signatures 65 bytes each (r, s, v), low s.
    function record(Verdict calldata verdict, bytes[] calldata signatures) external;

    /// @notice Withdraw a node under a policy, for ever, recorded or not; the policy's controller only.
    function withdraw(bytes32 policyId, bytes32 nodeId) external;

    /// @notice The record; all zero when there is none.
    function recordOf(bytes32 policyId, bytes32 nodeId) external view returns (Record memory);

    /// @notice Whether the record counts at `when`.
    function standing(bytes32 policyId, bytes32 nodeId, uint40 when) external view returns (Standing);

    /// @notice EIP-712 digest of a verdict.
    function digestOf(Verdict calldata verdict) external view returns (bytes32);
}
