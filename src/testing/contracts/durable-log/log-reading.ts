import { ok } from "node:assert/strict";
import {
  type AgentName,
  type Clock,
  type DurableLog,
  type KeptMessage,
  type ShardHold,
  StoreError,
  shardOf,
  type TakeOptions,
} from "../../../core/internal.ts";
import { agent } from "./log-case.ts";

const encoder = new TextEncoder();

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function messageOf({ clock }: { readonly clock: Clock }, id: string) {
  return { id, kind: "call", frame: bytesOf(`frame of ${id}`), sentAtMs: clock.wallNow() } as const;
}

/** Reads one mailbox's shard, and waits for messages. */
export class Reading {
  readonly messages: KeptMessage[] = [];
  lost: StoreError | undefined;
  hold: ShardHold | undefined;
  #onChange: () => void = () => undefined;

  static async of(log: DurableLog, token = 1, options?: TakeOptions): Promise<Reading> {
    const reading = new Reading();
    const reader = {
      onMessage: (message: KeptMessage) => {
        reading.messages.push(message);
        reading.#onChange();
      },
      onLost: (error: StoreError) => {
        reading.lost = error;
        reading.#onChange();
      },
    };
    reading.hold = await log.take(shardOf(agent), token, reader, options);
    return reading;
  }

  /** Resolves when the reading has ended. */
  async ended(): Promise<StoreError> {
    while (this.lost === undefined) await this.#change();
    return this.lost;
  }

  get ids(): readonly string[] {
    return this.messages.map(({ id }) => id);
  }

  async has(count: number): Promise<readonly KeptMessage[]> {
    while (this.messages.length < count) await this.#change();
    return this.messages;
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onChange = resolve;
    });
  }

  async settle(index: number): Promise<"settled" | "lost"> {
    const message = this.messages[index];
    ok(message !== undefined && this.hold !== undefined);
    return this.hold.settle(message);
  }
}

/** Asks again while the log can't be reached, as a courier does. For cases that kill the servers alone: these elect a leader first. */
export async function whenReached<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (tries === 100 || !(error instanceof StoreError) || error.storeCode !== "unavailable") throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Resolves when the log has handed over all that was kept before: a message of another mailbox of the shard is the last. */
export async function handedOver(
  lab: { readonly clock: Clock },
  log: DurableLog,
  reading: Reading,
  ask: typeof whenReached = (append) => append(),
): Promise<void> {
  const last = neighbour();
  const id = `last ${reading.messages.length} ${lab.clock.wallNow()} ${Math.random()}`;
  await ask(() => log.append(last, messageOf(lab, id)));
  while (!reading.ids.includes(id)) await reading.has(reading.messages.length + 1);
}

/** Another agent of the shard of `agent`. */
export function neighbour(): AgentName {
  return firstInShard("last", 1)[0] ?? agent;
}

/** Other agents of the shard of `agent`. */
export function neighbours(count: number): readonly AgentName[] {
  return firstInShard("near", count);
}

function firstInShard(name: string, count: number): readonly AgentName[] {
  const found: AgentName[] = [];
  for (let index = 0; found.length < count; index += 1) {
    const one = { type: agent.type, key: `${name} ${index}` };
    if (shardOf(one) === shardOf(agent)) found.push(one);
  }
  return found;
}

export function idsOf(reading: Reading): readonly string[] {
  return reading.ids.filter((id) => !id.startsWith("last"));
}
