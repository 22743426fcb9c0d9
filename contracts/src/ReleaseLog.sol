// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {BoundedCall} from "contracts/BoundedCall.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";
import {Permission} from "contracts/Permission.sol";
import {Seats} from "contracts/Seats.sol";
import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {ILicenceRegistry} from "contracts/interfaces/ILicenceRegistry.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";

/// @title Key requests, releases, leases, stops and usage.
contract ReleaseLog is Permission, Seats {
    bytes32 private constant _STOPPED_TYPE =
        keccak256("Stopped(bytes32 release,bytes32 sealId,uint64 lastCounter,bytes32 root)");
    bytes32 private constant _USAGE_TYPE = keccak256(
        "Usage(bytes32 release,bytes32 sealId,uint64 firstCounter,uint64 lastCounter,bytes32 root,bool last)"
    );
    uint8 private constant _REQUESTED = 1;
    uint8 private constant _LIVE = 2;
    uint8 private constant _STOPPED = 3;
    uint8 private constant _ENDED = 4;
    uint8 private constant _SETTLED = 5;

    mapping(bytes32 release => Release) private _releases;

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
        _raise(subject.licence, state, ceiling, terms.quota);
        state.until = until;
        state.leases = 1;
        state.blockNumber = rested.blockNumber;
        state.seat = seat;
        state.status = _LIVE;
        emit KeyReleased(release, subject.modelId, subject.nodeId, seat, until, ceiling, envelopeDigest);
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
        _raise(subject.licence, state, ceiling, terms.quota);
        state.until = until;
        state.blockNumber = rested.blockNumber;
        uint24 lease = state.leases++;
        emit LeaseRenewed(release, subject.modelId, subject.nodeId, lease, rested.blockNumber, until, ceiling);
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
    function guestStopped(
        Subject calldata subject,
        Stopped calldata statement,
        NodeKeys calldata keys,
        bytes calldata signature
    ) external {
        Release storage state = _releases[statement.release];
        if (state.status == 0 || state.status >= _ENDED) revert WrongStatus(statement.release, state.status);
        _requireAbout(subject, statement.release, statement.sealId);
        _requireSigned(subject.nodeId, keys, keccak256(abi.encode(_STOPPED_TYPE, statement)), signature);
        if (state.status != _REQUESTED) _leave(subject.licence, statement.release, state.seat);
        state.status = _ENDED;
        _nodes[subject.licence][subject.nodeId].stopped = true;
        emit GuestStopped(
            statement.release, subject.modelId, subject.nodeId, statement.lastCounter, statement.root
        );
    }

    /// @inheritdoc IReleaseLog
    function anchorUsage(
        Subject calldata subject,
        Usage calldata usage,
        NodeKeys calldata keys,
        bytes calldata signature
    ) external {
        Release storage state = _releases[usage.release];
        if (state.status < _LIVE || state.status > _ENDED) revert WrongStatus(usage.release, state.status);
        _requireAbout(subject, usage.release, usage.sealId);
        _requireSigned(subject.nodeId, keys, keccak256(abi.encode(_USAGE_TYPE, usage)), signature);
        if (usage.firstCounter != state.lastCounter + 1) revert NotContiguous(state.lastCounter + 1, usage.firstCounter);
        bool empty = usage.lastCounter == state.lastCounter;
        if (usage.lastCounter < state.lastCounter || (empty && !usage.last)) {
            revert NotContiguous(usage.firstCounter, usage.lastCounter);
        }
        if (usage.lastCounter > state.ceiling) revert CounterBeyondCeiling(usage.lastCounter, state.ceiling);
        state.lastCounter = usage.lastCounter;
        if (usage.last) _settle(subject, state);
        emit UsageAnchored(
            usage.release,
            subject.modelId,
            subject.nodeId,
            usage.firstCounter,
            usage.lastCounter,
            usage.root,
            usage.last
        );
    }

    /// @inheritdoc IReleaseLog
    function stateOf(bytes32 release) external view returns (Release memory) {
        return _releases[release];
    }

    /// @inheritdoc IReleaseLog
    function releaseOf(Subject memory subject) public view returns (bytes32) {
        return keccak256(
            abi.encode(
                "exequatur/v1/release",
                block.chainid,
                address(this),
                subject.modelId,
                subject.version,
                subject.policyId,
                subject.nodeId,
                subject.blockNumber,
                subject.licence
            )
        );
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

    function _raise(address licence, Release storage state, uint64 ceiling, uint64 quota) private {
        uint64 lowest = state.ceiling > state.lastCounter ? state.ceiling : state.lastCounter + 1;
        uint64 highest = state.lastCounter + quota;
        if (ceiling < lowest || ceiling > highest) revert CeilingOutOfRange(ceiling, lowest, highest);
        uint64 increase = ceiling - state.ceiling;
        state.ceiling = ceiling;
        if (increase == 0) return;
        if (!BoundedCall.write(licence, CALL_GAS, abi.encodeCall(ILicence.use, (increase)))) {
            revert UseFailed(licence, increase);
        }
    }

    /// @dev A licence that refuses its credit must not keep a guest from settling.
    function _settle(Subject calldata subject, Release storage state) private {
        uint64 unused = state.ceiling - state.lastCounter;
        if (state.status != _ENDED) _leave(subject.licence, releaseOf(subject), state.seat);
        state.status = _SETTLED;
        _nodes[subject.licence][subject.nodeId].stopped = true;
        if (unused == 0) return;
        bool ok = BoundedCall.write(subject.licence, CALL_GAS, abi.encodeCall(ILicence.credit, (unused)));
        if (!ok) emit CreditFailed(subject.licence, unused);
    }

    function _requireAbout(Subject calldata subject, bytes32 release, bytes32 sealId) private view {
        if (releaseOf(subject) != release) revert WrongSubject(release);
        bytes32 expected = MODELS.sealOf(subject.modelId, subject.version);
        if (sealId != expected) revert WrongSeal(expected, sealId);
    }

    function _requireSigned(bytes32 nodeId, NodeKeys calldata keys, bytes32 structHash, bytes calldata signature)
        private
        view
    {
        address signer = ECDSA.recover(_hashTypedDataV4(structHash), signature);
        bytes32 node = keccak256(abi.encode("exequatur/v1/node", keys.hpke, keys.receipt, signer));
        if (node != nodeId) revert WrongSigner(nodeId, node);
    }
}
