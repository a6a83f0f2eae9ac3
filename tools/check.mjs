// `npm run check`: format and lint, types (type tests included), walls, style of texts, generated code, entry points, documents, the public API. Half a minute.
import { compareGenerated } from "./generate.mjs";
import { bins, runNode } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";
import { Tally } from "./tally.mjs";

await ensureInstalled();
const node = (file, ...args) => runNode(file, args, { quiet: true });
const tally = new Tally();
const checks = {
  "format and lint (biome)": () => node(bins.biome, "check", "--error-on-warnings", "."),
  "types and type tests (tsc)": () => node(bins.tsc, "-p", "tsconfig.json"),
  "types of the page for operators (svelte-check)": () =>
    node(bins.svelteCheck, "--workspace", "ui", "--tsconfig", "./tsconfig.json", "--fail-on-warnings"),
  "walls (dependency-cruiser)": () => node(bins.depcruise, "src", "examples"),
  "style and spelling of texts (retext)": () => node("tools/prose.mjs"),
  "generated code is up to date (buf)": compareGenerated,
  "entry points, file lengths, documents (vitest)": () =>
    node(bins.vitest, "run", "--reporter=dot", "tests/architecture"),
  "the public API is the one in docs/api, and has comments (api-report)": () => node("tools/api-report.mjs"),
};
for (const [name, check] of Object.entries(checks)) tally.count(name, await check());
process.exitCode = tally.close();
