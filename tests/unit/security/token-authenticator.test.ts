import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Authenticator } from "../../../src/security/index.ts";
import { tokenAuthenticator } from "../../../src/security/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { bearer } from "../../support/security/token-issuer.ts";

const [older, newer] = ["older-5f0c2b9d7e61", "newer-91c4d07a3be8f2"];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "troupe-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Returns the principal of a token, or what else came of it. */
async function nameOf(authenticator: Authenticator, token: string): Promise<string> {
  const signal = new AbortController().signal;
  const outcome = await authenticator.authenticate({ method: "OpenChannel", peer: "p", signal, ...bearer(token) });
  return outcome.at === "known" ? outcome.principal.name : outcome.at;
}

describe("a file of tokens", () => {
  it("is read again when it has changed: the older and the newer token of a rotation are both known for a while", async () => {
    const clock = new ManualClock();
    const file = join(folder, "tokens");
    const logger = new RecordingLogger();
    writeFileSync(file, `alice ${older}\n`);
    const authenticator = tokenAuthenticator({ file, clock, logger });
    const known = () => Promise.all([older, newer].map((token) => nameOf(authenticator, token)));
    expect(await known()).toEqual(["alice", "unknown"]);
    for (const [lines, expected] of [
      [`alice ${older}\nalice ${newer}\n`, ["alice", "alice"]],
      [`alice ${newer}\n`, ["unknown", "alice"]],
    ] as const) {
      writeFileSync(`${file}.new`, lines);
      renameSync(`${file}.new`, file);
      clock.advance(1_000);
      expect(await known()).toEqual(expected);
    }
    expect(logger.texts("info")).toHaveLength(2);
  });

  it("that can't be used any more changes nothing, and the log says why without a token", async () => {
    const clock = new ManualClock();
    const file = join(folder, "tokens");
    const logger = new RecordingLogger();
    writeFileSync(file, `alice ${older}\n`);
    const authenticator = tokenAuthenticator({ file, clock, logger });
    const secret = "secret-secret-secret";
    for (const content of ["", "# nothing\n", `alice ${older}\nbob ${secret} a b\n`, `a ${secret}\nb ${secret}\n`]) {
      writeFileSync(`${file}.new`, content);
      renameSync(`${file}.new`, file);
      clock.advance(1_000);
      expect(await nameOf(authenticator, older)).toBe("alice");
      expect(await nameOf(authenticator, secret)).toBe("unknown");
    }
    rmSync(file);
    clock.advance(1_000);
    expect(await nameOf(authenticator, older)).toBe("alice");
    expect(logger.texts("error")).toHaveLength(5);
    expect(JSON.stringify(logger.lines)).not.toContain(secret);
  });
});

describe("tokens", () => {
  it("of a text, as in an environment variable, have semicolons between them, and roles", async () => {
    const authenticator = tokenAuthenticator({ text: `alice ${older} writer,reader; bob ${newer}` });
    const signal = new AbortController().signal;
    expect(authenticator.authenticate({ method: "m", peer: "p", signal, ...bearer(older) })).toMatchObject({
      principal: { name: "alice", roles: ["writer", "reader"] },
    });
    expect(await nameOf(authenticator, newer)).toBe("bob");
  });

  it.each([
    ["that are short", [{ name: "alice", token: "guess" }], "16 to 4096 characters"],
    ["that no header carries", [{ name: "alice", token: "aaaaaaaaaaaaaaaaaaä" }], "no header carries"],
    ["without a name", [{ name: "", token: older }], "1 to 512 characters"],
    ["with half a digest", [{ name: "alice", token: "sha256:00" }], "64 hexadecimal digits"],
    [
      "of two principals",
      [
        { name: "a", token: older },
        { name: "b", token: older },
      ],
      "have the same token",
    ],
    ["none of which is there", [], "There is no token"],
  ])("%s are refused", (_what, tokens, text) => {
    const make = () => tokenAuthenticator({ tokens });
    expect(make).toThrow(expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining(text) }));
    expect(make).not.toThrow(older);
  });
});
