import {
  encodeAddSubscriptionRequest,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
} from "troupe/protocol";
import { describe, expect } from "vitest";
import { exact } from "../support/raw-worker.ts";
import { ok, unaryFrom } from "./support/grpc-python-channel.ts";
import { Laboratory } from "./support/laboratory.ts";
import { situation } from "./support/situation.ts";

const taken = (clientId: string) => ({
  code: "INVALID_ARGUMENT",
  details: `Agent type raw already registered with client ${clientId}.`,
});
const alreadyExists = { code: "INVALID_ARGUMENT", details: "Subscription already exists" };

/** grpc-python as a client without a runtime, of the releases that the unary registrations came with. */
const unaryGenerations = [2, 3] as const;

describe("channels and registrations of grpc-python at our host", () => {
  situation(
    {
      title: "a second channel with the same client-id replaces the first, whose end costs it nothing [§8.21] [§8.22]",
      scenario: "two-channels-with-one-client-id",
      recorded: { "after the first is cancelled": { "agent types": [], subscriptions: 0, channels: 0 } },
      autogen: "the end of the first takes the second's registrations along",
      troupe: "the first ends with `ABORTED`, the second keeps everything",
      with: unaryGenerations,
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const first = await lab.channel("same");
      expect(await first.register("raw")).toEqual(ok);
      const second = await lab.channel("same");
      expect(await first.closed()).toEqual({ code: "ABORTED", details: "replaced by a newer channel" });
      expect(await second.subscribe("s1", "t", "raw")).toEqual(ok);
      const caller = await lab.channel("caller");
      caller.call("1", "raw/k");
      expect((await second.nextOf("request")).target).toEqual({ type: "raw", key: "k" });
      expect(lab.host.counters()).toMatchObject({ agentTypes: 1, subscriptions: 1, channels: 2 });
    },
  );

  situation(
    {
      title: "a half-closed channel is ended, and its type and subscription are free [§8.23]",
      scenario: "half-close",
      recorded: { "agent types": ["raw"], subscriptions: 1 },
      autogen: "type and subscription stay taken",
      troupe: "as a disconnect: the call ends, type and subscription are free",
      with: unaryGenerations,
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const half = await lab.channel("half");
      await half.register("raw");
      await half.subscribe("s1", "t", "raw");
      half.halfClose();
      expect(await half.closed()).toEqual(ok);
      expect(await (await lab.channel("other")).register("raw")).toEqual(ok);
      expect(lab.host.counters()).toMatchObject({ agentTypes: 1, subscriptions: 0 });
    },
  );

  situation(
    {
      title:
        "what a client registers before its channel opens is there then, and a call meanwhile waits for it [§8.19]",
      scenario: "registration-before-the-channel-opens",
      recorded: { "call before the channel": "no frame", "call after": "2", "event after": true },
      autogen: "accepted; a call before the channel is never answered",
      troupe: "accepted; a call before the channel waits for it (option `channelWaitMs`)",
      with: unaryGenerations,
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const raw = await lab.grpcPython();
      const register = encodeRegisterAgentRequest("raw");
      const subscribe = encodeAddSubscriptionRequest({ id: "s1", pattern: exact("t", "raw") });
      expect(await unaryFrom(raw, lab.host.address, "RegisterAgent", register, "early")).toMatchObject(ok);
      expect(await unaryFrom(raw, lab.host.address, "AddSubscription", subscribe, "early")).toMatchObject(ok);
      const caller = await lab.channel("caller");
      caller.call("1", "raw/before");
      const early = await lab.channel("early");
      expect((await early.nextOf("request")).target?.key).toBe("before");
      caller.publish("t/k", "news");
      expect((await early.nextOf("event")).event.id).toBe("news");
    },
  );

  situation(
    {
      title:
        "clients that registered and never opened a channel cost nobody an event, and their types get free [§8.20] [§8.58]",
      scenario: "registration-and-never-a-channel",
      recorded: { "host log": ["KeyError: 'ghost-c'"] },
      autogen: "matching events are lost for others too (`KeyError`); the types stay taken",
      troupe: "others get every event; the types are free after `registrationOrphanMs`",
      with: unaryGenerations,
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation, { registrationOrphanMs: 200 });
      const raw = await lab.grpcPython();
      for (const ghost of ["ghost-a", "ghost-b", "ghost-c"]) {
        const subscribe = encodeAddSubscriptionRequest({ id: ghost, pattern: exact("t", ghost) });
        await unaryFrom(raw, lab.host.address, "RegisterAgent", encodeRegisterAgentRequest(ghost), ghost);
        await unaryFrom(raw, lab.host.address, "AddSubscription", subscribe, ghost);
      }
      const healthy = await lab.channel("healthy");
      await healthy.register("healthy");
      await healthy.subscribe("healthy", "t", "healthy");
      for (const id of ["1", "2", "3", "4"]) healthy.publish("t/k", id);
      for (const id of ["1", "2", "3", "4"]) expect((await healthy.nextOf("event")).event.id).toBe(id);
      while ((await healthy.register("ghost-a")).code !== "OK");
    },
  );

  situation(
    {
      title:
        "a type taken is refused to others, granted again to its owner, and invalid ones are refused [§8.16] [§8.17] [§8.27]",
      scenario: "type-registered-twice",
      recorded: {
        "same client again": taken("first"),
        "another client": taken("first"),
        "invalid name": ok,
        "empty name": ok,
      },
      autogen: "refused to its owner as well, so that nothing can be repeated; invalid names are taken",
      troupe: "its owner may repeat it; invalid names are refused with `INVALID_ARGUMENT`",
      with: unaryGenerations,
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const [first, second] = [await lab.channel("first"), await lab.channel("second")];
      expect(await first.register("raw")).toEqual(ok);
      expect(await first.register("raw")).toEqual(ok);
      expect(await second.register("raw")).toEqual(taken("first"));
      for (const name of ["not valid!", ""]) {
        expect(await first.register(name)).toEqual({
          code: "INVALID_ARGUMENT",
          details: `Invalid agent type: ${name}. Allowed values MUST match the regex: \`^[\\w\\-\\.]+\\Z\``,
        });
      }
    },
  );

  situation(
    {
      title: "a subscription that is refused leaves the others as they were [§8.30] [§8.32] [§8.34] [§8.37] [§8.38]",
      scenario: "invalid-subscription",
      recorded: { "same content, other id": alreadyExists, "good add afterwards": { code: "INVALID_ARGUMENT" } },
      autogen: "one with an invalid agent type stays, and from then on every other one is refused",
      troupe: "refused with `INVALID_ARGUMENT` (of an unknown id: `NOT_FOUND`), and nothing is kept of it",
      with: unaryGenerations,
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const channel = await lab.channel("raw-client");
      await channel.register("raw");
      const noArm = encodeAddSubscriptionRequest({ id: "s0", pattern: undefined });
      expect(await channel.unary("AddSubscription", noArm)).toMatchObject({
        code: "INVALID_ARGUMENT",
        details: "Invalid subscription message.",
      });
      expect(await channel.subscribe("s1", "t", "raw")).toEqual(ok);
      expect(await channel.subscribe("s1", "t", "raw")).toEqual(ok);
      expect(await channel.subscribe("s2", "t", "raw")).toEqual(alreadyExists);
      expect(await channel.subscribe("s1", "other", "raw")).toEqual(alreadyExists);
      expect(await channel.unary("RemoveSubscription", encodeRemoveSubscriptionRequest("nobody"))).toMatchObject({
        code: "NOT_FOUND",
        details: "Subscription does not exist",
      });
      expect(await channel.subscribe("s3", "t", "not valid!")).toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(await channel.subscribe("s4", "u", "raw")).toEqual(ok);
      for (const topic of ["t/k", "u/k"]) {
        channel.publish(topic, topic);
        expect((await channel.nextOf("event")).event.id).toBe(topic);
      }
      expect(lab.host.counters().subscriptions).toBe(2);
    },
  );

  situation(
    {
      title: "headers are sent as soon as a channel is taken [§8.11]",
      scenario: "response-headers",
      recorded: { "headers before the first message": false },
      autogen: "no headers before the first message: grpc may replay an unanswered channel to a restarted host",
      troupe: "at once",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      await lab.channel("quiet");
    },
  );
});
