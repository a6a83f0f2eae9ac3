// npm run bench -- summary [--keep]
// The latest figures of all benchmarks beside their goals. --keep puts them into docs/performance.md.
import { parseArgs } from "node:util";
import { formatTable } from "../support/table.ts";
import { goalHeader, goalRow, goals } from "./goals.ts";
import { keepInPage } from "./page.ts";

const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
console.log(formatTable(goalHeader, goals.map(goalRow)));
if (values.keep) {
  keepInPage();
  console.log("\nkept in docs/performance.md");
}
