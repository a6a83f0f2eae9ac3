import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { fact } from "../../support/load/facts.ts";
import { newFolder } from "../../support/sqlite-stores.ts";
import { faultsOf, linesOf } from "./support/account-checks.ts";
import { AccountLoad, saysUnchanged } from "./support/account-load.ts";
import { KeptHost, newStateFile, startAccountWorker, startCaller, versionsIn } from "./support/account-world.ts";

const accounts = Array.from({ length: 4 }, (_, at) => `account-${at}`);

test("on a full disk calls that change a state fail and say so, nothing acknowledged is lost, and all goes on when there is space, also in a host that was killed meanwhile", {
  timeout: 180_000,
}, async (context) => {
  const disk = smallDisk();
  if (disk === undefined) return context.skip("needs the right to mount a small file system");
  const state = newStateFile(disk);
  const host = new KeptHost(state);
  await host.start();
  const worker = await startAccountWorker(host.address, "one");
  const caller = await startCaller(host.address);
  const versions = await versionsIn(state);
  const load = new AccountLoad({
    ...{ runtime: caller, name: "e", accounts, concurrency: 8, hasChangedNothing: saysUnchanged },
  });
  await load.untilAnswered(100);
  fill(disk);
  await load.until(() => load.failures("state-unavailable") > 0);
  expect(load.failed.get("state-unavailable")?.text).toMatch(
    /The state store of the host is full\. Its operator has to make space\./,
  );
  // What only reads goes on.
  expect(await linesOf(caller, "account", "account-0")).not.toHaveLength(0);
  await versions.look();
  rmSync(join(disk, "filler"));
  await load.untilAllAnswered();
  await load.untilAnswered(20);

  // The host is killed while the disk is full, and started again when there is space.
  const before = load.failures("state-unavailable");
  fill(disk);
  await load.until(() => load.failures("state-unavailable") > before);
  await host.program.stop("SIGKILL");
  rmSync(join(disk, "filler"));
  await host.start();
  await load.untilAllAnswered();
  await load.stop();
  fact("calls on a disk that was full twice", load.totals);

  expect(await faultsOf([load], caller)).toEqual([]);
  await versions.look();
  expect(versions.faults).toEqual([]);
  await caller.stop();
  expect(await worker.stop("SIGTERM")).toMatchObject({ code: 0 });
  expect(await host.program.stop("SIGTERM")).toMatchObject({ code: 0 });
});

/** A file system of 8 MiB. Undefined: this process may mount none. */
function smallDisk(): string | undefined {
  const disk = join(newFolder(), "disk");
  mkdirSync(disk);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", ["-l", disk]));
  return disk;
}

/** Takes all the space that is left, while others write. */
function fill(disk: string): void {
  try {
    for (;;) appendFileSync(join(disk, "filler"), new Uint8Array(4_096));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}
