// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";

/// @notice A policy's terms in one word, the lowest bits first: maximumAge 32, challengeAge 32, lease 32, quota 64,
/// depth 16, withdrawnVerifiers 32, verifiers 8, threshold 8, minimumLevel 8, published 1, withdrawn 1.
type TermsSlot is uint256;

using {unpack, maximumAge, challengeAge, withdrawnVerifiers, threshold, minimumLevel, inForce} for TermsSlot global;

uint256 constant PUBLISHED = 1 << 232;
uint256 constant WITHDRAWN = 1 << 233;

/// @notice Pack what a policy enforces, published now.
function pack(IPolicyRegistry.Enforced calldata enforced) pure returns (TermsSlot) {
    uint256 word = uint256(enforced.maximumAge) | uint256(enforced.challengeAge) << 32 | uint256(enforced.lease) << 64;
    word |= uint256(enforced.quota) << 96 | uint256(enforced.depth) << 160 | enforced.verifiers.length << 208;
    word |= uint256(enforced.threshold) << 216 | uint256(enforced.minimumLevel) << 224;
    return TermsSlot.wrap(word | PUBLISHED);
}

/// @notice The terms by name.
function unpack(TermsSlot slot) pure returns (IPolicyRegistry.Terms memory) {
    uint256 word = TermsSlot.unwrap(slot);
    return IPolicyRegistry.Terms({
        verifiers: uint8(word >> 208),
        threshold: uint8(word >> 216),
        minimumLevel: uint8(word >> 224),
        maximumAge: uint32(word),
        challengeAge: uint32(word >> 32),
        depth: uint16(word >> 160),
        lease: uint32(word >> 64),
        quota: uint64(word >> 96),
        withdrawnVerifiers: uint32(word >> 176),
        published: word & PUBLISHED != 0,
        withdrawn: word & WITHDRAWN != 0
    });
}

function maximumAge(TermsSlot slot) pure returns (uint32) {
    return uint32(TermsSlot.unwrap(slot));
}

function challengeAge(TermsSlot slot) pure returns (uint32) {
    return uint32(TermsSlot.unwrap(slot) >> 32);
}

function withdrawnVerifiers(TermsSlot slot) pure returns (uint32) {
    return uint32(TermsSlot.unwrap(slot) >> 176);
}

function threshold(TermsSlot slot) pure returns (uint8) {
    return uint8(TermsSlot.unwrap(slot) >> 216);
}

function minimumLevel(TermsSlot slot) pure returns (uint8) {
    return uint8(TermsSlot.unwrap(slot) >> 224);
}

/// @notice Published and not withdrawn.
function inForce(TermsSlot slot) pure returns (bool) {
    return TermsSlot.unwrap(slot) & (PUBLISHED | WITHDRAWN) == PUBLISHED;
}

/// @notice The same slot with the policy withdrawn for ever.
function withdrawPolicy(TermsSlot slot) pure returns (TermsSlot) {
    return TermsSlot.wrap(TermsSlot.unwrap(slot) | WITHDRAWN);
}

/// @notice The same slot with one verifier withdrawn for ever.
function withdrawVerifier(TermsSlot slot, uint32 bit) pure returns (TermsSlot) {
    return TermsSlot.wrap(TermsSlot.unwrap(slot) | uint256(bit) << 176);
}
