// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";

/// @notice A record's ten short fields in one word, the lowest bits first: asOf 40, expiry and recordedAt as seconds after
/// asOf 32 each, blockNumber 40, level 8, kinds 32, place 16, signers 32, flags 8, gap 16.
type RecordSlot is uint256;

using {asOf, gap, unpack, expiry, recordedAt, blockNumber, signers, withdrawn, withdraw} for RecordSlot global;

uint256 constant WITHDRAWN = 1 << 232;

/// @notice Pack a verdict as recorded now `by` some verifiers in place of `before`; one write of the slot instead of ten.
/// A policy's ages take 32 bits, so both offsets of a verdict that was found fresh do.
function pack(IAttestationLog.Verdict memory verdict, uint32 by, RecordSlot before) view returns (RecordSlot) {
    uint256 start = verdict.asOf;
    uint256 word = start | uint256(uint32(verdict.expiry - start)) << 40 | uint256(uint32(block.timestamp - start)) << 72;
    word |= uint256(verdict.blockNumber) << 104 | uint256(verdict.level) << 144;
    word |= uint256(verdict.kinds) << 152 | uint256(verdict.place) << 184 | uint256(by) << 200;
    return RecordSlot.wrap(word | _gap(RecordSlot.unwrap(before), start) << 240);
}

/// @notice The record with its halves of workload and platform.
function unpack(RecordSlot slot, bytes16 workload, bytes16 platform) pure returns (IAttestationLog.Record memory) {
    uint256 word = RecordSlot.unwrap(slot);
    return IAttestationLog.Record({
        asOf: slot.asOf(),
        expiry: slot.expiry(),
        recordedAt: slot.recordedAt(),
        blockNumber: slot.blockNumber(),
        level: uint8(word >> 144),
        kinds: uint32(word >> 152),
        place: uint16(word >> 184),
        signers: slot.signers(),
        flags: uint8(word >> 232),
        workload: workload,
        platform: platform,
        gap: slot.gap()
    });
}

function asOf(RecordSlot slot) pure returns (uint40) {
    return uint40(RecordSlot.unwrap(slot));
}

function expiry(RecordSlot slot) pure returns (uint40) {
    uint256 word = RecordSlot.unwrap(slot);
    return uint40(uint256(uint40(word)) + uint32(word >> 40));
}

function recordedAt(RecordSlot slot) pure returns (uint40) {
    uint256 word = RecordSlot.unwrap(slot);
    return uint40(uint256(uint40(word)) + uint32(word >> 72));
}

function blockNumber(RecordSlot slot) pure returns (uint40) {
    return uint40(RecordSlot.unwrap(slot) >> 104);
}

function signers(RecordSlot slot) pure returns (uint32) {
    return uint32(RecordSlot.unwrap(slot) >> 200);
}

function withdrawn(RecordSlot slot) pure returns (bool) {
    return RecordSlot.unwrap(slot) & WITHDRAWN != 0;
}

function gap(RecordSlot slot) pure returns (uint16) {
    return uint16(RecordSlot.unwrap(slot) >> 240);
}

/// @notice The same slot, withdrawn for ever.
function withdraw(RecordSlot slot) pure returns (RecordSlot) {
    return RecordSlot.wrap(RecordSlot.unwrap(slot) | WITHDRAWN);
}

/// @dev The longest gap once a record as of `next` follows; verifiers may have dated it no later than the one before.
function _gap(uint256 before, uint256 next) pure returns (uint256 longest) {
    if (before == 0) return 0;
    longest = before >> 240;
    uint256 last = uint40(before);
    if (next <= last) return longest;
    uint256 since = (next - last) / 1 minutes;
    if (since > longest) longest = since < type(uint16).max ? since : type(uint16).max;
}
