// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";

/// @title The life of a compiled licence: granted, active, suspended, revoked or expired; paid until when; under notice or not.
/// @dev Time and terms are arguments and every guard is a `require`, so that all orders of calls can be proved.
abstract contract Lifecycle {
    uint40 internal constant FOR_EVER = type(uint40).max;

    ICompiledLicence.Standing internal _held;

    /// @dev An end of zero is set on activation; a licence free of charge is paid for ever.
    function _begin(uint40 end, uint40 period) internal {
        _held.end = end;
        if (period == 0) _held.paidUntil = FOR_EVER;
    }

    /// @dev The state at a time: an open licence is expired from its end on, recorded or not.
    function _stateAt(uint40 time) internal view returns (ICompiledLicence.State) {
        bool over = _held.end != 0 && time >= _held.end && _isOpen(_held.state);
        return over ? ICompiledLicence.State.Expired : _held.state;
    }

    /// @dev Before activation once, and not under notice; a fee for a period again when it is due or for one period ahead.
    function _pay(uint40 time, uint40 period) internal {
        if (_stateAt(time) == ICompiledLicence.State.Granted) {
            require(!_held.prepaid, ICompiledLicence.NothingDue(_held.paidUntil));
            require(_held.noticeOver == 0, ICompiledLicence.NoticeGiven(_held.noticeOver));
            _held.prepaid = true;
        } else {
            _requireRunning(time);
            require(
                period != FOR_EVER && uint256(_held.paidUntil) <= uint256(time) + period,
                ICompiledLicence.NothingDue(_held.paidUntil)
            );
            _held.paidUntil = (_held.paidUntil > time ? _held.paidUntil : time) + period;
        }
        _turn();
    }

    /// @dev A `length` of zero keeps the end that `_begin` set.
    function _activate(uint40 time, uint40 start, uint40 length, uint40 period) internal {
        _requireState(time, ICompiledLicence.State.Granted);
        require(time >= start, ICompiledLicence.NotStarted(start));
        require(period == 0 || _held.prepaid, ICompiledLicence.FeeUnpaid());
        _held.state = ICompiledLicence.State.Active;
        _held.since = time;
        if (length != 0) _held.end = time + length;
        _held.paidUntil = period == 0 || period == FOR_EVER ? FOR_EVER : time + period;
        _turn();
    }

    function _suspend(uint40 time) internal {
        _requireState(time, ICompiledLicence.State.Active);
        _held.state = ICompiledLicence.State.Suspended;
        _turn();
    }

    function _resume(uint40 time) internal {
        _requireState(time, ICompiledLicence.State.Suspended);
        _held.state = ICompiledLicence.State.Active;
        _held.since = time;
        _turn();
    }

    /// @dev Notice runs within the term: given before, it begins with the term.
    function _notify(uint40 time, uint40 start, uint40 notice) internal {
        _requireOpen(time);
        require(_held.noticeOver == 0, ICompiledLicence.NoticeGiven(_held.noticeOver));
        _held.noticeOver = (time < start ? start : time) + notice;
        _turn();
    }

    function _revoke(uint40 time, uint40 notice) internal {
        _requireOpen(time);
        bool served = _held.noticeOver != 0 && time >= _held.noticeOver;
        require(notice == 0 || served, ICompiledLicence.NoticeNotOver(_held.noticeOver));
        _held.state = ICompiledLicence.State.Revoked;
        _turn();
    }

    function _expire(uint40 time) internal {
        require(_isOpen(_held.state), ICompiledLicence.WrongState(_held.state));
        require(_stateAt(time) == ICompiledLicence.State.Expired, ICompiledLicence.NotOver(_held.end));
        _held.state = ICompiledLicence.State.Expired;
        _turn();
    }

    /// @dev Why a node may not be used at a time, as far as the licence's own life says.
    function _unlived(uint40 when) internal view returns (ICompiledLicence.Refusal) {
        ICompiledLicence.State state = _held.state;
        if (state == ICompiledLicence.State.Granted) return ICompiledLicence.Refusal.NotActivated;
        if (state == ICompiledLicence.State.Suspended) return ICompiledLicence.Refusal.Suspended;
        if (state == ICompiledLicence.State.Revoked) return ICompiledLicence.Refusal.Revoked;
        if (when < _held.since) return ICompiledLicence.Refusal.NotYet;
        if (state == ICompiledLicence.State.Expired || when >= _held.end) return ICompiledLicence.Refusal.Ended;
        return when < _held.paidUntil ? ICompiledLicence.Refusal.None : ICompiledLicence.Refusal.Unpaid;
    }

    /// @dev No `++`: the checker does not follow it into a struct.
    function _turn() internal {
        _held.turn = _held.turn + 1;
    }

    function _requireState(uint40 time, ICompiledLicence.State expected) private view {
        ICompiledLicence.State state = _stateAt(time);
        require(state == expected, ICompiledLicence.WrongState(state));
    }

    function _requireOpen(uint40 time) private view {
        ICompiledLicence.State state = _stateAt(time);
        require(_isOpen(state), ICompiledLicence.WrongState(state));
    }

    function _requireRunning(uint40 time) private view {
        ICompiledLicence.State state = _stateAt(time);
        require(
            state == ICompiledLicence.State.Active || state == ICompiledLicence.State.Suspended,
            ICompiledLicence.WrongState(state)
        );
    }

    function _isOpen(ICompiledLicence.State state) private pure returns (bool) {
        return state < ICompiledLicence.State.Revoked;
    }
}
