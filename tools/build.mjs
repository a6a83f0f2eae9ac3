// `npm run build`: compiles src to dist and builds the page for operators, from a clean start.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./run.mjs";
import { ensureBuilt } from "./setup.mjs";

rmSync(join(root, "dist"), { recursive: true, force: true });
await ensureBuilt();
