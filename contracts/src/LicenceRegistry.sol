// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {BoundedCall} from "contracts/BoundedCall.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {ILicenceRegistry} from "contracts/interfaces/ILicenceRegistry.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";

/// @title Which licence contract speaks for which model and licensee.
contract LicenceRegistry is ILicenceRegistry {
    uint256 private constant _VIEW_GAS = 30_000;

    IModelRegistry public immutable MODELS;

    mapping(address licence => Grant) private _grants;
    mapping(address licence => mapping(uint32 epoch => mapping(address operator => bool))) private _operators;

    constructor(IModelRegistry models) {
        MODELS = models;
    }

    /// @inheritdoc ILicenceRegistry
    function grant(address licence, bytes32 modelId, uint32 lowestVersion, address licensee) external {
        if (MODELS.ownerOf(modelId) != msg.sender) revert NotModelOwner(modelId, msg.sender);
        if (_grants[licence].modelId != bytes32(0)) revert AlreadyGranted(licence);
        (uint16 seats, bytes32 text) = _describe(licence);
        _grants[licence] = Grant({
            modelId: modelId,
            licensee: address(0),
            lowestVersion: lowestVersion,
            epoch: 0,
            accepted: false,
            pendingLicensee: licensee
        });
        emit LicenceGranted(licence, modelId, licensee, lowestVersion, seats, text);
    }

    /// @inheritdoc ILicenceRegistry
    function accept(address licence) external {
        Grant storage held = _known(licence);
        if (held.pendingLicensee != msg.sender) revert NotPendingLicensee(licence, msg.sender);
        address from = held.licensee;
        held.licensee = msg.sender;
        held.pendingLicensee = address(0);
        if (held.accepted) {
            emit LicenseeMoved(licence, from, msg.sender, ++held.epoch);
        } else {
            held.accepted = true;
            emit LicenceAccepted(licence, msg.sender);
        }
    }

    /// @inheritdoc ILicenceRegistry
    function offerLicensee(address licence, address to) external {
        _held(licence).pendingLicensee = to;
        emit LicenseeOffered(licence, msg.sender, to);
    }

    /// @inheritdoc ILicenceRegistry
    function setOperator(address licence, address operator, bool allowed) external {
        _operators[licence][_held(licence).epoch][operator] = allowed;
        emit OperatorSet(licence, operator, allowed);
    }

    /// @inheritdoc ILicenceRegistry
    function grantOf(address licence) external view returns (Grant memory) {
        return _known(licence);
    }

    /// @inheritdoc ILicenceRegistry
    function coverOf(address licence)
        external
        view
        returns (bytes32 modelId, uint32 lowestVersion, uint32 epoch, bool accepted)
    {
        Grant storage held = _grants[licence];
        return (held.modelId, held.lowestVersion, held.epoch, held.accepted);
    }

    /// @inheritdoc ILicenceRegistry
    function licenseeOf(address licence) external view returns (address) {
        return _grants[licence].licensee;
    }

    /// @inheritdoc ILicenceRegistry
    function actsFor(address licence, address account) external view returns (bool) {
        Grant storage held = _grants[licence];
        if (!held.accepted) return false;
        return held.licensee == account || _operators[licence][held.epoch][account];
    }

    function _describe(address licence) private view returns (uint16 seats, bytes32 text) {
        (bool seated, uint256 count,) = BoundedCall.read(licence, _VIEW_GAS, 1, abi.encodeCall(ILicence.seats, ()));
        (bool worded, uint256 digest,) = BoundedCall.read(licence, _VIEW_GAS, 1, abi.encodeCall(ILicence.text, ()));
        if (!seated || !worded || count > type(uint16).max) revert NotALicence(licence);
        return (uint16(count), bytes32(digest));
    }

    function _known(address licence) private view returns (Grant storage held) {
        held = _grants[licence];
        if (held.modelId == bytes32(0)) revert UnknownLicence(licence);
    }

    function _held(address licence) private view returns (Grant storage held) {
        held = _known(licence);
        if (held.licensee != msg.sender) revert NotLicensee(licence, msg.sender);
    }
}
