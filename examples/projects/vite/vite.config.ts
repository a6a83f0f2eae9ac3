import { transform } from "esbuild";
import { defineConfig, type Plugin } from "vite";

/** Compiles decorators and `await using`, which Vite 8 leaves as they are. */
const standardDecorators: Plugin = {
  name: "standard-decorators",
  enforce: "pre",
  transform: {
    filter: { id: /\.ts$/ },
    handler: (code, id) => transform(code, { loader: "ts", sourcefile: id, sourcemap: true, target: "node20" }),
  },
};

export default defineConfig({
  plugins: [standardDecorators],
  build: { ssr: "src/main.ts" },
  ssr: { noExternal: true }, // bundles the dependencies, too
});
