import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { wordsOf } from "../../../src/cli/completion/command-words.ts";
import { completionScripts } from "../../../src/cli/completion/scripts.ts";
import { makeProgram } from "../../../src/cli/program.ts";

const words = wordsOf(makeProgram("1.0.0"));

/** What bash offers for the last of some words. */
function offered(...typed: readonly string[]): readonly string[] {
  const script = `${completionScripts.bash(words)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _troupe; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync("bash", ["-c", script, "bash", ...typed], { encoding: "utf8", cwd: import.meta.dirname });
  return out.split("\n").filter((line) => line !== "");
}

test("bash completes commands, subcommands, flags and the choices of a flag", () => {
  expect(offered("troupe", "s")).toEqual(expect.arrayContaining(["status", "subscriptions", "send", "state"]));
  expect(offered("troupe", "subscriptions", "re")).toEqual(["remove"]);
  expect(offered("troupe", "host", "--log-l")).toEqual(["--log-level"]);
  expect(offered("troupe", "host", "--insecure", "--when-full", "")).toEqual(["drop", "disconnect"]);
  // The name of a file.
  expect(offered("troupe", "host", "--tls-cert", "completion")).toEqual(["completion.test.ts"]);
});

const zshDriver = `autoload -Uz compinit; compinit -u -D
# Completion stands alone here, without the line editor: these two take what it would be told.
compadd() { shift; local w; for w in "$@"; do [[ $w == \${words[CURRENT]}* ]] && print -r -- $w; done }
_files() { print -r -- "(files)" }
eval "$1"; shift
words=("$@"); CURRENT=$#
_troupe; true`;

const shells = {
  zsh: (typed: readonly string[]) => ["-f", "-c", zshDriver, "zsh", completionScripts.zsh(words), ...typed],
  fish: (typed: readonly string[]) => [
    ...["--no-config", "-c", `${completionScripts.fish(words)}\ncomplete -C "$argv[1]"`, typed.join(" ")],
  ],
} as const;

describe.each(["zsh", "fish"] as const)("%s itself", (shell) => {
  const isHere = spawnSync(shell, ["--version"]).status === 0;

  test("completes commands, subcommands, flags, the choices of a flag and files", (context) => {
    if (!isHere) context.skip(`needs ${shell} (Debian: apt-get install ${shell})`);
    const offered = (...typed: readonly string[]): readonly string[] =>
      execFileSync(shell, [...shells[shell](typed)], { encoding: "utf8", cwd: import.meta.dirname })
        .split("\n")
        .flatMap((line) => line.split("\t")[0] || []);
    expect(offered("troupe", "s").toSorted()).toEqual(["send", "state", "status", "subscriptions"]);
    expect(offered("troupe", "subscriptions", "re")).toEqual(["remove"]);
    expect(offered("troupe", "host", "--log-l")).toEqual(["--log-level"]);
    expect(offered("troupe", "host", "--insecure", "--when-full", "").toSorted()).toEqual(["disconnect", "drop"]);
    expect(offered("troupe", "host", "--tls-cert", "completion")).toEqual([
      shell === "zsh" ? "(files)" : "completion.test.ts",
    ]);
  });
});

test("the script of each shell has every command and every flag, and no text that the shell would run", () => {
  for (const script of Object.values(completionScripts).map((make) => make(words)))
    for (const { path, words: next } of words) {
      expect(script).toContain(path);
      expect(script).toContain(next.join(" "));
    }
  for (const { path, words: next, values } of words)
    for (const name of [path, ...next, ...values.flatMap(({ flag, choices }) => [flag, ...choices])])
      expect(name).toMatch(/^[a-z0-9 -]*$/);
});
