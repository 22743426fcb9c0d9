// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ILicence} from "contracts/interfaces/ILicence.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";

/// @title A licence for a term, for a number of seats and answers; written by hand, so nobody needs a compiler for it.
contract TermLicence is ILicence {
    /// @notice Where a licence is in its life; revoked is for ever.
    enum State {
        Active,
        Suspended,
        Revoked
    }

    /// @notice Why this licence refuses.
    enum Refusal {
        None,
        NotStarted,
        Ended,
        Suspended,
        Revoked,
        OtherModel
    }

    /// @notice What the licence says.
    /// @param models Registry that knows the model's owner.
    /// @param releases The only caller of `use` and `credit`.
    /// @param modelId Model it is for.
    /// @param lowestVersion Lowest version it is for.
    /// @param start First second of the term.
    /// @param end First second after it.
    /// @param seats Nodes that may run at once.
    /// @param answers Answers it pays for.
    /// @param text Digest of its text.
    struct Draft {
        IModelRegistry models;
        address releases;
        bytes32 modelId;
        uint32 lowestVersion;
        uint40 start;
        uint40 end;
        uint16 seats;
        uint64 answers;
        bytes32 text;
    }

    /// @notice Everything the licence says, once and for all.
    /// @param modelId The model.
    /// @param lowestVersion Lowest version covered.
    /// @param start First second of the term.
    /// @param end First second after the term.
    /// @param seats How many nodes may run at once.
    /// @param answers How many answers it is good for.
    /// @param text Digest of the text.
    event Drafted(
        bytes32 indexed modelId,
        uint32 lowestVersion,
        uint40 start,
        uint40 end,
        uint16 seats,
        uint64 answers,
        bytes32 text
    );

    /// @notice The licence permits nothing until it is resumed.
    /// @param modelId The model.
    event Suspended(bytes32 indexed modelId);

    /// @notice The licence permits again.
    /// @param modelId The model.
    event Resumed(bytes32 indexed modelId);

    /// @notice The licence permits nothing, for ever.
    /// @param modelId The model.
    event Revoked(bytes32 indexed modelId);

    /// @notice Answers were debited or credited.
    /// @param remaining Answers left.
    event Metered(uint64 remaining);

    /// @notice The term holds no second.
    /// @param start First second of the term.
    /// @param end First second after the term.
    error EmptyTerm(uint40 start, uint40 end);

    /// @notice A licence has at least one seat.
    error NoSeats();

    /// @notice Only the model's current owner may do this.
    /// @param modelId The model.
    /// @param caller Account that tried.
    error NotLicensor(bytes32 modelId, address caller);

    /// @notice The licence is not in a state that this step starts from.
    /// @param state State it is in.
    error WrongState(State state);

    /// @notice Only the release log may do this.
    /// @param caller Account that tried.
    error NotReleaseLog(address caller);

    /// @notice The licence has fewer answers left than asked for.
    /// @param remaining Answers left.
    /// @param asked Answers asked for.
    error CreditExhausted(uint64 remaining, uint64 asked);

    IModelRegistry public immutable MODELS;
    address public immutable RELEASES;
    bytes32 public immutable MODEL_ID;
    uint32 public immutable LOWEST_VERSION;
    uint40 public immutable START;
    uint40 public immutable END;
    uint16 private immutable _SEATS;
    bytes32 private immutable _TEXT;

    State public state;
    uint64 public remaining;

    constructor(Draft memory draft) {
        if (draft.end <= draft.start) revert EmptyTerm(draft.start, draft.end);
        if (draft.seats == 0) revert NoSeats();
        MODELS = draft.models;
        RELEASES = draft.releases;
        MODEL_ID = draft.modelId;
        LOWEST_VERSION = draft.lowestVersion;
        START = draft.start;
        END = draft.end;
        _SEATS = draft.seats;
        _TEXT = draft.text;
        remaining = draft.answers;
        emit Drafted(
            draft.modelId, draft.lowestVersion, draft.start, draft.end, draft.seats, draft.answers, draft.text
        );
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

    /// @inheritdoc ILicence
    function use(uint64 amount) external {
        _requireReleaseLog();
        if (amount > remaining) revert CreditExhausted(remaining, amount);
        remaining -= amount;
        emit Metered(remaining);
    }

    /// @inheritdoc ILicence
    function credit(uint64 amount) external {
        _requireReleaseLog();
        remaining += amount;
        emit Metered(remaining);
    }

    /// @inheritdoc ILicence
    function permits(bytes32 modelId, uint32 version, bytes32, uint40 when) external view returns (bool, uint8) {
        Refusal refusal = _refusal(modelId, version, when);
        return (refusal == Refusal.None, uint8(refusal));
    }

    /// @inheritdoc ILicence
    function seats() external view returns (uint16) {
        return _SEATS;
    }

    /// @inheritdoc ILicence
    function text() external view returns (bytes32) {
        return _TEXT;
    }

    function _move(State from, State to) private {
        _requireLicensor();
        if (state != from) revert WrongState(state);
        state = to;
    }

    function _requireLicensor() private view {
        if (MODELS.ownerOf(MODEL_ID) != msg.sender) revert NotLicensor(MODEL_ID, msg.sender);
    }

    function _requireReleaseLog() private view {
        if (msg.sender != RELEASES) revert NotReleaseLog(msg.sender);
    }

    function _refusal(bytes32 modelId, uint32 version, uint40 when) private view returns (Refusal) {
        if (modelId != MODEL_ID || version < LOWEST_VERSION) return Refusal.OtherModel;
        if (state == State.Revoked) return Refusal.Revoked;
        if (state == State.Suspended) return Refusal.Suspended;
        if (when < START) return Refusal.NotStarted;
        return when < END ? Refusal.None : Refusal.Ended;
    }
}
