// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {BoundedCall} from "contracts/BoundedCall.sol";
import {Permission} from "contracts/Permission.sol";
import {Seats} from "contracts/Seats.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";

/// @title What a guest itself says of its release, relayed by anyone: how it was used, and that it ended.
/// @notice The key that signs is born in the guest and part of its nodeId. A guest's last usage is its end as well.
abstract contract GuestWord is Permission, Seats {
    bytes32 private constant _STOPPED_TYPE =
        keccak256("Stopped(bytes32 release,bytes32 sealId,uint64 lastCounter,bytes32 root)");
    bytes32 private constant _USAGE_TYPE = keccak256(
        "Usage(bytes32 release,bytes32 sealId,uint64 firstCounter,uint64 lastCounter,bytes32 root,bool last)"
    );
    uint8 internal constant _REQUESTED = 1;
    uint8 internal constant _LIVE = 2;
    uint8 internal constant _STOPPED = 3;
    uint8 internal constant _ENDED = 4;
    uint8 internal constant _SETTLED = 5;

    mapping(bytes32 release => Release) internal _releases;

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
        uint64 next = state.lastCounter + 1;
        if (usage.firstCounter != next) revert NotContiguous(next, usage.firstCounter);
        bool empty = usage.lastCounter == state.lastCounter;
        if (usage.lastCounter < state.lastCounter || (empty && !usage.last)) {
            revert NotContiguous(usage.firstCounter, usage.lastCounter);
        }
        if (usage.lastCounter > state.ceiling) revert CounterBeyondCeiling(usage.lastCounter, state.ceiling);
        state.lastCounter = usage.lastCounter;
        emit UsageAnchored(
            usage.release,
            subject.modelId,
            subject.nodeId,
            usage.firstCounter,
            usage.lastCounter,
            usage.root,
            usage.last
        );
        if (usage.last) _settle(subject, state);
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
        address signer = ECDSA.recoverCalldata(_hashTypedDataV4(structHash), signature);
        bytes32 node = keccak256(abi.encode("exequatur/v1/node", keys.hpke, keys.receipt, signer));
        if (node != nodeId) revert WrongSigner(nodeId, node);
    }
}
