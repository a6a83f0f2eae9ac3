// What the tools share: where the project is, and how to start a program on any system.
import { spawn } from "node:child_process";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { endWithUs, inGroup, killGroup } from "./process-group.mjs";

/** The project's folder. */
export const root = resolve(fileURLToPath(import.meta.url), "../..");

/** The command line programs of the dev dependencies, as files for `node`: starting them so needs no shell. */
export const bins = Object.freeze({
  attw: "node_modules/@arethetypeswrong/cli/dist/index.js",
  biome: "node_modules/@biomejs/biome/bin/biome",
  buf: "node_modules/@bufbuild/buf/bin/buf",
  depcruise: "node_modules/dependency-cruiser/bin/dependency-cruise.mjs",
  publint: "node_modules/publint/src/cli.js",
  svelteCheck: "node_modules/svelte-check/bin/svelte-check",
  tsc: "node_modules/typescript/bin/tsc",
  vitest: "node_modules/vitest/vitest.mjs",
});

/** How long the output of a program that was ended may stay open. */
const outputTimeoutMs = 2_000;

/**
 * Runs a program to its end and resolves to `{ code, output }`; never rejects for a failing program.
 * Its output is shown as it comes, or with `quiet` only collected. `timeoutMs` ends it and all that it has started, and counts as failure.
 */
export function run(command, args, options = {}) {
  const { cwd = root, quiet = false, timeoutMs, env = process.env, shell = false } = options;
  return new Promise((resolveRun) => {
    const stdio = quiet ? ["ignore", "pipe", "pipe"] : "inherit";
    const child = spawn(command, args, { cwd, env, shell, stdio, ...(timeoutMs && inGroup) });
    const letGo = timeoutMs ? endWithUs(child) : () => undefined;
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        output += chunk;
      });
    }
    let timer = timeoutMs && setTimeout(endNow, timeoutMs);
    let isLate = false;

    function endNow() {
      isLate = true;
      output += `\nended after ${timeoutMs} ms without finishing\n`;
      killGroup(child);
      // A program in a group of its own may keep the output open.
      timer = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        child.unref();
        end(1);
      }, outputTimeoutMs);
    }

    function end(code) {
      clearTimeout(timer);
      letGo();
      resolveRun({ code: isLate ? 1 : code, output });
    }

    child.on("error", (error) => {
      output += `${error.message}\n`;
      end(1);
    });
    child.on("close", (code) => end(code ?? 1));
  });
}

/** Runs a JavaScript program, or one of `bins`, with this Node (and `nodeArgs`). The bins of node_modules are on its PATH. */
export function runNode(file, args = [], options = {}) {
  const path = [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  return run(process.execPath, [...(options.nodeArgs ?? []), resolve(root, file), ...args], {
    ...options,
    env: { ...process.env, ...options.env, PATH: path },
  });
}

/** Runs a TypeScript program of the project from source, to its end. `nodeArgs` go before those that it needs itself. */
export function runTypeScript(file, args = [], { nodeArgs = [], ...options } = {}) {
  const fromSource = ["--import", "./tools/typescript.mjs", "-C", "troupe-source"];
  return runNode(file, args, { ...options, nodeArgs: [...nodeArgs, ...fromSource] });
}

/** Runs npm, the one that started us where there is one. */
export function runNpm(args, options = {}) {
  const npm = process.env.npm_execpath;
  if (npm?.endsWith(".js")) return run(process.execPath, [npm, ...args], options);
  return run("npm", args, { ...options, shell: process.platform === "win32" });
}

/** Ends the tool with a message when a step it needs has failed. */
export function mustSucceed({ code, output }, what) {
  if (code === 0) return;
  console.error(`${output}\n${what} failed`);
  process.exit(1);
}
