import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { limits } from "../../src/host/limits.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const [, ofFlags = "", ofOptions = "", fixed = ""] = read("docs/limits.md").split(/^## /m);
const sources = new Map(
  readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\/gen\/|^testing/.test(name))
    .map((name) => [`src/${name.replaceAll("\\", "/")}`, read(`src/${name}`)]),
);

/** The cells of each row of a table. */
function rowsOf(section: string): string[][] {
  return [...section.matchAll(/^\| (`.+) \|$/gm)].map(([, row = ""]) => row.split(" | "));
}

/** Digits stand in groups here, and not there. */
function plain(text: string): string {
  return text.replaceAll(/\*|[\s,`]+/g, "").toLowerCase();
}

describe("docs/limits.md", () => {
  test("has each flag of a host that sets a limit, with its default, and no other", () => {
    // A test of its own holds this page to the program.
    const [, help = ""] = /^## `troupe host`\n([\s\S]*?)^## /m.exec(read("docs/guide/commands.md")) ?? [];
    const flags = [...help.replaceAll(/\n {6,}/g, " ").matchAll(/^ +(--[a-z-]+) <(?:count|bytes|ms)> +(.+)$/gm)];
    const told = flags.map(([, long, description = ""]) => {
      const [, usual = ""] = /default: ([^)]+)\)/.exec(description) ?? /take (4 MiB)/.exec(description) ?? [];
      return `${long} ${plain(usual)}`;
    });
    expect(told.length).toBeGreaterThan(40);
    const listed = rowsOf(ofFlags).flatMap(([names = "", usual = ""]) =>
      [...names.matchAll(/`(--[a-z-]+)`/g)].map(([, long]) => `${long} ${plain(usual)}`),
    );
    expect(listed.sort()).toEqual(told.sort());
  });

  test("has each other option that is a bound, with its default, and no other", () => {
    const withFlag = new Set(
      [...ofFlags.matchAll(/`--([a-z-]+)`(?: \(option `(\w+)`\))?/g)].map(
        ([, flag = "", option]) => option ?? flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      ),
    );
    const ofHost = ["HostOptions", "HostClusterSettings", "GrpcListenerOptions", "MessageLimitOptions"];
    const bounds = [...sources].flatMap(([file, text]) => boundsIn(file, text));
    const others = bounds.filter(({ of, name }) => !(ofHost.includes(of) && withFlag.has(name)));
    const listed = rowsOf(ofOptions).map(([name, of, usual = ""]) => ({
      of: plain(of ?? ""),
      name: plain(name ?? ""),
      usual,
    }));
    expect(listed.map(({ of, name }) => `${of}.${name}`).sort()).toEqual(
      others.map(({ of, name }) => plain(`${of}.${name}`)).sort(),
    );
    for (const { of, name, usual } of listed) {
      const bound = others.find((one) => plain(one.of) === of && plain(one.name) === name);
      expect(plain(bound?.comment ?? ""), `${of}.${name}`).toContain(plain(usual));
    }
  });

  test("has each bound of a host that is no option, with its value", () => {
    const listed = rowsOf(fixed).map(([name = "", , value]) => `${name.replaceAll("`", "")} ${value}`);
    const told = Object.entries(limits)
      .filter(([name]) => !name.endsWith("Ms") && !batches.has(name))
      .map(([name, value]) => `${name} ${shown(name, value)}`);
    expect(listed.sort()).toEqual(told.sort());
  });

  test("says of each bound what the source says", () => {
    const all = [...sources.values()].join("\n");
    const said = [...ofFlags.split("\n"), ...ofOptions.split("\n"), ...fixed.split("\n")]
      .filter((row) => row.startsWith("| `"))
      .flatMap((row) => [...(row.split(" | ").at(-1) ?? "").matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text))
      .filter((text) => !text.startsWith("--"))
      .flatMap((text) => text.split("…").map((part) => part.trim()));
    expect(said.length).toBeGreaterThan(80);
    // A status of gRPC has a name of its own in the source.
    const named = (text: string) =>
      /^[A-Z_]+$/.test(text)
        ? text.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
        : text;
    expect(said.filter((text) => !all.includes(text) && !all.includes(named(text)))).toEqual([]);
  });
});

/** Sizes of pieces of work: they refuse nothing. */
const batches = new Set([
  ...["batchSize", "batchShare", "listedAtOnce", "listedTogether", "leaveLot", "leaveLotChars", "leaveLaterLot"],
  ...["waitsToldAtOnce", "spreadAtOnce", "ridingFramesAtOnce", "quotaLot"],
]);

function shown(name: string, value: number): string {
  const mebibyte = 1024 * 1024;
  if (name.endsWith("Share")) return `${value * 100} %`;
  if (value >= mebibyte && value % mebibyte === 0) return `${value / mebibyte} MiB`;
  if (value > 4 * 1024 && value % 1024 === 0 && name.endsWith("Bytes")) return `${value / 1024} KiB`;
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, " ");
}

interface Bound {
  readonly of: string;
  readonly name: string;
  readonly comment: string;
}

/** Interfaces with options that begin with `max` and are no limit of a running system, or not a user's. */
const notMeant = new Set([
  ...["InspectOptions", "MailBoundOptions", "RetryOptions", "JwtAuthenticatorOptions"],
  ...["SharedOwnersOptions", "AgentKindsOptions", "HeldClaimsMapOptions", "FailureRingOptions"],
  ...["SiblingOptions", "MemoryAccountantOptions"],
]);

/** The optional members `max…` of exported interfaces of options. The comment of several members stands before the first. */
function boundsIn(file: string, text: string): Bound[] {
  if (!/\bmax[A-Z]\w*\?:/.test(text)) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  return source.statements
    .filter(ts.isInterfaceDeclaration)
    .filter(({ name }) => /(?:Options|HostClusterSettings)$/.test(name.text) && !notMeant.has(name.text))
    .flatMap(({ name: of, members }) => {
      let comment = "";
      return members.flatMap((member): Bound[] => {
        const own = ts.getJSDocCommentsAndTags(member).map((one) => one.getText());
        if (own.length > 0) comment = own.join("\n");
        const name = member.name?.getText() ?? "";
        const isBound = member.questionToken !== undefined && /^max[A-Z]/.test(name) && !name.endsWith("Ms");
        return isBound ? [{ of: of.text, name, comment }] : [];
      });
    });
}
