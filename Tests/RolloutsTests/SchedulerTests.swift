import Rollouts
import Testing

@Suite("Scheduler")
struct SchedulerTests {
    @Test("Splits a prompt over steps and draws a token only after its last part")
    func chunkedPrefill() {
        var simulation = Simulation(maxSequences: 4, maxBatchedTokens: 5, blocks: 8, blockSize: 2)
        simulation.submit(id: 1, prompt: Array(0..<12), maxTokens: 2)
        let steps = (0..<4).map { _ in simulation.step() }
        #expect(steps.map { $0.map(\.positions) } == [[0..<5], [5..<10], [10..<12], [12..<13]])
        #expect(steps.map { $0.map(\.samples) } == [[false], [false], [true], [true]])
        #expect(simulation.completions.count == 1)
    }

    @Test("Leaves a prompt whole for the next step where prompts are not split")
    func wholePrompts() {
        var simulation = Simulation(
            maxSequences: 4, maxBatchedTokens: 10, blocks: 20, blockSize: 2, chunksPrompts: false,
            reusesPrefixes: false)
        for id in 0..<3 { simulation.submit(id: UInt64(id), prompt: Array(0..<6), maxTokens: 3) }
        #expect(simulation.step().map(\.positions) == [0..<6])
        #expect(simulation.step().map(\.positions) == [6..<7, 0..<6])
        simulation.runToEnd()
        #expect(simulation.completions.map(\.requestID) == [0, 1, 2])
    }

    @Test("Siblings share their prompt's full blocks within one step")
    func siblings() {
        var simulation = Simulation(
            maxSequences: 16, maxBatchedTokens: 8192, blocks: 200, blockSize: 16)
        for id in 0..<16 { simulation.submit(id: UInt64(id), prompt: Array(0..<51), maxTokens: 9) }
        let first = simulation.step()
        #expect(first.map(\.positions) == [0..<51] + Array(repeating: 48..<51, count: 15))
        #expect(simulation.scheduler.counts.computedTokens == 51 + 15 * 3)
        #expect(simulation.scheduler.counts.reusedTokens == 15 * 48)
        #expect(simulation.scheduler.pool.availableCount == 200 - 3 - 16)
        simulation.runToEnd()
        #expect(simulation.completions.count == 16)
    }

    @Test("Does not share when prefixes are not reused")
    func withoutReuse() {
        var simulation = Simulation(
            maxSequences: 4, maxBatchedTokens: 100, blocks: 20, blockSize: 4,
            reusesPrefixes: false)
        for id in 0..<2 { simulation.submit(id: UInt64(id), prompt: Array(0..<12), maxTokens: 3) }
        #expect(simulation.step().map(\.positions) == [0..<12, 0..<12])
    }

    @Test("Puts the youngest back when blocks run out, and resumes it with its tokens")
    func preemption() {
        var simulation = Simulation(maxSequences: 2, maxBatchedTokens: 64, blocks: 4, blockSize: 2)
        simulation.submit(id: 1, prompt: [1, 2, 3], maxTokens: 5)
        simulation.step()
        simulation.submit(id: 2, prompt: [4], maxTokens: 5)
        simulation.runToEnd()
        #expect(simulation.scheduler.counts.preemptions > 0)
        #expect(simulation.completions.map(\.requestID) == [1, 2])
    }

    @Test("Takes requests within the limit of sequences, the first come first")
    func admission() {
        var simulation = Simulation(maxSequences: 2, maxBatchedTokens: 64, blocks: 64, blockSize: 2)
        for id in 0..<4 {
            simulation.submit(id: UInt64(id), prompt: [Int32(id)], maxTokens: id == 0 ? 1 : 2)
        }
        #expect(simulation.step().count == 2)
        #expect(simulation.scheduler.running.map(\.request.id) == [1])
        simulation.step()
        #expect(simulation.scheduler.running.map(\.request.id) == [2])
        simulation.runToEnd()
        #expect(simulation.completions.map(\.requestID) == [0, 1, 2, 3])
    }

    @Test("A cancelled request frees its blocks and does not end")
    func cancellation() {
        var simulation = Simulation(maxSequences: 1, maxBatchedTokens: 64, blocks: 8, blockSize: 2)
        for id in 1...3 { simulation.submit(id: UInt64(id), prompt: [1, 2, 3], maxTokens: 4) }
        simulation.step()
        let cancelled = [1, 3, 1].map { simulation.cancel(id: $0) }
        #expect(cancelled == [true, true, false])
        #expect(simulation.scheduler.pool.availableCount == 8)
        simulation.runToEnd()
        #expect(simulation.completions.map(\.requestID) == [2])
    }

    @Test("Goes on with another pool as if nothing had happened")
    func replacedPool() {
        var simulation = Simulation(maxSequences: 4, maxBatchedTokens: 64, blocks: 6, blockSize: 2)
        simulation.submit(id: 1, prompt: [1, 2, 3], maxTokens: 6)
        for _ in 0..<3 { simulation.step() }
        simulation.submit(id: 2, prompt: [1, 2, 3], maxTokens: 9)
        #expect(simulation.scheduler.wantedBlockCount == 4 + 6)
        simulation.replacePool(blocks: 10)
        #expect(simulation.scheduler.running.isEmpty)
        simulation.runToEnd()
        #expect(simulation.completions.map(\.requestID) == [1, 2])
    }

    @Test("Thousands of random schedules lose no block and give every request its own tokens")
    func randomSchedules() {
        var preemptions = 0
        var reused = 0
        for seed in 0..<3000 {
            var random = SplitMix64(seed: UInt64(seed))
            let counts = runRandomSchedule(&random)
            preemptions += counts.preemptions
            reused += counts.reusedTokens
        }
        // The schedules would prove little if blocks were never short or never shared.
        #expect(preemptions > 1000)
        #expect(reused > 10_000)
    }

    private func runRandomSchedule(_ random: inout SplitMix64) -> ScheduleCounts {
        let blockSize = Int.random(in: 1...5, using: &random)
        let longest = 30
        let fewest = (longest + blockSize - 1) / blockSize
        let chunksPrompts = Int.random(in: 0..<5, using: &random) > 0
        var simulation = Simulation(
            maxSequences: .random(in: 1...6, using: &random),
            maxBatchedTokens: chunksPrompts ? .random(in: 1...30, using: &random) : 30,
            blocks: .random(in: fewest...fewest * 2, using: &random), blockSize: blockSize,
            chunksPrompts: chunksPrompts,
            reusesPrefixes: Int.random(in: 0..<5, using: &random) > 0)
        var remaining = Int.random(in: 1...14, using: &random)
        var nextID: UInt64 = 0
        var cancelled: Set<UInt64> = []
        while remaining > 0 || simulation.scheduler.requestCount > 0 {
            while remaining > 0, Bool.random(using: &random) {
                // Few different tokens and adapters, so that prefixes often agree.
                let group = Int32.random(in: 0...1, using: &random)
                let count = Int.random(in: 1...12, using: &random)
                simulation.submit(
                    id: nextID, prompt: (0..<Int32(count)).map { $0 * group },
                    maxTokens: .random(in: 1...18, using: &random),
                    adapter: [nil, "a"][Int.random(in: 0...1, using: &random)])
                nextID += 1
                remaining -= 1
            }
            if Int.random(in: 0..<20, using: &random) == 0, nextID > 0 {
                let id = UInt64.random(in: 0..<nextID, using: &random)
                if simulation.cancel(id: id) { cancelled.insert(id) }
            }
            simulation.step()
        }
        simulation.checkAllBlocksFree()
        let ended = Set(simulation.completions.map(\.requestID))
        #expect(ended.union(cancelled) == Set(0..<nextID))
        #expect(ended.isDisjoint(with: cancelled))
        return simulation.scheduler.counts
    }
}
