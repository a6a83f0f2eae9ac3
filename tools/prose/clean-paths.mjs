// Which files `npm run prose` checks. A path that ends in `/` is a folder with all below it.

/** Every file that has texts for people; what `--all` checks. */
export const everything = [
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "README.md",
  "bench/",
  "docs/",
  "examples/",
  "src/",
];

/**
 * The files whose texts keep the style; what `npm run check` checks. When you have rewritten a folder, add it:
 * `npm run prose -- <path>` shows what is left. When all is rewritten, this list is `everything`.
 */
export const cleanPaths = [
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "examples/",
  "src/context/",
  "src/core/ambient-contexts.ts",
  "src/core/cancellation-token.ts",
  "src/core/clock.ts",
  "src/core/collections/",
  "src/core/logger.ts",
  "src/core/message-log-records.ts",
  "src/core/runtime-options.ts",
  "src/core/serialization/",
  "src/core/thenable.ts",
  "src/core/tools/",
  "src/core/topics/",
  "src/core/tracing.ts",
  "src/core/validation/",
  "src/host/",
  "src/protobuf/",
  "src/protocol/",
  "src/storage/",
  "src/telemetry/",
  "src/testing/",
  "src/transport/address.ts",
  "src/transport/calls/",
  "src/transport/grpc/framing/",
  "src/transport/grpc/server/",
  "src/transport/limits.ts",
  "src/transport/link.ts",
  "src/transport/listener-counters.ts",
  "src/transport/memory/",
  "src/transport/metadata.ts",
  "src/transport/rpc-status.ts",
  "src/transport/system-error.ts",
  "src/worker/",
];
