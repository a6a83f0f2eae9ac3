import { describe, expect, test } from "vitest";
import { AgentId, TopicId, UndeliverableException } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Ask, Note, type Suite } from "./world.ts";

export function describeEndings({ openStage }: Suite): void {
  describe("the end", () => {
    test("closes every live agent once [§8.100]", async () => {
      await using stage = await openStage();
      const probes = await stage.host("echo");
      for (const key of ["a", "b"]) await stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", key));
      await stage.world.close();
      await stage.world.close();
      expect(probes.map((probe) => probe.closed)).toEqual([1, 1]);
    });

    test("leaves no caller waiting, even if a handler never ends", async () => {
      await using stage = await openStage();
      const arrived = new Gate();
      await stage.host("echo", (_message, context) => {
        arrived.open();
        return new Promise((_resolve, reject) => {
          context.signal.addEventListener("abort", () => reject(context.signal.reason));
        });
      });
      const call = stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", "k"));
      const outcome = call.then(
        () => "answered",
        () => "rejected",
      );
      await arrived.opened;
      await stage.world.close();
      expect(await outcome).toBe("rejected");
    });

    test("refuses what is sent and published afterwards", async () => {
      await using stage = await openStage();
      await stage.host("echo");
      await stage.world.close();
      const call = stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", "k"));
      await expect(call).rejects.toBeInstanceOf(UndeliverableException);
      const event = stage.caller.publishMessage(Note({ text: "x" }), new TopicId("news", "k"));
      await expect(event).rejects.toBeInstanceOf(UndeliverableException);
    });
  });
}
