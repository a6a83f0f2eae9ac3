import { TroupeError, type UnfinishedRun } from "../core/internal.ts";
import { Said, UiPart } from "./messages.ts";
import type { Turn } from "./next.ts";
import type { Spoken, TeamRun } from "./thread.ts";
import type { Check } from "./until.ts";

/** Returns the run as its team has saved it. Undefined: the team has saved nothing of it, and it begins with its message. */
export function savedRun(team: string, saved: TeamRun | null, unfinished: UnfinishedRun): TeamRun | undefined {
  if (saved?.id === unfinished.id) return saved;
  if (unfinished.next === 0) return undefined;
  const text = `The team ${team} was given another task before run "${unfinished.id}" could continue, which was lost with its worker.`;
  throw new TroupeError("wrong-state", `${text} Start it again, or give each task to a team with another key.`);
}

/** Returns the messages of a run that its readers were not told, and the chunks of its present turn that they were told. */
export function untold(saved: TeamRun, said: readonly Spoken[], unfinished: UnfinishedRun) {
  const told = new Map<string, number>();
  if (saved.asked.length === 0)
    return { messages: said.slice(saved.told + Math.max(0, unfinished.next - saved.chunks)), told };
  for (const { offset, chunk } of unfinished.chunks()) {
    if (offset < saved.chunks || !Said.is(chunk)) continue;
    told.set(chunk.source, (told.get(chunk.source) ?? 0) + 1);
  }
  return { messages: [], told };
}

/** Gives a condition the turns of a run once more. Returns what it says of the last one. */
export async function checkAgain(
  check: Check,
  { from, sizes, elapsedMs }: TeamRun,
  present: Turn,
): Promise<string | undefined> {
  let end = from;
  let reason: string | undefined;
  for (const [turns, size] of sizes.entries()) {
    end += size;
    const thread = present.thread.slice(0, end);
    const last = thread.findLast(({ participant }) => participant !== "")?.participant ?? "";
    // A run without a task begins without a check.
    if (turns === 0 && size === 0) continue;
    reason = await check({ ...present, thread, last, turns, elapsedMs }, thread.slice(end - size));
  }
  return reason;
}

/** The chunks of a turn in another team hold what was said. */
export function saidIn(run: UnfinishedRun): UnfinishedRun {
  return {
    ...run,
    *chunks() {
      for (const { offset, chunk } of run.chunks()) {
        const data: unknown = UiPart.is(chunk) ? chunk.data : undefined;
        if (typeof data === "object" && data !== null && "source" in data && typeof data.source === "string")
          yield { offset, chunk: Said({ source: data.source, content: "" }) };
      }
    },
  };
}
