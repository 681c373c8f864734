//! The module `masstree` over an installed libmasstree, which pkg-config finds; its tests,
//! examples, and a benchmark.
const std = @import("std");

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const optimize = b.standardOptimizeOption(.{});

    const header = b.addTranslateC(.{
        .root_source_file = b.path("src/header.h"),
        .target = target,
        .optimize = optimize,
    });
    header.linkSystemLibrary("masstree", .{ .use_pkg_config = .force });

    const masstree = b.addModule("masstree", .{
        .root_source_file = b.path("src/masstree.zig"),
        .target = target,
        .optimize = optimize,
        .imports = &.{.{ .name = "header", .module = header.createModule() }},
    });

    const imports: []const std.Build.Module.Import = &.{.{ .name = "masstree", .module = masstree }};
    const tests = b.addTest(.{ .root_module = b.createModule(.{
        .root_source_file = b.path("src/tests.zig"),
        .target = target,
        .optimize = optimize,
        .imports = imports,
    }) });
    b.step("test", "Run the tests").dependOn(&b.addRunArtifact(tests).step);

    inline for (.{
        .{ "run", "example", "Print the words of a dictionary that begin with a prefix" },
        .{ "objects", "objects", "Keep the names of an object store durably" },
        .{ "bench", "bench", "Measure look-ups, single and batched" },
    }) |program| {
        const exe = b.addExecutable(.{ .name = program[1], .root_module = b.createModule(.{
            .root_source_file = b.path("src/" ++ program[1] ++ ".zig"),
            .target = target,
            .optimize = optimize,
            .imports = imports,
        }) });
        const run = b.addRunArtifact(exe);
        run.addPassthruArgs();
        b.step(program[0], program[2]).dependOn(&run.step);
    }
}
