// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {BoundedCall} from "contracts/BoundedCall.sol";
import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {ILicenceRegistry} from "contracts/interfaces/ILicenceRegistry.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";

/// @title Which nodes a licensee lets in, and whether one may run now.
abstract contract Permission is IReleaseLog, EIP712 {
    /// @dev A node under a licence, in one slot. Once revoked, only a call lets it in again: a signature given out
    /// before must not undo the revocation.
    struct NodeState {
        uint32 epoch;
        bool authorised;
        bool revoked;
        bool stopped;
    }

    bytes32 private constant _NODE_GRANT_TYPE = keccak256("NodeGrant(address licence,bytes32 nodeId,uint40 deadline)");
    uint256 internal constant CALL_GAS = 100_000;

    IModelRegistry public immutable MODELS;
    IPolicyRegistry public immutable POLICIES;
    IAttestationLog public immutable ATTESTATIONS;
    ILicenceRegistry public immutable LICENCES;

    mapping(address licence => mapping(bytes32 nodeId => NodeState)) internal _nodes;

    constructor(
        IModelRegistry models,
        IPolicyRegistry policies,
        IAttestationLog attestations,
        ILicenceRegistry licences
    ) EIP712("Exequatur", "1") {
        MODELS = models;
        POLICIES = policies;
        ATTESTATIONS = attestations;
        LICENCES = licences;
    }

    /// @inheritdoc IReleaseLog
    function permits(bytes32 modelId, uint32 version, bytes32 nodeId, address licence, uint40 when)
        external
        view
        returns (bool, Reason)
    {
        (bool known, bool served, bytes32 first, bytes32 second) = MODELS.servedAt(modelId, version, when);
        if (!known) return (false, Reason.Model);
        if (!served) return (false, Reason.Version);
        (Reason reason,) = _ofLicence(Subject(modelId, version, first, nodeId, 0, licence), when);
        if (reason != Reason.None) return (false, reason);
        reason = _ofRecord(first, nodeId, when);
        bool attested = reason == Reason.None
            || (second != bytes32(0) && _ofRecord(second, nodeId, when) == Reason.None);
        return attested ? (true, Reason.None) : (false, reason);
    }

    /// @inheritdoc IReleaseLog
    function permitsUnder(
        bytes32 modelId,
        uint32 version,
        bytes32 policyId,
        bytes32 nodeId,
        address licence,
        uint40 when
    ) external view returns (bool, Reason) {
        (Reason reason,) = _refusal(Subject(modelId, version, policyId, nodeId, 0, licence), when);
        return (reason == Reason.None, reason);
    }

    /// @inheritdoc IReleaseLog
    function authorise(address licence, bytes32 nodeId) external {
        if (!LICENCES.actsFor(licence, msg.sender)) revert NotForLicensee(licence, msg.sender);
        _authorise(licence, nodeId);
    }

    /// @inheritdoc IReleaseLog
    function authoriseBySignature(NodeGrant calldata grant, bytes calldata signature) external {
        _authoriseBySignature(grant, signature);
    }

    /// @inheritdoc IReleaseLog
    function revokeNode(address licence, bytes32 nodeId) external {
        if (!LICENCES.actsFor(licence, msg.sender)) revert NotForLicensee(licence, msg.sender);
        NodeState storage node = _nodes[licence][nodeId];
        node.authorised = false;
        node.revoked = true;
        emit NodeRevoked(licence, nodeId);
    }

    /// @inheritdoc IReleaseLog
    function nodeOf(address licence, bytes32 nodeId) external view returns (bool authorised, bool stopped) {
        return (_isAuthorised(licence, nodeId), _nodes[licence][nodeId].stopped);
    }

    function _authoriseBySignature(NodeGrant calldata grant, bytes calldata signature) internal {
        if (block.timestamp >= grant.deadline) revert GrantExpired(grant.deadline, uint40(block.timestamp));
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(_NODE_GRANT_TYPE, grant)));
        address licensee = LICENCES.licenseeOf(grant.licence);
        if (licensee == address(0) || !SignatureChecker.isValidSignatureNowCalldata(licensee, digest, signature)) {
            revert BadGrantSignature(grant.licence);
        }
        if (_nodes[grant.licence][grant.nodeId].revoked) revert NodeIsRevoked(grant.licence, grant.nodeId);
        _authorise(grant.licence, grant.nodeId);
    }

    function _authorise(address licence, bytes32 nodeId) internal {
        (,, uint32 epoch,) = LICENCES.coverOf(licence);
        NodeState storage node = _nodes[licence][nodeId];
        if (node.authorised && node.epoch == epoch) return;
        node.epoch = epoch;
        node.authorised = true;
        emit NodeAuthorised(licence, nodeId, epoch);
    }

    function _isAuthorised(address licence, bytes32 nodeId) internal view returns (bool) {
        (,, uint32 epoch, bool accepted) = LICENCES.coverOf(licence);
        NodeState storage node = _nodes[licence][nodeId];
        return accepted && node.authorised && node.epoch == epoch;
    }

    function _requirePermitted(Subject memory subject, uint40 when) internal view {
        (Reason reason, uint8 licenceReason) = _refusal(subject, when);
        if (reason != Reason.None) revert Refused(reason, licenceReason);
    }

    function _refusal(Subject memory subject, uint40 when) private view returns (Reason, uint8) {
        Reason reason = _ofModel(subject, when);
        if (reason != Reason.None) return (reason, 0);
        uint8 licenceReason;
        (reason, licenceReason) = _ofLicence(subject, when);
        if (reason != Reason.None) return (reason, licenceReason);
        return (_ofRecord(subject.policyId, subject.nodeId, when), 0);
    }

    function _ofModel(Subject memory subject, uint40 when) private view returns (Reason) {
        (bool known, bool served, bytes32 first, bytes32 second) =
            MODELS.servedAt(subject.modelId, subject.version, when);
        if (!known) return Reason.Model;
        if (!served) return Reason.Version;
        bool counts = subject.policyId != bytes32(0) && (subject.policyId == first || subject.policyId == second);
        return counts ? Reason.None : Reason.Policy;
    }

    function _ofLicence(Subject memory subject, uint40 when) private view returns (Reason, uint8) {
        (bytes32 modelId, uint32 lowest, uint32 epoch, bool accepted) = LICENCES.coverOf(subject.licence);
        if (!accepted || modelId != subject.modelId || subject.version < lowest) return (Reason.Licence, 0);
        bytes memory question =
            abi.encodeCall(ILicence.permits, (subject.modelId, subject.version, subject.nodeId, when));
        (, uint256 allowed, uint256 licenceReason) = BoundedCall.read(subject.licence, CALL_GAS, 2, question);
        if (allowed != 1) return (Reason.Licence, uint8(licenceReason));
        NodeState memory node = _nodes[subject.licence][subject.nodeId];
        if (!node.authorised || node.epoch != epoch) return (Reason.Node, 0);
        return (node.stopped ? Reason.Stopped : Reason.None, 0);
    }

    function _ofRecord(bytes32 policyId, bytes32 nodeId, uint40 when) private view returns (Reason) {
        IAttestationLog.Standing standing = ATTESTATIONS.standing(policyId, nodeId, when);
        if (standing == IAttestationLog.Standing.Live) return Reason.None;
        if (standing == IAttestationLog.Standing.PolicyNotInForce) return Reason.Policy;
        // From NoRecord on both enums name the same things in the same order.
        return Reason(uint8(Reason.NoRecord) + uint8(standing) - uint8(IAttestationLog.Standing.NoRecord));
    }
}
