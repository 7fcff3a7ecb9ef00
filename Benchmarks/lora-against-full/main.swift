// Turns the runs of Benchmarks/lora-against-full.sh into figures:
//
//   study collect RUNS FILE.csv               every validation of every finished run
//   study best FILE.csv SWEEPSEED TASK RANK   the learning rate that did best in the sweep
//   study table FILE.csv SWEEPSEED            the tables of the page, as Markdown
//   study draw FILE.csv SWEEPSEED FILE.svg    the picture

import Foundation

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data((message + "\n").utf8))
    exit(1)
}

func study(_ path: String, _ seed: String) throws -> Study {
    guard let seed = Int(seed) else { fail("the sweep's seed must be a number, not \(seed)") }
    return Study(runs: try readCSV(path), sweepSeed: seed)
}

let arguments = Array(CommandLine.arguments.dropFirst())
switch (arguments.first, arguments.count) {
case ("collect", 3):
    try writeCSV(try readRuns(folder: arguments[1]), to: arguments[2])
case ("best", 5):
    guard let rank = Int(arguments[4]),
        let best = try study(arguments[1], arguments[2]).best(arguments[3], rank: rank)
    else { fail("\(arguments[1]) has no sweep of \(arguments[3]) with rank \(arguments[4])") }
    print(best.rate)
case ("table", 3):
    print(try study(arguments[1], arguments[2]).markdown())
case ("draw", 4):
    try study(arguments[1], arguments[2]).picture()
        .write(toFile: arguments[3], atomically: true, encoding: .utf8)
default:
    fail("usage: study collect | best | table | draw")
}
