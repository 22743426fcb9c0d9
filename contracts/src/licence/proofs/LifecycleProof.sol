// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {Lifecycle} from "contracts/licence/Lifecycle.sol";

/// @title What the life of a compiled licence promises, move by move: proved when a licence is built, never deployed.
/// @dev An induction: from any standing that is sound, any one move at any time under any terms leaves a sound standing and
/// keeps every promise. A licence begins sound, so all orders of moves are covered, and the solver has no loop to follow.
contract LifecycleProof is Lifecycle {
    enum Move {
        Begin,
        Pay,
        Activate,
        Suspend,
        Resume,
        Notify,
        Revoke,
        Expire
    }

    struct Terms {
        uint40 start;
        uint40 end;
        uint40 length;
        uint40 period;
        uint40 notice;
    }

    /// @notice Make one move from any sound standing, and hold it to the promises.
    function check(ICompiledLicence.Standing memory was, Terms memory terms, Move move, uint40 time, uint40 when) external {
        require((terms.end == 0) != (terms.length == 0));
        require(_isSound(was, terms));
        _held = move == Move.Begin ? _nothing() : was;
        ICompiledLicence.State before = _stateAt(time);
        _make(move, terms, time);
        ICompiledLicence.Standing memory now_ = _held;

        assert(_isSound(now_, terms));
        _holdStates(was, now_, terms, move, before, time);
        _holdTimes(was, now_, terms, move, before, time);
        // Nothing is used but within the term and the paid time of an active licence.
        assert(
            _unlived(when) != ICompiledLicence.Refusal.None
                || (
                    now_.state == ICompiledLicence.State.Active && now_.since <= when && when < now_.end
                        && when < now_.paidUntil && (terms.period == 0 || now_.prepaid)
                )
        );
    }

    function _holdStates(
        ICompiledLicence.Standing memory was,
        ICompiledLicence.Standing memory now_,
        Terms memory terms,
        Move move,
        ICompiledLicence.State before,
        uint40 time
    ) private pure {
        assert(move == Move.Begin || now_.turn == was.turn + 1);
        // Revoked and expired are for ever, and a licence whose end has passed can only be recorded as expired.
        assert(move == Move.Begin || was.state < ICompiledLicence.State.Revoked);
        assert(move == Move.Begin || move == Move.Expire || before < ICompiledLicence.State.Revoked);
        // Each state is reached by its own move alone.
        assert(
            now_.state != ICompiledLicence.State.Active || was.state == now_.state || move == Move.Activate
                || move == Move.Resume
        );
        assert(move != Move.Activate || (was.state == ICompiledLicence.State.Granted && time >= terms.start));
        assert(move != Move.Activate || terms.period == 0 || was.prepaid);
        assert(move != Move.Resume || was.state == ICompiledLicence.State.Suspended);
        assert(move != Move.Expire || time >= was.end);
    }

    function _holdTimes(
        ICompiledLicence.Standing memory was,
        ICompiledLicence.Standing memory now_,
        Terms memory terms,
        Move move,
        ICompiledLicence.State before,
        uint40 time
    ) private pure {
        // A licence is revoked after its notice only, all of which lay within the term; notice once given stays.
        assert(
            move != Move.Revoke || terms.notice == 0
                || (was.noticeOver != 0 && time >= was.noticeOver && time >= uint256(terms.start) + terms.notice)
        );
        assert(move != Move.Notify || (was.noticeOver == 0 && now_.noticeOver >= uint256(time) + terms.notice));
        // Nobody begins to pay under notice.
        assert(move != Move.Pay || before != ICompiledLicence.State.Granted || was.noticeOver == 0);
        assert(move == Move.Begin || move == Move.Notify || now_.noticeOver == was.noticeOver);
        // The end moves once at most, on activation; what is paid is never taken back, and at most one period lies ahead.
        assert(move == Move.Begin || move == Move.Activate || now_.end == was.end);
        assert(move == Move.Begin || move == Move.Activate || now_.paidUntil >= was.paidUntil);
        assert(move == Move.Begin || move == Move.Activate || move == Move.Pay || now_.paidUntil == was.paidUntil);
        assert(
            move != Move.Pay || before == ICompiledLicence.State.Granted
                || uint256(now_.paidUntil) <= uint256(time) + 2 * uint256(terms.period)
        );
    }

    function _make(Move move, Terms memory terms, uint40 time) private {
        if (move == Move.Begin) _begin(terms.end, terms.period);
        else if (move == Move.Pay) _pay(time, terms.period);
        else if (move == Move.Activate) _activate(time, terms.start, terms.length, terms.period);
        else if (move == Move.Suspend) _suspend(time);
        else if (move == Move.Resume) _resume(time);
        else if (move == Move.Notify) _notify(time, terms.start, terms.notice);
        else if (move == Move.Revoke) _revoke(time, terms.notice);
        else _expire(time);
    }

    /// @dev What holds of every standing that a licence can reach.
    function _isSound(ICompiledLicence.Standing memory held, Terms memory terms) private pure returns (bool) {
        bool granted = held.state == ICompiledLicence.State.Granted;
        bool running = held.state == ICompiledLicence.State.Active || held.state == ICompiledLicence.State.Suspended;
        return (!running || held.end != 0) && (!running || terms.period == 0 || held.prepaid)
            && (!granted || held.since == 0) && (terms.length != 0 || held.end == terms.end)
            && (held.noticeOver == 0 || held.noticeOver >= uint256(terms.start) + terms.notice);
    }

    function _nothing() private pure returns (ICompiledLicence.Standing memory nothing) {}
}
