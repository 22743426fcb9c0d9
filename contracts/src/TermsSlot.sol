// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPolicyRegistry} from "contracts/interfaces/IPolicyRegistry.sol";

/// @notice A policy's terms in one word, with the number of its burn domain; the lowest bits first: maximumAge 32,
/// challengeAge 32, lease 32, quota 64, depth 16, withdrawnVerifiers 32, verifiers 6, threshold 6, minimumLevel 3,
/// published 1, withdrawn 1, domain 31. All zero when the policy was never published.
type TermsSlot is uint256;

using {
    unpack,
    maximumAge,
    challengeAge,
    withdrawnVerifiers,
    threshold,
    minimumLevel,
    domain,
    inForce,
    withdrawPolicy,
    withdrawVerifier
} for TermsSlot global;

uint256 constant PUBLISHED = 1 << 223;
uint256 constant WITHDRAWN = 1 << 224;

/// @notice Pack what a policy enforces, published now; `number` is its burn domain's, zero for none.
function pack(IPolicyRegistry.Enforced calldata enforced, uint256 number) pure returns (TermsSlot) {
    uint256 word = uint256(enforced.maximumAge) | uint256(enforced.challengeAge) << 32 | uint256(enforced.lease) << 64;
    word |= uint256(enforced.quota) << 96 | uint256(enforced.depth) << 160 | enforced.verifiers.length << 208;
    word |= uint256(enforced.threshold) << 214 | uint256(enforced.minimumLevel) << 220 | number << 225;
    return TermsSlot.wrap(word | PUBLISHED);
}

/// @notice The terms by name.
function unpack(TermsSlot slot) pure returns (IPolicyRegistry.Terms memory) {
    uint256 word = TermsSlot.unwrap(slot);
    return IPolicyRegistry.Terms({
        verifiers: uint8(word >> 208) & 0x3f,
        threshold: threshold(slot),
        minimumLevel: minimumLevel(slot),
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
    return uint8(TermsSlot.unwrap(slot) >> 214) & 0x3f;
}

function minimumLevel(TermsSlot slot) pure returns (uint8) {
    return uint8(TermsSlot.unwrap(slot) >> 220) & 0x07;
}

/// @notice Number of the policy's burn domain; zero for none.
function domain(TermsSlot slot) pure returns (uint256) {
    return TermsSlot.unwrap(slot) >> 225;
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
