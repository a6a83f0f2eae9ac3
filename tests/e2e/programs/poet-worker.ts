import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { KeptPoet } from "../../support/kept-poets.ts";

// Serves the type "poet" at a host, ADDRESS. Its agents write their lines, and never end a poem. Default: exclusive; `shared`: with others.
const [, , address = "", how] = process.argv;
const worker = new GrpcWorkerAgentRuntime(address);
await worker.start();
const hang = () => new Promise<never>(() => undefined);
await KeptPoet.register(worker, "poet", () => new KeptPoet({ after: hang }), how === "shared" ? { shared: true } : {});
console.log("serving");
