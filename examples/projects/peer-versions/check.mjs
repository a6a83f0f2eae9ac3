// Compiles and runs src with the oldest and the newest of the peers that the package admits.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const trials = [
  { "@bufbuild/protobuf": "2.5.0", "@opentelemetry/api": "1.8.0", pg: "8.11.0" },
  { "@bufbuild/protobuf": "2.17.0", "@opentelemetry/api": "1.10.0", pg: "8.23.1" },
];
const { npm_execpath: npm } = process.env;
const show = { stdio: "inherit" };
for (const peers of trials) {
  const packages = Object.entries(peers).map(([name, version]) => `${name}@${version}`);
  console.log(...packages);
  // OpenTelemetry's SDK admits an older API only.
  const install = [
    "install",
    "--no-save",
    "--no-package-lock",
    "--legacy-peer-deps",
    "--no-audit",
    "--no-fund",
    ...packages,
  ];
  execFileSync(process.execPath, [npm, ...install], show);
  for (const [name, version] of Object.entries(peers)) {
    const installed = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")).version;
    if (installed !== version) throw new Error(`${name} is ${installed}, not ${version}`);
  }
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc"], show);
  execFileSync(process.execPath, ["dist/main.js"], show);
}
