import type { AgentId, AgentRuntime, MessageStreamOptions } from "../../src/core/index.ts";
import type { Dice } from "../../src/testing/index.ts";
import type { CallRecord, Ledger } from "./ledger.ts";
import { Part, Parts } from "./messages.ts";
import type { WorldParts } from "./world-parts.ts";

/** How a call is read whose answer comes in parts. */
export interface PlannedStream {
  /** Chunks that the handler yields, their characters, and its time before each. */
  readonly chunks: number;
  readonly chars: number;
  readonly everyMs: number;
  readonly windowBytes: number;
  /** The reader's time for each chunk. */
  readonly readMs: number;
  /** The reader leaves behind so many chunks. */
  readonly leavesAfter: number | undefined;
  /** It stops behind so many chunks for a while, then reads on. */
  readonly stallsAfter: number | undefined;
  readonly stallMs: number;
}

/** One run of a handler that yields chunks. */
interface PouredStream {
  readonly token: string;
  readonly call: CallRecord;
  /** Chunks that were taken off the handler, and the one that it waits to get rid of. */
  yielded: number;
  waitsSinceMs: number | undefined;
  hasEnded: boolean;
  readonly isAlive: () => boolean;
}

/** What a reader has got. */
interface ReadStream {
  readonly call: CallRecord;
  readonly plan: PlannedStream;
  readonly chunks: { readonly run: string; readonly n: number }[];
  /** Since when it waits for the next chunk. */
  waitsSinceMs: number | undefined;
  hasLeft: boolean;
}

/** All streams of a world. */
export class StreamLedger {
  readonly poured: PouredStream[] = [];
  readonly read: ReadStream[] = [];

  pour(token: string, call: CallRecord, isAlive: () => boolean): PouredStream {
    const stream = { token, call, yielded: 0, waitsSinceMs: undefined, hasEnded: false, isAlive };
    this.poured.push(stream);
    return stream;
  }

  open(call: CallRecord, plan: PlannedStream): ReadStream {
    const stream = { call, plan, chunks: [], waitsSinceMs: undefined, hasLeft: false };
    this.read.push(stream);
    return stream;
  }
}

export function drawStream(dice: Dice): PlannedStream {
  const ends = dice.next();
  return {
    chunks: dice.chance(0.8) ? dice.between(1, 40) : 0,
    chars: dice.chance(0.8) ? dice.between(0, 300) : dice.between(300, 3_000),
    everyMs: dice.chance(0.5) ? 0 : dice.between(1, 200),
    windowBytes: dice.chance(0.7) ? dice.between(1_024, 4_096) : 65_536,
    readMs: dice.chance(0.6) ? 0 : dice.between(1, 100),
    leavesAfter: ends < 0.15 ? dice.between(0, 10) : undefined,
    stallsAfter: ends > 0.75 ? dice.between(0, 10) : undefined,
    stallMs: dice.chance(0.8) ? dice.between(10, 3_000) : dice.between(20_000, 60_000),
  };
}

export interface StreamingParts extends WorldParts {
  readonly process: { readonly name: string; readonly isAlive: boolean };
}

/** The chunks of a handler. Its answer follows. */
export async function* pourChunks(
  { ledger, process, simulation }: StreamingParts,
  call: CallRecord,
  agent: string,
): AsyncGenerator<ReturnType<typeof Part>, void, undefined> {
  const { stream } = call.plan;
  if (stream === undefined) return;
  const { clock } = simulation;
  const token = `${process.name}/${agent}/s${ledger.streams.poured.length}`;
  const poured = ledger.streams.pour(token, call, () => process.isAlive);
  try {
    for (let n = 0; n < stream.chunks; n += 1) {
      if (stream.everyMs > 0) await new Promise<void>((resolve) => clock.setTimer(stream.everyMs, resolve));
      poured.yielded = n + 1;
      poured.waitsSinceMs = clock.now();
      yield Part({ run: token, n, text: "x".repeat(stream.chars) });
      poured.waitsSinceMs = undefined;
    }
  } finally {
    poured.hasEnded = true;
    ledger.trace.note(`${token} ends its chunks`);
  }
}

/** Reads a call as its plan says. Resolves to the answer. */
export async function readStream(
  { ledger, simulation }: WorldParts,
  runtime: AgentRuntime,
  {
    record,
    target,
    options,
  }: { readonly record: CallRecord; readonly target: AgentId; readonly options: MessageStreamOptions },
): Promise<unknown> {
  const plan = record.plan.stream;
  if (plan === undefined) throw new Error("The call reads no chunks.");
  const { clock } = simulation;
  const reading = ledger.streams.open(record, plan);
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.setTimer(ms, resolve));
  const stream = runtime.stream(Parts({ call: record.name }), target, { ...options, windowBytes: plan.windowBytes });
  reading.waitsSinceMs = clock.now();
  if (plan.leavesAfter !== 0) {
    for await (const { run, n } of stream) {
      reading.waitsSinceMs = undefined;
      reading.chunks.push({ run, n });
      if (reading.chunks.length === plan.leavesAfter) break;
      if (reading.chunks.length === plan.stallsAfter) await sleep(plan.stallMs);
      if (plan.readMs > 0) await sleep(plan.readMs);
      reading.waitsSinceMs = clock.now();
    }
  }
  if (plan.leavesAfter !== undefined && reading.chunks.length === plan.leavesAfter) {
    reading.hasLeft = true;
    record.abortedMs ??= clock.now();
    await stream[Symbol.asyncDispose]();
  }
  return stream.answer;
}

/** Both ends of a stream that is well have waited for each other no longer than this. */
const longestWaitMs = 8_000;

/** Chunks come in order, each once, all before the answer. No handler outlives its reader, and no two ends wait for each other. */
export function streamsAreWhole(
  { streams }: Ledger,
  isQuiet: (call: CallRecord) => boolean,
  report: (text: string) => void,
): void {
  for (const { call, chunks, hasLeft, waitsSinceMs } of streams.read) {
    const [first] = chunks;
    const isInOrder = chunks.every(({ run, n }, at) => n === at && run === first?.run);
    if (!isInOrder) report(`${call.name} was read as ${chunks.map(({ run, n }) => `${run}#${n}`).join(" ")}`);
    const poured = streams.poured.filter((one) => one.call === call);
    const own = poured.find(({ token }) => token === first?.run) ?? poured.at(-1);
    if (first !== undefined && own?.token !== first.run) report(`${call.name} had the chunks of ${first.run}`);
    if (call.outcome?.at === "answered" && !hasLeft && own !== undefined && chunks.length !== own.yielded)
      report(`${call.name} was answered behind ${chunks.length} of ${own.yielded} chunks`);
    const sinceMs = Math.max(waitsSinceMs ?? Number.POSITIVE_INFINITY, own?.waitsSinceMs ?? Number.POSITIVE_INFINITY);
    const isTimedOut = call.outcome?.at === "failed" && call.outcome.code === "timed-out";
    if (isTimedOut && sinceMs < call.endedMs - longestWaitMs && isQuiet(call))
      report(`${call.name} timed out while its reader and its handler waited for each other`);
  }
  for (const { token, call, hasEnded, isAlive } of streams.poured)
    if (isAlive() && !hasEnded) report(`${token} for ${call.name} never ended`);
}
