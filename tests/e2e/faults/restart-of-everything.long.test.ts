import { AgentId } from "troupe";
import { expect, test } from "vitest";
import { Add } from "./programs/account-messages.ts";
import { faultsOf, linesOf } from "./support/account-checks.ts";
import { AccountLoad, saysUnchanged } from "./support/account-load.ts";
import { KeptHost, newStateFile, startAccountWorker, startCaller } from "./support/account-world.ts";

const accounts = Array.from({ length: 6 }, (_, at) => `account-${at}`);

test.each(["SIGKILL", "SIGTERM"] as const)(
  "reminders and told messages that wait when everything ends by %s come after everything is started again, each once",
  { timeout: 180_000 },
  async (signal) => {
    const host = new KeptHost(newStateFile());
    await host.start();
    const worker = await startAccountWorker(host.address, "one");
    const caller = await startCaller(host.address);
    const load = new AccountLoad({
      ...{ runtime: caller, name: "e", accounts, concurrency: 16, hasChangedNothing: saysUnchanged },
      call: { waitForTarget: 60_000, timeoutMs: 60_000 },
    });
    await load.untilAnswered(200);
    // Due when nothing runs any more.
    const later = new AgentId("account", "later");
    const due = Array.from({ length: 20 }, (_, at) => `r${at}`);
    await Promise.all(
      due.map((entry) =>
        caller.sendMessage(Add({ entry, tells: true, remindsAfterMs: 2_000 }), later, { waitForTarget: 30_000 }),
      ),
    );
    await Promise.all([worker.stop(signal), host.program.stop(signal)]);
    await host.start();
    const heir = await startAccountWorker(host.address, "one");
    await load.untilAllAnswered();
    await load.stop();

    expect(await faultsOf([load], caller)).toEqual([]);
    for (;;) {
      const lines = await linesOf(caller, "account", "later");
      if (lines.length < 2 * due.length) continue;
      const entries = lines.map((line) => line.split("@")[0]);
      expect([...entries].sort()).toEqual([...due, ...due.map((entry) => `due ${entry}`)].sort());
      break;
    }
    await caller.stop();
    expect(await heir.stop("SIGTERM")).toMatchObject({ code: 0 });
    expect(await host.program.stop("SIGTERM")).toMatchObject({ code: 0 });
  },
);
