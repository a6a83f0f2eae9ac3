export type { LinkNetwork, LinkNetworkOptions, TestRunner } from "./contracts/link.ts";
export { describeLink } from "./contracts/link.ts";
export { describeStateStore } from "./contracts/state-store.ts";
export { ManualClock } from "./manual-clock.ts";
export type { TestHost, TestHostOptions } from "./start-test-host.ts";
export { startTestHost } from "./start-test-host.ts";
