/// The groups whose values differ, or that have one member: what DAPO's dynamic sampling keeps
/// (https://arxiv.org/abs/2503.14476), as in verl's `filter_groups`.
///
/// A group whose responses all score the same has no advantages to learn from. A group with a value
/// that is not finite has no deviation, and is kept only if it has one member.
///
/// - Parameters:
///   - values: the metric (`filter_groups.metric`) of each sequence, `[S]`.
///   - groups: which sequences answer the same prompt, `[S]`.
package func groupsWithVariance(_ values: [Double], groups: [Int]) -> Set<Int> {
    precondition(values.count == groups.count, "one value for each sequence")
    let kept = OutcomeGroups(scores: values, groups: groups).members.filter { sequences in
        sequences.count == 1
            || sequences.allSatisfy { values[$0].isFinite }
                && sequences.contains { values[$0] != values[sequences[0]] }
    }
    return Set(kept.map { groups[$0[0]] })
}
