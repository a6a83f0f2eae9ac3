// The committed report of the public names: a page per entry point under docs/api.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../run.mjs";

const committedFolder = join(root, "docs/api");

/** Writes the pages, and removes those of entry points that are gone. */
export function updateReport(entryPoints, folder = committedFolder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of pagesOf(entryPoints)) writeFileSync(join(folder, name), text);
}

/** How the pages differ from the source, as lines for people; none when they agree. */
export function compareReport(entryPoints, folder = committedFolder) {
  const pages = pagesOf(entryPoints);
  const names = new Set([...(existsSync(folder) ? readdirSync(folder) : []), ...pages.keys()]);
  return [...names].sort().flatMap((name) => {
    const committed = existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : "";
    const changes = diffLines(committed.replaceAll("\r\n", "\n").split("\n"), (pages.get(name) ?? "").split("\n"));
    return changes.length === 0 ? [] : [`docs/api/${name}`, ...changes];
  });
}

function pagesOf(entryPoints) {
  return new Map(entryPoints.map((entryPoint) => [`${entryPoint.name.replaceAll("/", "-")}.md`, pageOf(entryPoint)]));
}

function pageOf({ name, exports }) {
  const note = "The public names, without their comments. `npm run api-report -- --update` writes this page.";
  const code = exports.map(({ text }) => text).join("\n\n");
  return `# ${name}\n\n${note}\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
}

/** The lines that went (`-`) and came (`+`), each group under the declaration that it stands in. */
function diffLines(before, after) {
  const common = commonLengths(before, after);
  const changes = [];
  let at = 0;
  let to = 0;
  let declaration = "";
  let shown = "";
  const show = (sign, line) => {
    if (line === "") return;
    if (/^\w/.test(line)) declaration = line;
    else if (declaration !== shown) changes.push(`  ${declaration}`);
    shown = declaration;
    changes.push(`${sign} ${line}`);
  };
  while (at < before.length || to < after.length) {
    if (at < before.length && to < after.length && before[at] === after[to]) {
      if (/^\w/.test(before[at])) declaration = before[at];
      at += 1;
      to += 1;
    } else if (to >= after.length || (at < before.length && common[at + 1][to] >= common[at][to + 1])) {
      show("-", before[at++]);
    } else {
      show("+", after[to++]);
    }
  }
  return changes;
}

/** For each pair of places, how many lines the rests have in common, in order. */
function commonLengths(before, after) {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let at = before.length - 1; at >= 0; at--) {
    for (let to = after.length - 1; to >= 0; to--) {
      lengths[at][to] =
        before[at] === after[to] ? lengths[at + 1][to + 1] + 1 : Math.max(lengths[at + 1][to], lengths[at][to + 1]);
    }
  }
  return lengths;
}
