// Compiles src, and src-without-node without Node's types, with the oldest TypeScript that works, the oldest that also checks the
// declarations, and a new one.
import { execFileSync } from "node:child_process";

const trials = {
  "typescript-5.4": ["--skipLibCheck", "true"],
  "typescript-5.7": ["--skipLibCheck", "false"],
  "typescript-6.0": ["--skipLibCheck", "false"],
};
for (const [version, options] of Object.entries(trials)) {
  for (const project of ["tsconfig.json", "tsconfig.without-node.json"]) {
    console.log(version, project, ...options);
    const args = [`node_modules/${version}/bin/tsc`, "--noEmit", "--project", project, ...options];
    execFileSync(process.execPath, args, { stdio: "inherit" });
  }
}
