import { expect, test } from "vitest";
import { TroupeError } from "../../../../src/core/internal.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { Lab, startMs, turn } from "./courier-lab.ts";

test("dead letters that are forgotten for space are counted, and the log says it once for each lot", async () => {
  const clock = new ManualClock(startMs);
  const large = new Uint8Array(1024 * 1024);
  // A store of 16 MiB keeps 4 MiB of dead letters.
  const lab = await Lab.started({ clock, memory: new MemoryStateStore({ clock, maxBytes: 16 * 1024 * 1024 }) });
  const mailbox = { type: "noisy", key: "k" };
  for (let index = 0; index < 3; index += 1) {
    const message = { id: `old ${index}`, kind: "call", frame: large, sentAtMs: startMs } as const;
    await lab.memory.log.bury(
      { ...message, mailbox, place: 0, priorTakeovers: 0 },
      { code: "expired", text: "", attempts: 1 },
    );
  }
  lab.answer = () => ({ at: "failed", error: new TroupeError("cant-handle", "no handler") });
  await lab.store.log?.append(mailbox, { id: "new", kind: "call", frame: large, sentAtMs: startMs });
  while (lab.courier.counters.deadLetters < 1) await turn();
  expect(lab.courier.counters.forgottenLetters).toBe(1);
  const texts = lab.logger.lines.map(({ text }) => text);
  expect(texts.filter((text) => text.includes("forgotten"))).toEqual([
    "1 dead letter was forgotten: all have too many bytes. The oldest go, of the agent types that have the most. See troupe dead list.",
  ]);
  expect(texts.some((text) => text.includes("cant-handle, 1 attempt)"))).toBe(true);
  await lab.courier.stop();
});

test("dead letters that are forgotten for the mail of a commit are counted, too", async () => {
  const clock = new ManualClock(startMs);
  const memory = new MemoryStateStore({ clock, maxBytes: 16 * 1024 * 1024, maxMailboxMessages: 1 });
  const lab = await Lab.started({ clock, memory });
  lab.answer = () => ({ at: "failed", error: new TroupeError("undeliverable", "text") });
  const mail = ["1", "2", "3", "4", "5", "6"].map((id) => {
    const frame = new Uint8Array(1024 * 1024);
    return { id, receiver: { type: "noisy", key: "k" }, kind: "event", frame, whenFull: "bury" } as const;
  });
  for (const one of mail) await lab.commit({ mail: [one] });
  // A store of 16 MiB keeps 4 MiB of dead letters.
  expect(lab.courier.counters).toMatchObject({ deadLetters: 5, forgottenLetters: 2 });
  await lab.courier.stop();
});
