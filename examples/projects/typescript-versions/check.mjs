// Compiles src with the oldest TypeScript that works, the oldest that also checks the declarations, and a new one.
import { execFileSync } from "node:child_process";

const trials = {
  "typescript-5.4": ["--skipLibCheck", "true"],
  "typescript-5.7": ["--skipLibCheck", "false"],
  "typescript-6.0": ["--skipLibCheck", "false"],
};
for (const [version, options] of Object.entries(trials)) {
  console.log(version, ...options);
  execFileSync(process.execPath, [`node_modules/${version}/bin/tsc`, "--noEmit", ...options], { stdio: "inherit" });
}
