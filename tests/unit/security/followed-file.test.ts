import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openAccessRules, openQuotaRules, tokenAuthenticator } from "../../../src/security/index.ts";

test("tokens, rules and quotas in a pipe are refused with what to do, and keep no host waiting for a writer", async () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-"));
  const file = join(folder, "pipe");
  execFileSync("mkfifo", [file]);
  // With this end open, a host that would wait for a writer reads nothing instead, so that the test fails and does not hang.
  const writer = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const text = /can't be used: It is not a file but a pipe, a device or a folder\. Write the content to a file/;
    expect(() => tokenAuthenticator({ file })).toThrow(text);
    await expect(openAccessRules({ file })).rejects.toThrow(text);
    await expect(openQuotaRules({ file })).rejects.toThrow(text);
    expect(() => tokenAuthenticator({ file: "/dev/null" })).toThrow(text);
    expect(() => tokenAuthenticator({ file: folder })).toThrow(text);
  } finally {
    closeSync(writer);
    rmSync(folder, { recursive: true });
  }
});
