#!/usr/bin/env node
// Makes one Python virtual environment per generation of AutoGen's worker protocol, and one with AgentChat, for the interop tests.
//
//   node tools/interop-venvs.mjs [--only gen1,gen3] [--python PATH] [--check] [--remake]
//
// They are made under .venvs/ (which ignores itself in git). An environment that is already complete is left alone.
// Exit codes: 0 all asked-for environments are ready · 1 an installation failed · 2 no suitable Python · 64 bad usage.
// Needs Node and a Python, nothing from npm, so that it also runs in a fresh clone.

import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const venvsDirectory = join(root, ".venvs");
const stampName = "troupe-stamp.json";
const lockStaleMs = 10 * 60_000;

/**
 * What each generation installs (protocol.md §1.1). grpcio and protobuf are pinned because they speak the wire; the
 * newest Python is the newest one for which that grpcio has a wheel: building it from source takes most of an hour.
 */
export const releases = Object.freeze({
  gen1: { release: "0.4.0", requirements: requirementsOf("0.4.0", "1.62.3", "4.25.9"), newestPython: 12 },
  gen2: { release: "0.4.4", requirements: requirementsOf("0.4.4", "1.62.3", "4.25.9"), newestPython: 12 },
  gen3: { release: "0.7.5", requirements: requirementsOf("0.7.5", "1.70.0", "5.29.6"), newestPython: 13 },
  // The newest generation with AgentChat, whose teams and agents take part in those of troupe/teams.
  agentchat: {
    release: "0.7.5",
    requirements: [...requirementsOf("0.7.5", "1.70.0", "5.29.6"), "autogen-agentchat==0.7.5"],
    newestPython: 13,
  },
});

function requirementsOf(autogen, grpcio, protobuf) {
  return [
    `autogen-core==${autogen}`,
    `autogen-ext[grpc]==${autogen}`,
    `grpcio==${grpcio}`,
    `protobuf==${protobuf}`,
    "pydantic>=2.10,<3",
  ];
}

/** Every Python 3.10+ with `venv` and `pip` that this machine offers: `{ command, args, version, minor }`, each version once. */
export function findPythons(preferred) {
  const windows = process.platform === "win32";
  const candidates = preferred
    ? [[preferred]]
    : [
        ...["python3.13", "python3.12", "python3.11", "python3.10", "python3", "python"].map((name) => [name]),
        ...(windows
          ? [
              ["py", "-3.12"],
              ["py", "-3.11"],
              ["py", "-3"],
            ]
          : []),
      ];
  const found = [];
  for (const [command, ...args] of candidates) {
    const probe = "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3])";
    const run = spawnSync(command, [...args, "-c", probe], { encoding: "utf8", timeout: 30_000 });
    const version = run.status === 0 ? /^3\.(\d+)\.\d+$/.exec(run.stdout.trim()) : null;
    if (version === null) continue;
    const minor = Number(version[1]);
    if (minor < 10 || found.some((python) => python.minor === minor)) continue;
    found.push({ command, args, version: version[0], minor });
  }
  return found;
}

/** The newest Python that can carry a generation, or undefined. `preferred`: use this program only. */
export function findPython(generation = "gen3", preferred) {
  const { newestPython } = releases[generation];
  return findPythons(preferred)
    .filter((python) => python.minor <= newestPython)
    .sort((a, b) => b.minor - a.minor)[0];
}

/** Where a generation's interpreter is, or undefined while its environment is missing, incomplete or outdated. */
export function venvPython(generation) {
  const directory = join(venvsDirectory, generation);
  const python = interpreterIn(directory);
  return existsSync(python) && readStamp(directory) === wantedStamp(generation) ? python : undefined;
}

/**
 * Makes the missing environments, all at once. Resolves to one entry per generation:
 * `{ generation, python?, status: "present" | "made" | "no-python" | "failed", reason? }`. Never rejects for a failed one.
 */
export async function ensureVenvs(options = {}) {
  const { only = Object.keys(releases), python: preferred, remake = false, log = () => {} } = options;
  mkdirSync(venvsDirectory, { recursive: true });
  writeFileSync(join(venvsDirectory, ".gitignore"), "*\n");
  return Promise.all(only.map((generation) => ensureVenv(generation, { preferred, remake, log })));
}

async function ensureVenv(generation, { preferred, remake, log }) {
  const directory = join(venvsDirectory, generation);
  const { release, requirements, newestPython } = releases[generation];
  const present = remake ? undefined : venvPython(generation);
  if (present) {
    log(`${generation}: AutoGen ${release} is present`);
    return { generation, python: present, status: "present" };
  }
  const base = findPython(generation, preferred);
  if (base === undefined) {
    const reason = `AutoGen ${release} needs Python 3.10 to 3.${newestPython} with venv and pip, and none was found`;
    log(`${generation}: ${reason}`);
    return { generation, status: "no-python", reason };
  }
  const unlock = await lock(`${directory}.lock`, () => log(`${generation}: another process is making it, waiting`));
  try {
    const madeMeanwhile = remake ? undefined : venvPython(generation);
    if (madeMeanwhile) return { generation, python: madeMeanwhile, status: "present" };
    log(`${generation}: installing AutoGen ${release} with Python ${base.version}`);
    const startedMs = Date.now();
    rmSync(directory, { recursive: true, force: true });
    await run(base.command, [...base.args, "-m", "venv", directory]);
    const python = interpreterIn(directory);
    await run(python, [
      "-m",
      "pip",
      "install",
      "-q",
      "--no-input",
      "--disable-pip-version-check",
      "--only-binary=:all:",
      ...requirements,
    ]);
    await run(python, ["-c", "import autogen_ext.runtimes.grpc"]);
    writeFileSync(join(directory, stampName), wantedStamp(generation));
    log(`${generation}: AutoGen ${release} is ready (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`);
    return { generation, python, status: "made" };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log(`${generation}: failed\n${reason}`);
    return { generation, status: "failed", reason };
  } finally {
    unlock();
  }
}

function interpreterIn(directory) {
  return process.platform === "win32" ? join(directory, "Scripts", "python.exe") : join(directory, "bin", "python");
}

function wantedStamp(generation) {
  return `${JSON.stringify({ requirements: releases[generation].requirements })}\n`;
}

function readStamp(directory) {
  const path = join(directory, stampName);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** Takes a lock file; waits while another live process has it. Resolves to the function that gives it back. */
async function lock(path, onWait) {
  for (let told = false; ; ) {
    try {
      closeSync(openSync(path, "wx"));
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat && Date.now() - stat.mtimeMs > lockStaleMs) rmSync(path, { force: true });
    else if (!told) {
      told = true;
      onWait();
    }
    await new Promise((resolveWait) => setTimeout(resolveWait, 500));
  }
}

/** Runs a program to its end, quietly; rejects with its last lines of output when it fails. */
function run(command, args) {
  return new Promise((resolveRun, rejectRun) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (chunk) => {
      output = (output + chunk).slice(-4000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", rejectRun);
    child.on("close", (code) => {
      if (code === 0) resolveRun();
      else rejectRun(new Error(`${command} ${args.join(" ")} ended with ${code}\n${output.trim()}`));
    });
  });
}

function parseArguments(args) {
  const options = { only: Object.keys(releases), check: false, remake: false, python: undefined };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--check") options.check = true;
    else if (args[i] === "--remake") options.remake = true;
    else if (args[i] === "--python" && args[i + 1]) options.python = args[++i];
    else if (args[i] === "--only" && args[i + 1]) options.only = args[++i].split(",");
    else return undefined;
  }
  return options.only.every((generation) => Object.hasOwn(releases, generation)) ? options : undefined;
}

async function main() {
  const options = parseArguments(process.argv.slice(2));
  if (options === undefined) {
    console.error(
      "usage: node tools/interop-venvs.mjs [--only gen1,gen2,gen3,agentchat] [--python PATH] [--check] [--remake]",
    );
    return 64;
  }
  if (options.check) {
    const missing = options.only.filter((generation) => venvPython(generation) === undefined);
    for (const generation of options.only) console.log(`${generation}: ${venvPython(generation) ?? "missing"}`);
    return missing.length === 0 ? 0 : 1;
  }
  const results = await ensureVenvs({ ...options, log: (line) => console.log(line) });
  if (results.some((result) => result.status === "failed")) return 1;
  return results.some((result) => result.status === "no-python") ? 2 : 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = await main();
