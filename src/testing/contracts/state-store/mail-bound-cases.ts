import { deepEqual, equal, ok } from "node:assert/strict";
import type { AgentName, DurableLog, Mail } from "../../../core/internal.ts";
import { messageOf, Reading } from "../durable-log/log-reading.ts";
import {
  agent,
  bytesOf,
  commitOf,
  commitOne,
  committed,
  openLog,
  putOf,
  rejectsAs,
  type StoreCase,
  type StoreLab,
  textOf,
} from "./store-case.ts";

const kiB = 1_024;
/** Three messages of 9 KiB, each of which counts 1 KiB more. */
const threeMessages = 30 * kiB;
const frame = new Uint8Array(9 * kiB);
const sibling: AgentName = { ...agent, key: "sibling" };
const stranger: AgentName = { type: "stranger", key: "1" };

/** Bounds under which a mailbox takes three messages, a type four, and the store six. */
const small = { maxMailboxBytes: threeMessages, maxMailBytes: 60 * kiB };

function large(lab: StoreLab, id: string) {
  return { ...messageOf(lab, id), frame };
}

function mailTo(receiver: AgentName, id: string, parts: Partial<Mail> = {}): Mail {
  return { id, receiver, kind: "event", frame, ...parts };
}

/** Messages that a mailbox takes until it refuses one, and what it says then. */
async function filled(lab: StoreLab, log: DurableLog, mailbox: AgentName) {
  for (let count = 0; ; count += 1) {
    const outcome = await log.append(mailbox, large(lab, `${mailbox.key} ${count}`));
    if (outcome !== "kept") return [count, outcome];
  }
}

async function receiversIn(lab: StoreLab, log: DurableLog): Promise<readonly string[]> {
  const { letters } = await log.deadLetters({ limit: 100 });
  ok(lab.clock.wallNow() > 0);
  return letters.map(({ mailbox, id, why }) => `${mailbox.type}/${mailbox.key} ${id} ${why.code}`);
}

/** Bounds of mail in bytes. */
export const mailBoundCases: readonly StoreCase[] = [
  {
    promise: "a mailbox takes as many bytes as it may, and more when some of its messages were settled",
    tryIt: async (lab) => {
      const opened = await openLog(lab, small);
      if (opened === undefined) return;
      const { store, log } = opened;
      deepEqual(await filled(lab, log, agent), [3, "full"]);
      const refused = await commitOne(store, putOf("x", { mail: [mailTo(agent, "more")] }));
      ok(refused.at === "refused" && refused.isMailboxFull === true);
      deepEqual(refused.mailbox, agent);
      ok(refused.limit.includes(String(threeMessages)));
      equal(await store.load(agent), undefined);
      const reading = await Reading.of(log);
      await reading.has(3);
      await reading.settle(0);
      await committed(store, putOf("x", { mail: [mailTo(agent, "more")] }));
      equal(await log.append(agent, large(lab, "again")), "full");
    },
  },
  {
    promise: "agents of one type have two thirds of the mail, and another type still gets some",
    tryIt: async (lab) => {
      const opened = await openLog(lab, small);
      if (opened === undefined) return;
      const { store, log } = opened;
      deepEqual(await filled(lab, log, agent), [3, "full"]);
      deepEqual(await filled(lab, log, sibling), [1, "type-full"]);
      deepEqual(await filled(lab, log, stranger), [2, "mail-full"]);
      const outcomes = await store.commit([
        commitOf({ mail: [mailTo(sibling, "a")] }),
        commitOf({ mail: [mailTo(stranger, "b")] }),
      ]);
      ok(outcomes.every((outcome) => outcome.at === "refused" && outcome.isMailboxFull === true));
      await committed(store, commitOf({ agent, write: { at: "delete" } }));
      equal(await log.append(sibling, large(lab, "c")), "kept");
      equal(await log.append(stranger, large(lab, "d")), "kept");
    },
  },
  {
    promise: "sizes of mail are right after a restart, settlements, deletions, burials and replays",
    tryIt: async (lab) => {
      const opened = await openLog(lab, small);
      if (opened === undefined) return;
      await committed(opened.store, commitOf({ mail: [mailTo(agent, "1"), mailTo(agent, "2"), mailTo(sibling, "3")] }));
      const store = await lab.reopen(opened.store);
      const { log } = store;
      ok(log !== undefined);
      const reading = await Reading.of(log);
      const [first] = await reading.has(2);
      ok(first !== undefined);
      await log.bury(first, { code: "expired", text: "late", attempts: 1 });
      deepEqual(await filled(lab, log, agent), [2, "full"]);
      const [letter] = (await log.deadLetters({ limit: 10 })).letters;
      equal(await log.replay([letter?.letter ?? ""]), 0);
      await reading.settle(1);
      equal(await log.replay([letter?.letter ?? ""]), 1);
      equal(await log.append(agent, large(lab, "full")), "full");
      for (const receiver of [agent, sibling]) {
        await committed(store, commitOf({ agent: receiver, write: { at: "delete" } }));
      }
      const again = await lab.reopen(store);
      ok(again.log !== undefined);
      deepEqual(await filled(lab, again.log, { ...agent, key: "new" }), [3, "full"]);
      deepEqual(await filled(lab, again.log, sibling), [1, "type-full"]);
      deepEqual(await filled(lab, again.log, stranger), [2, "mail-full"]);
    },
  },
  {
    promise: "a message that no empty mailbox takes is refused as too large, and a commit with it for good",
    tryIt: async (lab) => {
      const opened = await openLog(lab, small);
      if (opened === undefined) return;
      const { store, log } = opened;
      const long = new Uint8Array(threeMessages);
      await rejectsAs(log.append(agent, { ...messageOf(lab, "1"), frame: long }), "too-large");
      const refused = await commitOne(store, commitOf({ mail: [mailTo(agent, "1", { frame: long })] }));
      ok(refused.at === "refused" && refused.isMailboxFull !== true);
    },
  },
  {
    promise:
      "an agent is deleted while the mail is full, since no bound counts the mark of it, and its mailbox has one mark",
    tryIt: async (lab) => {
      const store = await lab.open(small);
      for (let count = 0; ; count += 1) {
        const mail = [mailTo({ type: `type ${count}`, key: "1" }, "1")];
        if ((await commitOne(store, commitOf({ mail }))).at === "refused") break;
      }
      const before = (await store.stats()).mail;
      for (const place of ["7", "12"]) {
        const mark = { id: "troupe.emptied", receiver: agent, kind: "emptied", frame: bytesOf(place) } as const;
        await committed(store, commitOf({ write: { at: "delete" }, mail: [mark] }));
      }
      const mail = await store.mail({ limit: 1_000 });
      equal(mail.length, before + 1);
      const marks = mail.filter(({ kind }) => kind === "emptied");
      deepEqual(
        marks.map(({ receiver, frame: place }) => [receiver, textOf(place)]),
        [[agent, "12"]],
      );
    },
  },
  {
    promise: "mail that may be buried is a dead letter when its mailbox is full, and the rest of its commit happens",
    tryIt: async (lab) => {
      const opened = await openLog(lab, { ...small, maxMailboxMessages: 2 });
      if (opened === undefined) return;
      const { store, log } = opened;
      deepEqual(await filled(lab, log, agent), [2, "full"]);
      const mail = [
        mailTo(agent, "1", { whenFull: "bury", isOnce: true }),
        mailTo(sibling, "1", { whenFull: "bury", isOnce: true }),
      ];
      const outcome = await committed(store, putOf("x", { mail }));
      deepEqual(outcome.buriedMail, [0]);
      deepEqual(await receiversIn(lab, log), [`${agent.type}/${agent.key} 1 mailbox-full`]);
      equal((await store.stats()).mail, 3);
      const known = await committed(store, commitOf({ mail }));
      deepEqual([known.knownMail, known.buriedMail], [[1], [0]]);
      const refused = await commitOne(store, commitOf({ mail: [...mail, mailTo(agent, "2")] }));
      equal(refused.at, "refused");
      equal((await receiversIn(lab, log)).length, 2);
      await committed(store, commitOf({ agent, write: { at: "delete" } }));
      const taken = await committed(
        store,
        commitOf({ agent: sibling, mail: [mailTo(agent, "3", { whenFull: "bury" })] }),
      );
      equal(taken.buriedMail, undefined);
      equal(await log.append(agent, { ...messageOf(lab, "4"), frame: bytesOf("x") }), "kept");
    },
  },
];
