import type { StateSlot } from "../../state/state-slot.ts";
import type { RunChange } from "../../state/stored-runs.ts";
import type { SavedRun } from "../../state/writing-turns.ts";

/** Returns the run of the turn that saves. Undefined: none, or another turn may save beside it. */
export function runThatSaves({ writing, isInterleaved }: StateSlot): SavedRun | undefined {
  if (isInterleaved && writing.length !== 1) return undefined;
  return writing.find(({ run }) => run !== undefined)?.run;
}

/** Saves in the turn of a kept run. The chunks so far and the state are one commit, unless the agent runs ahead of its commits. */
export async function saveStep(
  run: SavedRun,
  runsAhead: boolean,
  commit: (runs: readonly RunChange[]) => Promise<void> | undefined,
): Promise<void> {
  if (runsAhead) {
    await commit([]);
    return run.stepAlone();
  }
  const runs = await run.step();
  let isWritten = false;
  try {
    await commit(runs);
    isWritten = true;
  } finally {
    run.stepped(isWritten);
  }
}
