// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";

/// @notice A record's nine short fields in one word, the lowest bits first: asOf 40, expiry 40, recordedAt 40,
/// blockNumber 40, level 8, kinds 32, place 16, signers 32, flags 8.
type RecordSlot is uint256;

using {unpack, expiry, recordedAt, blockNumber, signers, withdrawn, withdraw} for RecordSlot global;

uint256 constant WITHDRAWN = 1 << 248;

/// @notice Pack a verdict as recorded now `by` some verifiers; one write of the slot instead of nine.
function pack(IAttestationLog.Verdict memory verdict, uint32 by) view returns (RecordSlot) {
    uint256 word = uint256(verdict.asOf) | uint256(verdict.expiry) << 40 | block.timestamp << 80;
    word |= uint256(verdict.blockNumber) << 120 | uint256(verdict.level) << 160;
    word |= uint256(verdict.kinds) << 168 | uint256(verdict.place) << 200 | uint256(by) << 216;
    return RecordSlot.wrap(word);
}

/// @notice The record with its halves of workload and platform.
function unpack(RecordSlot slot, bytes16 workload, bytes16 platform) pure returns (IAttestationLog.Record memory) {
    uint256 word = RecordSlot.unwrap(slot);
    return IAttestationLog.Record({
        asOf: uint40(word),
        expiry: uint40(word >> 40),
        recordedAt: uint40(word >> 80),
        blockNumber: uint40(word >> 120),
        level: uint8(word >> 160),
        kinds: uint32(word >> 168),
        place: uint16(word >> 200),
        signers: uint32(word >> 216),
        flags: uint8(word >> 248),
        workload: workload,
        platform: platform
    });
}

function expiry(RecordSlot slot) pure returns (uint40) {
    return uint40(RecordSlot.unwrap(slot) >> 40);
}

function recordedAt(RecordSlot slot) pure returns (uint40) {
    return uint40(RecordSlot.unwrap(slot) >> 80);
}

function blockNumber(RecordSlot slot) pure returns (uint40) {
    return uint40(RecordSlot.unwrap(slot) >> 120);
}

function signers(RecordSlot slot) pure returns (uint32) {
    return uint32(RecordSlot.unwrap(slot) >> 216);
}

function withdrawn(RecordSlot slot) pure returns (bool) {
    return RecordSlot.unwrap(slot) & WITHDRAWN != 0;
}

/// @notice The same slot, withdrawn for ever.
function withdraw(RecordSlot slot) pure returns (RecordSlot) {
    return RecordSlot.wrap(RecordSlot.unwrap(slot) | WITHDRAWN);
}
