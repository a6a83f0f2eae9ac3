import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { deadCommand } from "../../../src/cli/commands/dead.ts";
import { remindersCommand } from "../../../src/cli/commands/reminders.ts";
import { stateCommand } from "../../../src/cli/commands/state.ts";
import {
  AgentId,
  CantHandleException,
  defineMessage,
  defineState,
  type MessageOf,
  persistentAgent,
  rpc,
} from "../../../src/core/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { AdminRig } from "./admin-rig.ts";
import { run } from "./running.ts";

const Remind = defineMessage("AdminRemind", z.object({ names: z.array(z.string()) }));
const Due = defineMessage("AdminDue", z.object({}));
const Order = defineMessage("AdminOrder", z.object({ text: z.string() }));
const Seen = defineState(z.object({ orders: z.array(z.string()) }), { initial: { orders: [] } });
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const clerk = new AgentId("clerk", "1");
/** Whose messages they are. */
const boss = new AgentId("clerk", "boss");
const hourMs = 3_600_000;

class Clerk extends persistentAgent(Seen) {
  /** Texts of orders that it takes; it can't handle another. */
  static takes: (text: string) => boolean = () => true;
  static readonly taken = new Inbox<string>();

  @rpc(Remind)
  async remind({ names }: MessageOf<typeof Remind>) {
    for (const [at, name] of names.entries()) await this.remindMe(name, { after: (at + 1) * hourMs }, Due({}));
  }

  @rpc(Due)
  due() {}

  @rpc(Order)
  order({ text }: MessageOf<typeof Order>) {
    if (!Clerk.takes(text)) throw new CantHandleException("not mine\u001b[31m");
    this.state.orders.push(text);
    Clerk.taken.put(text);
  }
}

async function clerkOf(rig: AdminRig) {
  const runtime = new WorkerRuntime({ dialer: rig.dialer, address: "host:1", logger: quiet });
  await runtime.start();
  await Clerk.register(runtime, "clerk", () => new Clerk("a clerk"));
  return runtime;
}

/** Resolves when the store has so many dead letters. */
async function untilDead(rig: AdminRig, count: number): Promise<void> {
  while ((await rig.store.log.deadLetters({ limit: 100 })).letters.length < count) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

describe("troupe reminders", () => {
  test("lists an agent's reminders in pages and those of all that are due next, and cancels one", async () => {
    await using rig = await AdminRig.open();
    await using worker = await clerkOf(rig);
    await worker.sendMessage(Remind({ names: ["b", "a", "c\u001b[2J"] }), clerk);
    await worker.sendMessage(Remind({ names: ["first"] }), new AgentId("clerk", "0"));
    const list = async (...args: readonly string[]) => {
      const { out } = await run(remindersCommand(), "list", "--json", ...args, ...rig.flags);
      const { rows, next } = JSON.parse(out) as { rows: { key: string; name: string }[]; next: string | null };
      return { names: rows.map(({ key, name }) => `${key} ${name}`), next };
    };
    const page = await list("clerk/1", "--limit", "2");
    expect(page.names).toEqual(["1 a", "1 b"]);
    expect(await list("clerk/1", "--limit", "2", "--after", page.next ?? "")).toEqual({
      names: ["1 c\u001b[2J"],
      next: null,
    });
    const all = (await list()).names;
    expect(all.toSorted()).toEqual(["0 first", "1 a", "1 b", "1 c\u001b[2J"]);
    const due = await list("--limit", "3");
    expect(due.names).toEqual(all.slice(0, 3));
    // What fires meanwhile moves nothing behind it.
    expect(await list("--limit", "3", "--after", due.next ?? "")).toEqual({ names: all.slice(3), next: null });
    const table = (await run(remindersCommand(), "list", "clerk/1", ...rig.flags)).out;
    expect(table).toMatch(/^type {3}key {2}name[\s\S]*clerk {2}1 {4}a[\s\S]*AdminDue/);
    expect(table).not.toContain("\u001b");
    expect(table).toContain("c\\u001b[2J");
    expect((await run(remindersCommand(), "cancel", "clerk/1", "a", ...rig.flags)).out).toBe(
      "cancelled the reminder a of clerk/1\n",
    );
    expect((await rig.store.reminders(clerk)).map(({ name }) => name)).toEqual(["b", "c\u001b[2J"]);
    await expect(run(remindersCommand(), "cancel", "clerk/1", "a", ...rig.flags)).rejects.toMatchObject({
      code: "not-found",
      message: "clerk/1 has no such reminder. See troupe reminders list clerk/1.",
    });
  });
});

test("a host reads reminders of all agents in pages, however many are due", async () => {
  await using rig = await AdminRig.open();
  await using worker = await clerkOf(rig);
  const names = Array.from({ length: 250 }, (_, at) => `r${String(at).padStart(3, "0")}`);
  await worker.sendMessage(Remind({ names }), clerk);
  const read = vi.spyOn(rig.store, "due");
  const { out } = await run(remindersCommand(), "list", "--json", "--limit", "1000", ...rig.flags);
  const listed: string[] = JSON.parse(out).rows.map(({ name }: { readonly name: string }) => name);
  expect(listed.sort()).toEqual(names);
  // The courier of the host reads the same table, up to the present time.
  const asked = read.mock.calls.map(([query]) => query).filter(({ beforeMs }) => beforeMs === Number.MAX_SAFE_INTEGER);
  expect(asked.map(({ limit }) => limit)).toEqual([101, 101, 101]);
});

test.each([{ dueMs: "1", seq: 1 }, { dueMs: 1 }, { dueMs: 1, seq: 0.5 }, "a", null])(
  "a list of all reminders refuses the place %j",
  async (place) => {
    await using rig = await AdminRig.open();
    const after = Buffer.from(JSON.stringify(place)).toString("base64url");
    await expect(rig.client.ask("GET", "/v1/reminders", { after })).rejects.toMatchObject({ code: "invalid-argument" });
  },
);

describe("troupe dead", () => {
  test("list says how many letters the host has forgotten", async () => {
    // A store of 16 MiB keeps 4 MiB of dead letters.
    const stateStore = new MemoryStateStore({ maxBytes: 16 * 1024 * 1024 });
    await using rig = await AdminRig.open({ stateStore });
    await using worker = await clerkOf(rig);
    expect(await run(deadCommand(), "list", ...rig.flags)).toEqual({ out: "no dead letters\n", err: "", exitCode: 0 });
    for (const id of ["old 1", "old 2", "old 3"]) {
      const mailbox = { type: "noisy", key: "k" };
      const kept = { mailbox, id, kind: "call", frame: new Uint8Array(1024 * 1024), sentAtMs: 0 } as const;
      const why = { code: "expired", text: "", attempts: 1 } as const;
      await stateStore.log.bury({ ...kept, place: 0, priorTakeovers: 0 }, why);
    }
    Clerk.takes = () => false;
    await worker.tell(Order({ text: "x".repeat(1024 * 1024) }), clerk, { sender: boss });
    while (rig.host.counters().forgottenLetters === 0) await new Promise((resolve) => setImmediate(resolve));
    const { out, err } = await run(deadCommand(), "list", "--json", ...rig.flags);
    expect(JSON.parse(out)).toMatchObject({ next: null, forgottenLetters: 1 });
    expect(err).toBe(
      "Since its start the host has forgotten 1 dead letter: all had too many bytes. Replay or drop what you need no more.\n",
    );
  });

  test("lists, shows, replays and drops told messages that could not be delivered", async () => {
    await using rig = await AdminRig.open();
    await using worker = await clerkOf(rig);
    Clerk.takes = () => false;
    for (const text of ["one", "two", "three"]) await worker.tell(Order({ text }), clerk, { sender: boss });
    await untilDead(rig, 3);
    const { out } = await run(deadCommand(), "list", "--json", ...rig.flags);
    const { rows, next } = JSON.parse(out) as { rows: { letter: string }[]; next: null };
    expect(next).toBeNull();
    const [one, two, three] = rows.map(({ letter }) => letter);
    expect(rows[0]).toMatchObject({
      type: "clerk",
      key: "1",
      messageType: "AdminOrder",
      code: "cant-handle",
      attempts: 1,
    });
    expect((await run(deadCommand(), "list", "clerk/2", ...rig.flags)).out).toBe("no dead letters\n");
    const shown = (await run(deadCommand(), "show", one ?? "", ...rig.flags)).out;
    expect(shown).toMatch(/clerk\/1 {2}AdminOrder {2}cant-handle[\s\S]*not mine\\u001b\[31m[\s\S]*\{"text":"one"\}/);
    expect(shown).not.toContain("\u001b");
    Clerk.takes = () => true;
    expect((await run(deadCommand(), "replay", one ?? "", three ?? "", ...rig.flags)).out).toBe("replayed 2 of 2\n");
    expect([await Clerk.taken.take(), await Clerk.taken.take()]).toEqual(["one", "three"]);
    expect((await run(deadCommand(), "replay", one ?? "", ...rig.flags)).out).toMatch(
      /^replayed 0 of 1; there is no such letter, or its mailbox is full/,
    );
    expect((await run(deadCommand(), "drop", two ?? "", ...rig.flags)).out).toBe("dropped 1 of 1\n");
    await expect(run(deadCommand(), "show", two ?? "", ...rig.flags)).rejects.toMatchObject({ code: "not-found" });
  });

  test("--all takes each letter that is there once, also if it dies again meanwhile, and only those of an agent if told so", async () => {
    await using rig = await AdminRig.open();
    await using worker = await clerkOf(rig);
    const other = new AgentId("clerk", "2");
    Clerk.takes = () => false;
    for (let count = 0; count < 3; count += 1)
      await worker.tell(Order({ text: `no ${count}` }), clerk, { sender: boss });
    await worker.tell(Order({ text: "other" }), other, { sender: boss });
    await untilDead(rig, 4);
    expect((await run(deadCommand(), "replay", "--all", "--agent", "clerk/1", ...rig.flags)).out).toBe(
      "replayed 3 of 3\n",
    );
    await untilDead(rig, 4);
    expect((await run(deadCommand(), "drop", "--all", "--agent", "clerk/2", ...rig.flags)).out).toBe(
      "dropped 1 of 1\n",
    );
    expect((await run(deadCommand(), "drop", "--all", ...rig.flags)).out).toBe("dropped 3 of 3\n");
    expect((await run(deadCommand(), "drop", "--all", ...rig.flags)).out).toBe("dropped 0 of 0\n");
    await expect(run(deadCommand(), "drop", ...rig.flags)).rejects.toThrow(/or write --all/);
    await expect(run(deadCommand(), "drop", "1", "--all", ...rig.flags)).rejects.toThrow(/or write --all/);
  });

  test("refuses what can't be the number of a letter, and touches none of those that are named beside it", async () => {
    await using rig = await AdminRig.open();
    await using worker = await clerkOf(rig);
    Clerk.takes = () => false;
    await worker.tell(Order({ text: "one" }), clerk, { sender: boss });
    await untilDead(rig, 1);
    for (const wrong of ["abc", "0", "-", "1.5", "1e3", "9".repeat(16)]) {
      for (const args of [
        ["drop", "1", wrong],
        ["replay", wrong],
        ["show", wrong],
      ])
        await expect(run(deadCommand(), ...args, ...rig.flags)).rejects.toThrow(/Not the number of a dead letter/);
    }
    await expect(rig.client.ask("DELETE", "/v1/dead", { letter: ["1", "abc"] })).rejects.toMatchObject({
      message: expect.stringContaining('"abc" is not the number of a dead letter. See troupe dead list.'),
    });
    expect((await run(deadCommand(), "drop", "--all", ...rig.flags)).out).toBe("dropped 1 of 1\n");
  });
});

describe("troupe state at a host that holds its store", () => {
  test("lists, shows, changes and deletes states; an agent goes on with what an operator has stored", async () => {
    await using rig = await AdminRig.open();
    await using worker = await clerkOf(rig);
    Clerk.takes = () => true;
    await worker.sendMessage(Order({ text: "one" }), clerk);
    const memory = ["--state", "memory:", ...rig.flags];
    expect((await run(stateCommand(), "list", ...memory)).out).toMatch(/clerk {2}1 +1 +1 /);
    expect(JSON.parse((await run(stateCommand(), "get", "clerk/1", "--json", ...memory)).out)).toMatchObject({
      ...{ type: "clerk", key: "1", revision: 1, text: '{"orders":["one"]}' },
    });
    const file = join(rig.folder, "state.json");
    writeFileSync(file, '{"orders":["of the operator"]}');
    expect((await run(stateCommand(), "set", "clerk/1", file, ...memory)).out).toBe("stored clerk/1\n");
    // The activation has the old version: its commit is a conflict, and the next one has the operator's.
    await worker.sendMessage(Order({ text: "two" }), clerk).catch(() => undefined);
    await worker.sendMessage(Order({ text: "three" }), clerk);
    const { text } = JSON.parse((await run(stateCommand(), "get", "clerk/1", "--json", ...memory)).out);
    expect(JSON.parse(text).orders[0]).toBe("of the operator");
    expect(JSON.parse(text).orders.at(-1)).toBe("three");
    expect((await run(stateCommand(), "delete", "clerk/1", ...memory)).out).toBe("deleted clerk/1\n");
    expect((await run(stateCommand(), "list", ...memory)).out).toBe("no stored states\n");
    writeFileSync(file, "{");
    await expect(run(stateCommand(), "set", "clerk/1", file, ...memory)).rejects.toThrow(/is not JSON/);
    expect(readFileSync(file, "utf8")).toBe("{");
  });

  test("a state that is no text is base64, and one that is too long for the entry is named", async () => {
    await using rig = await AdminRig.open();
    const file = join(rig.folder, "bytes");
    writeFileSync(file, new Uint8Array([0xff, 0x00, 0xfe]));
    const memory = ["--state", "memory:", ...rig.flags];
    await run(stateCommand(), "set", "raw/\u009b", file, "--content-type", "application/octet-stream", ...memory);
    const { out } = await run(stateCommand(), "get", "raw/\u009b", "--json", ...memory);
    expect(JSON.parse(out)).toMatchObject({ key: "\u009b", base64: "/wD+", contentType: "application/octet-stream" });
    expect(out).not.toContain("\u009b");
    writeFileSync(file, Buffer.alloc(17 * 1024 * 1024));
    const tooLong = run(stateCommand(), "set", "raw/1", file, "--content-type", "x/y", ...memory);
    await expect(tooLong).rejects.toMatchObject({ code: "message-too-large" });
  });
});
