// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {BoundedCall} from "contracts/BoundedCall.sol";
import {GuestWord} from "contracts/GuestWord.sol";
import {Permission} from "contracts/Permission.sol";
import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {ILicenceRegistry} from "contracts/interfaces/ILicenceRegistry.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";

/// @title Key requests, releases, leases, stops and usage.
contract ReleaseLog is GuestWord {
    constructor(
        IModelRegistry models,
        IPolicyRegistry policies,
        IAttestationLog attestations,
        ILicenceRegistry licences
    ) Permission(models, policies, attestations, licences) {}

    /// @inheritdoc IReleaseLog
    function requestKey(bytes32 modelId, uint32 version, bytes32 policyId, bytes32 nodeId, address licence)
        external
        returns (bytes32 release)
    {
        if (LICENCES.actsFor(licence, msg.sender)) _authorise(licence, nodeId);
        else if (!_isAuthorised(licence, nodeId)) revert NodeNotAuthorised(licence, nodeId);
        return _request(Subject(modelId, version, policyId, nodeId, 0, licence));
    }

    /// @inheritdoc IReleaseLog
    function requestKeyBySignature(
        bytes32 modelId,
        uint32 version,
        bytes32 policyId,
        NodeGrant calldata grant,
        bytes calldata signature
    ) external returns (bytes32 release) {
        _authoriseBySignature(grant, signature);
        return _request(Subject(modelId, version, policyId, grant.nodeId, 0, grant.licence));
    }

    /// @inheritdoc IReleaseLog
    function releaseKey(Subject calldata subject, uint16 seat, uint32 duration, uint64 ceiling, bytes32 envelopeDigest)
        external
    {
        bytes32 release = _brokered(subject);
        Release storage state = _releases[release];
        if (state.status != _REQUESTED) revert WrongStatus(release, state.status);
        IAttestationLog.Record memory rested = ATTESTATIONS.recordOf(subject.policyId, subject.nodeId);
        if (rested.blockNumber != subject.blockNumber) revert Superseded(subject.blockNumber, rested.blockNumber);
        IPolicyRegistry.Terms memory terms = POLICIES.termsOf(subject.policyId);
        uint40 until = _lease(subject, rested, terms, duration);
        _sit(subject, release, seat, until, rested, terms.lease);
        uint64 increase = _raise(state, ceiling, terms.quota);
        state.until = until;
        state.leases = 1;
        state.blockNumber = rested.blockNumber;
        state.seat = seat;
        state.status = _LIVE;
        emit KeyReleased(release, subject.modelId, subject.nodeId, seat, until, ceiling, envelopeDigest);
        _use(subject.licence, increase);
    }

    /// @inheritdoc IReleaseLog
    function renew(Subject calldata subject, uint32 duration, uint64 ceiling) external {
        bytes32 release = _brokered(subject);
        Release storage state = _releases[release];
        if (state.status != _LIVE) revert WrongStatus(release, state.status);
        IAttestationLog.Record memory rested = ATTESTATIONS.recordOf(subject.policyId, subject.nodeId);
        if (rested.blockNumber <= state.blockNumber) revert NoNewerRecord(state.blockNumber, rested.blockNumber);
        IPolicyRegistry.Terms memory terms = POLICIES.termsOf(subject.policyId);
        uint40 until = _lease(subject, rested, terms, duration);
        _stay(subject.licence, release, state.seat, until);
        uint64 increase = _raise(state, ceiling, terms.quota);
        state.until = until;
        state.blockNumber = rested.blockNumber;
        uint24 lease = state.leases++;
        emit LeaseRenewed(release, subject.modelId, subject.nodeId, lease, rested.blockNumber, until, ceiling);
        _use(subject.licence, increase);
    }

    /// @inheritdoc IReleaseLog
    function stop(Subject calldata subject) external {
        bytes32 release = _brokered(subject);
        Release storage state = _releases[release];
        if (state.status != _REQUESTED && state.status != _LIVE) revert WrongStatus(release, state.status);
        state.status = _STOPPED;
        _nodes[subject.licence][subject.nodeId].stopped = true;
        emit ReleaseStopped(release, subject.modelId, subject.nodeId);
    }

    /// @inheritdoc IReleaseLog
    function stateOf(bytes32 release) external view returns (Release memory) {
        return _releases[release];
    }

    function _request(Subject memory subject) private returns (bytes32 release) {
        _requirePermitted(subject, uint40(block.timestamp));
        subject.blockNumber = ATTESTATIONS.recordOf(subject.policyId, subject.nodeId).blockNumber;
        release = releaseOf(subject);
        if (_releases[release].status != 0) revert AlreadyRequested(release);
        _releases[release].status = _REQUESTED;
        emit KeyRequested(release, subject.modelId, subject.nodeId, subject);
    }

    function _brokered(Subject calldata subject) private view returns (bytes32) {
        if (MODELS.brokerOf(subject.modelId) != msg.sender) revert NotBroker(subject.modelId, msg.sender);
        return releaseOf(subject);
    }

    /// @dev As `t0 <= recordedAt`, the guest's own clock has ended the lease by then.
    function _lease(
        Subject calldata subject,
        IAttestationLog.Record memory rested,
        IPolicyRegistry.Terms memory terms,
        uint32 duration
    ) private view returns (uint40 until) {
        if (duration == 0 || duration > terms.lease) revert DurationOutOfRange(duration, terms.lease);
        until = rested.recordedAt + duration;
        if (until <= block.timestamp || until > rested.expiry) revert LeaseBeyondExpiry(until, rested.expiry);
        _requirePermitted(subject, uint40(block.timestamp));
        _requirePermitted(subject, until - 1);
    }

    function _raise(Release storage state, uint64 ceiling, uint64 quota) private returns (uint64 increase) {
        uint64 lowest = state.ceiling > state.lastCounter ? state.ceiling : state.lastCounter + 1;
        uint64 beyond = type(uint64).max - state.lastCounter;
        uint64 highest = state.lastCounter + (quota < beyond ? quota : beyond);
        if (ceiling < lowest || ceiling > highest) revert CeilingOutOfRange(ceiling, lowest, highest);
        increase = ceiling - state.ceiling;
        state.ceiling = ceiling;
    }

    /// @dev The last thing a function does: a licence that calls back finds everything in place.
    function _use(address licence, uint64 increase) private {
        if (increase == 0) return;
        if (!BoundedCall.write(licence, CALL_GAS, abi.encodeCall(ILicence.use, (increase)))) {
            revert UseFailed(licence, increase);
        }
    }
}
