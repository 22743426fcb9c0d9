// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Key requests, releases, leases, stops and usage.
/// @notice Steps 7, 10 and 11 of the protocol. No key is here: envelopes stay off chain.
interface IReleaseLog {
    /// @notice Why `permits` refuses.
    enum Reason {
        None,
        Model,
        Version,
        Policy,
        Licence,
        Node,
        Stopped,
        NoRecord,
        Withdrawn,
        Expired,
        Verifiers,
        Workload,
        Platform
    }

    /// @notice What a release is for; its digest is the release id, so callers bring it instead of the chain storing it.
    /// @param blockNumber Challenge block of the record that the request rested on.
    struct Subject {
        bytes32 modelId;
        uint32 version;
        bytes32 policyId;
        bytes32 nodeId;
        uint40 blockNumber;
        address licence;
    }

    /// @notice State of a release, in one slot.
    /// @param until First second the current lease no longer covers.
    /// @param leases Leases granted so far; the first is number zero.
    /// @param blockNumber Challenge block of the record the last lease rested on.
    /// @param seat Index of its seat.
    /// @param lastCounter Highest receipt counter anchored.
    /// @param ceiling Highest receipt counter the guest may reach.
    /// @param status 0 unknown, 1 requested, 2 live, 3 stopped by broker, 4 stopped by its guest, 5 settled.
    struct Release {
        uint40 until;
        uint24 leases;
        uint40 blockNumber;
        uint16 seat;
        uint64 lastCounter;
        uint64 ceiling;
        uint8 status;
    }

    /// @notice One seat of a licence.
    /// @param release Release that holds it.
    /// @param until First second it is free again.
    /// @param takenOver When it was last taken over before that; zero for never.
    /// @param holder First 16 bytes of the digest of the holder's policy and platform.
    struct Seat {
        bytes32 release;
        uint40 until;
        uint40 takenOver;
        bytes16 holder;
    }

    /// @notice A licensee's word that a node may use its licence (EIP-712).
    struct NodeGrant {
        address licence;
        bytes32 nodeId;
        uint40 deadline;
    }

    /// @notice What a guest signs as it ends (EIP-712).
    struct Stopped {
        bytes32 release;
        bytes32 sealId;
        uint64 lastCounter;
        bytes32 root;
    }

    /// @notice A contiguous range of receipts, signed by the guest (EIP-712).
    struct Usage {
        bytes32 release;
        bytes32 sealId;
        uint64 firstCounter;
        uint64 lastCounter;
        bytes32 root;
        bool last;
    }

    /// @notice The two key digests that, with the recovered address, make up the nodeId.
    struct NodeKeys {
        bytes32 hpke;
        bytes32 receipt;
    }

    event NodeAuthorised(address indexed licence, bytes32 indexed nodeId, uint32 epoch);
    event NodeRevoked(address indexed licence, bytes32 indexed nodeId);
    event KeyRequested(bytes32 indexed release, bytes32 indexed modelId, bytes32 indexed nodeId, Subject subject);
    event KeyReleased(
        bytes32 indexed release,
        bytes32 indexed modelId,
        bytes32 indexed nodeId,
        uint16 seat,
        uint40 until,
        uint64 ceiling,
        bytes32 envelopeDigest
    );
    event LeaseRenewed(
        bytes32 indexed release,
        bytes32 indexed modelId,
        bytes32 indexed nodeId,
        uint24 lease,
        uint40 blockNumber,
        uint40 until,
        uint64 ceiling
    );
    event SeatTakenOver(address indexed licence, uint16 indexed seat, bytes32 indexed from, bytes32 to);
    event ReleaseStopped(bytes32 indexed release, bytes32 indexed modelId, bytes32 indexed nodeId);
    event GuestStopped(
        bytes32 indexed release, bytes32 indexed modelId, bytes32 indexed nodeId, uint64 lastCounter, bytes32 root
    );
    event UsageAnchored(
        bytes32 indexed release,
        bytes32 indexed modelId,
        bytes32 indexed nodeId,
        uint64 firstCounter,
        uint64 lastCounter,
        bytes32 root,
        bool last
    );

    /// @notice A licence refused its credit; the settlement stands all the same.
    event CreditFailed(address indexed licence, uint64 amount);

    error Refused(Reason reason, uint8 licenceReason);
    error NotBroker(bytes32 modelId, address caller);
    error NotForLicensee(address licence, address caller);
    error GrantExpired(uint40 deadline, uint40 current);
    error BadGrantSignature(address licence);
    error NodeNotAuthorised(address licence, bytes32 nodeId);
    error AlreadyRequested(bytes32 release);
    error WrongStatus(bytes32 release, uint8 status);
    error Superseded(uint40 requested, uint40 recorded);
    error NoNewerRecord(uint40 lastBlock, uint40 recorded);
    error DurationOutOfRange(uint32 duration, uint32 longest);
    error LeaseBeyondExpiry(uint40 until, uint40 expiry);
    error SeatOutOfRange(uint16 seat, uint16 seats);
    error SeatTaken(address licence, uint16 seat, uint40 until);
    error SeatLost(address licence, uint16 seat);
    error CeilingOutOfRange(uint64 ceiling, uint64 lowest, uint64 highest);
    error WrongSigner(bytes32 expectedNode, bytes32 recoveredNode);
    error WrongSeal(bytes32 expected, bytes32 given);
    error NotContiguous(uint64 expected, uint64 given);
    error CounterBeyondCeiling(uint64 counter, uint64 ceiling);
    error NodeIsRevoked(address licence, bytes32 nodeId);
    error WrongSubject(bytes32 release);
    error UseFailed(address licence, uint64 amount);

    /// @notice Whether a node may run a version under a licence at `when`, under any policy that counts then.
    function permits(bytes32 modelId, uint32 version, bytes32 nodeId, address licence, uint40 when)
        external
        view
        returns (bool, Reason);

    /// @notice The same under one policy, which must count at `when`.
    function permitsUnder(bytes32 modelId, uint32 version, bytes32 policyId, bytes32 nodeId, address licence, uint40 when)
        external
        view
        returns (bool, Reason);

    /// @notice Let a node use a licence; licensee or operator.
    function authorise(address licence, bytes32 nodeId) external;

    /// @notice The same with the licensee's signature (EOA or EIP-1271), brought by anyone.
    function authoriseBySignature(NodeGrant calldata grant, bytes calldata signature) external;

    /// @notice Take a node's authorisation back; licensee or operator.
    function revokeNode(address licence, bytes32 nodeId) external;

    /// @notice Ask for the key of a model version; the caller is the licensee or an operator, and thereby authorises
    /// the node, or the node was authorised before.
    /// @return release `keccak256(abi.encode("exequatur/v1/release", chainId, log, modelId, version, policyId, nodeId, blockNumber, licence))`.
    function requestKey(bytes32 modelId, uint32 version, bytes32 policyId, bytes32 nodeId, address licence)
        external
        returns (bytes32 release);

    /// @notice Ask with the licensee's signature in the same transaction.
    function requestKeyBySignature(
        bytes32 modelId,
        uint32 version,
        bytes32 policyId,
        NodeGrant calldata grant,
        bytes calldata signature
    ) external returns (bytes32 release);

    /// @notice Record a release; the model's broker only.
    function releaseKey(Subject calldata subject, uint16 seat, uint32 duration, uint64 ceiling, bytes32 envelopeDigest)
        external;

    /// @notice Record the next lease of a live release on a newer record; the model's broker only.
    function renew(Subject calldata subject, uint32 duration, uint64 ceiling) external;

    /// @notice End a release; the model's broker only; frees no seat.
    function stop(Subject calldata subject) external;

    /// @notice Relay a guest's own end; frees its seat.
    function guestStopped(
        Subject calldata subject,
        Stopped calldata statement,
        NodeKeys calldata keys,
        bytes calldata signature
    ) external;

    /// @notice Relay a guest's usage; the last one gives unused answers back to the licence.
    function anchorUsage(
        Subject calldata subject,
        Usage calldata usage,
        NodeKeys calldata keys,
        bytes calldata signature
    ) external;

    /// @notice Release id of a subject.
    function releaseOf(Subject calldata subject) external view returns (bytes32);

    /// @notice State of a release; all zero when unknown.
    function stateOf(bytes32 release) external view returns (Release memory);

    /// @notice One seat of a licence.
    function seatOf(address licence, uint16 seat) external view returns (Seat memory);

    /// @notice Whether the licensee authorised the node in its current epoch, and whether that node was stopped.
    function nodeOf(address licence, bytes32 nodeId) external view returns (bool authorised, bool stopped);
}
