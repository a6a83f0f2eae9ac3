const assert = require("node:assert/strict");
const { AgentId } = require("troupe");

async function main() {
  const { GrpcWorkerAgentRuntimeHost } = await import("troupe/grpc");
  assert.equal(new AgentId("greeter", "default").toString(), "greeter/default");
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
  await host.start();
  await host.stop();
}

void main();
