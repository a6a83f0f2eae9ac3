import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { freePort } from "../../../support/free-ports.ts";

const guide = resolve(import.meta.dirname, "../../../../docs/guide/proxies");

/** A proxy that Debian has a package of. Its configuration is the one in the guide. */
export interface ProxyKind {
  readonly name: "nginx" | "haproxy";
  /** The folder of the file. Default: that of the guide. */
  readonly folder?: string;
  /** The file with its configuration. Default: the one of the guide for a proxy before a host. */
  readonly file?: string;
  /** Changes the guide's configuration for a test. */
  readonly configure: (text: string, settings: ProxySettings, folder: string) => string;
  readonly args: (file: string, folder: string) => readonly string[];
}

export interface ProxySettings {
  readonly host: string;
  /** Seconds that a stream may carry nothing. Default: as in the guide. */
  readonly silenceSeconds?: number;
  /** Variables for the proxy. Default: none but those of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Requests after which a connection ends with GOAWAY. Default: as in the guide. */
  readonly requests?: number;
}

export const nginx: ProxyKind = {
  name: "nginx",
  configure: (text, { host, silenceSeconds, requests }, folder) => {
    let changed = replaced(text, "127.0.0.1:50051", host);
    changed = replaced(changed, "listen 50050", "listen 127.0.0.1:PORT");
    changed = replaced(changed, "http {", `http {\naccess_log off;\nclient_body_temp_path ${folder}/body;\n`);
    if (silenceSeconds !== undefined) changed = changed.replaceAll("60s;", `${silenceSeconds}s;`);
    return requests === undefined ? changed : replaced(changed, "requests 10000", `requests ${requests}`);
  },
  args: (file, folder) => {
    const own = `daemon off; pid ${folder}/pid; error_log stderr notice;`;
    return ["-c", file, "-p", folder, "-e", "stderr", "-g", own];
  },
};

export const haproxy: ProxyKind = {
  name: "haproxy",
  configure: (text, { host, silenceSeconds }) => {
    const changed = replaced(replaced(text, "127.0.0.1:50051", host), "bind :50050", "bind 127.0.0.1:PORT");
    return silenceSeconds === undefined ? changed : changed.replaceAll(" 60s", ` ${silenceSeconds}s`);
  },
  args: (file) => ["-db", "-f", file],
};

/** HAProxy beside a worker of AutoGen's, in whose place it shows a token and a certificate: PEM files of these names. */
export function haproxyOfWorker(files: { readonly ca: string; readonly worker: string }): ProxyKind {
  return {
    ...haproxy,
    file: "haproxy-worker.cfg",
    configure: (text, { host }) => {
      const moved = replaced(replaced(text, "host.example:50051", host), "127.0.0.1:50050", "127.0.0.1:PORT");
      const named = moved.replaceAll("host.example", "localhost");
      return replaced(
        replaced(named, "ca-file ca.crt", `ca-file ${files.ca}`),
        "crt worker.pem",
        `crt ${files.worker}`,
      );
    },
  };
}

/** Why a proxy can't be tried here; undefined: it can. */
export function whyNot({ name }: ProxyKind): string | undefined {
  try {
    execFileSync(name, ["-v"], { stdio: "ignore" });
    return undefined;
  } catch {
    return `needs ${name} (Debian: apt-get install ${name === "nginx" ? "nginx-light" : name})`;
  }
}

/** A running proxy before a host, on a free port of 127.0.0.1. */
export class ProxyProcess implements AsyncDisposable {
  readonly address: string;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #ended: Promise<void>;
  #log = "";

  /** Resolves when the proxy takes connections. */
  static async start(kind: ProxyKind, settings: ProxySettings): Promise<ProxyProcess> {
    const folder = mkdtempSync(join(tmpdir(), "troupe-proxy-"));
    const port = await freePort();
    const name = kind.file ?? (kind.name === "nginx" ? "nginx.conf" : "haproxy.cfg");
    const text = kind.configure(readFileSync(join(kind.folder ?? guide, name), "utf8"), settings, folder);
    const file = join(folder, name);
    writeFileSync(file, text.replace("127.0.0.1:PORT", `127.0.0.1:${port}`));
    const child = spawn(kind.name, kind.args(file, folder), {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...settings.environment },
    });
    const proxy = new ProxyProcess(child, `127.0.0.1:${port}`, folder);
    await proxy.#takesConnections(port);
    return proxy;
  }

  private constructor(child: ChildProcess, address: string, folder: string) {
    this.#child = child;
    this.address = address;
    this.#folder = folder;
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#log += chunk.toString();
    });
    // A test that times out never disposes its proxy.
    const stop = () => child.kill("SIGTERM");
    process.once("exit", stop);
    this.#ended = new Promise((resolveEnded) => {
      child.once("close", () => {
        process.off("exit", stop);
        resolveEnded();
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #takesConnections(port: number): Promise<void> {
    while (this.#child.exitCode === null) {
      const isTaken = await new Promise<boolean>((settle) => {
        const socket = connect(port, "127.0.0.1");
        socket.once("connect", () => settle(true)).once("error", () => settle(false));
        socket.once("connect", () => socket.destroy());
      });
      if (isTaken) return;
    }
    throw new Error(`the proxy has ended: ${this.#log}`);
  }
}

function replaced(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`The configuration in the guide has no ${from}.`);
  return text.replace(from, to);
}
