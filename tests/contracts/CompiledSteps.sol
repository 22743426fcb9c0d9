// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ReleaseLog} from "contracts/ReleaseLog.sol";
import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {CompiledFixture} from "./CompiledFixture.sol";

/// @title Whatever parties, strangers, logs and time may do to two compiled licences, in any order.
contract CompiledSteps is CompiledFixture {
    /// @dev Who may make a move.
    enum Role {
        Anyone,
        Licensor,
        Licensee,
        Either,
        Log
    }

    mapping(address licence => ICompiledLicence.Standing) private _before;
    mapping(address licence => uint256) public paid;
    mapping(address licence => uint256) public drawn;
    mapping(bytes4 move => uint256) public made;
    uint256 public bought;
    uint256 public used;
    uint256 public credited;
    uint256 public byThief;
    uint256 public reopened;
    uint256 public miscounted;
    uint256 public wronglyPermitted;
    uint256 public permitted;
    uint256 public overpaid;

    ReleaseLog private _other;

    constructor() {
        setUp();
        _other = _wire();
        vm.deal(owner, 100 ether);
        _note(sold);
        _note(rented);
    }

    function pay(bool sell, uint8 who, uint256 amount) public {
        uint256 value = sell ? (amount % 8 == 0 ? amount % (2 * FEE) : FEE) : amount % 16 / 15;
        bytes memory call = abi.encodeCall(ICompiledLicence.pay, (_turn(sell, amount)));
        _move(sell, who, value, call, sell ? Role.Licensee : Role.Licensor);
    }

    function buy(uint8 who, uint32 packs, uint256 turn) public {
        packs %= 5;
        bytes memory call = abi.encodeCall(ICompiledLicence.buy, (_turn(true, turn), packs));
        if (_move(true, who, PACK_PRICE * packs, call, Role.Licensee)) bought += PACK * packs;
    }

    function activate(bool sell, uint8 who, uint256 turn) public {
        _move(sell, who, 0, abi.encodeCall(ICompiledLicence.activate, (_turn(sell, turn))), Role.Licensee);
    }

    function resume(bool sell, uint8 who, uint256 turn) public {
        _move(sell, who, 0, abi.encodeCall(ICompiledLicence.resume, (_turn(sell, turn))), Role.Licensor);
    }

    function suspend(bool sell, uint8 who) public {
        _move(sell, who, 0, abi.encodeCall(ICompiledLicence.suspend, ()), Role.Licensor);
    }

    function notify(uint8 who) public {
        _move(false, who, 0, abi.encodeCall(ICompiledLicence.notify, ()), Role.Licensor);
    }

    /// @dev Seldom, so that other lives go on.
    function revoke(bool sell, uint8 who, uint8 chance) public {
        if (chance % 8 != 0) return;
        _move(sell, who, 0, abi.encodeCall(ICompiledLicence.revoke, ()), Role.Licensor);
    }

    function expire(bool sell, uint8 who) public {
        _move(sell, who, 0, abi.encodeCall(ICompiledLicence.expire, ()), Role.Anyone);
    }

    function use(uint8 who, uint64 amount) public {
        amount %= PACK;
        if (_move(true, who, 0, abi.encodeCall(ILicence.use, (amount)), Role.Log)) used += amount;
    }

    function credit(uint8 who, uint64 amount) public {
        amount %= PACK;
        if (_move(true, who, 0, abi.encodeCall(ILicence.credit, (amount)), Role.Log)) credited += amount;
    }

    function draw(bool sell, uint8 who) public {
        ICompiledLicence which = sell ? sold : rented;
        (address to, uint256 amount) = (_caller(which, who, Role.Licensor), address(which).balance);
        uint256 held = to.balance;
        if (!_move(sell, who, 0, abi.encodeCall(ICompiledLicence.draw, ()), Role.Licensor)) return;
        drawn[address(which)] += amount;
        if (to.balance != held + amount || amount == 0) ++overpaid;
    }

    function rebind(bool sell, uint8 who, bool elsewhere) public {
        address log = address(elsewhere ? _other : releases);
        _move(sell, who, 0, abi.encodeCall(ICompiledLicence.rebind, (log, modelId)), Role.Either);
    }

    function attest(uint8 flaw) public {
        _later(12);
        _submit(_attested(flaw % 8 == 0 ? 0 : TPM, flaw % 8 == 1 ? 0 : SWITZERLAND));
        _look();
    }

    function withdrawNode(uint8 chance) public {
        if (chance % 4 != 0) return;
        vm.prank(owner);
        try attestations.withdraw(policyId, node.nodeId) {} catch {}
        node = _guest(string(abi.encode(block.timestamp)));
        _look();
    }

    function handOver(uint8 which) public {
        if (which % 4 == 0) _sellModelTo(models.ownerOf(modelId) == owner ? stranger : owner);
        if (which % 4 == 1) _passTo(sold, licences.licenseeOf(address(sold)) == licensee ? broker : licensee);
        _look();
    }

    function wait(uint32 seconds_) public {
        uint256 most = seconds_ % 4 == 0 ? 2 weeks : seconds_ % 4 == 1 ? 2 days : 2 hours;
        uint40 edge = rented.standing().paidUntil;
        bool near = seconds_ % 4 == 3 && edge != FOR_EVER && edge > _now() + 600;
        _later(near ? edge - _now() - 600 : seconds_ % most + 1);
        _look();
    }

    /// @dev Every second time one who may, of two parties either; otherwise anyone.
    function _caller(ICompiledLicence which, uint8 who, Role role) private view returns (address) {
        address licensor = models.ownerOf(modelId);
        address party = licences.licenseeOf(address(which));
        (address log,) = which.bound();
        if (who % 2 == 0) {
            if (role == Role.Log) return log;
            return role == Role.Licensor || (role == Role.Either && who % 4 == 0) ? licensor : party;
        }
        address[6] memory anyone = [licensor, party, address(releases), address(_other), stranger, broker];
        return anyone[who / 2 % 6];
    }

    /// @dev Mostly the right turn.
    function _turn(bool sell, uint256 entropy) private view returns (uint32) {
        uint32 turn = (sell ? sold : rented).standing().turn;
        return entropy % 16 == 1 ? turn + 1 : turn;
    }

    function _holds(ICompiledLicence which, Role role, address caller) private view returns (bool) {
        bool licensor = models.ownerOf(modelId) == caller;
        bool party = licences.licenseeOf(address(which)) == caller;
        (address log,) = which.bound();
        if (role == Role.Licensor) return licensor;
        if (role == Role.Licensee) return party;
        if (role == Role.Either) return licensor || party;
        return role == Role.Anyone || log == caller;
    }

    function _move(bool sell, uint8 who, uint256 value, bytes memory call, Role role) private returns (bool ok) {
        ICompiledLicence which = sell ? sold : rented;
        address caller = _caller(which, who, role);
        bool may = _holds(which, role, caller);
        if (caller.balance < value) vm.deal(caller, 10 ether);
        vm.prank(caller);
        (ok,) = address(which).call{value: value}(call);
        if (ok) {
            ++made[bytes4(call)];
            paid[address(which)] += value;
            if (!may) ++byThief;
        }
        bool counts = ok && role != Role.Log && role != Role.Either && bytes4(call) != ICompiledLicence.draw.selector;
        uint32 turn = which.standing().turn;
        if (turn != _before[address(which)].turn + (counts ? 1 : 0)) ++miscounted;
        _look();
    }

    function _look() private {
        _check(sold);
        _check(rented);
    }

    function _check(ICompiledLicence which) private {
        ICompiledLicence.Standing memory held = which.standing();
        ICompiledLicence.State last = _before[address(which)].state;
        if (last >= ICompiledLicence.State.Revoked && held.state != last) ++reopened;
        uint40 asOf = attestations.recordOf(policyId, node.nodeId).asOf;
        uint40 earlier = held.since == 0 ? 0 : held.since - 1;
        uint40[6] memory times = [_now(), earlier, asOf + EVERY - 1, asOf + EVERY, held.paidUntil, held.end];
        for (uint256 i = 0; i < times.length; ++i) {
            (bool allowed,) = which.permits(modelId, 1, node.nodeId, times[i]);
            if (!allowed) continue;
            ++permitted;
            if (!_mayPermit(which, held, times[i])) ++wronglyPermitted;
        }
        _note(which);
    }

    /// @dev Whether all that must be true of a licence is, by its standing and the logs.
    function _mayPermit(ICompiledLicence which, ICompiledLicence.Standing memory held, uint40 when)
        private
        view
        returns (bool)
    {
        IAttestationLog.Record memory record = attestations.recordOf(policyId, node.nodeId);
        bool live = attestations.standing(policyId, node.nodeId, when) == IAttestationLog.Standing.Live
            && record.asOf <= when && when - record.asOf < EVERY;
        bool fits = address(which) == address(sold)
            ? record.kinds & TPM != 0 && record.place == SWITZERLAND
            : uint256(record.gap) * 60 < EVERY;
        bool running = held.state == ICompiledLicence.State.Active
            || (held.state == ICompiledLicence.State.Expired && when < held.end);
        return live && fits && running && held.since <= when && when < held.end && when < held.paidUntil;
    }

    function _note(ICompiledLicence which) private {
        _before[address(which)] = which.standing();
    }

    function left() external view returns (uint64) {
        return sold.remaining();
    }

    function balances() external view returns (uint256, uint256) {
        return (address(sold).balance, address(rented).balance);
    }

    function addresses() external view returns (address, address) {
        return (address(sold), address(rented));
    }
}
