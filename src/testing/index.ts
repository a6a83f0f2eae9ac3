export { ManualClock } from "./manual-clock.ts";
export type { TestHost, TestHostOptions } from "./start-test-host.ts";
export { startTestHost } from "./start-test-host.ts";
