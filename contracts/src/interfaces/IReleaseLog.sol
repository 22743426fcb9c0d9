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

    /// @notice The licensee let a node use its licence.
    /// @param licence Address of the licence contract.
    /// @param nodeId The node.
    /// @param epoch Licensee's epoch; grows as its role moves.
    event NodeAuthorised(address indexed licence, bytes32 indexed nodeId, uint32 epoch);

    /// @notice The licensee took that back; signatures given out before no longer let the node in.
    /// @param licence Address of the licence contract.
    /// @param nodeId The node.
    event NodeRevoked(address indexed licence, bytes32 indexed nodeId);

    /// @notice A key was asked for; the broker decides next.
    /// @param release Id of the release.
    /// @param modelId The model.
    /// @param nodeId The node.
    /// @param subject What the release is for.
    event KeyRequested(bytes32 indexed release, bytes32 indexed modelId, bytes32 indexed nodeId, Subject subject);

    /// @notice A key was released: the first lease, number zero.
    /// @param release Id of the release.
    /// @param modelId The model.
    /// @param nodeId The node.
    /// @param seat Index of the seat.
    /// @param until First second the lease no longer covers.
    /// @param ceiling Highest receipt counter the guest may reach.
    /// @param envelopeDigest Digest of the wrapped key, which stays off chain.
    event KeyReleased(
        bytes32 indexed release,
        bytes32 indexed modelId,
        bytes32 indexed nodeId,
        uint16 seat,
        uint40 until,
        uint64 ceiling,
        bytes32 envelopeDigest
    );

    /// @notice A further lease was granted on a newer record.
    /// @param release Id of the release.
    /// @param modelId The model.
    /// @param nodeId The node.
    /// @param lease Number of the lease, from zero.
    /// @param blockNumber Challenge block.
    /// @param until First second the lease no longer covers.
    /// @param ceiling Highest receipt counter the guest may reach.
    event LeaseRenewed(
        bytes32 indexed release,
        bytes32 indexed modelId,
        bytes32 indexed nodeId,
        uint24 lease,
        uint40 blockNumber,
        uint40 until,
        uint64 ceiling
    );

    /// @notice A node on the same platform took a seat before its time was over.
    /// @param licence Address of the licence contract.
    /// @param seat Index of the seat.
    /// @param from Release that held it.
    /// @param to Release that holds it now.
    event SeatTakenOver(address indexed licence, uint16 indexed seat, bytes32 indexed from, bytes32 to);

    /// @notice The broker ended a release; its seat stays taken until its time is over.
    /// @param release Id of the release.
    /// @param modelId The model.
    /// @param nodeId The node.
    event ReleaseStopped(bytes32 indexed release, bytes32 indexed modelId, bytes32 indexed nodeId);

    /// @notice A guest ended itself; its seat is free.
    /// @param release Id of the release.
    /// @param modelId The model.
    /// @param nodeId The node.
    /// @param lastCounter Last receipt counter.
    /// @param root Merkle root over the receipts.
    event GuestStopped(
        bytes32 indexed release, bytes32 indexed modelId, bytes32 indexed nodeId, uint64 lastCounter, bytes32 root
    );

    /// @notice A guest accounted for a range of receipts; the last range settles the release and ends the node.
    /// @param release Id of the release.
    /// @param modelId The model.
    /// @param nodeId The node.
    /// @param firstCounter First receipt counter.
    /// @param lastCounter Last receipt counter.
    /// @param root Merkle root over the receipts.
    /// @param last Whether the release is settled.
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
    /// @param licence Address of the licence contract.
    /// @param amount How many answers.
    event CreditFailed(address indexed licence, uint64 amount);

    /// @notice `permits` refuses.
    /// @param reason Why, as an enum of this log.
    /// @param licenceReason The licence's own reason; zero where it was not asked.
    error Refused(Reason reason, uint8 licenceReason);

    /// @notice Only the model's broker may do this.
    /// @param modelId The model.
    /// @param caller Account that tried.
    error NotBroker(bytes32 modelId, address caller);

    /// @notice Only the licensee or an operator it appointed may do this.
    /// @param licence Address of the licence contract.
    /// @param caller Account that tried.
    error NotForLicensee(address licence, address caller);

    /// @notice A licensee's signature counts before its deadline only.
    /// @param deadline First second the signature no longer counts.
    /// @param current Time of this block.
    error GrantExpired(uint40 deadline, uint40 current);

    /// @notice The signature is not that of the licensee.
    /// @param licence Address of the licence contract.
    error BadGrantSignature(address licence);

    /// @notice Nobody who acts for the licensee let the node in.
    /// @param licence Address of the licence contract.
    /// @param nodeId The node.
    error NodeNotAuthorised(address licence, bytes32 nodeId);

    /// @notice The release was asked for before.
    /// @param release Id of the release.
    error AlreadyRequested(bytes32 release);

    /// @notice The release is not in a status that this step starts from.
    /// @param release Id of the release.
    /// @param status Status it is in.
    error WrongStatus(bytes32 release, uint8 status);

    /// @notice The node has a newer record than the one the request rested on.
    /// @param requested Challenge block of the request.
    /// @param recorded Challenge block of the record.
    error Superseded(uint40 requested, uint40 recorded);

    /// @notice A renewal needs a newer record than the last lease rested on.
    /// @param lastBlock Challenge block of the last lease.
    /// @param recorded Challenge block of the record.
    error NoNewerRecord(uint40 lastBlock, uint40 recorded);

    /// @notice A lease takes at least a second, and at most what the policy allows.
    /// @param duration Seconds asked for.
    /// @param longest Longest lease of the policy, in seconds.
    error DurationOutOfRange(uint32 duration, uint32 longest);

    /// @notice The lease would end after its record does, or is over already.
    /// @param until First second the lease no longer covers.
    /// @param expiry First second the record no longer counts.
    error LeaseBeyondExpiry(uint40 until, uint40 expiry);

    /// @notice The licence has no such seat, or does not say how many it has.
    /// @param seat Index of the seat.
    /// @param seats How many nodes may run at once.
    error SeatOutOfRange(uint16 seat, uint16 seats);

    /// @notice The seat is held by another release.
    /// @param licence Address of the licence contract.
    /// @param seat Index of the seat.
    /// @param until First second it is free.
    error SeatTaken(address licence, uint16 seat, uint40 until);

    /// @notice The seat went to another release.
    /// @param licence Address of the licence contract.
    /// @param seat Index of the seat.
    error SeatLost(address licence, uint16 seat);

    /// @notice The ceiling may not fall, nor exceed what is anchored by more than the quota.
    /// @param ceiling Highest receipt counter the guest may reach.
    /// @param lowest Lowest value allowed.
    /// @param highest Highest value allowed.
    error CeilingOutOfRange(uint64 ceiling, uint64 lowest, uint64 highest);

    /// @notice Another key than the node's signed.
    /// @param expectedNode Node of the subject.
    /// @param recoveredNode Node of the key that signed.
    error WrongSigner(bytes32 expectedNode, bytes32 recoveredNode);

    /// @notice The statement is about another sealed file.
    /// @param expected Value that would do.
    /// @param given Value that came.
    error WrongSeal(bytes32 expected, bytes32 given);

    /// @notice The range does not begin after the last one, or is empty without being the last.
    /// @param expected Value that would do.
    /// @param given Value that came.
    error NotContiguous(uint64 expected, uint64 given);

    /// @notice The counter exceeds what was leased.
    /// @param counter Counter asked for.
    /// @param ceiling Highest receipt counter the guest may reach.
    error CounterBeyondCeiling(uint64 counter, uint64 ceiling);

    /// @notice The node was revoked; only a call of the licensee or an operator lets it in again.
    /// @param licence Address of the licence contract.
    /// @param nodeId The node.
    error NodeIsRevoked(address licence, bytes32 nodeId);

    /// @notice The subject is not that of the release.
    /// @param release Id of the release.
    error WrongSubject(bytes32 release);

    /// @notice The licence refused the debit.
    /// @param licence Address of the licence contract.
    /// @param amount How many answers.
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
