import Testing

@testable import Settings

struct NearestNameTests {
    @Test(
        "the distance counts insertions, removals, changes and swaps",
        arguments: [
            ("", "abc", 3), ("rank", "rank", 0), ("rnk", "rank", 1), ("rnak", "rank", 1),
            ("kitten", "sitting", 3),
        ])
    func distance(first: String, second: String, expected: Int) {
        #expect(NearestName.distance(first, second) == expected)
        #expect(NearestName.distance(second, first) == expected)
    }

    @Test("the right name in the wrong group is found")
    func wrongGroup() {
        let known = ["data.seed", "actor_rollout_ref.rollout.temperature"]
        #expect(
            NearestName.suggestion(for: "actor_rollout_ref.temperature", among: known) == known[1])
        #expect(NearestName.suggestion(for: "temprature", among: known) == known[1])
        #expect(NearestName.suggestion(for: "foo.bar", among: known) == nil)
    }

    @Test("of equally near keys a bare name means the first, however long its group is")
    func bareName() {
        let known = ["actor_rollout_ref.model.lora_rank", "critic.model.lora_rank"]
        #expect(NearestName.suggestion(for: "lora_rnk", among: known) == known[0])
        #expect(NearestName.suggestion(for: "critic.lora_rnk", among: known) == known[1])
    }
}
