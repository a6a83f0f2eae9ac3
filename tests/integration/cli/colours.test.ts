import type { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { coloursOf } from "../../../src/cli/colours.ts";
import { tailCommand } from "../../../src/cli/commands/tail.ts";
import { makeProgram } from "../../../src/cli/program.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { AdminRig } from "../admin/admin-rig.ts";
import { run } from "../admin/running.ts";

const colourBegin = "\u001b";

/** What decides about colours. A variable that is missing is not set. */
interface Surroundings {
  readonly isTTY?: boolean;
  readonly NO_COLOR?: string;
  readonly FORCE_COLOR?: string;
  readonly TERM?: string;
}

const coloured: readonly Surroundings[] = [
  { isTTY: true },
  { isTTY: true, TERM: "xterm" },
  { isTTY: true, NO_COLOR: "" },
  { isTTY: true, FORCE_COLOR: "0" },
  { FORCE_COLOR: "1" },
  { FORCE_COLOR: "true", TERM: "dumb" },
];

const plain: readonly Surroundings[] = [
  {},
  { TERM: "xterm" },
  { isTTY: true, TERM: "dumb" },
  { isTTY: true, NO_COLOR: "1" },
  { isTTY: true, NO_COLOR: "0" },
  { isTTY: true, NO_COLOR: "1", FORCE_COLOR: "1" },
  { FORCE_COLOR: "" },
  { FORCE_COLOR: "0" },
];

const cases = [
  ...coloured.map((around) => ({ around, isColoured: true })),
  ...plain.map((around) => ({ around, isColoured: false })),
];

/** Commands with colours in what they print. */
const withColours = ["config", "status", "tail"];

/** Arguments by which commands end that look at a host. `tail` ends with the first call. */
const ofHost: Readonly<Record<string, readonly string[]>> = {
  status: ["--sample-ms", "100"],
  workers: [],
  agents: [],
  tail: ["--kind", "call", "--count", "1"],
  topics: [],
  subscriptions: ["list"],
  reminders: ["list"],
  dead: ["list"],
};

/** Arguments of commands that need no host. */
const ofMachine: Readonly<Record<string, readonly string[]>> = { config: [], completion: ["bash"] };

function surround({ isTTY, ...variables }: Surroundings): void {
  for (const name of ["NO_COLOR", "FORCE_COLOR", "TERM"] as const) vi.stubEnv(name, variables[name]);
  process.stdout.isTTY = isTTY ?? false;
}

function commandNamed(name: string, onOpen: () => void): Command {
  if (name === "tail") return tailCommand({ onOpen });
  const found = makeProgram("1.2.3").commands.find((command) => command.name() === name);
  if (found === undefined) throw new Error(`There is no command ${name}.`);
  return found;
}

let wasTTY: boolean;

beforeEach(() => {
  wasTTY = process.stdout.isTTY;
});

afterEach(() => {
  vi.unstubAllEnvs();
  process.stdout.isTTY = wasTTY;
});

test.each(cases)(
  "the surroundings $around have colours: $isColoured",
  ({ around: { isTTY, ...environment }, isColoured }) => {
    const colours = coloursOf(isTTY === undefined ? {} : { isTTY }, environment);
    for (const colour of [colours.good, colours.warn, colours.bad, colours.faint]) {
      const text = colour("text");
      if (isColoured) expect(text.split(colourBegin)).toEqual(["", expect.stringMatching(/^\[\d+mtext$/), "[0m"]);
      else expect(text).toBe("text");
    }
  },
);

describe.each(cases)("with $around", ({ around, isColoured }) => {
  test("commands print colours only where they are wanted, and tables never have any", async () => {
    await using rig = await AdminRig.open();
    const link = rig.dial();
    const worker = await new RawWorker(link, "worker", { isAnnounced: true }).join();
    await worker.register("writer");
    surround(around);
    const call = (): void => worker.request("1", "nobody/x");
    const printed = async (name: string, args: readonly string[]) =>
      (await run(commandNamed(name, call), ...args)).out.includes(colourBegin);
    for (const [commands, flags] of [
      [ofHost, rig.flags],
      [ofMachine, []],
    ] as const)
      for (const [name, args] of Object.entries(commands)) {
        expect([name, await printed(name, [...args, ...flags])]).toEqual([
          name,
          isColoured && withColours.includes(name),
        ]);
      }
    await link.close();
  });
});
