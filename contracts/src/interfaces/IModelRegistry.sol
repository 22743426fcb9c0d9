// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Models, their numbered versions, and who owns them.
/// @notice Step 2 of the protocol. A model is named by its first owner and a name; every version is one sealed file.
interface IModelRegistry {
    /// @notice How deep a block must be before a key for this version leaves its broker.
    enum Finality {
        Seen,
        Safe,
        Final
    }

    /// @notice One version of a model.
    /// @param sealId Digest of the sealed file.
    /// @param policy Policy in force until `nextStart`, or for ever when `nextStart` is zero.
    /// @param next Policy that counts from the transaction naming it and is alone from `nextStart`.
    /// @param nextStart First second at which only `next` counts; zero when none is named.
    /// @param finality Finality the broker waits for.
    /// @param withdrawn True for ever once the owner withdrew the version.
    struct Version {
        bytes32 sealId;
        bytes32 policy;
        bytes32 next;
        uint40 nextStart;
        Finality finality;
        bool withdrawn;
    }

    /// @notice One model.
    /// @param owner Current owner, the licensor of its licences.
    /// @param pendingOwner Account that may accept ownership.
    /// @param broker Account that may release and stop, and nothing else.
    /// @param versions Highest version number; versions count from one.
    /// @param lowestServed Versions below it are no longer served.
    /// @param retired True for ever once retired.
    /// @param successor Model named when this one was retired; may be zero.
    struct Model {
        address owner;
        address pendingOwner;
        address broker;
        uint32 versions;
        uint32 lowestServed;
        bool retired;
        bytes32 successor;
    }

    /// @notice A model was registered.
    /// @param modelId The model.
    /// @param owner The owner.
    /// @param name Its name.
    event ModelRegistered(bytes32 indexed modelId, address indexed owner, string name);

    /// @notice A version was added.
    /// @param modelId The model.
    /// @param version Number of the version.
    /// @param sealId Digest of the sealed file.
    /// @param policy The policy.
    /// @param finality How deep a block must be before a key leaves.
    /// @param uri Where the sealed file is.
    event VersionAdded(
        bytes32 indexed modelId,
        uint32 indexed version,
        bytes32 indexed sealId,
        bytes32 policy,
        Finality finality,
        string uri
    );

    /// @notice A policy counts for a version from now on, and alone from its start.
    /// @param modelId The model.
    /// @param version Number of the version.
    /// @param policy The policy.
    /// @param start First second it counts alone.
    event NextPolicyNamed(bytes32 indexed modelId, uint32 indexed version, bytes32 indexed policy, uint40 start);

    /// @notice A version was withdrawn, for ever.
    /// @param modelId The model.
    /// @param version Number of the version.
    event VersionWithdrawn(bytes32 indexed modelId, uint32 indexed version);

    /// @notice Versions below are no longer served.
    /// @param modelId The model.
    /// @param version Lowest version served from now on.
    event LowestServedRaised(bytes32 indexed modelId, uint32 version);

    /// @notice A model was retired, for ever.
    /// @param modelId The model.
    /// @param successor Model that follows; may be zero.
    event ModelRetired(bytes32 indexed modelId, bytes32 indexed successor);

    /// @notice Another account may release and stop for the model.
    /// @param modelId The model.
    /// @param broker The account; zero for none.
    event BrokerSet(bytes32 indexed modelId, address indexed broker);

    /// @notice Ownership was offered; zero takes an offer back.
    /// @param modelId The model.
    /// @param from Who had it.
    /// @param to Who gets it.
    event OwnershipOffered(bytes32 indexed modelId, address indexed from, address indexed to);

    /// @notice Ownership moved, and with it the licensor's role.
    /// @param modelId The model.
    /// @param from Who had it.
    /// @param to Who gets it.
    event OwnershipMoved(bytes32 indexed modelId, address indexed from, address indexed to);

    /// @notice No such model was registered.
    /// @param modelId The model.
    error UnknownModel(bytes32 modelId);

    /// @notice The model has no such version.
    /// @param modelId The model.
    /// @param version Number asked for.
    error UnknownVersion(bytes32 modelId, uint32 version);

    /// @notice Only the model's owner may do this.
    /// @param modelId The model.
    /// @param caller Account that tried.
    error NotOwner(bytes32 modelId, address caller);

    /// @notice Ownership was not offered to the caller.
    /// @param modelId The model.
    /// @param caller Account that tried.
    error NotPendingOwner(bytes32 modelId, address caller);

    /// @notice The owner registered that name before.
    /// @param modelId The model.
    error AlreadyRegistered(bytes32 modelId);

    /// @notice A model needs a name.
    error EmptyName();

    /// @notice A version needs a sealed file.
    error EmptySeal();

    /// @notice The version was withdrawn before.
    /// @param modelId The model.
    /// @param version Number of the version.
    error AlreadyWithdrawn(bytes32 modelId, uint32 version);

    /// @notice The model was retired.
    /// @param modelId The model.
    error AlreadyRetired(bytes32 modelId);

    /// @notice The lowest version served only rises.
    /// @param modelId The model.
    /// @param lowestServed Lowest version served.
    /// @param proposed Version proposed.
    error NotRaised(bytes32 modelId, uint32 lowestServed, uint32 proposed);

    /// @notice A policy replaces another in the future only.
    /// @param start Start proposed.
    /// @param current Time of this block.
    error StartNotAhead(uint40 start, uint40 current);

    /// @notice The policy was never published, or was withdrawn.
    /// @param policy The policy.
    error PolicyNotInForce(bytes32 policy);

    /// @notice Register a model under the caller and a name.
    /// @return modelId `keccak256(abi.encode("exequatur/v1/model", chainId, registry, owner, name))`.
    function register(string calldata name) external returns (bytes32 modelId);

    /// @notice Add the next version of a model; owner only.
    function addVersion(bytes32 modelId, bytes32 sealId, bytes32 policy, Finality finality, string calldata uri)
        external
        returns (uint32 version);

    /// @notice Register a model and its first version in one transaction.
    function registerWithVersion(
        string calldata name,
        bytes32 sealId,
        bytes32 policy,
        Finality finality,
        string calldata uri,
        address broker
    ) external returns (bytes32 modelId);

    /// @notice Name the policy that replaces the current one at `start`; owner only. A `next` whose start has passed
    /// becomes the current one first.
    function nameNextPolicy(bytes32 modelId, uint32 version, bytes32 policy, uint40 start) external;

    /// @notice Withdraw one version, for ever; owner only.
    function withdrawVersion(bytes32 modelId, uint32 version) external;

    /// @notice Stop serving versions below `version`; owner only, upwards only.
    function raiseLowestServed(bytes32 modelId, uint32 version) external;

    /// @notice Retire the model, for ever, naming a successor or zero; owner only.
    function retire(bytes32 modelId, bytes32 successor) external;

    /// @notice Name the account that may release and stop for this model; owner only.
    function setBroker(bytes32 modelId, address broker) external;

    /// @notice Offer ownership; it moves when the other side accepts.
    function offerOwnership(bytes32 modelId, address to) external;

    /// @notice Accept ownership offered to the caller.
    function acceptOwnership(bytes32 modelId) external;

    /// @notice The model; reverts `UnknownModel`.
    function modelOf(bytes32 modelId) external view returns (Model memory);

    /// @notice One version; reverts `UnknownModel` or `UnknownVersion`.
    function versionOf(bytes32 modelId, uint32 version) external view returns (Version memory);

    /// @notice The sealed file of a version; reverts `UnknownVersion`.
    function sealOf(bytes32 modelId, uint32 version) external view returns (bytes32);

    /// @notice Current owner; reverts `UnknownModel`.
    function ownerOf(bytes32 modelId) external view returns (address);

    /// @notice The broker account; zero when none is set.
    function brokerOf(bytes32 modelId) external view returns (address);

    /// @notice Whether a version may be served at all, and which policies count at `when`: never reverts.
    /// @return known False when the model does not exist or is retired.
    /// @return served False when the version does not exist, is withdrawn or is below the lowest served.
    /// @return first The policy in force at `when`.
    /// @return second The named next policy while the current one still counts; else zero.
    function servedAt(bytes32 modelId, uint32 version, uint40 when)
        external
        view
        returns (bool known, bool served, bytes32 first, bytes32 second);
}
