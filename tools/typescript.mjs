// Lets Node 20 run the project's TypeScript without a build: `node --import ./tools/typescript.mjs -C troupe-source FILE.ts`.
// For tests that start real processes, and for trying things out. `-C troupe-source` makes `troupe/...` mean src.
import { register } from "node:module";

register("./typescript-hooks.mjs", import.meta.url);
