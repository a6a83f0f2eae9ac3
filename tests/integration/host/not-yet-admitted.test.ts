import { describe, expect, it } from "vitest";
import { limits } from "../../../src/host/limits.ts";
import { emptyMessage, encodeStoredState, method, signals } from "../../../src/protocol/internal.ts";
import { type CallContext, type Link, type Metadata, StatusCode } from "../../../src/transport/index.ts";
import { asking } from "../../support/asking.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { openSide } from "../../support/open-side.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const alice = { name: "alice", roles: ["worker"] };

/** Opens a stream as a worker of Troupe's does, and keeps what comes back. */
function openStream(link: Link, path: string) {
  const told: string[] = [];
  let onMetadata: (metadata: Metadata) => void = () => {};
  let onEnd: (end: unknown) => void = () => {};
  const headers = new Promise<Metadata>((resolve) => {
    onMetadata = resolve;
  });
  const ended = new Promise<unknown>((resolve) => {
    onEnd = resolve;
  });
  link.openStream(
    path,
    {
      onMetadata: (metadata) => {
        told.push("headers");
        onMetadata(metadata);
      },
      ...{ onFrame: () => {}, onHalfClose: () => {}, onBadFrame: () => {}, onDrain: () => {} },
      onEnd,
    },
    { metadata: { "client-id": "W", agtroupe: "1" } },
  );
  return { told, headers, ended };
}

describe.each(hostTransports)("unary calls that wait for authorize, over $name", ({ start }) => {
  it("are refused beyond their connection's share of bytes; those of others and the ones that wait are not", async () => {
    let asked = 0;
    let onAsked: () => void = () => {};
    let admit: (principal: undefined) => void = () => {};
    const admitted = new Promise<undefined>((resolve) => {
      admit = resolve;
    });
    const authorize = () => {
      asked += 1;
      onAsked();
      return admitted;
    };
    await using rig = await start({ authorize });
    const untilAsked = async (times: number): Promise<void> => {
      while (asked < times) {
        await new Promise<void>((resolve) => {
          onAsked = resolve;
        });
      }
    };
    const data = { kind: "text", text: "x".repeat(limits.pendingRequestBytesPerPeer / 2 - 1_000) } as const;
    const request = encodeStoredState({ agentId: { type: "a", key: "k" }, eTag: "", data });
    const save = (link: Link) => link.unary(method.saveState, request, { metadata: { "client-id": "W" } });
    const link = rig.dial();
    const first = [save(link), save(link)];
    await untilAsked(2);
    await expect(save(link)).rejects.toMatchObject({ code: StatusCode.resourceExhausted });
    const other = save(rig.dial());
    await untilAsked(3);
    admit(undefined);
    await Promise.allSettled([...first, other]);
    // No worker serves the agent: the three that were asked for are refused for that.
    expect(rig.host.counters()).toMatchObject({ refusedByLimit: 1, deniedCalls: 3 });
  });
});

describe.each(hostTransports)("a client that the host has not admitted yet, over $name", ({ start }) => {
  it.each([method.openChannel, method.openControlChannel, signals.path])(
    "learns nothing of the host before it is refused: %s has its status and no headers",
    async (path) => {
      const { authorize, asked, answer } = asking();
      await using rig = await start({ authorize });
      const { told, ended } = openStream(rig.dial(), path);
      const name = path.slice(path.lastIndexOf("/") + 1);
      await asked(name);
      const status = { code: StatusCode.unauthenticated, details: "Who are you?" };
      answer(name, status);
      expect(await ended).toEqual({ by: "status", origin: "peer", status });
      expect(told).toEqual([]);
    },
  );

  it("gets the host's announcement once it is admitted", async () => {
    const { authorize, asked, answer } = asking();
    await using rig = await start({ authorize });
    const link = rig.dial();
    const { told, headers } = openStream(link, method.openChannel);
    await asked(method.openChannel);
    // A whole round trip: headers that had left would be here.
    await expect(link.unary("Unknown", emptyMessage)).rejects.toMatchObject({ code: StatusCode.unimplemented });
    expect(told).toEqual([]);
    answer(method.openChannel, alice);
    expect((await headers).agtroupe).toBe("1");
  });

  it("has the headers at once where authorize answers at once, before a unary call's answer", async () => {
    await using rig = await start({ authorize: () => alice });
    const link = rig.dial();
    const { told } = openStream(link, method.openChannel);
    await expect(link.unary("Unknown", emptyMessage)).rejects.toMatchObject({ code: StatusCode.unimplemented });
    expect(told).toEqual(["headers"]);
  });
});

describe.each(hostTransports)("a side stream while authorize thinks, over $name", ({ start }) => {
  it.each(["before", "after"])(
    "opens with its own channel though another's, asked for %s it, waits under its client id",
    async (when) => {
      const answers = new Map<string, (answer: { readonly name: string }) => void>();
      let onAsked: () => void = () => {};
      const authorize = ({ method: name, metadata }: CallContext) =>
        new Promise<{ readonly name: string }>((resolve) => {
          answers.set(`${metadata["user-agent"]?.split("/")[0]} ${name}`, resolve);
          onAsked();
        });
      const asked = async (what: string): Promise<void> => {
        while (!answers.has(what)) {
          await new Promise<void>((resolve) => {
            onAsked = resolve;
          });
        }
      };
      const opened: string[] = [];
      let onOpened: () => void = () => {};
      const bothOpened = new Promise<void>((resolve) => {
        onOpened = resolve;
      });
      await using rig = await start({
        authorize,
        observer: (what) => {
          if (what.at === "session" && what.what === "opened") opened.push(what.channel);
          if (opened.length === 2) onOpened();
        },
      });
      const openForeign = async () => {
        new RawWorker(rig.dial("bob/1"), "W", { isAnnounced: true }).open();
        await asked("bob OpenChannel");
      };
      if (when === "before") await openForeign();
      const link = rig.dial("alice/1");
      new RawWorker(link, "W", { isAnnounced: true }).open();
      await asked("alice OpenChannel");
      if (when === "after") await openForeign();
      openSide(link, "W");
      await asked("alice OpenSignals");
      answers.get("alice OpenSignals")?.(alice);
      answers.get("alice OpenChannel")?.(alice);
      await bothOpened;
      expect(opened).toEqual(["data", "side"]);
    },
  );
});
