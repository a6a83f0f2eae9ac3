import { Host, type HostOptions } from "../../../src/host/index.ts";
import {
  createMemoryNetwork,
  type Dialer,
  grpcDialer,
  grpcListener,
  type Listener,
} from "../../../src/transport/index.ts";
import { type WorkerOptions, WorkerRuntime } from "../../../src/worker/index.ts";
import { RecordingLogger } from "../recording-logger.ts";

/** Our own host on some transport, and workers that join it. */
export interface WorkerRig extends AsyncDisposable {
  readonly host: Host;
  readonly dialer: Dialer;
  readonly logger: RecordingLogger;
  /** A started worker; stopped with the rig. */
  worker(options?: WorkerOptions): Promise<WorkerRuntime>;
  /** One that is not started. */
  newWorker(options?: WorkerOptions): WorkerRuntime;
}

export type Transport = "memory" | "gRPC";

export async function startRig(transport: Transport = "memory", hostOptions: HostOptions = {}): Promise<WorkerRig> {
  const { dialer, listener } = endsOf(transport);
  const host = new Host({ listener, address: "127.0.0.1:0" }, hostOptions);
  await host.start();
  const workers: WorkerRuntime[] = [];
  const logger = new RecordingLogger();
  const newWorker = (options: WorkerOptions = {}) => {
    const worker = new WorkerRuntime({ dialer, address: host.address, logger, ...options });
    workers.push(worker);
    return worker;
  };
  return {
    host,
    dialer,
    logger,
    newWorker,
    worker: async (options) => {
      const worker = newWorker(options);
      await worker.start();
      return worker;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
      await host.stop({ graceMs: 0 });
    },
  };
}

function endsOf(transport: Transport): { readonly dialer: Dialer; readonly listener: Listener } {
  if (transport === "gRPC") return { dialer: grpcDialer(), listener: grpcListener() };
  const network = createMemoryNetwork();
  return { dialer: network, listener: network };
}
