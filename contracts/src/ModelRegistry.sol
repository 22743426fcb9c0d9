// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";

/// @title Models, their numbered versions, and who owns them.
contract ModelRegistry is IModelRegistry {
    IPolicyRegistry public immutable POLICIES;

    mapping(bytes32 modelId => Model) private _models;
    mapping(bytes32 modelId => mapping(uint32 version => Version)) private _versions;

    constructor(IPolicyRegistry policies) {
        POLICIES = policies;
    }

    /// @inheritdoc IModelRegistry
    function register(string calldata name) public returns (bytes32 modelId) {
        if (bytes(name).length == 0) revert EmptyName();
        modelId = keccak256(abi.encode("exequatur/v1/model", block.chainid, address(this), msg.sender, name));
        Model storage model = _models[modelId];
        if (model.owner != address(0)) revert AlreadyRegistered(modelId);
        model.owner = msg.sender;
        model.lowestServed = 1;
        emit ModelRegistered(modelId, msg.sender, name);
    }

    /// @inheritdoc IModelRegistry
    function addVersion(bytes32 modelId, bytes32 sealId, bytes32 policy, Finality finality, string calldata uri)
        public
        returns (uint32 version)
    {
        Model storage model = _owned(modelId);
        if (sealId == bytes32(0)) revert EmptySeal();
        _requireInForce(policy);
        version = ++model.versions;
        Version storage added = _versions[modelId][version];
        added.sealId = sealId;
        added.policy = policy;
        added.finality = finality;
        emit VersionAdded(modelId, version, sealId, policy, finality, uri);
    }

    /// @inheritdoc IModelRegistry
    function registerWithVersion(
        string calldata name,
        bytes32 sealId,
        bytes32 policy,
        Finality finality,
        string calldata uri,
        address broker
    ) external returns (bytes32 modelId) {
        modelId = register(name);
        addVersion(modelId, sealId, policy, finality, uri);
        setBroker(modelId, broker);
    }

    /// @inheritdoc IModelRegistry
    function nameNextPolicy(bytes32 modelId, uint32 version, bytes32 policy, uint40 start) external {
        _owned(modelId);
        Version storage named = _version(modelId, version);
        if (start <= block.timestamp) revert StartNotAhead(start, uint40(block.timestamp));
        _requireInForce(policy);
        if (named.nextStart != 0 && named.nextStart <= block.timestamp) named.policy = named.next;
        named.next = policy;
        named.nextStart = start;
        emit NextPolicyNamed(modelId, version, policy, start);
    }

    /// @inheritdoc IModelRegistry
    function withdrawVersion(bytes32 modelId, uint32 version) external {
        _owned(modelId);
        Version storage withdrawn = _version(modelId, version);
        if (withdrawn.withdrawn) revert AlreadyWithdrawn(modelId, version);
        withdrawn.withdrawn = true;
        emit VersionWithdrawn(modelId, version);
    }

    /// @inheritdoc IModelRegistry
    function raiseLowestServed(bytes32 modelId, uint32 version) external {
        Model storage model = _owned(modelId);
        if (version > model.versions) revert UnknownVersion(modelId, version);
        if (version <= model.lowestServed) revert NotRaised(modelId, model.lowestServed, version);
        model.lowestServed = version;
        emit LowestServedRaised(modelId, version);
    }

    /// @inheritdoc IModelRegistry
    function retire(bytes32 modelId, bytes32 successor) external {
        Model storage model = _owned(modelId);
        model.retired = true;
        model.successor = successor;
        emit ModelRetired(modelId, successor);
    }

    /// @inheritdoc IModelRegistry
    function setBroker(bytes32 modelId, address broker) public {
        _owned(modelId).broker = broker;
        emit BrokerSet(modelId, broker);
    }

    /// @inheritdoc IModelRegistry
    function offerOwnership(bytes32 modelId, address to) external {
        _owned(modelId).pendingOwner = to;
        emit OwnershipOffered(modelId, msg.sender, to);
    }

    /// @inheritdoc IModelRegistry
    function acceptOwnership(bytes32 modelId) external {
        Model storage model = _known(modelId);
        if (model.pendingOwner != msg.sender) revert NotPendingOwner(modelId, msg.sender);
        address from = model.owner;
        model.owner = msg.sender;
        model.pendingOwner = address(0);
        emit OwnershipMoved(modelId, from, msg.sender);
    }

    /// @inheritdoc IModelRegistry
    function modelOf(bytes32 modelId) external view returns (Model memory) {
        return _known(modelId);
    }

    /// @inheritdoc IModelRegistry
    function versionOf(bytes32 modelId, uint32 version) external view returns (Version memory) {
        _known(modelId);
        return _version(modelId, version);
    }

    /// @inheritdoc IModelRegistry
    function sealOf(bytes32 modelId, uint32 version) external view returns (bytes32) {
        return _version(modelId, version).sealId;
    }

    /// @inheritdoc IModelRegistry
    function ownerOf(bytes32 modelId) external view returns (address) {
        return _known(modelId).owner;
    }

    /// @inheritdoc IModelRegistry
    function brokerOf(bytes32 modelId) external view returns (address) {
        return _models[modelId].broker;
    }

    /// @inheritdoc IModelRegistry
    function servedAt(bytes32 modelId, uint32 version, uint40 when)
        external
        view
        returns (bool known, bool served, bytes32 first, bytes32 second)
    {
        Model storage model = _models[modelId];
        uint32 versions = model.versions;
        known = !model.retired && (versions != 0 || model.owner != address(0));
        Version storage asked = _versions[modelId][version];
        served = version != 0 && version <= versions && version >= model.lowestServed && !asked.withdrawn;
        uint40 start = asked.nextStart;
        if (start == 0) return (known, served, asked.policy, bytes32(0));
        return when < start
            ? (known, served, asked.policy, asked.next)
            : (known, served, asked.next, bytes32(0));
    }

    function _known(bytes32 modelId) private view returns (Model storage model) {
        model = _models[modelId];
        if (model.owner == address(0)) revert UnknownModel(modelId);
    }

    function _owned(bytes32 modelId) private view returns (Model storage model) {
        model = _known(modelId);
        if (model.owner != msg.sender) revert NotOwner(modelId, msg.sender);
        if (model.retired) revert AlreadyRetired(modelId);
    }

    function _version(bytes32 modelId, uint32 version) private view returns (Version storage found) {
        found = _versions[modelId][version];
        if (found.sealId == bytes32(0)) revert UnknownVersion(modelId, version);
    }

    function _requireInForce(bytes32 policy) private view {
        IPolicyRegistry.Terms memory terms = POLICIES.termsOf(policy);
        if (!terms.published || terms.withdrawn) revert PolicyNotInForce(policy);
    }
}
