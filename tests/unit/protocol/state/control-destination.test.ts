import { expect, it } from "vitest";
import { parseControlDestination } from "../../../../src/protocol/internal.ts";

it("parses both forms; a key may contain slashes or be empty", () => {
  expect(parseControlDestination("agentid=a/k")).toEqual({ kind: "agent", type: "a", key: "k" });
  expect(parseControlDestination("agentid=a/b/c=d")).toEqual({ kind: "agent", type: "a", key: "b/c=d" });
  expect(parseControlDestination("agentid=a/")).toEqual({ kind: "agent", type: "a", key: "" });
  expect(parseControlDestination("clientid=C/1")).toEqual({ kind: "client", clientId: "C/1" });
});

it.each(["", "a/k", "agentid=", "agentid=a", "agentid=/k", "agentid=a b/k", "clientid=", "AGENTID=a/k"])(
  "takes %j for none",
  (text) => {
    expect(parseControlDestination(text)).toBeUndefined();
  },
);
