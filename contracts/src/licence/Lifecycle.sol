// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";

/// @title Active, suspended or revoked, by the word of whoever owns the model now.
abstract contract Lifecycle {
    /// @notice Where a licence is in its life; revoked is for ever.
    enum State {
        Active,
        Suspended,
        Revoked
    }

    /// @notice The licence permits nothing until it is resumed.
    /// @param modelId The model.
    event Suspended(bytes32 indexed modelId);

    /// @notice The licence permits again.
    /// @param modelId The model.
    event Resumed(bytes32 indexed modelId);

    /// @notice The licence permits nothing, for ever.
    /// @param modelId The model.
    event Revoked(bytes32 indexed modelId);

    /// @notice Only the model's current owner may do this.
    /// @param modelId The model.
    /// @param caller Account that tried.
    error NotLicensor(bytes32 modelId, address caller);

    /// @notice The licence is not in a state that this step starts from.
    /// @param state State it is in.
    error WrongState(State state);

    IModelRegistry public immutable MODELS;
    bytes32 public immutable MODEL_ID;

    State public state;

    constructor(IModelRegistry models, bytes32 modelId) {
        MODELS = models;
        MODEL_ID = modelId;
    }

    /// @notice Refuse new leases until resumed; the model's current owner only.
    function suspend() external {
        _move(State.Active, State.Suspended);
        emit Suspended(MODEL_ID);
    }

    /// @notice Take a suspension back; the model's current owner only.
    function resume() external {
        _move(State.Suspended, State.Active);
        emit Resumed(MODEL_ID);
    }

    /// @notice End the licence, for ever; the model's current owner only.
    function revoke() external {
        _requireLicensor();
        if (state == State.Revoked) revert WrongState(state);
        state = State.Revoked;
        emit Revoked(MODEL_ID);
    }

    function _move(State from, State to) private {
        _requireLicensor();
        if (state != from) revert WrongState(state);
        state = to;
    }

    function _requireLicensor() private view {
        if (MODELS.ownerOf(MODEL_ID) != msg.sender) revert NotLicensor(MODEL_ID, msg.sender);
    }
}
