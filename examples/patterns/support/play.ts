import { type AgentRuntime, SingleThreadedAgentRuntime } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { type RunningProgram, startProgram } from "../../support/processes.ts";

/** Registers the agents of one process. */
export type Part = (runtime: AgentRuntime) => Promise<void>;

/** A pattern: its agents in two parts, and the story that calls them. */
export interface Pattern {
  readonly parts: readonly [Part, Part];
  readonly story: (runtime: AgentRuntime) => Promise<void>;
}

/** Plays a pattern in this process. With `--workers` each part has a process of its own, and a host is between them and this one. */
export async function play(pattern: Pattern): Promise<void> {
  const [how, part, address] = process.argv.slice(2);
  if (how === "--part") await serve(pattern.parts[part === "0" ? 0 : 1], address ?? "");
  else if (how === "--workers") await playOverWorkers(pattern);
  else await playHere(pattern);
}

async function playHere({ parts, story }: Pattern): Promise<void> {
  await using runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  for (const part of parts) await part(runtime);
  await story(runtime);
}

async function playOverWorkers({ parts, story }: Pattern): Promise<void> {
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  await host.start();
  const workers = parts.map((_, at) => startPart(at, host.address));
  try {
    await Promise.all(workers.map((worker) => worker.line("ready")));
    await using runtime = new GrpcWorkerAgentRuntime(host.address);
    await runtime.start();
    await story(runtime);
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

function startPart(at: number, address: string): RunningProgram {
  const onLine = (line: string) => console.log(`worker ${at + 1} │ ${line}`);
  return startProgram(process.argv[1] ?? "", ["--part", String(at), address], { onLine });
}

async function serve(part: Part, address: string): Promise<void> {
  const runtime = new GrpcWorkerAgentRuntime(address);
  await runtime.start();
  await part(runtime);
  const stopped = runtime.stopWhenSignal();
  console.log("ready");
  await stopped;
}
