import type { Round } from "../support/contender.ts";
import { LatencyRecorder } from "../support/latencies.ts";
import { commands, tell } from "../support/peer-commands.ts";

/** One round of streams, as the benchmark commands it. */
export interface StreamRound {
  readonly seconds: number;
  readonly inFlight: number;
}

/** Reads one stream, and says of each part that it has come. */
export type ReadStream = (onPart: () => void) => Promise<unknown>;

/** Runs a reader's process: for each command it keeps `inFlight` streams open, and prints the figures of the round. */
export async function serveStreamRounds(read: ReadStream): Promise<never> {
  tell("ready");
  for await (const round of commands<StreamRound>()) tell("round", await runStreamRound(round, read));
  process.exit(0);
}

/** Keeps `inFlight` streams open for `seconds`. Latencies are those of the first part of each stream. */
async function runStreamRound({ seconds, inFlight }: StreamRound, read: ReadStream): Promise<Round> {
  const latencies = new LatencyRecorder();
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1000;
  let count = 0;
  const keepReading = async () => {
    for (let beganMs = performance.now(); beganMs < endMs; beganMs = performance.now()) {
      let isFirst = true;
      await read(() => {
        if (isFirst) latencies.record((performance.now() - beganMs) * 1000);
        isFirst = false;
        count += 1;
      });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, keepReading));
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  return { count, perSecond: count / elapsedSeconds, ...latencies.summary() };
}
