// Builds the image of deploy/docker/Dockerfile without Docker, and runs it as a container would.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, run } from "../run.mjs";

/** Milliseconds for all of it: it installs packages. */
const patienceMs = 240_000;

/**
 * Walks through the Dockerfile in namespaces of its own. The stage that builds the package is not run: `tarball` is what it packs. Needs root and
 * `unshare`; else the check is skipped.
 */
export async function checkImage(tarball, tally) {
  const name = "the image of deploy/docker/Dockerfile is built, serves, is healthy, and stops";
  const why = await whyNot();
  if (why !== undefined) return tally.skipped(name, why);
  const folder = mkdtempSync(join(tmpdir(), "troupe-image-"));
  try {
    mkdirSync(join(folder, "packed"));
    copyFileSync(tarball, join(folder, "packed", "troupe-0.0.0.tgz"));
    const inside = [process.execPath, join(root, "tools", "image", "walk-image.mjs"), folder];
    tally.count(name, await run("unshare", [...namespaces, ...inside], { quiet: true, timeoutMs: patienceMs }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All that is started inside ends with the first process, and all mounts with it. */
const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

async function whyNot() {
  if (process.platform !== "linux" || process.getuid() !== 0) return "needs root on Linux";
  const { code } = await run("unshare", [...namespaces, "--net", "ip", "link", "set", "lo", "up"], { quiet: true });
  return code === 0 ? undefined : "needs namespaces (unshare, ip)";
}
