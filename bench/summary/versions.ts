import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder, venvPython } from "../support/project.ts";

/** Returns the compared programs with their versions; leaves out what is not installed. */
export function versionRows(): readonly (readonly [name: string, version: string])[] {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["nats-server", versionOf("nats-server", ["--version"])],
    ["@nats-io/transport-node", packageVersion("@nats-io/transport-node")],
    ["@grpc/grpc-js", packageVersion("@grpc/grpc-js")],
    ["Python", versionOf(venvPython("gen3"), ["--version"])],
    [
      "autogen-core, autogen-ext",
      versionOf(venvPython("gen3"), ["-c", "import autogen_ext; print(autogen_ext.__version__)"]),
    ],
    ["grpcio", versionOf(venvPython("gen3"), ["-c", "import grpc; print(grpc.__version__)"])],
  ];
  return rows.flatMap(([name, version]) => (version === undefined ? [] : [[name, version] as const]));
}

function versionOf(command: string | undefined, args: readonly string[]): string | undefined {
  if (command === undefined) return undefined;
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? /\d[\w.]*/.exec(stdout)?.[0] : undefined;
}

function packageVersion(name: string): string | undefined {
  const file = join(projectFolder, "node_modules", name, "package.json");
  if (!existsSync(file)) return undefined;
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}
