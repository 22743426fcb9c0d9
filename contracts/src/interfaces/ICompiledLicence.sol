// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ILicence} from "contracts/interfaces/ILicence.sol";

/// @title What a licence compiled from words answers and does.
/// @notice Step 3 of the protocol. The licensor is the model's current owner, the licensee the holder of that role in
/// `LicenceRegistry`; both are looked up when they call. A contract leaves out what its text does not say: without a fee there
/// is no `pay`, without packs no `buy`, without notice no `notify`.
interface ICompiledLicence is ILicence {
    /// @notice Where a licence is in its life; the last two are for ever. Once its end has passed an open licence is expired,
    /// whether or not that was recorded.
    enum State {
        Granted,
        Active,
        Suspended,
        Revoked,
        Expired
    }

    /// @notice Why `permits` refuses, in the order it looks.
    enum Refusal {
        None,
        Busy,
        OtherModel,
        NotActivated,
        Suspended,
        Revoked,
        NotYet,
        Ended,
        Unpaid,
        NoRecord,
        Stale,
        Removed,
        Hardware,
        Place
    }

    /// @notice What the text says, in numbers.
    /// @param modelId Model it was written for.
    /// @param lowestVersion Lowest version covered.
    /// @param start First second of the term; zero when it starts on activation.
    /// @param end First second after it; zero when it starts on activation.
    /// @param length Seconds of a term that starts on activation; zero otherwise.
    /// @param seats How many nodes may run at once.
    /// @param every Seconds within which a node must have been attested.
    /// @param removes Whether a node that once was not is refused for ever.
    /// @param kinds Bitmap of device technologies of which a node needs one; zero for any.
    /// @param places Bitmap over ISO 3166 numeric codes, the lowest 256 first; all zero for anywhere.
    /// @param period Seconds one payment is good for; the highest value for a fee paid once, zero for free of charge.
    /// @param price Wei of a fee; zero when it is paid in other money and confirmed by the licensor.
    /// @param notice Seconds between notice and revocation; zero for at any time.
    /// @param pack Answers in a pack; zero for as many as wanted.
    /// @param packPrice Wei of a pack; zero when it is paid in other money and confirmed by the licensor.
    /// @param text SHA-256 of the canonical text.
    struct Terms {
        bytes32 modelId;
        uint32 lowestVersion;
        uint40 start;
        uint40 end;
        uint40 length;
        uint16 seats;
        uint32 every;
        bool removes;
        uint32 kinds;
        uint256[4] places;
        uint40 period;
        uint256 price;
        uint40 notice;
        uint64 pack;
        uint256 packPrice;
        bytes32 text;
    }

    /// @notice How the licence stands, in one slot.
    /// @param state Where it is in its life.
    /// @param prepaid Whether the fee was paid before activation.
    /// @param since When it was last activated or resumed; nothing before is permitted.
    /// @param end First second after the term; zero before activation when the term starts then.
    /// @param paidUntil First second that is not paid; the highest value when nothing more is to be paid.
    /// @param noticeOver First second the licensor may revoke; zero while no notice was given.
    /// @param turn How many moves the parties made.
    struct Standing {
        State state;
        bool prepaid;
        uint40 since;
        uint40 end;
        uint40 paidUntil;
        uint40 noticeOver;
        uint32 turn;
    }

    /// @notice The licence was created.
    /// @param modelId The model.
    /// @param terms What its text says.
    event Compiled(bytes32 indexed modelId, Terms terms);

    /// @notice A party moved the licence, or its end was recorded.
    /// @param modelId The model.
    /// @param move Name of the move in the licence's net: "pay", "activate", "suspend", "resume", "notify", "revoke", "expire".
    /// @param by Who made it.
    /// @param standing How the licence stands now.
    event Moved(bytes32 indexed modelId, bytes32 indexed move, address indexed by, Standing standing);

    /// @notice Answers were bought, debited or credited.
    /// @param remaining Answers left.
    event Metered(uint64 remaining);

    /// @notice One party asks to move the licence to other contracts; it moves once the other asks for the same.
    /// @param by Who asks.
    /// @param releases Release log it would answer to.
    /// @param modelId The model's id there.
    event RebindProposed(address indexed by, address releases, bytes32 modelId);

    /// @notice Both parties moved the licence to other contracts; term, seats and credit stay.
    /// @param modelId The model's id from now on.
    /// @param releases Release log it answers to from now on.
    event Rebound(bytes32 indexed modelId, address releases);

    /// @notice The licensor drew what was paid.
    /// @param to Who drew it.
    /// @param amount Wei.
    event Drawn(address indexed to, uint256 amount);

    /// @notice Only the model's current owner may do this.
    /// @param modelId The model.
    /// @param caller Account that tried.
    error NotLicensor(bytes32 modelId, address caller);

    /// @notice Only the current licensee may do this.
    /// @param caller Account that tried.
    error NotLicensee(address caller);

    /// @notice Only the release log may do this.
    /// @param caller Account that tried.
    error NotReleaseLog(address caller);

    /// @notice The licence is not in a state that this move starts from.
    /// @param state State it is in.
    error WrongState(State state);

    /// @notice Somebody moved the licence since the caller looked.
    /// @param turn Moves made so far.
    /// @param given Moves the caller knew of.
    error OutOfTurn(uint32 turn, uint32 given);

    /// @notice The term has not begun.
    /// @param start Its first second.
    error NotStarted(uint40 start);

    /// @notice The term is not over.
    /// @param end First second after it.
    error NotOver(uint40 end);

    /// @notice The fee is to be paid first.
    error FeeUnpaid();

    /// @notice The fee is paid, and at most one period ahead may be.
    /// @param paidUntil First second that is not paid.
    error NothingDue(uint40 paidUntil);

    /// @notice Another amount than the exact one came.
    /// @param asked Wei asked for.
    /// @param sent Wei sent.
    error WrongAmount(uint256 asked, uint256 sent);

    /// @notice Notice was given: not twice, and nobody begins to pay under it.
    /// @param over First second the licensor may revoke.
    error NoticeGiven(uint40 over);

    /// @notice The licensor must give notice and let it run out.
    /// @param over First second the licensor may revoke; zero while no notice was given.
    error NoticeNotOver(uint40 over);

    /// @notice The licence has fewer answers left than asked for.
    /// @param remaining Answers left.
    /// @param asked Answers asked for.
    error CreditExhausted(uint64 remaining, uint64 asked);

    /// @notice More answers came back than were debited.
    /// @param spent Answers debited and not given back.
    /// @param given Answers that would come back.
    error CreditBeyondSpent(uint64 spent, uint64 given);

    /// @notice At least one pack is bought.
    error NoPacks();

    /// @notice A call came in while another was being served.
    error Reentered();

    /// @notice Nothing was paid that is not drawn.
    error NothingToDraw();

    /// @notice The licensor's account did not take the money.
    /// @param to Account it was sent to.
    error DrawFailed(address to);

    /// @notice Pay the fee: the licensee with the exact wei, or the licensor who confirms other money; not for the first time
    /// under notice.
    /// @param turn Moves made so far, so that nobody pays for a licence that has moved.
    function pay(uint32 turn) external payable;

    /// @notice Begin to use the licence; the licensee, once the term has begun and the fee is paid.
    function activate(uint32 turn) external;

    /// @notice Permit nothing until resumed; the licensor. Takes no turn: nobody can delay it by moving first.
    function suspend() external;

    /// @notice Take a suspension back; the licensor.
    function resume(uint32 turn) external;

    /// @notice Give notice; the licensor. It runs within the term, and given before that from its first second.
    function notify() external;

    /// @notice End the licence for ever; the licensor, after notice where the text asks for it.
    function revoke() external;

    /// @notice Record that the term is over; anyone.
    function expire() external;

    /// @notice Buy packs of answers: the licensee with the exact wei, or the licensor who confirms other money.
    function buy(uint32 turn, uint32 packs) external payable;

    /// @notice Draw what was paid; the licensor.
    function draw() external;

    /// @notice Ask to move the licence to another release log and the model's id there; it moves once both parties asked for the
    /// same, and only to where both hold their roles: granted and accepted there before.
    function rebind(address releases, bytes32 modelId) external;

    /// @notice How the licence stands now; its end counts from its first second, recorded or not.
    function standing() external view returns (Standing memory);

    /// @notice What the text says, in numbers.
    function terms() external view returns (Terms memory);

    /// @notice Answers left; the highest value where the text sets no limit.
    function remaining() external view returns (uint64);

    /// @notice Release log it answers to, and the model's id there.
    function bound() external view returns (address releases, bytes32 modelId);
}
