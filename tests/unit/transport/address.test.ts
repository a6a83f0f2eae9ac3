import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../../src/transport/address.ts";
import { StatusCode } from "../../../src/transport/index.ts";

describe("addresses", () => {
  it.each([
    ["127.0.0.1:50051", "127.0.0.1:50051", false],
    ["localhost:0", "localhost:0", false],
    ["[::1]:80", "[::1]:80", false],
    ["http://host.example:53071", "host.example:53071", false],
    ["http://host.example/", "host.example:80", false],
    ["https://host.example", "host.example:443", true],
    ["dns:///host:1", "host:1", false],
    ["dns://8.8.8.8/host:1", "host:1", false],
    ["dns:host:1", "host:1", false],
    ["ipv4:10.0.0.1:7", "10.0.0.1:7", false],
    ["unix:/run/troupe.sock", "unix:/run/troupe.sock", false],
    ["unix:///run/troupe.sock", "unix:/run/troupe.sock", false],
  ])("%s is read", (text, formatted, secure) => {
    const address = parseAddress(text);
    expect(formatAddress(address)).toBe(formatted);
    expect(address.secure).toBe(secure);
  });

  it.each([
    "",
    "host",
    "host:",
    ":80",
    "::1:80",
    "host:65536",
    "host:x",
    "a b:1",
    "ftp://h:1",
    "http://h:1/path",
    "unix:",
    "h:1:2",
    "user@h:1",
    "10.0.0.300:50051",
    "1.2.3.4.5:1",
    "a|b:1",
  ])("%j is refused with a text that says what is expected", (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: StatusCode.invalidArgument }));
    expect(() => parseAddress(text)).toThrow(/host:port/);
  });

  it("a host named like a scheme is still a host", () => {
    expect(formatAddress(parseAddress("dns:53"))).toBe("dns:53");
  });
});
