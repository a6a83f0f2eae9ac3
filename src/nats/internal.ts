// What the command line uses of this room beside index.ts, which holds what users use.
export { checkNats } from "./operating/check-nats.ts";
export { inspectNats } from "./operating/inspect-nats.ts";
export { atLeast, clusteredVersion, mayLoseStreams, oldestVersion, recommendedVersion } from "./server-version.ts";
