// TypeScript and Python: two agents in one conversation, through our host. Shows greeter.py (stock AutoGen) calling
// greeter.ts, which calls an agent of greeter.py before it answers. Both use the same names for message types; nothing
// else is shared. Needs a Python with AutoGen, and explains how to install one.
import assert from "node:assert/strict";
import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { RunningProgram, startProgram } from "../support/processes.ts";
import { findPythonWithAutoGen, howToGetPython, sourceFile } from "../support/python.ts";

const python = findPythonWithAutoGen();
if (python === undefined) {
  console.log(`No Python with AutoGen is here, so this cannot be shown: ${howToGetPython.join("; ")}`);
  process.exit(77); // "skipped": not a failure
}

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();

const greeterFile = import.meta.filename.replace(/main(\.\w+)$/, "greeter$1");
await using typescript = startProgram(greeterFile, [host.address], {
  onLine: (line) => console.log(`greeter.ts │ ${line}`),
});
await typescript.line("ready");

await using greeter = new RunningProgram(python, [sourceFile("typescript-and-python/greeter.py"), host.address], {
  onLine: (line) => console.log(`greeter.py │ ${line}`),
});
assert.equal(await greeter.line("Hello"), "Hello, Ada! Bonjour, Ada !");
assert.equal(await greeter.ended, 0);
assert.equal(await typescript.stop(), 0);
