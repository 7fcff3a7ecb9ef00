// swift-tools-version: 6.2
import PackageDescription

/// One set of compiler settings for every Swift target: strict, and a warning is an error.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// A Swift target with the shared settings.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The tests of one target; what they read lies in `Fixtures` beside them.
func tests(_ name: String, _ dependencies: [Target.Dependency], fixtures: Bool = false) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies,
        resources: fixtures ? [.copy("Fixtures")] : [],
        swiftSettings: strict)
}

let package = Package(
    name: "lorikeet",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "lorikeet", targets: ["lorikeet"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Layer 0: values in, values out; none of these sees a tensor.
        .target(
            name: "CKernels",
            exclude: ["cuda"],
            cSettings: [
                // SwiftPM compiles C at -O0 in a debug build: 45 times slower than the tests can bear.
                .unsafeFlags(["-O2"], .when(configuration: .debug)),
                .unsafeFlags(["-Wall", "-Wextra", "-Werror"]),
            ],
            linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
        .target(
            name: "CDrivers",
            cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
            linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        module("Settings", [.product(name: "Yams", package: "Yams")]),
        module("Formats"),
        module("Objectives"),
        module("Rewards", ["Formats"]),
        // Layer 1 and up: each imports only what lies below it.
        module("Tensors", ["CKernels", "CDrivers", "Formats"]),
        module("Models", ["Tensors", "Formats"]),
        module("Adapters", ["Tensors", "Models", "Formats"]),
        module("Rollouts", ["Tensors", "Models", "Adapters"]),
        module(
            "Training",
            [
                "Settings", "Formats", "Objectives", "Rewards", "Tensors", "Models", "Adapters",
                "Rollouts",
            ]),
        module(
            "SelfTest",
            ["Training", "Rollouts", "Adapters", "Models", "Tensors", "Objectives", "Formats"]),
        .executableTarget(
            name: "lorikeet",
            dependencies: [
                "SelfTest", "Training", "Rollouts", "Adapters", "Models", "Tensors", "Formats",
                "Settings",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        tests("ArchitectureTests", []),
        tests("SettingsTests", ["Settings"]),
        tests("FormatsTests", ["Formats"], fixtures: true),
        tests("ObjectivesTests", ["Objectives", "Formats"], fixtures: true),
        tests("RewardsTests", ["Rewards", "Formats"], fixtures: true),
        tests("TensorsTests", ["Tensors", "CKernels"]),
        // Reference values that several test targets read.
        .target(
            name: "OracleFixtures", dependencies: ["Formats"], path: "Tests/OracleFixtures",
            resources: [.copy("oracles")],
            swiftSettings: strict),
        tests("ModelsTests", ["OracleFixtures", "Models", "Tensors", "Formats"]),
        tests("AdaptersTests", ["OracleFixtures", "Adapters", "Models", "Tensors", "Formats"]),
        tests(
            "RolloutsTests",
            ["OracleFixtures", "Rollouts", "Adapters", "Models", "Tensors", "Formats"]),
        tests(
            "TrainingTests",
            [
                "OracleFixtures", "EmulatedGPU", "Training", "Rollouts", "Adapters", "Models",
                "Tensors", "Objectives", "Rewards", "Formats", "Settings",
            ]
        ),
        // A GPU that is none: what the kernels and their callers are tested on. Tests only.
        .target(
            name: "CUDAEmulator", dependencies: ["CDrivers"], path: "Tests/CUDAEmulator",
            exclude: ["kernels"],
            cxxSettings: [
                // prelude.cuh looks here for its emulated part.
                .headerSearchPath("."),
                .unsafeFlags(["-O1"], .when(configuration: .debug)),
                .unsafeFlags(["-Wall", "-Wextra", "-Werror"]),
            ]),
        // The kernels' own files, in which the compiler reports every access and what is undefined;
        // what it calls is the emulator's (accesses.cpp, behaviour.cpp), and no sanitizer is linked.
        .target(
            name: "EmulatedKernels", dependencies: ["CUDAEmulator"],
            path: "Tests/CUDAEmulator/kernels", publicHeadersPath: ".",
            cxxSettings: [
                .headerSearchPath(".."),
                .unsafeFlags(["-O1"], .when(configuration: .debug)),
                .unsafeFlags(["-Wall", "-Wextra", "-Werror"]),
                .unsafeFlags([
                    "-fsanitize=thread,alignment,bounds,shift,integer-divide-by-zero"
                ]),
            ]),
        .target(
            name: "EmulatedGPU", dependencies: ["CUDAEmulator", "EmulatedKernels", "CDrivers"],
            path: "Tests/EmulatedGPU", swiftSettings: strict),
        tests(
            "CUDATests",
            [
                "OracleFixtures", "EmulatedGPU", "SelfTest", "Rollouts", "Models", "Tensors",
                "CDrivers", "CKernels",
            ]),
        // They run the program itself, which is built beside them.
        tests(
            "CommandTests",
            [
                "lorikeet", "OracleFixtures", "Adapters", "Models", "Tensors", "Formats",
            ]),
    ],
    cLanguageStandard: .c2x,
    cxxLanguageStandard: .cxx17
)
