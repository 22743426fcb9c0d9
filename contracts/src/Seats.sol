// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {BoundedCall} from "contracts/BoundedCall.sol";
import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";

/// @title Who sits on which seat of a licence, and until when.
abstract contract Seats is IReleaseLog {
    uint256 private constant _SEATS_GAS = 30_000;

    mapping(address licence => mapping(uint16 index => Seat)) private _seats;

    /// @inheritdoc IReleaseLog
    function seatOf(address licence, uint16 seat) external view returns (Seat memory) {
        return _seats[licence][seat];
    }

    /// @dev A seat is free once its time is over; before that only the same platform may take it over, once per lease.
    function _sit(
        Subject memory subject,
        bytes32 release,
        uint16 index,
        uint40 until,
        IAttestationLog.Record memory rested,
        uint32 lease
    ) internal {
        (, uint256 count,) = BoundedCall.read(subject.licence, _SEATS_GAS, 1, abi.encodeCall(ILicence.seats, ()));
        if (index >= count) revert SeatOutOfRange(index, uint16(count));
        Seat storage seat = _seats[subject.licence][index];
        bytes16 holder = bytes16(keccak256(abi.encode(subject.policyId, rested.platform)));
        uint40 current = uint40(block.timestamp);
        uint40 takenOver = 0;
        if (seat.until > current) {
            bool rests = seat.takenOver == 0 || uint256(seat.takenOver) + lease <= current;
            if (seat.holder != holder || rested.level == 0 || !rests) {
                revert SeatTaken(subject.licence, index, seat.until);
            }
            takenOver = current;
            emit SeatTakenOver(subject.licence, index, seat.release, release);
        }
        _seats[subject.licence][index] = Seat(release, until, takenOver, holder);
    }

    function _stay(address licence, bytes32 release, uint16 index, uint40 until) internal {
        Seat storage seat = _seats[licence][index];
        if (seat.release != release) revert SeatLost(licence, index);
        seat.until = until;
    }

    function _leave(address licence, bytes32 release, uint16 index) internal {
        Seat storage seat = _seats[licence][index];
        if (seat.release == release) seat.until = uint40(block.timestamp);
    }
}
