import { readFileSync } from "node:fs";

/** Linux counts a process's time in these. */
const ticksPerSecond = 100;

/** Processor time that a process has used so far, user and system, in microseconds; undefined where the system doesn't tell. */
export function processorUs(pid: number): number | undefined {
  const stat = readProc(pid, "stat");
  // The name in parentheses may hold anything; what follows is counted from behind it.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields === undefined ? undefined : ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6;
}

/** Memory that a process occupies, in bytes; undefined where the system doesn't tell. */
export function residentBytes(pid: number): number | undefined {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, "status") ?? "")?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}
