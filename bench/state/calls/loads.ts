/** Which agents the calls of a load go to. */
export type Recipients = "some" | "new" | "one" | "stored";

/** Calls of one kind to agents with a state. */
export interface StateLoad {
  readonly text: string;
  readonly inFlight: number;
  readonly recipients: Recipients;
  /** Whether the calls change the state. */
  readonly writes: boolean;
}

/** The agents of `some`, in turn. */
export const someAgents = 1_000;
/** Live agents of the type `capped`, and its agents with a stored state, in turn: the one that is called is never live. */
export const cap = 1_000;
export const storedAgents = 5_000;

const writes = { recipients: "some", writes: true } as const;

/** The load of the goal, with which code is warmed up, too. */
export const usualLoad: StateLoad = { text: "64 in flight", inFlight: 64, ...writes };

/** Calls to agents that are live. */
export const steadyLoads: readonly StateLoad[] = [
  { text: "1 in flight", inFlight: 1, ...writes },
  usualLoad,
  { text: "256 in flight", inFlight: 256, ...writes },
];

/** Calls to new agents, to one agent, and to agents that must be loaded. */
export const recipientLoads: readonly StateLoad[] = [
  { text: "each call to a new agent, 64 in flight", inFlight: 64, recipients: "new", writes: true },
  { text: "all calls to one agent, 64 in flight", inFlight: 64, recipients: "one", writes: true },
  { text: "a reading call to a new agent, 1 in flight", inFlight: 1, recipients: "new", writes: false },
  { text: "a reading call to an agent that is stored, 1 in flight", inFlight: 1, recipients: "stored", writes: false },
];
