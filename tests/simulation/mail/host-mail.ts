import type { ShardUse } from "../../../src/cluster/internal.ts";
import {
  type AgentName,
  type AppendOutcome,
  Courier,
  type CourierCall,
  type CourierDelivery,
  type CourierOutcome,
  type DurableMessage,
  MemoryStateStore,
  type RuntimeLog,
  TroupeError,
} from "../../../src/core/internal.ts";
import { JetStreamLog } from "../../../src/nats/log/jet-stream-log.ts";
import { defaultMailLimits, openMailStreams, restoreMailStreams } from "../../../src/nats/log/mail-streams.ts";
import { NatsClient } from "../../../src/nats/nats-client.ts";
import type { Dice, ProcessClock } from "../../../src/testing/index.ts";
import type { MailLedger } from "./mail-ledger.ts";
import type { SimulatedConnection } from "./simulated-connection.ts";

/** The parts of a `HostMail`. */
export interface HostMailParts {
  readonly host: string;
  readonly clock: ProcessClock;
  readonly dice: Dice;
  readonly ledger: MailLedger;
  readonly connection: SimulatedConnection;
  readonly log: RuntimeLog;
}

const openTimeoutMs = 10_000;
const openAgainMs = 500;
/** Part of the deliveries that fail at first. */
const failing = 0.05;

/** The mail of a host of the worlds: a real courier, over a real log, at simulated servers. */
export class HostMail {
  readonly connection: SimulatedConnection;
  readonly #parts: HostMailParts;
  /** Resolves when both are open; never, if the process is killed before. */
  readonly #open: Promise<{ readonly log: JetStreamLog; readonly courier: Courier }>;
  readonly #client: NatsClient;

  constructor(parts: HostMailParts) {
    this.#parts = parts;
    this.connection = parts.connection;
    const { clock, log } = parts;
    this.#client = new NatsClient({ ...parts.connection.driver, inboxPrefix: "_INBOX", clock, log });
    this.#open = this.#openBoth();
  }

  /** What the member of a host does with its shards. */
  use(count: number): ShardUse {
    const given = new Map<number, object>();
    return {
      count,
      reached: async (shard) => (await this.#open).log.reached(shard),
      take: (shard, owned) => {
        given.set(shard, owned);
        void this.#open.then(({ courier }) => {
          if (given.get(shard) === owned) void courier.takeShard(shard, owned);
        });
      },
      finish: async (shard) => (await this.#open).courier.finishShard(shard),
      drop: (shard) => {
        given.delete(shard);
        void this.#open.then(({ courier }) => {
          if (!given.has(shard)) courier.dropShard(shard);
        });
      },
    };
  }

  async keep(mailbox: AgentName, message: DurableMessage): Promise<AppendOutcome> {
    return (await this.#open).courier.keep(mailbox, message);
  }

  /** Deletes what an agent has by now, as when it is deleted: later mail stays. Rejects if the log does not answer. */
  async empty(mailbox: AgentName, beforeMs: number): Promise<void> {
    const { log } = await this.#open;
    const { clock, ledger } = this.#parts;
    const upTo = await log.newest();
    ledger.emptying(mailbox, upTo);
    await new Promise<void>((resolve) => clock.setTimer(beforeMs, resolve));
    await log.empty(mailbox, upTo);
  }

  async #openBoth(): Promise<{ readonly log: JetStreamLog; readonly courier: Courier }> {
    const { clock, dice, log: logger } = this.#parts;
    const store = new MemoryStateStore({ clock, makeId: () => dice.id() });
    const { incarnation } = await store.open();
    const log = await this.#openLog();
    this.#watchSettling(log);
    const courier = new Courier({
      ...{ store, sharedLog: log, clock, logger, cron: undefined, onBusy: () => undefined },
      retry: { initialDelayMs: 300, maxDelayMs: 2_000 },
      random: () => dice.next(),
      deliver: (call) => this.#deliver(call),
    });
    await courier.start(incarnation);
    return { log, courier };
  }

  async #openLog(): Promise<JetStreamLog> {
    const { clock, dice, log } = this.#parts;
    const parts = () => {
      const untilMs = clock.now() + openTimeoutMs;
      return { client: this.#client, replicas: undefined, untilMs, clock, log, clusterName: "world" };
    };
    for (;;) {
      try {
        const streams = await openMailStreams(parts(), defaultMailLimits);
        return new JetStreamLog({
          ...{ client: this.#client, streams, clock, log, makeId: () => dice.id() },
          mailboxBytes: defaultMailLimits.mailboxBytes,
          restoreStreams: () => restoreMailStreams(parts(), streams),
          onClosed: () => undefined,
        });
      } catch {
        // The servers are away.
        await new Promise<void>((resolve) => clock.setTimer(openAgainMs, resolve));
      }
    }
  }

  /** Tells the ledger what the courier is told of the messages that it settles. */
  #watchSettling(log: JetStreamLog): void {
    const take = log.take.bind(log);
    log.take = async (...given) => {
      const hold = await take(...given);
      return {
        settle: async (message) => {
          const outcome = await hold.settle(message);
          if (outcome === "settled") this.#parts.ledger.settled(message.id, message.place);
          return outcome;
        },
        leave: () => hold.leave(),
      };
    };
  }

  #deliver({ id, place = 0 }: CourierCall): CourierDelivery {
    const { clock, dice, ledger, host } = this.#parts;
    const outcome = new Promise<CourierOutcome>((resolve) => {
      clock.setTimer(dice.between(0, 40), () => {
        if (dice.chance(failing)) {
          const error = new TroupeError("handler-failed", "The handler of the world fails now and then.");
          return resolve({ at: "failed", error });
        }
        ledger.handled(id, place, host);
        resolve({ at: "handled" });
      });
    });
    return { outcome, withdraw: () => undefined };
  }
}
