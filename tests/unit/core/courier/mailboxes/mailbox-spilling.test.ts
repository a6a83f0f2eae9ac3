import { expect, test, vi } from "vitest";
import { createMailbox } from "../../../../../src/core/courier/mailboxes/mailbox.ts";
import {
  MailboxSpilling,
  type MailboxSpillingParts,
} from "../../../../../src/core/courier/mailboxes/mailbox-spilling.ts";
import { StoreError } from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { RecordingLogger } from "../../../../support/recording-logger.ts";

test.each([
  { storeCode: "fenced", lines: 0 },
  { storeCode: "unavailable", lines: 1 },
] as const)("mail that can't be read back is asked for again; $storeCode has $lines lines of the log", async (one) => {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const kick = vi.fn<MailboxSpillingParts["kick"]>();
  const unspill = vi.fn(() => {
    throw new StoreError(one.storeCode, "no mail");
  });
  // Reading back asks nothing else of the log and of the memory before the first message.
  const parts = { log: { unspill }, memory: {} } as unknown as Pick<MailboxSpillingParts, "log" | "memory">;
  const spilling = new MailboxSpilling({ ...parts, clock, logger, kick, onRead: vi.fn(), freeSlot: vi.fn() });
  const mailbox = createMailbox({ type: "a", key: "1" }, "");
  await spilling.readBack(mailbox);
  expect(logger.lines.filter(({ level }) => level === "error")).toHaveLength(one.lines);
  expect(kick).toHaveBeenCalledTimes(1);
  clock.advance(2_000);
  expect(kick).toHaveBeenCalledTimes(2);
});
