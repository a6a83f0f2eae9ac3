// Ends a program together with all that it has started.
import { spawnSync } from "node:child_process";

const isWindows = process.platform === "win32";
const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
const running = new Set();

/** Options of `spawn` with which a program and its children can be ended together. An interrupt of the terminal does not reach them by itself. */
export const inGroup = Object.freeze({ detached: !isWindows });

/** Passes the signals that end this process on to the group of a child started with `inGroup`, until the returned function is called. */
export function endWithUs(child) {
  if (running.size === 0) {
    for (const signal of signals) process.on(signal, passOn);
    process.on("exit", killAll);
  }
  running.add(child);
  return () => {
    if (running.delete(child) && running.size === 0) letGo();
  };
}

/** Ends a child that was started with `inGroup`, and its children. */
export function killGroup(child, signal = "SIGKILL") {
  if (child.pid === undefined) return;
  if (isWindows) {
    spawnSync("taskkill", ["/pid", String(child.pid), "/T", "/F"], { stdio: "ignore" });
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // All of them have ended.
  }
}

function passOn(signal) {
  for (const child of running) killGroup(child, signal);
  letGo();
  running.clear();
  // This process ends as it would without the listener.
  process.kill(process.pid, signal);
}

function killAll() {
  for (const child of running) killGroup(child);
}

function letGo() {
  for (const signal of signals) process.off(signal, passOn);
  process.off("exit", killAll);
}
