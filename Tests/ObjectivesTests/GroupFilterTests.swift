import Testing

@testable import Objectives

/// Which groups dynamic sampling keeps.
struct GroupFilterTests {
    @Test("groups whose values differ are kept, and groups of one")
    func kept() {
        let values: [Double] = [1, 0, 1, 1, 0, 0, 0, 0.5]
        let groups = [3, 3, 9, 9, -2, -2, -2, 4]
        #expect(groupsWithVariance(values, groups: groups) == [3, 4])
    }

    @Test("members of a group need not stand together")
    func scattered() {
        #expect(groupsWithVariance([0.1, 5, 0.1, 6, 0.1], groups: [1, 2, 1, 2, 1]) == [2])
    }

    @Test("a group with a value that is not finite has no deviation")
    func notFinite() {
        #expect(groupsWithVariance([.nan, 1, 1, .infinity], groups: [0, 0, 1, 1]) == [])
    }

    @Test("no sequences are no groups")
    func empty() {
        #expect(groupsWithVariance([], groups: []) == [])
    }
}
