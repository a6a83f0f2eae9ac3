// `npm run api-report`: the public names of the package beside docs/api, and the rules for their comments. Seconds.
// `npm run api-report -- --update` writes docs/api: the change of the API is then part of the commit, for reviewers to see.
import { ensureInstalled } from "./setup.mjs";
import { Tally } from "./tally.mjs";

await ensureInstalled();
// They need TypeScript.
const { findCitations, findUndocumented, findUnnamed } = await import("./api/comment-rules.mjs");
const { readPublicApi } = await import("./api/public-api.mjs");
const { compareReport, updateReport } = await import("./api/report.mjs");

/** Lines of problems that a check shows; a page that is new alone has hundreds. */
const shownLines = 100;
const tally = new Tally();
const api = readPublicApi();
if (process.argv.includes("--update")) updateReport(api.entryPoints);
check("docs/api has the public names", compareReport(api.entryPoints), [
  "The public API has changed. If you mean it: npm run api-report -- --update, commit docs/api, and say it in CHANGELOG.md.",
  "If not: export the name from the room's internal.ts instead, or restore the declaration.",
]);
check("every type that a public declaration mentions is exported by an entry point", findUnnamed(api), [
  "Export the type from the index.ts of its room, or take it out of the public declaration.",
]);
check("every public name has a doc comment", findUndocumented(api), [
  "Write a /** comment */ whose first sentence says what it is or does.",
]);
check("no shipped comment cites protocol.md", findCitations(api), [
  "Move the citation to a // comment: the readers of the package have no protocol.md.",
]);
process.exitCode = tally.close();

function check(name, problems, advice) {
  if (problems.length === 0) tally.passed(name);
  else tally.failed(name, ["", ...shorten(problems), ...advice].join("\n"));
}

function shorten(problems) {
  if (problems.length <= shownLines) return problems;
  return [...problems.slice(0, shownLines), `... and ${problems.length - shownLines} lines more`];
}
