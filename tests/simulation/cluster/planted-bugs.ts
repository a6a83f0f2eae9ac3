import type { ClusterPlan } from "./plan.ts";

/**
 * The worlds in which a bug is looked for.
 * - `calm`: those whose hosts balance workers, while nothing breaks.
 * - `mail`: those with mail.
 * - `linked`: those with mail whose hosts always reach the log, which loses nothing.
 */
export type PlantedWorlds = "all" | "calm" | "mail" | "linked";

export function isInWorlds({ balances, mail, actions }: ClusterPlan, worlds: PlantedWorlds): boolean {
  switch (worlds) {
    case "all":
      return true;
    case "calm":
      return balances === "calm";
    case "mail":
      return mail !== undefined;
    case "linked":
      return mail !== undefined && !mail.isCutWithStore && actions.every(({ kind }) => kind !== "lose-mail");
  }
}

/** A bug that is planted into the source of `src/cluster`. */
export interface PlantedClusterBug {
  readonly name: string;
  /** The folder of src that has the file. Default: cluster. */
  readonly room?: string;
  readonly file: string;
  /** Text that the file has once, and what stands in its place. */
  readonly from: string;
  readonly to: string;
  /** The checkers of which at least one must complain. */
  readonly caughtBy: readonly string[];
  /** In other worlds other checkers complain first. Default: all worlds. */
  readonly worlds?: PlantedWorlds;
  /** Whether it shows only when requests that delete messages are lost, come late or come twice. Default: false. */
  readonly needsDeletionFaults?: boolean;
}

/** Each takes one rule out. Those that random worlds seldom meet have tests in tests/unit/cluster. */
export const plantedClusterBugs: readonly PlantedClusterBug[] = [
  {
    name: "an unknown write is taken for a claim (rule R3)",
    file: "claims/claim-writes.ts",
    from: `if (outcome.at === "unknown") return { at: "unknown" };
      if`,
    to: `if (outcome.at === "unknown") return { at: "written", epoch: numbered(epoch, revision + 1), revision: revision + 1, sentMs };
      if`,
    caughtBy: ["activation", "fencing", "claims"],
  },
  {
    name: "workers of dead hosts are never buried (rule R5)",
    file: "workers/worker-sessions.ts",
    from: "return this.#mustUndertake(record);",
    to: "return false;",
    caughtBy: ["settled"],
  },
  {
    name: "a death is declared after half a lease",
    file: "hosts/known-hosts.ts",
    from: "known.record.leaseMs * othersShare",
    to: "known.record.leaseMs * 0.5",
    caughtBy: ["leases"],
  },
  {
    name: "the lease of a host counts from the answer",
    file: "hosts/host-lease.ts",
    from: "sentMs + this.#life.times.leaseMs * holderShare",
    to: "this.#life.now() + this.#life.times.leaseMs * 1.03",
    caughtBy: ["leases"],
  },
  {
    name: "others wait by a wall clock that is set forward",
    file: "cluster-member.ts",
    from: "monotonicNow: () => this.#clock.now(),",
    to: "monotonicNow: () => this.#time.now(),",
    caughtBy: ["leases"],
  },
  {
    name: "a worker ignores its lease",
    file: "workers/worker-lease.ts",
    from: "return this.#time.now() < this.#endsMs;",
    to: "return true;",
    caughtBy: ["activation", "leases"],
  },
  {
    name: "a worker's lease is longer than its host's",
    file: "workers/worker-session.ts",
    from: "Math.min(this.#life.times.workerLeaseMs, this.#life.leaseLeftMs())",
    to: "5 * this.#life.times.workerLeaseMs",
    caughtBy: ["leases", "activation"],
  },
  {
    name: "a worker is buried without waiting for its lease",
    file: "workers/worker-sessions.ts",
    from: `how === "left" ? 0 : Math.max(this.#life.times.rejoinGraceMs * othersShare, session.grantedMs)`,
    to: "0",
    caughtBy: ["leases", "activation"],
  },
  {
    name: "a gone worker is let in again",
    file: "workers/worker-sessions.ts",
    from: `if (before.state === "gone") return "void";`,
    to: "",
    caughtBy: ["activation", "leases", "settled", "claims"],
  },
  {
    name: "the purged record of a gone worker is made anew",
    file: "workers/worker-sessions.ts",
    from: `return record.session === 1 ? undefined : "void";`,
    to: "return undefined;",
    caughtBy: ["activation", "claims", "settled", "leases"],
  },
  {
    name: "a claim is taken from a worker that is only away",
    file: "claims/claim-writes.ts",
    from: `if (!isGone) return { at: "elsewhere"`,
    to: `if (false) return { at: "elsewhere"`,
    caughtBy: ["activation"],
  },
  {
    name: "a moving agent is not frozen",
    file: "claims/cluster-claims.ts",
    from: "return claim === undefined || this.#moves.has(nameOf(agent)) ? undefined : claim;",
    to: "return claim;",
    caughtBy: ["activation"],
  },
  {
    name: "a claim is kept after its giving was unknown",
    file: "claims/cluster-claims.ts",
    from: "else this.#putToSleep(agent, sessionNumber);",
    to: "",
    caughtBy: ["activation"],
  },
  {
    name: "a claim that was given keeps its epoch",
    file: "claims/claim-writes.ts",
    from: "const value = encodeClaim(wanted.agent, to, this.#newEpoch(known.epoch, wanted.era));",
    to: "const value = encodeClaim(wanted.agent, to, known.epoch);",
    caughtBy: ["claims", "activation"],
  },
  {
    name: "a type is taken from a live worker",
    file: "types/cluster-types.ts",
    from: `        if (isGone !== true) return isGone === false ? "taken" : "unavailable";
      }
      const before`,
    to: `      }
      const before`,
    caughtBy: ["claims", "activation"],
  },
  {
    name: "a shard is taken from an owner that lives",
    file: "shards/shard-owners.ts",
    from: "if ((await hosts.isDead(owner)) !== true) return undefined;",
    to: "",
    caughtBy: ["shards"],
  },
  {
    name: "a shard is freed while it is still read",
    file: "shards/shard-owners.ts",
    from: `    use.drop(shard);
    await this.#free(shard);`,
    to: `    await this.#free(shard);
    await this.#life.pause(3_000);
    use.drop(shard);`,
    caughtBy: ["shards"],
  },
  {
    name: "a shard is read after the host was isolated while it took it (rule R2)",
    file: "shards/shard-owners.ts",
    from: "if (owned === undefined || this.#isOver || !this.#life.isServing()) return;",
    to: "if (owned === undefined || this.#isOver) return;",
    caughtBy: ["shards"],
  },
  {
    name: "a reading that has ended by itself is not begun anew (rule R5)",
    file: "shards/shard-owners.ts",
    from: `this.#leastTokens.set(shard, taken + 1);
        this.#drop(shard);`,
    to: `this.#leastTokens.set(shard, taken + 1);
        this.#options.use.drop(shard);`,
    caughtBy: ["shards"],
  },
  {
    name: "a shard whose freeing was unknown stays with a host that does not read it (rule R5)",
    file: "shards/shard-owners.ts",
    from: "if (holding === undefined && this.#isNamed(shard)) void this.#free(shard);",
    to: "",
    caughtBy: ["shards"],
  },
  {
    name: "an isolated host goes on reading its shards",
    file: "cluster-member.ts",
    from: "this.shards?.isolated();",
    to: "",
    caughtBy: ["shards"],
  },
  {
    name: "a store that has forgotten writes is not noticed",
    file: "cluster-member.ts",
    from: "if (this.#hasForgotten) return;",
    to: "if (!this.#hasForgotten) return;",
    caughtBy: ["activation", "claims", "settled", "leases"],
  },
  {
    name: "gone workers are never purged",
    file: "workers/worker-sessions.ts",
    from: "const old = gone.filter(({ learntMs }) => learntMs < oldestMs);",
    to: "const old = gone.filter(({ learntMs }) => learntMs < 0);",
    caughtBy: ["leaks"],
  },
  {
    name: "what gone workers served is never purged",
    file: "records/record-purges.ts",
    from: "if (this.#underWay.has(known.key) ||",
    to: 'if (known.key.startsWith("serve.") || this.#underWay.has(known.key) ||',
    caughtBy: ["leaks"],
  },
  {
    name: "dead hosts are never purged",
    file: "hosts/known-hosts.ts",
    from: "if (unchangedMs > this.#life.times.recordsKeptMs) this.#purges.begin(known);",
    to: "",
    caughtBy: ["leaks"],
  },
  {
    name: "an agent that stays is frozen",
    file: "claims/agent-move.ts",
    from: `    this.#state = "over";
    this.#steps.thaw();
    return true;
  }
}`,
    to: `    this.#state = "over";
    return true;
  }
}`,
    caughtBy: ["calls"],
    worlds: "calm",
  },
  {
    name: "a duty throws",
    file: "hosts/known-hosts.ts",
    from: `if (known.record.state === "dead") {`,
    to: `if (known.record.state === "dead") throw new Error("planted");
      if (known.record.state === "dead") {`,
    caughtBy: ["crash"],
  },
  {
    name: "a host sends workers away below the mean",
    room: "host/membership",
    file: "worker-balance.ts",
    from: "(this.#isMoving ? Math.ceil(mean) : 1.25 * mean + 1)",
    to: "(mean - 1)",
    caughtBy: ["balance"],
  },
  {
    name: "a host sends workers to one that has come just now",
    room: "host/membership",
    file: "worker-balance.ts",
    from: "if (this.#unequalSinceMs === undefined || hasChanged) this.#unequalSinceMs = now;",
    to: "this.#unequalSinceMs ??= now - settleMs;",
    caughtBy: ["balance"],
  },
  {
    name: "a host asks stock workers to go",
    room: "host/membership",
    file: "worker-balance.ts",
    from: `if (worker.kind === "stock" || !channel.isOpen || !channel.traits.capabilities.has("lease")) continue;`,
    to: "if (!channel.isOpen) continue;",
    caughtBy: ["balance"],
  },
  {
    name: "a purge of the log that has no answer counts as done",
    room: "nats/log",
    file: "stream-asks.ts",
    from: `{ filter: subject, seq: upTo + 1 });
      if (answer === undefined) return undefined;`,
    to: `{ filter: subject, seq: upTo + 1 });
      if (answer === undefined) return true;`,
    caughtBy: ["mail"],
    worlds: "linked",
    needsDeletionFaults: true,
  },
  {
    name: "a message whose deletion has no answer counts as deleted",
    room: "nats/log",
    file: "stream-asks.ts",
    from: `query);
      if (answer === undefined) return undefined;
      if ("value" in answer) return true;`,
    to: `query);
      if (answer === undefined) return true;
      if ("value" in answer) return true;`,
    caughtBy: ["mail"],
    worlds: "linked",
    needsDeletionFaults: true,
  },
  {
    name: "a purge of the log has no last place",
    room: "nats/log",
    file: "stream-asks.ts",
    from: "{ filter: subject, seq: upTo + 1 }",
    to: "{ filter: subject }",
    caughtBy: ["mail"],
    worlds: "mail",
  },
  {
    name: "a purge goes past a message that is open",
    room: "nats/log",
    file: "settled-mail.ts",
    from: "message.place < before",
    to: "message.place > 0",
    caughtBy: ["mail"],
    worlds: "mail",
  },
  {
    name: "a stream of mail that was lost is made anew with the places of the old one",
    room: "nats",
    file: "open-stream.ts",
    from: "{ first_seq: firstPlace() }",
    to: "{}",
    caughtBy: ["mail"],
    worlds: "mail",
  },
];
