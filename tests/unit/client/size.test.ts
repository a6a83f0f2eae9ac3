import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const root = new URL("../../..", import.meta.url).pathname;

/** Bundles a program as a page would load it. */
async function bundled(source: string): Promise<{ readonly bytes: number; readonly inputs: readonly string[] }> {
  const { outputFiles, metafile } = await build({
    ...{ bundle: true, minify: true, write: false, metafile: true, format: "esm", target: "es2022" },
    ...{ platform: "browser", conditions: ["troupe-source"], absWorkingDir: root },
    stdin: { contents: source, resolveDir: root, loader: "ts" },
  });
  const [file] = outputFiles;
  return { bytes: gzipSync(file?.contents ?? "", { level: 9 }).length, inputs: Object.keys(metafile.inputs) };
}

test("the whole of troupe/client is at most 3 KB when it is minified and compressed, and has only its own files in it", async () => {
  const { bytes, inputs } = await bundled(`export * from "troupe/client";`);
  console.log(`fact: troupe/client is ${bytes} bytes, minified and compressed`);
  expect(bytes).toBeGreaterThan(1_000);
  expect(bytes).toBeLessThanOrEqual(3 * 1024);
  expect(inputs.filter((input) => !input.startsWith("src/client/") && input !== "<stdin>")).toEqual([]);
});

test("message types that are given as types add nothing to the client", async () => {
  const plain = await bundled(`export { createClient } from "troupe/client";`);
  const typed = await bundled(
    `import { createClient } from "troupe/client";
     import type { Prompt } from "troupe/ai";
     export { createClient };
     export const call = (url: string) => createClient({ url }).call<typeof Prompt>("Prompt", { text: "" }, "a/b");`,
  );
  expect(typed.inputs).toEqual(plain.inputs);
});
