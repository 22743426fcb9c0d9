// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ILicence} from "contracts/interfaces/ILicence.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {Lifecycle} from "contracts/licence/Lifecycle.sol";
import {Meter} from "contracts/licence/Meter.sol";

/// @title A licence for a term, for a number of seats and answers.
contract TermLicence is ILicence, Lifecycle, Meter {
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

    /// @notice The term holds no second.
    /// @param start First second of the term.
    /// @param end First second after the term.
    error EmptyTerm(uint40 start, uint40 end);

    /// @notice A licence has at least one seat.
    error NoSeats();

    uint32 public immutable LOWEST_VERSION;
    uint40 public immutable START;
    uint40 public immutable END;
    uint16 private immutable _SEATS;
    bytes32 private immutable _TEXT;

    constructor(Draft memory draft) Lifecycle(draft.models, draft.modelId) Meter(draft.releases, draft.answers) {
        if (draft.end <= draft.start) revert EmptyTerm(draft.start, draft.end);
        if (draft.seats == 0) revert NoSeats();
        LOWEST_VERSION = draft.lowestVersion;
        START = draft.start;
        END = draft.end;
        _SEATS = draft.seats;
        _TEXT = draft.text;
        emit Drafted(
            draft.modelId, draft.lowestVersion, draft.start, draft.end, draft.seats, draft.answers, draft.text
        );
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

    /// @inheritdoc ILicence
    function use(uint64 amount) external {
        _use(amount);
    }

    /// @inheritdoc ILicence
    function credit(uint64 amount) external {
        _credit(amount);
    }

    function _refusal(bytes32 modelId, uint32 version, uint40 when) private view returns (Refusal) {
        if (modelId != MODEL_ID || version < LOWEST_VERSION) return Refusal.OtherModel;
        if (state == State.Revoked) return Refusal.Revoked;
        if (state == State.Suspended) return Refusal.Suspended;
        if (when < START) return Refusal.NotStarted;
        return when < END ? Refusal.None : Refusal.Ended;
    }
}
