import type { Round } from "./contender.ts";
import { LatencyRecorder } from "./latencies.ts";
import { commands, tell } from "./peer-commands.ts";

/** One round of calls, as the benchmark commands it. */
export interface CallRound {
  readonly seconds: number;
  readonly inFlight: number;
  readonly payloadBytes: number;
}

/**
 * Runs a caller's process: for each command it keeps `inFlight` calls under way, and prints the figures of the round. The process
 * ends with the benchmark. `prepare` returns the function that makes one call of a round.
 */
export async function serveCallRounds(prepare: (payloadBytes: number) => () => Promise<unknown>): Promise<never> {
  tell("ready");
  for await (const round of commands<CallRound>())
    tell("round", await runCallRound(round, prepare(round.payloadBytes)));
  process.exit(0);
}

/** Keeps `inFlight` calls under way for `seconds`. */
export async function runCallRound(
  round: Pick<CallRound, "seconds" | "inFlight">,
  call: () => Promise<unknown>,
): Promise<Round> {
  const latencies = new LatencyRecorder();
  const startedMs = performance.now();
  const endMs = startedMs + round.seconds * 1000;
  let count = 0;
  const keepCalling = async () => {
    for (let nowMs = performance.now(); nowMs < endMs; ) {
      await call();
      const answeredMs = performance.now();
      latencies.record((answeredMs - nowMs) * 1000);
      count += 1;
      nowMs = answeredMs;
    }
  };
  await Promise.all(Array.from({ length: round.inFlight }, keepCalling));
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  return { count, perSecond: count / elapsedSeconds, ...latencies.summary() };
}

/** Ends this process with the benchmark that started it. */
export function endWithBenchmark(): void {
  process.stdin.on("close", () => process.exit(0)).resume();
}
