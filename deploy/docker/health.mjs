// The probe of a container with `troupe host`: health.mjs [live|ready] [FOLDER]. It asks the admin entry on this machine, and needs neither
// curl nor a token. `ready` (default): the host serves. `live`: it has started, and its process answers. The exit code is 0 if that is so.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [what = "ready", folder = "troupe-data"] = process.argv.slice(2);
const paths = { live: "/healthz", ready: "/readyz" };
const path = Object.hasOwn(paths, what) ? paths[what] : undefined;
/** Milliseconds for each host: below the time-out of each probe in deploy/. */
const probeMs = 3_000;

process.exitCode = path === undefined ? wrongUse() : await probe();

function wrongUse() {
  console.error("Use: health.mjs [live|ready] [FOLDER]");
  return 2;
}

/** A host that was killed leaves its file in the volume, so that several may be there. The first that answers counts. */
async function probe() {
  const reasons = [];
  for (const url of urls()) {
    try {
      const answer = await fetch(new URL(path, url), { signal: AbortSignal.timeout(probeMs), redirect: "error" });
      console.log(`${what}: ${answer.status} ${(await answer.text()).slice(0, 200)}`);
      return answer.ok ? 0 : 1;
    } catch (error) {
      reasons.push(`${url}: ${error.cause?.message ?? error.message}`);
    }
  }
  console.error(reasons.join("; ") || `${folder} has no admin file: the host has not started, or runs with --no-admin`);
  return 1;
}

function urls() {
  try {
    const files = readdirSync(folder).filter((name) => /^admin(-.+)?\.json$/.test(name));
    return files.flatMap((name) => urlIn(join(folder, name)));
  } catch {
    return [];
  }
}

/** Only an address of this machine: the probe asks no other. */
function urlIn(file) {
  try {
    const { url } = JSON.parse(readFileSync(file, "utf8"));
    return ["127.0.0.1", "[::1]"].includes(new URL(url).hostname) ? [url] : [];
  } catch {
    return [];
  }
}
