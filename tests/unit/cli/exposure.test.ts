import { expect, it } from "vitest";
import { exposureWarning } from "../../../src/cli/commands/host.ts";

it.each(["127.0.0.1:50051", "127.1.2.3:1", "localhost:50051", "[::1]:50051", "unix:/run/troupe.sock"])(
  "warns of nothing at %s",
  (address) => {
    expect(exposureWarning(address, {})).toBeUndefined();
  },
);

it.each(["0.0.0.0:50051", "[::]:50051", "10.0.0.7:50051", "127.0.0.1.example:50051"])(
  "warns at %s of what is missing: TLS and authorization, or only that",
  (address) => {
    expect(exposureWarning(address, {})).toMatch(/without TLS and without authorization/);
    expect(exposureWarning(address, { tlsCert: "c", tlsKey: "k" })).toMatch(/machine without authorization/);
    expect(exposureWarning(address, { tlsCert: "c", tlsKey: "k", tlsClientCa: "ca" })).toBeUndefined();
  },
);
