// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ILicence} from "contracts/interfaces/ILicence.sol";
import {IReleaseLog} from "contracts/interfaces/IReleaseLog.sol";

/// @title A licence whose author may make it answer anything, or nothing.
contract OddLicence {
    /// @dev What a view does instead of answering.
    enum Mood {
        Answers,
        Reverts,
        Burns,
        Bombs,
        SaysOneWord,
        SaysTwo,
        SaysHugeReason
    }

    Mood public onPermits;
    Mood public onSeats;
    Mood public onUse;
    Mood public onCredit;
    uint256 public used;

    function feel(Mood permitting, Mood seating, Mood debiting, Mood crediting) external {
        (onPermits, onSeats, onUse, onCredit) = (permitting, seating, debiting, crediting);
    }

    function permits(bytes32, uint32, bytes32, uint40) external view returns (bool, uint8) {
        _act(onPermits);
        return (true, 0);
    }

    function seats() external view returns (uint16) {
        _act(onSeats);
        return 2;
    }

    function text() external pure returns (bytes32) {
        return "odd";
    }

    function use(uint64 amount) external {
        _act(onUse);
        used += amount;
    }

    function credit(uint64 amount) external {
        _act(onCredit);
        used -= amount;
    }

    function _act(Mood mood) private view {
        if (mood == Mood.Reverts) revert("no");
        if (mood == Mood.Burns) {
            while (gasleft() > 100) {}
            revert("burnt");
        }
        if (mood == Mood.Bombs) _return(1e5, 1, 0);
        if (mood == Mood.SaysOneWord) _return(32, 1, 0);
        if (mood == Mood.SaysTwo) _return(64, 2, 0);
        if (mood == Mood.SaysHugeReason) _return(64, 0, 0x1ff);
    }

    function _return(uint256 size, uint256 first, uint256 second) private pure {
        assembly {
            mstore(0x00, first)
            mstore(0x20, second)
            return(0x00, size)
        }
    }
}

/// @title A licence that is the broker as well, and calls back while it is debited.
contract RecursiveLicence {
    IReleaseLog private immutable RELEASES;
    IReleaseLog.Subject private _subject;
    bytes public failure;

    constructor(IReleaseLog releases) {
        RELEASES = releases;
    }

    function release(IReleaseLog.Subject calldata subject) external {
        _subject = subject;
        RELEASES.releaseKey(subject, 0, 100, 10, 0);
    }

    function permits(bytes32, uint32, bytes32, uint40) external pure returns (bool, uint8) {
        return (true, 0);
    }

    function seats() external pure returns (uint16) {
        return 2;
    }

    function text() external pure returns (bytes32) {
        return "recursive";
    }

    function use(uint64) external {
        (bool ok, bytes memory output) =
            address(RELEASES).call(abi.encodeCall(IReleaseLog.releaseKey, (_subject, 1, 100, 10, bytes32(0))));
        require(!ok, "released twice");
        // Only what it was refused for fits into the stipend.
        failure = abi.encodePacked(bytes4(output));
    }

    function credit(uint64) external {}
}

/// @title A licensee that is a contract and signs by EIP-1271.
contract ContractLicensee {
    bytes32 private immutable DIGEST;

    constructor(bytes32 digest) {
        DIGEST = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == DIGEST ? this.isValidSignature.selector : bytes4(0);
    }
}
