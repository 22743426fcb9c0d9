// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {ILicence} from "contracts/interfaces/ILicence.sol";
import {ILicenceRegistry} from "contracts/interfaces/ILicenceRegistry.sol";
import {IModelRegistry} from "contracts/interfaces/IModelRegistry.sol";
import {IWiring} from "contracts/interfaces/IWiring.sol";
import {Lifecycle} from "contracts/licence/Lifecycle.sol";
import {Seats} from "contracts/licence/Seats.sol";

/// @title A licence compiled from words; everything it says is a constant below, and its interface is ICompiledLicence.
contract Licence is ILicence, Lifecycle, Seats {
    bytes32 private constant _MODEL = 0x04125f014f1cafb54c7ca6221b7710e08d5382ce8e95dba15af443e2cd4e4d8e;
    uint32 private constant _LOWEST_VERSION = 1;
    uint40 private constant _START = 0;
    uint40 private constant _END = 0;
    uint40 private constant _LENGTH = 2592000;
    uint16 private constant _SEATS = 2;
    uint32 private constant _EVERY = 3600;
    bool private constant _REMOVES = false;
    uint32 private constant _KINDS = 10;
    uint40 private constant _PERIOD = 0;
    uint256 private constant _PRICE = 0;
    uint40 private constant _NOTICE = 86400;
    uint64 private constant _PACK = 0;
    uint256 private constant _PACK_PRICE = 0;
    bytes32 private constant _TEXT = 0x0d9585391fcfa6931518ddd04f70b0cc8c184e2aa080b552a4e72089fd3c11e5;
    uint256 private constant _PLACES_0 = 0x0000000000000000000000000000000000000000000000000000000000000000;
    uint256 private constant _PLACES_1 = 0x0000000000000000000000000000000000000000000000000000000000000000;
    uint256 private constant _PLACES_2 = 0x0010000000000000000000000000000000000000000000000000000000000000;
    uint256 private constant _PLACES_3 = 0x0000000000000000000000000000000000000000000001000000000000000000;

    IWiring private _releases;
    uint32 private _rebinds;
    bytes32 private _modelId;
    bool private transient _busy;
    mapping(address party => bytes32) private _proposals;

    /// @dev One call at a time: the only one that hands control to others is `draw`.
    modifier locking() {
        _lock();
        _;
        _busy = false;
    }

    modifier onlyLicensor() {
        _requireLicensor();
        _;
    }

    modifier onlyLicensee() {
        _requireLicensee();
        _;
    }

    modifier onlyReleaseLog() {
        _requireReleaseLog();
        _;
    }

    /// @dev Never on what protects a party: whoever kept moving could put that off for ever.
    modifier counted(uint32 turn) {
        _requireTurn(turn);
        _;
    }

    constructor(IWiring releases) {
        _releases = releases;
        _modelId = _MODEL;
        _begin(_END, _PERIOD);
        emit ICompiledLicence.Compiled(_MODEL, terms());
    }

    /// @notice See ICompiledLicence.
    function activate(uint32 turn) external locking onlyLicensee counted(turn) {
        _activate(_time(), _START, _LENGTH, _PERIOD);
        _moved("activate");
    }

    /// @notice See ICompiledLicence.
    function suspend() external locking onlyLicensor {
        _suspend(_time());
        _moved("suspend");
    }

    /// @notice See ICompiledLicence.
    function resume(uint32 turn) external locking onlyLicensor counted(turn) {
        _resume(_time());
        _moved("resume");
    }

    /// @notice See ICompiledLicence.
    function notify() external locking onlyLicensor {
        _notify(_time(), _START, _NOTICE);
        _moved("notify");
    }

    /// @notice See ICompiledLicence.
    function revoke() external locking onlyLicensor {
        _revoke(_time(), _NOTICE);
        _moved("revoke");
    }

    /// @notice See ICompiledLicence.
    function expire() external locking {
        _expire(_time());
        _moved("expire");
    }

    /// @inheritdoc ILicence
    function use(uint64) external locking onlyReleaseLog {
    }

    /// @inheritdoc ILicence
    function credit(uint64) external locking onlyReleaseLog {
    }

    /// @notice See ICompiledLicence.
    function draw() external locking onlyLicensor {
        uint256 amount = address(this).balance;
        require(amount != 0, ICompiledLicence.NothingToDraw());
        emit ICompiledLicence.Drawn(msg.sender, amount);
        (bool taken,) = msg.sender.call{value: amount}("");
        require(taken, ICompiledLicence.DrawFailed(msg.sender));
    }

    /// @notice See ICompiledLicence. What was debited and not settled before is not given back afterwards.
    function rebind(IWiring releases, bytes32 modelId) external locking {
        address licensor = _licensor();
        address licensee = _licensee();
        require(msg.sender == licensor || msg.sender == licensee, ICompiledLicence.NotLicensee(msg.sender));
        // Numbered, so that none outlives a rebind, not even one that leads back here.
        bytes32 proposal = keccak256(abi.encode(_rebinds, releases, modelId));
        _proposals[msg.sender] = proposal;
        emit ICompiledLicence.RebindProposed(msg.sender, address(releases), modelId);
        if (_proposals[licensor] != proposal || _proposals[licensee] != proposal) return;
        require(
            releases.MODELS().ownerOf(modelId) == licensor, ICompiledLicence.NotLicensor(modelId, licensor)
        );
        // Else it could lose its licensee for ever: who is none there could not ask to come back.
        require(
            releases.LICENCES().licenseeOf(address(this)) == licensee, ICompiledLicence.NotLicensee(licensee)
        );
        _releases = releases;
        ++_rebinds;
        _modelId = modelId;
        emit ICompiledLicence.Rebound(modelId, address(releases));
    }

    /// @inheritdoc ILicence
    function permits(bytes32 modelId, uint32 version, bytes32 nodeId, uint40 when)
        external
        view
        returns (bool, uint8)
    {
        ICompiledLicence.Refusal refusal = _refusal(modelId, version, nodeId, when);
        return (refusal == ICompiledLicence.Refusal.None, uint8(refusal));
    }

    /// @inheritdoc ILicence
    function seats() external pure returns (uint16) {
        return _SEATS;
    }

    /// @inheritdoc ILicence
    function text() external pure returns (bytes32) {
        return _TEXT;
    }

    /// @notice See ICompiledLicence.
    function standing() external view returns (ICompiledLicence.Standing memory held) {
        held = _held;
        held.state = _stateAt(_time());
    }

    /// @notice See ICompiledLicence.
    function remaining() external pure returns (uint64) {
        return type(uint64).max;
    }

    /// @notice See ICompiledLicence.
    function bound() external view returns (address releases, bytes32 modelId) {
        return (address(_releases), _modelId);
    }

    /// @notice See ICompiledLicence.
    function terms() public pure returns (ICompiledLicence.Terms memory) {
        return ICompiledLicence.Terms({
            modelId: _MODEL,
            lowestVersion: _LOWEST_VERSION,
            start: _START,
            end: _END,
            length: _LENGTH,
            seats: _SEATS,
            every: _EVERY,
            removes: _REMOVES,
            kinds: _KINDS,
            places: [_PLACES_0, _PLACES_1, _PLACES_2, _PLACES_3],
            period: _PERIOD,
            price: _PRICE,
            notice: _NOTICE,
            pack: _PACK,
            packPrice: _PACK_PRICE,
            text: _TEXT
        });
    }

    function _isAllowed(uint16 place) private pure returns (bool) {
        uint256 word = place < 256 ? _PLACES_0 : place < 512 ? _PLACES_1 : place < 768 ? _PLACES_2 : _PLACES_3;
        return place < 1024 && word >> (place & 255) & 1 == 1;
    }

    function _refusal(bytes32 modelId, uint32 version, bytes32 nodeId, uint40 when)
        private
        view
        returns (ICompiledLicence.Refusal refusal)
    {
        if (_busy) return ICompiledLicence.Refusal.Busy;
        if (modelId != _modelId || version < _LOWEST_VERSION) return ICompiledLicence.Refusal.OtherModel;
        refusal = _unlived(when);
        if (refusal != ICompiledLicence.Refusal.None) return refusal;
        IWiring releases = _releases;
        (,, bytes32 first, bytes32 second) = releases.MODELS().servedAt(modelId, version, when);
        IAttestationLog log = releases.ATTESTATIONS();
        refusal = _unattested(log, first, nodeId, when);
        if (refusal == ICompiledLicence.Refusal.None || second == bytes32(0)) return refusal;
        return _unattested(log, second, nodeId, when) == ICompiledLicence.Refusal.None
            ? ICompiledLicence.Refusal.None
            : refusal;
    }

    function _unattested(IAttestationLog log, bytes32 policyId, bytes32 nodeId, uint40 when)
        private
        view
        returns (ICompiledLicence.Refusal)
    {
        if (log.standing(policyId, nodeId, when) != IAttestationLog.Standing.Live) {
            return ICompiledLicence.Refusal.NoRecord;
        }
        IAttestationLog.Record memory record = log.recordOf(policyId, nodeId);
        bool suited = record.kinds & _KINDS != 0;
        return _unfit(record.asOf, record.gap, when, _EVERY, _REMOVES, suited, _isAllowed(record.place));
    }

    function _moved(bytes32 move) private {
        emit ICompiledLicence.Moved(_modelId, move, msg.sender, _held);
    }

    function _lock() private {
        require(!_busy, ICompiledLicence.Reentered());
        _busy = true;
    }

    function _requireTurn(uint32 turn) private view {
        require(turn == _held.turn, ICompiledLicence.OutOfTurn(_held.turn, turn));
    }

    function _requireLicensee() private view {
        require(_licensee() == msg.sender, ICompiledLicence.NotLicensee(msg.sender));
    }

    function _requireReleaseLog() private view {
        require(address(_releases) == msg.sender, ICompiledLicence.NotReleaseLog(msg.sender));
    }

    function _requireLicensor() private view {
        require(_licensor() == msg.sender, ICompiledLicence.NotLicensor(_modelId, msg.sender));
    }

    function _licensor() private view returns (address) {
        return _releases.MODELS().ownerOf(_modelId);
    }

    function _licensee() private view returns (address) {
        return _releases.LICENCES().licenseeOf(address(this));
    }

    function _time() private view returns (uint40) {
        return uint40(block.timestamp);
    }
}