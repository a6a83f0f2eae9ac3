import { transform } from "esbuild";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    {
      // Compiles decorators and `await using`, which Vite 8 leaves as they are.
      name: "standard-decorators",
      enforce: "pre",
      transform: {
        filter: { id: /\.ts$/ },
        handler: (code, id) => transform(code, { loader: "ts", sourcefile: id, sourcemap: true, target: "node20" }),
      },
    },
  ],
});
