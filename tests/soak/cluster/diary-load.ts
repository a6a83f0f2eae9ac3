import { setTimeout as pause } from "node:timers/promises";
import { AgentId, type AgentRuntime, TopicId, TroupeError } from "troupe";
import { Diary, diaryTopic, Happened, ReadDiary, Wrote } from "./programs/diary-agents.ts";

/** Milliseconds between two entries of one diary. */
const gapMs = 100;
/** A failed entry is sent again after this time. */
const againMs = 50;

/** Tells diaries entries and publishes durable events to them, one after the other for each. */
export class DiaryLoad {
  /** Entries of each diary that were acknowledged, in order. */
  readonly acknowledged = new Map<string, string[]>();
  /** Entries that had to be sent again, by error code. */
  readonly again: Record<string, number> = {};
  /** Errors without a type. */
  readonly wrong: string[] = [];
  readonly #runtime: AgentRuntime;
  readonly #loops: Promise<unknown>;
  #isOver = false;

  constructor(runtime: AgentRuntime, keys: readonly string[]) {
    this.#runtime = runtime;
    this.#loops = Promise.all(keys.map((key) => this.#keepWriting(key)));
  }

  get count(): number {
    return [...this.acknowledged.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Sends no more entries; resolves when each that it has begun is acknowledged. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loops;
  }

  /** Resolves to what is wrong with the diaries, once each has as many entries as were acknowledged. */
  async faults(patienceMs: number): Promise<readonly string[]> {
    const untilMs = performance.now() + patienceMs;
    const found = await Promise.all(
      [...this.acknowledged].map(([key, entries]) => this.#faultsOf(key, entries, untilMs)),
    );
    return [...found.flat(), ...this.wrong];
  }

  async #faultsOf(key: string, expected: readonly string[], untilMs: number): Promise<readonly string[]> {
    for (;;) {
      const entries = await this.#read(key);
      if (entries.length < expected.length && performance.now() < untilMs) {
        await pause(200);
        continue;
      }
      return [...new Set(expected.map(kindOf))].flatMap((kind) => {
        const [is, was] = [entries, expected].map((list) => list.filter((entry) => kindOf(entry) === kind));
        return difference(`${kind} of diary ${key}`, is ?? [], was ?? []);
      });
    }
  }

  async #read(key: string): Promise<readonly string[]> {
    for (;;) {
      try {
        const options = { waitForTarget: 30_000, timeoutMs: 30_000 };
        return (await this.#runtime.sendMessage(ReadDiary({}), new AgentId("diary", key), options)).entries;
      } catch (error) {
        if (!(error instanceof TroupeError)) throw error;
        await pause(againMs);
      }
    }
  }

  async #keepWriting(key: string): Promise<void> {
    this.acknowledged.set(key, []);
    for (let number = 1; !this.#isOver; number += 1) {
      const entry = `${key}.${number}`;
      await this.#untilAcknowledged(() => this.#write(key, entry, number));
      this.acknowledged.get(key)?.push(entry);
      await pause(gapMs);
    }
  }

  #write(key: string, entry: string, number: number): Promise<unknown> {
    const runtime = this.#runtime;
    if (!isEvent(number)) return runtime.tell(Wrote({ entry }), new AgentId("diary", key), { idempotencyKey: entry });
    const topic = new TopicId(diaryTopic, key);
    return runtime.publishMessage(Happened({ entry }), topic, { delivery: "durable", idempotencyKey: entry });
  }

  /** The sender does not know whether a failed one was kept: it sends it again under the same key. */
  async #untilAcknowledged(send: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await send();
        return;
      } catch (error) {
        const code = error instanceof TroupeError ? error.code : "untyped";
        if (!(error instanceof TroupeError)) this.wrong.push(String(error));
        this.again[code] = (this.again[code] ?? 0) + 1;
        await pause(againMs);
      }
    }
  }
}

/** Every third entry is a durable event. Such an event is in PostgreSQL until a host moves it to NATS, so that a later told message may come before it. */
function isEvent(number: number): boolean {
  return number % 3 === 0;
}

function kindOf(entry: string): string {
  return isEvent(Number(entry.split(".")[1])) ? "durable events" : "told messages";
}

/** Where the lists begin to differ, in words. */
function difference(what: string, is: readonly string[], was: readonly string[]): readonly string[] {
  const at = was.findIndex((entry, place) => is[place] !== entry);
  if (at < 0 && is.length === was.length) return [];
  const place = at < 0 ? was.length : at;
  const [found, sent] = [is, was].map((list) => list.slice(Math.max(0, place - 2), place + 6).join(" "));
  return [`${is.length} of ${was.length} ${what}; from ${place - 2}: ${found}; acknowledged: ${sent}`];
}

/** Registers what a sender of entries must know. */
export function addDiaryMessages(runtime: AgentRuntime): void {
  runtime.addMessageSerializer([Wrote, Happened, ReadDiary, Diary]);
}
