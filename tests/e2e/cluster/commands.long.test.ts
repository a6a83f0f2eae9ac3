import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { grpcDialer } from "../../../src/transport/index.ts";
import { NatsServer, natsAbsence } from "../../support/nats-server.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { Opened } from "../../support/opened.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const absence = natsAbsence();

/** A NATS server, and hosts in one folder, which other commands find there. */
class Rig implements AsyncDisposable {
  readonly nats: NatsServer;
  readonly #folder = mkdtempSync(join(tmpdir(), "troupe-commands-"));
  readonly #opened = new Opened();

  private constructor(nats: NatsServer) {
    this.nats = nats;
  }

  static async start(settings: readonly string[] = []): Promise<Rig> {
    return new Rig(await NatsServer.start(settings));
  }

  async startHost(
    name: string,
    servers = this.nats.url,
  ): Promise<{ readonly program: NodeProgram; readonly address: string }> {
    const flags = ["--address", "127.0.0.1:0", "--cluster", servers, "--name", name];
    const program = this.#open(["host", ...flags]);
    const [, address = ""] = await program.output(/troupe host listening on (\S+)/);
    return { program, address };
  }

  run(...args: readonly string[]) {
    return this.#open(args).ended;
  }

  #open(args: readonly string[]): NodeProgram {
    const program = new NodeProgram("src/cli/main.ts", args, { cwd: this.#folder });
    this.#opened.use(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened[Symbol.asyncDispose]();
    await this.nats[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

describe("the commands for a cluster", { timeout: 240_000 }, () => {
  it("show hosts, links, shards and NATS at any host, and drain a host from another one", async (context) => {
    if (absence !== undefined) return context.skip(absence);
    await using rig = await Rig.start();
    const [one, two] = await Promise.all([rig.startHost("one"), rig.startHost("two")]);
    const worker = await new RawWorker(grpcDialer().dial(two.address), "S").join();
    await worker.register("echo");

    const listed = await rig.run("hosts", "--name", "one", "--json");
    expect(listed).toMatchObject({ code: 0, stderr: "" });
    const { rows } = JSON.parse(listed.stdout);
    expect(rows).toMatchObject([
      { name: "one", isAsked: true, state: "up", workerAddress: one.address, status: { workers: 0, isServing: true } },
      { name: "two", isAsked: false, state: "up", workerAddress: two.address, status: { workers: 1, types: 1 } },
    ]);

    const shown = await rig.run("cluster", "--name", "two");
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/^cluster troupe: 2 hosts; generation \d+; leases of 20 s, of workers 3 s$/m);
    expect(shown.stdout).toMatch(/^one +two +open /m);
    expect(shown.stdout).toContain(rig.nats.address);
    expect(shown.stdout).toMatch(/KV_troupe_troupe_ctl +hosts, workers and types +there/);
    expect(shown.stdout).toMatch(/reads mail/);

    const unknown = await rig.run("drain", "host", "three", "--name", "one");
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toMatch(/No host three is up in the cluster\. See troupe hosts\./);

    const drained = await rig.run("drain", "host", "two", "--name", "one", "--grace-ms", "5000", "--json");
    expect(drained.code).toBe(0);
    expect(JSON.parse(drained.stdout)).toMatchObject({ name: "two", outcome: "ended" });
    expect(await two.program.ended).toMatchObject({ code: 0 });

    const last = await rig.run("drain", "host", "one");
    expect(last).toMatchObject({ code: 1, stdout: "" });
    expect(last.stderr).toMatch(/Start another host first/);
    expect((await one.program.stop()).code).toBe(0);
  });

  it("drain the host that they ask, and see it end", async (context) => {
    if (absence !== undefined) return context.skip(absence);
    await using rig = await Rig.start();
    const [one] = await Promise.all([rig.startHost("one"), rig.startHost("two")]);
    const drained = await rig.run("drain", "host", "one", "--name", "one", "--grace-ms", "3000");
    expect(drained.code).toBe(0);
    expect(drained.stdout).toMatch(/^drained one \(\S+\): it has left the cluster$/m);
    expect(await one.program.ended).toMatchObject({ code: 0 });
  });

  it("say which host hangs, and that NATS is away", async (context) => {
    if (absence !== undefined) return context.skip(absence);
    await using rig = await Rig.start();
    const [, two] = await Promise.all([rig.startHost("one"), rig.startHost("two")]);
    two.program.signal("SIGSTOP");
    await rig.nats.stop();
    const shown = await rig.run("cluster", "--name", "one", "--json");
    two.program.signal("SIGCONT");
    expect(shown.code).toBe(0);
    const { problems, hosts, store } = JSON.parse(shown.stdout);
    expect(hosts).toMatchObject([
      { name: "one", status: {} },
      { name: "two", status: null },
    ]);
    expect(store.servers).toMatchObject([{ address: rig.nats.address, problem: expect.stringMatching(/be reached/) }]);
    expect(problems.join("\n")).toMatch(/Host two \(\S+\) does not tell its state/);
    expect(problems.join("\n")).toMatch(/The NATS server \S+ can't be used/);
  });

  it("say before a host runs whether NATS is fit for a cluster, and what to do", async (context) => {
    if (absence !== undefined) return context.skip(absence);
    await using rig = await Rig.start();
    const fit = await rig.run("doctor", "--cluster", rig.nats.url, "--json");
    const { findings } = JSON.parse(fit.stdout);
    const [reach] = findings.filter(({ check }: { check: string }) => check === `NATS server ${rig.nats.address}`);
    expect(reach).toMatchObject({ outcome: "ok" });
    expect(findings).toContainEqual({ check: `JetStream at ${rig.nats.address}`, outcome: "ok", text: "it is on" });
    expect(findings).toContainEqual(expect.objectContaining({ check: "number of NATS servers", outcome: "warning" }));
    expect(fit.code).toBe(0);
    await rig.nats.stop();
    const away = await rig.run("doctor", "--cluster", rig.nats.url);
    expect(away.code).toBe(1);
    expect(away.stdout).toMatch(/FAILED +NATS server \S+ +NATS can't be reached/);
  });

  it("say which rights a login lacks, and which host can't be reached", async (context) => {
    if (absence !== undefined) return context.skip(absence);
    await using rig = await Rig.start([
      "authorization { users: [",
      "  { user: all, password: a },",
      '  { user: few, password: f, permissions: { publish: { allow: ["$JS.API.STREAM.INFO.>", "$JS.API.STREAM.MSG.GET.>"] } } }',
      "] }",
    ]);
    const one = await rig.startHost("one", `nats://all:a@${rig.nats.address}`);
    one.program.signal("SIGKILL");
    await one.program.ended;
    const few = await rig.run("doctor", "--cluster", `nats://few:f@${rig.nats.address}`, "--json");
    expect(few.code).toBe(1);
    expect(`${few.stdout}${few.stderr}`).not.toContain("few:f");
    const { findings } = JSON.parse(few.stdout);
    const failed = findings.filter(({ outcome }: { outcome: string }) => outcome === "failed");
    expect(failed).toContainEqual(
      expect.objectContaining({
        check: "right: writes claims",
        text: expect.stringContaining("$KV.troupe_troupe_claims_0"),
      }),
    );
    expect(failed).toContainEqual(
      expect.objectContaining({
        check: "host one for other hosts",
        text: expect.stringContaining("can't be reached from here"),
      }),
    );
    const all = await rig.run("doctor", "--cluster", `nats://all:a@${rig.nats.address}`, "--json");
    const rights = JSON.parse(all.stdout).findings.filter(({ check }: { check: string }) =>
      check.startsWith("right: "),
    );
    expect(new Set(rights.map(({ outcome }: { outcome: string }) => outcome))).toEqual(new Set(["ok"]));
    expect(rights).toHaveLength(9);
  });

  it("say that a lone host has no cluster", async () => {
    const folder = mkdtempSync(join(tmpdir(), "troupe-alone-"));
    try {
      await using host = new NodeProgram(
        "src/cli/main.ts",
        ["host", "--address", "127.0.0.1:0", "--state", "memory:", "--admin", "127.0.0.1:0"],
        { cwd: folder },
      );
      await host.output(/troupe admin on/);
      for (const args of [["hosts"], ["cluster"], ["drain", "host", "x"]]) {
        await using program = new NodeProgram("src/cli/main.ts", args, { cwd: folder });
        const ended = await program.ended;
        expect(ended).toMatchObject({ code: 1, stdout: "" });
        expect(ended.stderr).toMatch(/This host is alone\. A host of a cluster is started with --cluster\./);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
