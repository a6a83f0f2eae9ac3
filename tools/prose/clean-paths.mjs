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
 * `npm run prose -- <path>` shows what is left. When all is rewritten, this list is `everything`. Of `src`, only `src/worker/` is missing.
 */
export const cleanPaths = [
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "README.md",
  "bench/",
  "docs/",
  "examples/",
  "src/cli/",
  "src/context/",
  "src/core/",
  "src/grpc/",
  "src/host/",
  "src/protobuf/",
  "src/protocol/",
  "src/storage/",
  "src/telemetry/",
  "src/testing/",
  "src/transport/",
];
