// Module hooks of plant.mjs. They go before those of tools/typescript.mjs.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

let plant;

export function initialize(data) {
  plant = data;
}

export async function load(url, context, nextLoad) {
  if (!plant || !url.endsWith(`/src/${plant.room ?? "cluster"}/${plant.file}`)) return nextLoad(url, context);
  const sourcefile = fileURLToPath(url);
  const source = await readFile(sourcefile, "utf8");
  if (source.split(plant.from).length !== 2) throw new Error(`${plant.file} does not have this once: ${plant.from}`);
  const planted = source.replace(plant.from, () => plant.to);
  const { code } = await transform(planted, { sourcefile, loader: "ts", format: "esm", target: "node20" });
  return { format: "module", source: code, shortCircuit: true };
}
