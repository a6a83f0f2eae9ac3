import { describe, it } from "vitest";
import { describeLink } from "../../../src/testing/contracts/link.ts";
import { createMemoryNetwork, grpcDialer, grpcListener } from "../../../src/transport/index.ts";

describeLink(
  "memory",
  (options) => {
    const network = createMemoryNetwork(options);
    return { dialer: network, listener: network };
  },
  { describe, it },
);

describeLink("gRPC", (options) => ({ dialer: grpcDialer(options), listener: grpcListener(options) }), { describe, it });
