import { Dice } from "../../../src/testing/index.ts";
import type { MailPlan } from "../mail/world-mail.ts";

/** Something that goes wrong, or that an operator does. `who` and `other` number hosts or workers. */
export interface ClusterAction {
  readonly kind: ClusterActionKind;
  readonly atMs: number;
  readonly forMs: number;
  readonly who: number;
  readonly other: number;
}

export const actionKinds = [
  ...(["kill-host", "pause-host", "cut-store", "store-away", "cut-hosts", "set-clock", "leave-host"] as const),
  ...(["kill-worker", "pause-worker", "cut-worker", "silence-worker", "stop-worker"] as const),
  ...(["move", "reset-watches", "forget", "aimed-pause", "add-host"] as const),
  ...(["lost-deletions", "late-deletions", "double-deletions", "early-deletions", "lose-mail"] as const),
] as const;

export type ClusterActionKind = (typeof actionKinds)[number];

/** A world of several hosts and workers, and what happens in it. */
export interface ClusterPlan {
  readonly seed: number;
  readonly hosts: number;
  /** Workers of shared types: of Troupe, and stock ones. */
  readonly troupeWorkers: number;
  readonly stockWorkers: number;
  /** Whether one more worker of Troupe owns an exclusive type. */
  readonly hasExclusive: boolean;
  readonly agents: number;
  readonly callEveryMs: number;
  readonly clockRates: readonly number[];
  readonly faultyMs: number;
  /** Hosts send workers to hosts with fewer. `calm`: nothing breaks meanwhile. */
  readonly balances?: "calm" | "faulty" | undefined;
  /** Whether the records that are left are looked at in the end. */
  readonly looksForLeaks: boolean;
  /** Undefined: hosts have no mail, and read none. */
  readonly mail?: MailPlan | undefined;
  readonly actions: readonly ClusterAction[];
}

/** Draws a world from a seed. */
export function makeClusterPlan(seed: number): ClusterPlan {
  if (seed % 6 === 5) return makeBalancePlan(seed);
  return seed % 3 === 1 ? withMail(makeFaultyPlan(seed)) : makeFaultyPlan(seed);
}

function makeFaultyPlan(seed: number): ClusterPlan {
  const dice = new Dice(seed, 0x13);
  const faultyMs = dice.between(25_000, 60_000);
  const forgets = dice.chance(0.1);
  const usual: readonly ClusterActionKind[] = [
    ...(["kill-host", "pause-host", "pause-host", "cut-store", "cut-store", "store-away", "cut-hosts"] as const),
    ...(["set-clock", "leave-host", "kill-worker", "pause-worker", "pause-worker", "cut-worker"] as const),
    ...(["cut-worker", "silence-worker", "stop-worker", "move", "move", "move", "move", "reset-watches"] as const),
    ...(["aimed-pause", "aimed-pause", "aimed-pause"] as const),
  ];
  const kinds = forgets ? [...usual, "forget" as const, "forget" as const] : usual;
  const actions = Array.from({ length: dice.between(6, 26) }, () => ({
    kind: dice.pick(kinds),
    atMs: dice.between(2_000, faultyMs),
    forMs: dice.chance(0.35) ? dice.between(10_000, 30_000) : dice.between(50, 9_000),
    who: dice.between(0, 99),
    other: dice.between(0, 99),
  }));
  return {
    seed,
    hosts: dice.between(2, 4),
    troupeWorkers: dice.between(2, 4),
    stockWorkers: dice.between(0, 1),
    hasExclusive: dice.chance(0.5),
    agents: dice.between(2, 8),
    callEveryMs: dice.between(60, 300),
    clockRates: Array.from({ length: 12 }, () => 1 + dice.between(-10, 10) / 1_000),
    faultyMs,
    looksForLeaks: seed % 8 === 0,
    actions: actions.sort((one, other) => one.atMs - other.atMs),
  };
}

/** Adds mail to a world, and the faults of its log: of the requests that delete what was handled, and in some worlds the loss of all. */
function withMail(plan: ClusterPlan): ClusterPlan {
  const dice = new Dice(plan.seed, 0x18);
  const deletions: readonly ClusterActionKind[] = [
    ...(["lost-deletions", "late-deletions", "double-deletions", "early-deletions"] as const),
  ];
  const drawn = (kind: ClusterActionKind, forMs: number): ClusterAction => ({
    ...{ kind, forMs, atMs: dice.between(2_000, plan.faultyMs), who: dice.between(0, 99), other: dice.between(0, 99) },
  });
  const faults = Array.from({ length: dice.between(2, 8) }, () =>
    drawn(dice.pick(deletions), dice.chance(0.3) ? dice.between(15_000, 25_000) : dice.between(500, 9_000)),
  );
  if (dice.chance(0.25)) faults.push(drawn("lose-mail", 0));
  return {
    ...plan,
    mail: { mailboxes: dice.between(2, 10), everyMs: dice.between(30, 300), isCutWithStore: dice.chance(0.5) },
    actions: [...plan.actions, ...faults].sort((one, other) => one.atMs - other.atMs),
  };
}

/** Draws a world with more workers, whose hosts come, leave and come back while they balance them. */
function makeBalancePlan(seed: number): ClusterPlan {
  const dice = new Dice(seed, 0x1313);
  const isCalm = dice.chance(0.6);
  const faultyMs = dice.between(70_000, 110_000);
  const calm: readonly ClusterActionKind[] = ["add-host", "leave-host", "move", "move"];
  const faulty: readonly ClusterActionKind[] = [
    ...([...calm, "kill-host", "pause-host", "cut-store", "cut-hosts", "kill-worker", "pause-worker"] as const),
    ...(["cut-worker", "silence-worker", "stop-worker", "aimed-pause", "reset-watches"] as const),
  ];
  const actions = Array.from({ length: dice.between(2, isCalm ? 8 : 12) }, () => ({
    kind: dice.pick(isCalm ? calm : faulty),
    atMs: dice.between(2_000, faultyMs),
    forMs: dice.between(500, 15_000),
    ...{ who: dice.between(0, 99), other: dice.between(0, 99) },
  }));
  // One host comes when workers may move.
  actions.push({ kind: "add-host", atMs: dice.between(5_000, 45_000), forMs: 0, who: 0, other: 0 });
  return {
    ...{ seed, hosts: dice.between(1, 3), troupeWorkers: dice.between(6, 12) },
    ...{ stockWorkers: isCalm ? 0 : dice.between(0, 3), hasExclusive: dice.chance(0.5) },
    ...{ agents: dice.between(4, 10), callEveryMs: dice.between(100, 400) },
    clockRates: Array.from({ length: 12 }, () => 1 + dice.between(-10, 10) / 1_000),
    ...{ faultyMs, balances: isCalm ? "calm" : "faulty", looksForLeaks: false },
    actions: actions.sort((one, other) => one.atMs - other.atMs),
  };
}
