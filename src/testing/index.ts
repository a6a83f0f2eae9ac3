/**
 * Tools for tests: a host, clocks that tests move, a proxy that breaks connections, and simulations from a seed. The
 * contract suites test a transport or a store of your own.
 *
 * @example
 * ```ts
 * import { startTestHost } from "troupe/testing";
 * import { WorkerRuntime } from "troupe/worker";
 *
 * await using testHost = await startTestHost();
 * const worker = new WorkerRuntime({ dialer: testHost.dialer, address: testHost.address });
 * await worker.start();
 * await worker.stop();
 * ```
 *
 * @packageDocumentation
 */

export type { AccessRulesAdapter } from "./contracts/access-rules.ts";
export { describeAccessRules } from "./contracts/access-rules.ts";
export type { AuthenticatorAdapter } from "./contracts/authenticator.ts";
export { describeAuthenticator } from "./contracts/authenticator.ts";
export type {
  CoordinationAdapter,
  CoordinationFaults,
  TestedCoordinationOptions,
} from "./contracts/coordination-store.ts";
export { describeCoordinationStore } from "./contracts/coordination-store.ts";
export type { DurableLogAdapter, TestedLogOptions } from "./contracts/durable-log.ts";
export { describeDurableLog } from "./contracts/durable-log.ts";
export type { LinkNetwork, LinkNetworkOptions } from "./contracts/link.ts";
export { describeLink } from "./contracts/link.ts";
export type { BreakStore, StateStoreAdapter, StoreFaults, TestedStoreOptions } from "./contracts/state-store.ts";
export { describeStateStore } from "./contracts/state-store.ts";
export type { TestRunner } from "./contracts/test-runner.ts";
export type {
  Fault,
  FaultDirection,
  FaultKind,
  FaultStep,
  LastingFault,
  LastingFaultOptions,
} from "./fault-proxy/fault.ts";
export type { FaultProxy, FaultProxyOptions } from "./fault-proxy/fault-proxy.ts";
export { startFaultProxy } from "./fault-proxy/fault-proxy.ts";
export type { FaultProxyCounters } from "./fault-proxy/proxy-counters.ts";
export type { RandomFaultsOptions } from "./fault-proxy/random-faults.ts";
export { randomFaults } from "./fault-proxy/random-faults.ts";
export { ManualClock } from "./manual-clock.ts";
export type { SeededRandom } from "./seeded-random.ts";
export { seededRandom } from "./seeded-random.ts";
export { Dice } from "./simulation/dice.ts";
export { ProcessClock, type ProcessClockOptions } from "./simulation/process-clock.ts";
export { SimulatedClock } from "./simulation/simulated-clock.ts";
export { SimulatedCoordination, type SimulatedCoordinationOptions } from "./simulation/simulated-coordination.ts";
export type { CoordinationWrite } from "./simulation/simulated-coordination-table.ts";
export type { SimulatedLineOptions } from "./simulation/simulated-line.ts";
export { SimulatedLine } from "./simulation/simulated-line.ts";
export type { SimulatedProcessParts } from "./simulation/simulated-process.ts";
export { SimulatedProcess } from "./simulation/simulated-process.ts";
export { SimulatedStateStore } from "./simulation/simulated-state-store.ts";
export type {
  CommittedOutcome,
  SimulatedStateStoreOptions,
  SimulatedStoreFault,
} from "./simulation/simulated-table.ts";
export type { SimulationOptions } from "./simulation/simulation.ts";
export { Simulation } from "./simulation/simulation.ts";
export type { TestHost, TestHostOptions } from "./start-test-host.ts";
export { startTestHost } from "./start-test-host.ts";
