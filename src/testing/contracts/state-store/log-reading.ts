import { ok } from "node:assert/strict";
import {
  type AgentName,
  type DurableLog,
  type KeptMessage,
  type ShardHold,
  type StateStore,
  type StoreError,
  shardOf,
} from "../../../core/internal.ts";
import { agent, bytesOf, type StoreLab } from "./store-case.ts";

export const minuteMs = 60_000;
/** Another agent than `agent`. */
export const other: AgentName = { type: "b", key: "k" };

export function messageOf(lab: StoreLab, id: string) {
  return { id, kind: "call", frame: bytesOf(`frame of ${id}`), sentAtMs: lab.clock.wallNow() } as const;
}

/** The log of a store. A store without one passes these cases without being asked. */
export async function openLog(lab: StoreLab): Promise<{ store: StateStore; log: DurableLog } | undefined> {
  const store = await lab.open();
  return store.log === undefined ? undefined : { store, log: store.log };
}

/** Reads one mailbox's shard, and waits for messages. */
export class Reading {
  readonly messages: KeptMessage[] = [];
  lost: StoreError | undefined;
  hold: ShardHold | undefined;
  #onChange: () => void = () => undefined;

  static async of(log: DurableLog, token = 1, mailbox = agent): Promise<Reading> {
    const reading = new Reading();
    reading.hold = await log.take(shardOf(mailbox), token, {
      onMessage: (message) => {
        reading.messages.push(message);
        reading.#onChange();
      },
      onLost: (error) => {
        reading.lost = error;
      },
    });
    return reading;
  }

  get ids(): readonly string[] {
    return this.messages.map(({ id }) => id);
  }

  async has(count: number): Promise<readonly KeptMessage[]> {
    while (this.messages.length < count) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    return this.messages;
  }

  async settle(index: number): Promise<"settled" | "lost"> {
    const message = this.messages[index];
    ok(message !== undefined && this.hold !== undefined);
    return this.hold.settle(message);
  }
}

/** Resolves when the log has handed over all that was kept before: a message of another mailbox of the shard is the last. */
export async function handedOver(lab: StoreLab, log: DurableLog, reading: Reading): Promise<void> {
  const last = { type: agent.type, key: keyInShard(shardOf(agent)) };
  const id = `last ${reading.messages.length} ${lab.clock.wallNow()} ${Math.random()}`;
  await log.append(last, messageOf(lab, id));
  while (!reading.ids.includes(id)) await reading.has(reading.messages.length + 1);
}

function keyInShard(shard: number): string {
  for (let index = 0; ; index += 1)
    if (shardOf({ type: agent.type, key: `last ${index}` }) === shard) return `last ${index}`;
}

export function idsOf(reading: Reading): readonly string[] {
  return reading.ids.filter((id) => !id.startsWith("last"));
}
