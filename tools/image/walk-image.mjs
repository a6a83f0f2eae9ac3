// walk-image.mjs FOLDER: started by check-image.mjs in mount and process namespaces of its own. Each stage of the Dockerfile is an overlay of this
// machine's root file system, which stands for the base image. Its RUN lines are run there, and its COPY lines copied.
import { strict as assert } from "node:assert";
import { execFileSync, spawn } from "node:child_process";
import { chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { root as repository } from "../run.mjs";
import { parseDockerfile, settingsOf } from "./parse-dockerfile.mjs";

const [scratch] = process.argv.slice(2);
const command = (program, ...args) =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const stages = parseDockerfile(readFileSync(join(repository, "deploy/docker/Dockerfile"), "utf8"));
const roots = new Map();
const layers = join(scratch, "layers");

/** A copy of this machine's root file system that takes what is written. */
function layer(name) {
  const [upper, work, root] = ["upper", "work", "root"].map((part) => join(layers, name, part));
  for (const folder of [upper, work, root]) mkdirSync(folder, { recursive: true });
  command("mount", "-t", "overlay", "overlay", "-o", `lowerdir=/,upperdir=${upper},workdir=${work}`, root);
  command("mount", "-t", "proc", "proc", join(root, "proc"));
  command("mount", "--rbind", "/dev", join(root, "dev"));
  return root;
}

function build(root, steps) {
  let folder = "/";
  for (const { word, rest } of steps) {
    if (word === "WORKDIR") {
      folder = rest;
      mkdirSync(join(root, folder), { recursive: true });
    }
    if (word === "RUN") command("chroot", root, "/bin/sh", "-ec", `cd ${folder}; ${rest}`);
    if (word === "COPY") copy(root, folder, rest.split(/\s+/));
  }
}

/** As Docker does: the content of a folder, and a file under its name. */
function copy(root, folder, words) {
  const [, stage] = /^--from=(.*)$/.exec(words[0]) ?? [];
  const sources = stage === undefined ? words.slice(0, -1) : words.slice(1, -1);
  const target = join(root, resolve(folder, words.at(-1)));
  mkdirSync(target, { recursive: true });
  for (const source of sources) {
    const from = join(stage === undefined ? repository : roots.get(stage), source);
    const isFile = !readdirSync(join(from, ".."), { withFileTypes: true })
      .find(({ name }) => name === basename(from))
      .isDirectory();
    cpSync(from, isFile ? join(target, basename(from)) : target, { recursive: true, verbatimSymlinks: true });
  }
}

async function runContainer(root, image) {
  const data = join(root, image.volume);
  provideSecrets(root);
  // The volume is the one place that can be written. It begins with the owner and mode that the image has there.
  command("mount", "--bind", data, data);
  command("mount", "-o", "remount,bind,ro", root);
  const container = new Container(root, image);
  assert.notEqual(container.health("ready").code, 0, "there is no host yet");
  await container.start();
  assert.equal(container.health("ready").code, 0);
  assert.equal(container.health("live").code, 0);
  assert.throws(() => container.exec("touch", "/written"), /Read-only/);
  assert.equal(container.owner(), image.user.split(":")[0]);
  assert.match(container.exec("troupe", "agents"), /no agents|type/);
  assert.match(container.askAgent(), /hello, ada/);
  assert.equal(await container.signal("SIGTERM"), 0, "the host drains within its grace");
  assert.ok(existsSync(join(data, "troupe-data/state.db")), "the states are in the volume");
  assert.notEqual(container.health("live").code, 0, "the host has gone");
  await container.start();
  assert.notEqual(await container.signal("SIGKILL"), 0);
  // What the killed host has left in the volume keeps no other from it.
  await container.start();
  assert.equal(container.health("ready").code, 0);
  assert.equal(await container.signal(image.stopSignal), 0);
  console.log("done");
}

/** What a user mounts at /etc/troupe: the certificate of the host, and the tokens. */
function provideSecrets(root) {
  const cli = "/opt/troupe/node_modules/troupe/dist/cli/main.js";
  command("chroot", root, "node", cli, "certs", "dev", "--folder", "/etc/troupe");
  const secrets = join(root, "etc/troupe");
  writeFileSync(join(secrets, "tokens"), "ada ada-has-a-token-0123456789\n", { mode: 0o600 });
  for (const name of [".", ...readdirSync(secrets)]) chownSync(join(secrets, name), 1000, 1000);
  cpSync(join(import.meta.dirname, "visiting-worker.mjs"), join(root, "opt/troupe/visiting-worker.mjs"));
}

/** One container: it has a network and processes of its own. */
class Container {
  #root;
  #image;
  #child;
  #ended;

  constructor(root, image) {
    this.#root = root;
    this.#image = image;
  }

  /** Resolves when the host says that it listens. */
  async start() {
    const { entrypoint, command: words, user } = this.#image;
    const inside = ["chroot", `--userspec=${user}`, this.#root, ...this.#words([...entrypoint, ...words])];
    const flags = ["--net", "--pid", "--fork", "--kill-child"];
    const net = ["/bin/sh", "-c", 'ip link set lo up; exec "$@"', "sh"];
    const child = spawn("unshare", [...flags, ...net, ...inside], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.#ended = new Promise((resolveEnd) => child.once("exit", (code, signal) => resolveEnd(code ?? signal)));
    let output = "";
    await new Promise((started, failed) => {
      const take = (chunk) => {
        output += chunk;
        if (output.includes("troupe host listening on 0.0.0.0:50051")) started();
      };
      child.stdout.on("data", take);
      child.stderr.on("data", take);
      child.once("exit", () => failed(new Error(`the host has not started: ${output}`)));
    });
  }

  /** Sends it to the first process of the container; resolves to the exit code. */
  async signal(signal) {
    process.kill(this.#firstProcess(), signal);
    const code = await this.#ended;
    this.#child = undefined;
    return code;
  }

  /** The user id of its first process. */
  owner() {
    return /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${this.#firstProcess()}/status`, "utf8"))[1];
  }

  health(what) {
    const words = [...this.#image.health.slice(0, -1), what];
    try {
      return { code: 0, text: this.exec(...words) };
    } catch (error) {
      return { code: error.status, text: String(error.stderr) };
    }
  }

  askAgent() {
    return this.exec("node", "/opt/troupe/visiting-worker.mjs");
  }

  /** As `docker exec`: in the network and as the user of the container. */
  exec(...words) {
    const inside = ["chroot", `--userspec=${this.#image.user}`, this.#root, ...this.#words(words)];
    if (this.#child === undefined) return command(...inside);
    return command("nsenter", "--target", String(this.#firstProcess()), "--net", ...inside);
  }

  #firstProcess() {
    const { pid } = this.#child;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim());
  }

  #words(words) {
    const variables = Object.entries(this.#image.environment).map((pair) => pair.join("="));
    const path = `PATH=${process.env.PATH}`;
    return ["/bin/sh", "-c", `cd ${this.#image.folder}; exec "$@"`, "sh", "env", "-i", path, ...variables, ...words];
  }
}

command("mount", "--make-rprivate", "/");
// Thousands of small files are written several times.
mkdirSync(layers);
command("mount", "-t", "tmpfs", "tmpfs", layers);
for (const { name, steps } of stages) {
  const root = layer(name);
  roots.set(name, root);
  // CI has installed, built and packed the same source before: that stage is its outcome.
  if (name === "package") cpSync(join(scratch, "packed"), join(root, "opt/packed"), { recursive: true });
  else build(root, steps);
}
await runContainer(roots.get("final"), settingsOf(stages.at(-1).steps));
