import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { inDeploy, parseHostArguments, readDeployed } from "./deploy-files.ts";

const unit = readDeployed("systemd/troupe.service");
const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1] ?? "";
const variables = new Map(
  [...readDeployed("systemd/troupe.env").matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = "", value = ""]) => [
    name,
    value,
  ]),
);

/** As systemd does: `$NAME` stands for words, `${NAME}` for one. */
function words(text: string): readonly string[] {
  const one = (name: string): string => variables.get(name) ?? expect.fail(`troupe.env has no ${name}`);
  return text.split(" ").flatMap((word) => {
    const [, several] = /^\$([A-Z_]+)$/.exec(word) ?? [];
    if (several !== undefined)
      return one(several)
        .split(" ")
        .filter((part) => part !== "");
    return [word.replace(/\$\{([A-Z_]+)\}/g, (_whole, name: string) => one(name)).replace("%H", "machine")];
  });
}

describe("troupe.service", () => {
  const [, program, ...rest] = words(setting("ExecStart"));
  const flags = parseHostArguments(rest);

  test("starts a locked host with flags that it has, which ends before systemd kills it", () => {
    expect(program).toBe("/opt/troupe/node_modules/troupe/dist/cli/main.js");
    expect(flags).toMatchObject({ insecure: false, tlsCert: "/etc/troupe/host.crt", tokens: "/etc/troupe/tokens" });
    expect(Number(setting("TimeoutStopSec"))).toBeGreaterThanOrEqual(flags.graceSeconds + 10);
    expect(setting("KillSignal")).toBe("SIGTERM");
  });

  test("writes to its own folder alone, as a user of its own, and may still compile JavaScript", () => {
    expect(setting("WorkingDirectory")).toBe(`/var/lib/${setting("StateDirectory")}`);
    expect(setting("ProtectSystem")).toBe("strict");
    expect(setting("NoNewPrivileges")).toBe("yes");
    expect(readDeployed("systemd/troupe.sysusers.conf")).toMatch(new RegExp(`^u ${setting("User")} `, "m"));
    expect(setting("MemoryDenyWriteExecute")).toBe("");
  });

  test("is one that systemd takes, with little exposure", (context) => {
    const analyze = (...args: readonly string[]): string =>
      execFileSync("systemd-analyze", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    try {
      analyze("--version");
    } catch {
      return context.skip("needs systemd-analyze (Debian: apt-get install systemd)");
    }
    // Exposure goes from 0 to 100.
    const file = inDeploy("systemd/troupe.service");
    expect(analyze("security", "--offline=true", "--threshold=20", file)).toContain("Overall exposure level");
  });
});
