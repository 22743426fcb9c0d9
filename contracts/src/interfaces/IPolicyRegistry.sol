// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Attestation policies and what their controllers took back.
/// @notice Step 2 of the protocol. Publishing is open; control is in the id.
interface IPolicyRegistry {
    /// @notice The part of a policy that contracts enforce; the document repeats it.
    /// @param verifiers Externally owned accounts, strictly ascending, at most 32.
    /// @param threshold Verdicts need this many of them.
    /// @param minimumLevel Lowest assurance level of a verdict, 0 to 4.
    /// @param maximumAge Seconds from the challenge block to the latest expiry.
    /// @param challengeAge Seconds within which a verdict must be recorded.
    /// @param depth Blocks between head and challenge.
    /// @param lease Longest lease in seconds.
    /// @param quota Answers a release may give beyond its last anchored counter.
    /// @param burnDomain Id of the list of burnt platforms; zero for none.
    struct Enforced {
        address[] verifiers;
        uint8 threshold;
        uint8 minimumLevel;
        uint32 maximumAge;
        uint32 challengeAge;
        uint16 depth;
        uint32 lease;
        uint64 quota;
        bytes32 burnDomain;
    }

    /// @notice What other contracts read of a policy, in one slot.
    struct Terms {
        uint8 verifiers;
        uint8 threshold;
        uint8 minimumLevel;
        uint32 maximumAge;
        uint32 challengeAge;
        uint16 depth;
        uint32 lease;
        uint64 quota;
        uint32 withdrawnVerifiers;
        bool published;
        bool withdrawn;
    }

    /// @notice A policy was published.
    /// @param policyId The policy.
    /// @param controller Who may withdraw the policy.
    /// @param documentDigest Digest of the policy document.
    /// @param enforced The part that contracts enforce.
    event PolicyPublished(
        bytes32 indexed policyId, address indexed controller, bytes32 indexed documentDigest, Enforced enforced
    );

    /// @notice A policy was withdrawn, for ever.
    /// @param policyId The policy.
    event PolicyWithdrawn(bytes32 indexed policyId);

    /// @notice A verifier was withdrawn from a policy, for ever.
    /// @param policyId The policy.
    /// @param verifier The verifier.
    /// @param index Its place among the ascending verifiers.
    event VerifierWithdrawn(bytes32 indexed policyId, address indexed verifier, uint8 index);

    /// @notice A platform no longer counts under any policy of the domain.
    /// @param burnDomain Id of the domain.
    /// @param platform First half of the platform commitment.
    event PlatformBurnt(bytes32 indexed burnDomain, bytes16 indexed platform);

    /// @notice A workload no longer counts under any policy of the domain.
    /// @param burnDomain Id of the domain.
    /// @param workload First half of the workload digest.
    event WorkloadRecalled(bytes32 indexed burnDomain, bytes16 indexed workload);

    /// @notice No such policy was published.
    /// @param policyId The policy.
    error UnknownPolicy(bytes32 policyId);

    /// @notice The policy was published before.
    /// @param policyId The policy.
    error AlreadyPublished(bytes32 policyId);

    /// @notice The policy was withdrawn before.
    /// @param policyId The policy.
    error AlreadyWithdrawn(bytes32 policyId);

    /// @notice Only the policy's controller may do this.
    /// @param policyId The policy.
    /// @param caller Account that tried.
    error NotController(bytes32 policyId, address caller);

    /// @notice Verifiers are not zero and strictly ascending.
    /// @param index Place of the first that is not.
    error VerifiersNotAscending(uint256 index);

    /// @notice A policy has 1 to 32 verifiers.
    /// @param count How many there are.
    error VerifierCount(uint256 count);

    /// @notice The threshold is at least one, and at most all verifiers.
    /// @param threshold How many verifiers must sign.
    /// @param verifiers How many verifiers there are.
    error ThresholdOutOfRange(uint8 threshold, uint256 verifiers);

    /// @notice Levels go from 0 to 4.
    /// @param level Assurance level.
    error LevelOutOfRange(uint8 level);

    /// @notice Evidence would expire before a lease on it can end.
    /// @param maximumAge Seconds from challenge to latest expiry.
    /// @param lease Longest lease in seconds.
    /// @param challengeAge Seconds within which a verdict must be recorded.
    error AgeBelowLease(uint32 maximumAge, uint32 lease, uint32 challengeAge);

    /// @notice Lease, challenge age and quota are not zero.
    error ZeroTerm();

    /// @notice The account is none of the policy's verifiers.
    /// @param policyId The policy.
    /// @param verifier The verifier.
    error UnknownVerifier(bytes32 policyId, address verifier);

    /// @notice The verifier was withdrawn before.
    /// @param policyId The policy.
    /// @param verifier The verifier.
    error VerifierAlreadyWithdrawn(bytes32 policyId, address verifier);

    /// @notice The platform was burnt before.
    /// @param burnDomain Id of the domain.
    /// @param platform First half of the platform commitment.
    error AlreadyBurnt(bytes32 burnDomain, bytes16 platform);

    /// @notice The workload was recalled before.
    /// @param burnDomain Id of the domain.
    /// @param workload First half of the workload digest.
    error AlreadyRecalled(bytes32 burnDomain, bytes16 workload);

    /// @notice Publish a policy under the caller; reverts unless `maximumAge >= lease + challengeAge`.
    /// @return policyId `keccak256(abi.encode("exequatur/v1/policy", chainId, registry, controller, enforced, documentDigest))`.
    function publish(Enforced calldata enforced, bytes32 documentDigest) external returns (bytes32 policyId);

    /// @notice Withdraw a policy, for ever; controller only.
    function withdraw(bytes32 policyId) external;

    /// @notice Withdraw one verifier of a policy, for ever; controller only.
    function withdrawVerifier(bytes32 policyId, address verifier) external;

    /// @notice Burn a platform in the caller's domain called `name`, for ever.
    function burn(bytes32 name, bytes16 platform) external;

    /// @notice Recall a workload in the caller's domain called `name`, for ever.
    function recall(bytes32 name, bytes16 workload) external;

    /// @notice Id of a domain: `keccak256(abi.encode("exequatur/v1/burn-domain", chainId, registry, controller, name))`.
    function burnDomainOf(address controller, bytes32 name) external view returns (bytes32);

    /// @notice The policy's terms; all zero when it was never published.
    function termsOf(bytes32 policyId) external view returns (Terms memory);

    /// @notice Who may withdraw the policy; zero when it was never published.
    function controllerOf(bytes32 policyId) external view returns (address);

    /// @notice Bit of a verifier in the signer bitmap, or zero when it is none of the policy's.
    function verifierBit(bytes32 policyId, address verifier) external view returns (uint32);

    /// @notice Whether a platform is burnt or a workload recalled in the policy's domain.
    function takenBack(bytes32 policyId, bytes16 workload, bytes16 platform)
        external
        view
        returns (bool recalled, bool burnt);

    /// @notice Everything the attestation log asks at once.
    /// @return terms The terms in one word, laid out as `TermsSlot`.
    /// @return recalled Whether the workload is recalled in the policy's domain.
    /// @return burnt Whether the platform is burnt there.
    function rulingOf(bytes32 policyId, bytes16 workload, bytes16 platform)
        external
        view
        returns (uint256 terms, bool recalled, bool burnt);
}
