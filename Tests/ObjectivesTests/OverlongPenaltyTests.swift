import Testing

@testable import Objectives

/// DAPO's soft punishment of overlong responses.
struct OverlongPenaltyTests {
    @Test("the penalty begins at the buffer and is the factor at the longest response")
    func line() throws {
        let penalty = try OverlongPenalty(maxLength: 20, bufferLength: 8, factor: 0.5)
        #expect([0, 11, 12].map(penalty.penalty) == [0, 0, 0])
        #expect(penalty.penalty(length: 13) == -0.0625)
        #expect(penalty.penalty(length: 16) == -0.25)
        #expect(penalty.penalty(length: 20) == -0.5)
        // verl's line goes on where a response is longer than the limit.
        #expect(penalty.penalty(length: 24) == -0.75)
    }

    @Test("a buffer as long as the longest response punishes every token, and a factor of 0 none")
    func ends() throws {
        let whole = try OverlongPenalty(maxLength: 4, bufferLength: 4, factor: 1)
        #expect((0...4).map(whole.penalty) == [0, -0.25, -0.5, -0.75, -1])
        let none = try OverlongPenalty(maxLength: 4, bufferLength: 2, factor: 0)
        #expect(none.penalty(length: 4) == 0)
    }

    @Test("a buffer that is empty or too long, and a negative factor, are refused")
    func refusals() {
        for length in [0, -1, 21] {
            let expected = ObjectiveError(
                "overlong_buffer.len must be at least 1 and at most the longest response "
                    + "(20 tokens), but it is \(length).")
            #expect(throws: expected) {
                try OverlongPenalty(maxLength: 20, bufferLength: length, factor: 1)
            }
        }
        #expect(
            throws: ObjectiveError(
                "overlong_buffer.penalty_factor must be at least 0, but it is -1.0.")
        ) {
            try OverlongPenalty(maxLength: 20, bufferLength: 4, factor: -1)
        }
    }
}
