// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IAttestationLog} from "contracts/interfaces/IAttestationLog.sol";
import {ICompiledLicence} from "contracts/interfaces/ICompiledLicence.sol";
import {CompiledFixture} from "./CompiledFixture.sol";

contract CompiledPermitsTest is CompiledFixture {
    /// it permits from activation on, and nothing before
    function test_permits() public {
        _attest();
        _says(sold, ICompiledLicence.Refusal.NotActivated);
        _paid();
        _says(sold, ICompiledLicence.Refusal.NotActivated);
        _later(10);
        vm.prank(licensee);
        sold.activate(1);
        _says(sold, ICompiledLicence.Refusal.None);
        _saysAt(sold, _now() - 1, ICompiledLicence.Refusal.NotYet);
        _revoke(sold);
        _says(sold, ICompiledLicence.Refusal.Revoked);
        _saysAt(sold, _now() - 1, ICompiledLicence.Refusal.Revoked);
    }

    /// it permits exactly its model, from its lowest version
    function test_permits_givenAnotherModel() public {
        _sell();
        _attest();
        (bool allowed, uint8 reason) = sold.permits("other", 1, node.nodeId, _now());
        assertTrue(!allowed, "another model");
        assertEq(reason, uint256(ICompiledLicence.Refusal.OtherModel));
        (allowed, reason) = sold.permits(modelId, 0, node.nodeId, _now());
        assertTrue(!allowed, "a version too low");
        assertEq(reason, uint256(ICompiledLicence.Refusal.OtherModel));
    }

    /// it permits from the first second to the last, half-open
    function test_permits_givenDates() public {
        _rent();
        _attest();
        _saysAt(rented, RENT_START - 1, ICompiledLicence.Refusal.NotYet);
        _saysAt(rented, RENT_START, ICompiledLicence.Refusal.None);
        _later(PERIOD);
        _confirm();
        _later(PERIOD);
        _confirm();
        node = _guest("late");
        _later(RENT_END - 1 - block.timestamp);
        _attest();
        _saysAt(rented, RENT_END - 1, ICompiledLicence.Refusal.None);
        _saysAt(rented, RENT_END, ICompiledLicence.Refusal.Ended);
    }

    /// it permits to the last second of its length, half-open
    function test_permits_givenALength() public {
        _sell();
        uint40 end = sold.standing().end;
        _later(LASTS - 1);
        _attest();
        _says(sold, ICompiledLicence.Refusal.None);
        _saysAt(sold, end, ICompiledLicence.Refusal.Ended);
        _later(1);
        _saysAt(sold, end - 1, ICompiledLicence.Refusal.None);
        _says(sold, ICompiledLicence.Refusal.Ended);
        sold.expire();
        _saysAt(sold, end - 1, ICompiledLicence.Refusal.Ended);
    }

    /// it permits nothing meanwhile, and nothing of that time afterwards
    function test_permits_whenSuspended() public {
        _sell();
        _attest();
        _later(10);
        _suspend(sold);
        _says(sold, ICompiledLicence.Refusal.Suspended);
        _saysAt(sold, _now() - 10, ICompiledLicence.Refusal.Suspended);
        _later(10);
        _resume(sold);
        _says(sold, ICompiledLicence.Refusal.None);
        _saysAt(sold, _now() - 1, ICompiledLicence.Refusal.NotYet);
    }

    /// it permits to the last second paid, half-open, and again once paid
    function test_permits_givenAPeriodicFee() public {
        _rent();
        _later(PERIOD - 10);
        _attest();
        uint40 until = RENT_START + PERIOD;
        _saysAt(rented, until - 1, ICompiledLicence.Refusal.None);
        _saysAt(rented, until, ICompiledLicence.Refusal.Unpaid);
        _confirm();
        _saysAt(rented, until, ICompiledLicence.Refusal.None);
    }

    /// it permits to the last second of an interval, half-open, and again with the next record
    function test_permits_givenARecord() public {
        _sell();
        _says(sold, ICompiledLicence.Refusal.NoRecord);
        _later(10);
        _attest();
        uint40 asOf = _now();
        _saysAt(sold, asOf - 1, ICompiledLicence.Refusal.NoRecord);
        _saysAt(sold, asOf, ICompiledLicence.Refusal.None);
        _saysAt(sold, asOf + EVERY - 1, ICompiledLicence.Refusal.None);
        _saysAt(sold, asOf + EVERY, ICompiledLicence.Refusal.Stale);
        _later(2 * EVERY);
        _says(sold, ICompiledLicence.Refusal.Stale);
        _attest();
        _says(sold, ICompiledLicence.Refusal.None);
    }

    /// it permits no node that once was not attested in time, for ever
    function test_permits_givenNodesAreRemoved() public {
        _rent();
        _attest();
        _later(EVERY - 60);
        _attest();
        _says(rented, ICompiledLicence.Refusal.None);
        _later(EVERY - 1);
        _attest();
        _says(rented, ICompiledLicence.Refusal.None);
        _later(EVERY);
        _says(rented, ICompiledLicence.Refusal.Stale);
        _attest();
        _says(rented, ICompiledLicence.Refusal.Removed);
        _later(60);
        _attest();
        _says(rented, ICompiledLicence.Refusal.Removed);
        node = _guest("replacement");
        _attest();
        _says(rented, ICompiledLicence.Refusal.None);
    }

    /// it permits a node with one of the technologies, whatever else it has
    function test_permits_givenHardware() public {
        _sell();
        _submit(_attested(~TPM, SWITZERLAND));
        _says(sold, ICompiledLicence.Refusal.Hardware);
        _later(12);
        _submit(_attested(type(uint32).max, SWITZERLAND));
        _says(sold, ICompiledLicence.Refusal.None);
        _later(12);
        _submit(_attested(0, SWITZERLAND));
        _says(sold, ICompiledLicence.Refusal.Hardware);
    }

    /// it permits any hardware and any place, even none, where the text says nothing of them
    function test_permits_givenNoWordOfHardwareOrPlace() public {
        _rent();
        _submit(_attested(0, 0));
        _says(rented, ICompiledLicence.Refusal.None);
    }

    /// it permits the places said and no other: none vouched for, its neighbours, those that differ in high bits
    function test_permits_givenPlaces() public {
        _sell();
        uint16 bit = SWITZERLAND % 256;
        uint16[8] memory places =
            [0, SWITZERLAND - 1, SWITZERLAND + 1, bit, bit + 256, 1023, SWITZERLAND + 1024, 65535];
        for (uint256 i = 0; i < places.length; ++i) {
            _later(12);
            _submit(_attested(TPM, places[i]));
            _says(sold, ICompiledLicence.Refusal.Place);
        }
        _later(12);
        _attest();
        _says(sold, ICompiledLicence.Refusal.None);
    }

    /// it permits exactly the place said
    function testFuzz_permits_forAnyPlace(uint16 place) public {
        _sell();
        _submit(_attested(TPM, place));
        bool there = place == SWITZERLAND;
        _says(sold, there ? ICompiledLicence.Refusal.None : ICompiledLicence.Refusal.Place);
    }

    /// it permits a record under the second only until it is in force alone, and refuses for what the first lacks
    function test_permits_givenTwoPolicies() public {
        _sell();
        (bytes32 first, bytes32 second) = (policyId, _publishLong("second"));
        uint40 change = _now() + 1000;
        vm.prank(owner);
        models.nameNextPolicy(modelId, 1, second, change);
        policyId = second;
        _attest();
        _says(sold, ICompiledLicence.Refusal.None);
        _saysAt(sold, change, ICompiledLicence.Refusal.None);
        _later(12);
        policyId = first;
        _submit(_attested(0, SWITZERLAND));
        _says(sold, ICompiledLicence.Refusal.None);
        policyId = second;
        _submit(_attested(TPM, 0));
        _says(sold, ICompiledLicence.Refusal.Hardware);
        _saysAt(sold, change, ICompiledLicence.Refusal.Place);
        _later(12);
        policyId = first;
        _attest();
        _says(sold, ICompiledLicence.Refusal.None);
        _saysAt(sold, change, ICompiledLicence.Refusal.Place);
    }

    /// it permits no node whose record no longer stands
    function test_permits_whenTheRecordDoesNotStand() public {
        _sell();
        _attest();
        uint256 before = vm.snapshotState();
        vm.prank(owner);
        attestations.withdraw(policyId, node.nodeId);
        _says(sold, ICompiledLicence.Refusal.NoRecord);
        vm.revertToState(before);
        vm.prank(owner);
        policies.withdraw(policyId);
        _says(sold, ICompiledLicence.Refusal.NoRecord);
        vm.revertToState(before);
        _says(sold, ICompiledLicence.Refusal.None);
    }

    /// it does not look at the answers left: a release debits ahead
    function test_permits_whenNoAnswersAreLeft() public {
        _sell();
        _attest();
        assertEq(sold.remaining(), 0);
        _says(sold, ICompiledLicence.Refusal.None);
    }

    /// it answers as its half-open intervals say
    function testFuzz_permits_forAnyTime(uint40 when) public {
        if (when % 8 != 0) when = START + when % (2 * EVERY);
        _sell();
        _later(600);
        _attest();
        ICompiledLicence.Refusal expected = ICompiledLicence.Refusal.None;
        if (when < START) expected = ICompiledLicence.Refusal.NotYet;
        else if (when >= START + LASTS) expected = ICompiledLicence.Refusal.Ended;
        else if (when < START + 600) expected = ICompiledLicence.Refusal.NoRecord;
        else if (when >= START + 7 days + 600) expected = ICompiledLicence.Refusal.NoRecord;
        else if (when >= START + EVERY + 600) expected = ICompiledLicence.Refusal.Stale;
        _saysAt(sold, when, expected);
    }
}
