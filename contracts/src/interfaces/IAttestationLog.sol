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

    /// @notice What is stored per (policy, node), in two slots; `gap` is the longest time there was between the asOf of one
    /// record and that of the next, in whole minutes rounded down, and 65535 for all that is longer.
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
        uint16 gap;
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

    /// @notice A verdict was recorded; it replaces an older one for the same policy and node.
    /// @param policyId The policy.
    /// @param nodeId The node.
    /// @param evidence Digest of the bundle.
    /// @param verdict The verdict as signed.
    /// @param signers Bitmap over the policy's ascending verifiers.
    event Recorded(
        bytes32 indexed policyId, bytes32 indexed nodeId, bytes32 indexed evidence, Verdict verdict, uint32 signers
    );

    /// @notice A node was withdrawn under a policy, for ever.
    /// @param policyId The policy.
    /// @param nodeId The node.
    event NodeWithdrawn(bytes32 indexed policyId, bytes32 indexed nodeId);

    /// @notice The policy was never published, or was withdrawn.
    /// @param policyId The policy.
    error PolicyNotInForce(bytes32 policyId);

    /// @notice The node was withdrawn under this policy.
    /// @param policyId The policy.
    /// @param nodeId The node.
    error NodeIsWithdrawn(bytes32 policyId, bytes32 nodeId);

    /// @notice The challenge block is not one of this chain, or too old to be known.
    /// @param blockNumber Challenge block.
    /// @param expected Value that would do.
    /// @param given Value that came.
    error BlockHashMismatch(uint40 blockNumber, bytes32 expected, bytes32 given);

    /// @notice A record for the same or a higher block exists.
    /// @param recorded Challenge block of the record.
    /// @param given Value that came.
    error BlockNotHigher(uint40 recorded, uint40 given);

    /// @notice The challenge is older than the policy allows.
    /// @param asOf Time of the challenge block.
    /// @param current Time of this block.
    /// @param challengeAge Seconds within which a verdict must be recorded.
    error ChallengeTooOld(uint40 asOf, uint40 current, uint32 challengeAge);

    /// @notice The challenge block would be ahead of now.
    /// @param asOf Time of the challenge block.
    /// @param current Time of this block.
    error AsOfAhead(uint40 asOf, uint40 current);

    /// @notice The verdict would live longer than the policy allows.
    /// @param expiry First second the record no longer counts.
    /// @param cap Latest expiry allowed.
    error ExpiryBeyondCap(uint40 expiry, uint40 cap);

    /// @notice The verdict is over.
    /// @param expiry First second the record no longer counts.
    /// @param current Time of this block.
    error AlreadyExpired(uint40 expiry, uint40 current);

    /// @notice The evidence is weaker than the policy asks for.
    /// @param level Assurance level.
    /// @param minimum Lowest level of the policy.
    error LevelBelowPolicy(uint8 level, uint8 minimum);

    /// @notice The signer is none of the policy's verifiers.
    /// @param policyId The policy.
    /// @param signer Account that signed.
    error NotVerifier(bytes32 policyId, address signer);

    /// @notice The verifier was withdrawn from the policy.
    /// @param policyId The policy.
    /// @param signer Account that signed.
    error VerifierIsWithdrawn(bytes32 policyId, address signer);

    /// @notice One verifier signed twice.
    /// @param signer Account that signed.
    error DuplicateSigner(address signer);

    /// @notice Fewer verifiers signed than the policy asks for.
    /// @param signatures How many signatures came.
    /// @param threshold How many verifiers must sign.
    error BelowThreshold(uint256 signatures, uint8 threshold);

    /// @notice The workload was recalled in the policy's burn domain.
    /// @param policyId The policy.
    /// @param workload First half of the workload digest.
    error IsRecalled(bytes32 policyId, bytes16 workload);

    /// @notice The platform was burnt in the policy's burn domain.
    /// @param policyId The policy.
    /// @param platform First half of the platform commitment.
    error IsBurnt(bytes32 policyId, bytes16 platform);

    /// @notice Only the policy's controller may do this.
    /// @param policyId The policy.
    /// @param caller Account that tried.
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
