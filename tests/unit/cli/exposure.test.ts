import { expect, it } from "vitest";
import { whyExposed } from "../../../src/cli/commands/host-authenticator.ts";
import { tokenAuthenticator } from "../../../src/security/index.ts";

const authenticator = tokenAuthenticator({ tokens: [{ name: "alice", token: "alice-5f0c2b9d7e61" }] });

it.each(["127.0.0.1:50051", "127.1.2.3:1", "localhost:50051", "[::1]:50051", "unix:/run/troupe.sock"])(
  "the command line lets a host listen at %s without TLS and authentication",
  (address) => {
    expect(whyExposed(address, {}, undefined)).toBeUndefined();
  },
);

it.each(["0.0.0.0:50051", "[::]:50051", "10.0.0.7:50051", "127.0.0.1.example:50051", "https://0.0.0.0"])(
  "the command line refuses %s without TLS and authentication, and names the flags that help",
  (address) => {
    expect(whyExposed(address, {}, undefined)).toMatch(
      /no TLS and no authentication: use --tls-cert and --tls-key, use --tokens/,
    );
    expect(whyExposed(address, { tlsCert: "c" }, undefined)).toMatch(/no authentication: use --tokens/);
    expect(whyExposed(address, {}, authenticator)).toMatch(/no TLS: use --tls-cert/);
    expect(whyExposed(address, { tlsCert: "c" }, authenticator)).toBeUndefined();
  },
);
