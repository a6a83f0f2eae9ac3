// `npm run supply-chain`: what somebody installs with the package. Writes its bill of materials (CycloneDX) for a release, checks the licence and
// the integrity of each part, and asks the package registry for known vulnerabilities, where the registry answers that.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustSucceed, root, runNpm } from "./run.mjs";
import { ensureBuilt, packPackage } from "./setup.mjs";
import { Tally } from "./tally.mjs";

/** Licences of which every user may take the package without asking. */
const licences = new Set(["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD"]);

await ensureBuilt();
const {
  name,
  version,
  dependencies,
  peerDependencies,
  peerDependenciesMeta = {},
} = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const tally = new Tally();
const project = mkdtempSync(join(tmpdir(), "troupe-supply-"));
try {
  const tarball = join(project, "troupe.tgz");
  await packPackage(tarball);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "stranger", version: "1.0.0", private: true }));
  const flags = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  mustSucceed(await npm("install", ...flags, tarball), "npm install");
  checkParts(await billOfMaterials());
  await askForVulnerabilities();
} finally {
  rmSync(project, { recursive: true, force: true });
}
process.exitCode = tally.close();

function npm(...args) {
  return runNpm(args, { cwd: project, quiet: true });
}

/** Writes the bill of materials, with the package itself as its subject, and returns the parts. */
async function billOfMaterials() {
  const made = await npm("sbom", "--sbom-format", "cyclonedx", "--sbom-type", "library", "--loglevel=error");
  mustSucceed(made, "npm sbom");
  const { metadata, components, dependencies: edges, ...bill } = JSON.parse(made.output);
  const isPackage = (part) => part.name === name;
  const component = { ...components.find(isPackage), properties: [], externalReferences: [], hashes: undefined };
  const parts = components.filter((part) => !isPackage(part));
  const known = new Set([component, ...parts].map((part) => part["bom-ref"]));
  const file = join(root, "build", `${name}-${version}.cdx.json`);
  mkdirSync(join(root, "build"), { recursive: true });
  const subject = { ...metadata, component };
  const linked = edges.filter(({ ref }) => known.has(ref));
  writeFileSync(
    file,
    `${JSON.stringify({ ...bill, metadata: subject, components: parts, dependencies: linked }, null, 2)}\n`,
  );
  console.log(`bill of materials: ${file}`);
  return parts;
}

/** What the manifest names is among the parts, and each part says its licence and has a checksum. */
function checkParts(parts) {
  const required = Object.keys(peerDependencies).filter((peer) => peerDependenciesMeta[peer]?.optional !== true);
  const missing = [...Object.keys(dependencies), ...required].filter((part) => !parts.some((one) => one.name === part));
  if (missing.length > 0) tally.failed("the bill of materials", `it lacks ${missing.join(", ")}`);
  else tally.passed(`the bill of materials names ${parts.length} parts`);
  const strange = parts.filter((part) => !(part.licenses ?? []).some(isFree));
  if (strange.length > 0) tally.failed("licences", strange.map((part) => part["bom-ref"]).join(", "));
  else tally.passed("every part has a licence that asks for nothing");
  const unsure = parts.filter((part) => !part.hashes?.some(({ alg }) => alg === "SHA-512"));
  if (unsure.length > 0) tally.failed("checksums", unsure.map((part) => part["bom-ref"]).join(", "));
  else tally.passed("every part has a checksum");
}

/** Whether an identifier or an expression of SPDX names only licences that are known. */
function isFree({ license, expression = license?.id ?? "" }) {
  const named = expression.split(/\s+(?:AND|OR)\s+|[()\s]+/).filter((part) => part !== "");
  return named.length > 0 && named.every((licence) => licences.has(licence));
}

async function askForVulnerabilities() {
  const what = "known vulnerabilities";
  const { output } = await npm("audit", "--json", "--loglevel=silent");
  const { auditReportVersion, vulnerabilities = {}, message } = readReport(output);
  if (auditReportVersion === undefined) {
    tally.skipped(what, `the package registry does not answer: ${String(message).slice(0, 200)}`);
    return;
  }
  const found = Object.values(vulnerabilities).map(({ name: part, severity }) => `${part} (${severity})`);
  if (found.length > 0) tally.failed(what, found.join(", "));
  else tally.passed(`no ${what}`);
}

function readReport(output) {
  try {
    return JSON.parse(output);
  } catch {
    return { message: output.trim().split("\n").at(-1) };
  }
}
