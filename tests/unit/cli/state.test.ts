import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { stateCommand } from "../../../src/cli/commands/state.ts";
import { openDefaultState, parseStateLocation } from "../../../src/cli/state/state-location.ts";
import { formatTable } from "../../../src/cli/table.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { openSqliteStore } from "../../../src/storage/sqlite/index.ts";
import { NodeProgram } from "../../support/node-program.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-state-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs `troupe state …` in this process; resolves to what it prints. */
async function run(...args: readonly string[]): Promise<string> {
  let printed = "";
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    const command = stateCommand();
    for (const one of [command, ...command.commands]) one.exitOverride().configureOutput({ writeErr: () => undefined });
    await command.parseAsync([...args], { from: "user" });
  } finally {
    spy.mockRestore();
  }
  return printed;
}

test("a store is named as sqlite:FILE, as a PostgreSQL address or as memory:", () => {
  expect(parseStateLocation("sqlite:a b.db")).toEqual({ kind: "sqlite", file: "a b.db" });
  expect(parseStateLocation("postgres://u@h/d")).toEqual({ kind: "postgres", url: "postgres://u@h/d" });
  expect(parseStateLocation("postgresql://h/d")).toEqual({ kind: "postgres", url: "postgresql://h/d" });
  expect(parseStateLocation("memory:")).toEqual({ kind: "memory" });
  for (const text of ["", "sqlite:", "agents.db", "postgres://", "mysql://h/d"])
    expect(parseStateLocation(text)).toBeUndefined();
});

test("a table has its numbers at the right", () => {
  expect(
    formatTable(
      ["key", "n"],
      [
        ["a", 1],
        ["long", 100],
      ],
    ),
  ).toBe("key     n\na       1\nlong  100");
});

test("an operator lists, shows, changes and deletes states of a store that no host holds", async () => {
  const file = join(folder, "states.db");
  const state = ["--state", `sqlite:${file}`];
  await (await openSqliteStore(file, { thread: false })).close();
  const text = join(folder, "state.json");
  writeFileSync(text, '{"total":3}');
  expect(await run("list", ...state)).toBe("no stored states\n");
  expect(await run("set", "counter/7", text, ...state)).toBe("stored counter/7\n");
  expect(await run("set", "counter/7", text, "--schema-version", "2", ...state)).toBe("stored counter/7\n");
  expect(await run("list", ...state)).toMatch(/counter {2}7 +2 +2 +11 /);
  expect(await run("get", "counter/7", ...state)).toMatch(
    /revision 2, version 2, application\/json.*\n\{"total":3\}\n$/,
  );
  expect(JSON.parse(await run("get", "counter/7", "--json", ...state))).toMatchObject({
    key: "7",
    text: '{"total":3}',
  });
  expect(await run("list", "counter", "--prefix", "7", ...state)).toMatch(/counter {2}7 /);
  expect(await run("list", "other", ...state)).toBe("no stored states\n");
  expect(await run("delete", "counter/7", ...state)).toBe("deleted counter/7\n");
  await expect(run("get", "counter/7", ...state)).rejects.toMatchObject({ code: "not-found" });
});

test("an operator who lists fewer states than there are is told how to go on, and goes on", async () => {
  const file = join(folder, "many.db");
  const state = ["--state", `sqlite:${file}`, "--json"];
  await (await openSqliteStore(file, { thread: false })).close();
  const text = join(folder, "one.json");
  writeFileSync(text, '{"total":1}');
  for (const key of ["a", "b", "c"]) await run("set", `counter/${key}`, text, ...state);
  const spy = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const first = JSON.parse(await run("list", "--limit", "2", ...state));
  expect(first.rows.map(({ key }: { key: string }) => key)).toEqual(["a", "b"]);
  expect(spy.mock.lastCall?.[0]).toMatch(`go on with --after ${first.next}`);
  spy.mockRestore();
  const second = JSON.parse(await run("list", "--after", first.next, ...state));
  expect(second).toMatchObject({ rows: [{ key: "c" }], next: null });
  await expect(run("list", "--after", "nowhere", ...state)).rejects.toThrow(/--after takes the place/);
});

test("the error of a damaged file names the command that tells more", async () => {
  const file = join(folder, "damaged.db");
  writeFileSync(file, "x".repeat(8_192));
  await expect(run("list", "--state", `sqlite:${file}`)).rejects.toThrow(/damaged.*troupe state check/);
});

test("backup and check of a store that does not exist say so, and make nothing", async () => {
  const state = ["--state", `sqlite:${join(folder, "none", "state.db")}`];
  const says =
    /There is no state store .*in the folder of troupe host, or name the store with --state sqlite:FILE or --state postgres:/;
  await expect(run("backup", join(folder, "copy.db"), ...state)).rejects.toThrow(says);
  await expect(run("check", ...state)).rejects.toThrow(says);
});

test("a wrong name, a missing file, a wrong state and a store that a host holds are refused with what to do", async () => {
  const file = join(folder, "held.db");
  const state = ["--state", `sqlite:${file}`];
  await expect(run("list", ...state)).rejects.toThrow(/There is no state store .*--state sqlite:FILE/);
  await expect(run("list", "--state", "agents.db")).rejects.toThrow(/write sqlite:FILE/);
  await expect(run("list", "--state", "memory:")).rejects.toThrow(/No host answers here/);
  await expect(run("get", "counter", ...state)).rejects.toThrow(/write type\/key/);
  await expect(run("backup", "x.db", "--state", "postgres://h/d")).rejects.toThrow(/pg_dump/);
  await using holder = await openSqliteStore(file, { thread: false });
  await holder.open();
  const text = join(folder, "broken.json");
  writeFileSync(text, "{");
  await expect(run("set", "counter/7", text, ...state)).rejects.toThrow(
    /in use by process \d+.*--admin-file, or use a store that no host holds/,
  );
  expect(await run("list", ...state)).toBe("no stored states\n");
  await holder.close();
  await expect(run("set", "counter/7", text, ...state)).rejects.toThrow(/broken\.json is not JSON: .*--content-type/);
  const empty = join(folder, "empty.json");
  writeFileSync(empty, "");
  await expect(run("set", "counter/7", empty, ...state)).rejects.toThrow(/is not JSON: it is empty/);
  for (const [kind, content] of [
    ["a list", "[1]"],
    ["a number", "3"],
    ["null", "null"],
  ] as const) {
    writeFileSync(text, content);
    await expect(run("set", "counter/7", text, ...state)).rejects.toThrow(
      `broken.json is not a JSON object but ${kind}. A state has named fields. Correct it, or name its --content-type.`,
    );
  }
  const missing = run("set", "counter/7", join(folder, "none.json"), ...state);
  await expect(missing).rejects.toMatchObject({
    code: "invalid-argument",
    message: expect.stringMatching(
      /none\.json can't be read: There is no such file\. Name a file.* - for standard input/,
    ),
  });
});

test("states of a file in a folder that nobody may write to are listed and shown, by a user without rights", async (context) => {
  if (process.getuid?.() !== 0) return context.skip("needs root, to run a command as another user");
  const closed = join(folder, "closed");
  mkdirSync(closed);
  chmodSync(folder, 0o755);
  const file = join(closed, "states.db");
  const text = join(folder, "shown.json");
  writeFileSync(text, '{"total":3}');
  await (await openSqliteStore(file, { thread: false })).close();
  await run("set", "counter/7", text, "--state", `sqlite:${file}`);
  for (const beside of ["-wal", "-shm"]) rmSync(`${file}${beside}`, { force: true });
  chmodSync(file, 0o444);
  chmodSync(closed, 0o555);
  const asNobody = async (...args: readonly string[]): Promise<string> => {
    const all = ["state", ...args, "--state", `sqlite:${file}`];
    await using program = new NodeProgram("src/cli/main.ts", all, { user: 65_534 });
    const { code, stdout, stderr } = await program.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout;
  };
  expect(await asNobody("list")).toMatch(/counter {2}7 /);
  expect(await asNobody("get", "counter/7")).toContain('{"total":3}');
});

test("reading a store changes nothing, and an empty file is no store", async () => {
  const file = join(folder, "nothing.db");
  writeFileSync(file, "");
  await expect(run("list", "--state", `sqlite:${file}`)).rejects.toThrow(/nothing\.db is empty/);
  expect(statSync(file).size).toBe(0);
});

test("a host without SQLite keeps states in memory, unless there are states in its file", async () => {
  const reasons: string[] = [];
  const onMemory = (why: string) => reasons.push(why);
  const tryDriver = () => Promise.reject(new Error("install a driver"));
  const file = join(folder, "default", "state.db");
  await using store = await openDefaultState({}, onMemory, { file, tryDriver });
  expect(store).toBeInstanceOf(MemoryStateStore);
  expect(reasons).toEqual(["install a driver"]);
  await (await openDefaultState({ thread: false }, onMemory, { file })).close();
  const refused = openDefaultState({}, onMemory, { file, tryDriver });
  await expect(refused).rejects.toThrow(/state\.db has states of agents.*install a driver.*--state memory:/);
});

test("a folder for states that can't be made is named, with what to do", async () => {
  const blocked = join(folder, "a-file");
  writeFileSync(blocked, "");
  const refused = openDefaultState({ thread: false }, () => undefined, { file: join(blocked, "inner", "state.db") });
  await expect(refused).rejects.toThrow(/a-file.* can't be made: .*--state sqlite:FILE/);
});
