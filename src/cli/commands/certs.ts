import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Command, InvalidArgumentError } from "commander";
import { type CertificatePair, DevelopmentAuthority } from "../../security/certificates/internal.ts";
import { wholeNumber } from "../whole-number.ts";

interface CertsFlags {
  readonly folder: string;
  readonly host: readonly string[];
  readonly worker: readonly string[];
  readonly days: number;
}

/** The command `troupe certs`. */
export function certsCommand(): Command {
  return new Command("certs").description("Make certificates").addCommand(
    new Command("dev")
      .description("Make an authority for development, and certificates of it for a host and for workers")
      .option("--folder <folder>", "where to write them; an authority that is there is used again", "troupe-certs")
      .option("--host <names>", "DNS names and addresses of the host, with commas between them", listOfNames, [
        "localhost",
        "127.0.0.1",
        "::1",
      ])
      .option("--worker <names>", "names of workers, with commas between them", listOfNames, ["worker"])
      .option("--days <days>", "how long they are valid", wholeNumber(1, 825), 30)
      .action((flags: CertsFlags) =>
        makeCertificates(flags, { nowMs: Date.now(), say: (line) => process.stdout.write(`${line}\n`) }),
      ),
  );
}

/** Writes the files of `troupe certs dev`, and says what they are for. A file with a key is for its owner alone. */
export async function makeCertificates(
  { folder, host, worker, days }: CertsFlags,
  { nowMs: validFromMs, say }: { readonly nowMs: number; readonly say: (line: string) => void },
): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string, kind: "crt" | "key"): string => join(folder, `${name}.${kind}`);
  const write = (name: string, { cert, key }: CertificatePair): void => {
    writeFileSync(file(name, "key"), key, { mode: 0o600 });
    writeFileSync(file(name, "crt"), cert);
  };
  const known = existsSync(file("ca", "key")) && existsSync(file("ca", "crt"));
  const authority = known
    ? await DevelopmentAuthority.of({
        cert: readFileSync(file("ca", "crt"), "utf8"),
        key: readFileSync(file("ca", "key"), "utf8"),
      })
    : await DevelopmentAuthority.create({ name: "Troupe development authority", validFromMs, days: 825 });
  if (!known) write("ca", authority.pair);
  write("host", await authority.issue({ name: "host", hosts: host, usage: "server", validFromMs, days }));
  for (const name of worker) write(name, await authority.issue({ name, usage: "client", validFromMs, days }));
  say(`authority  ${file("ca", "crt")}${known ? " (there already)" : ""}`);
  say(`host       ${file("host", "crt")}, for ${host.join(", ")}`);
  for (const name of worker) say(`worker     ${file(name, "crt")}, whose principal is ${name}`);
  const flags = `--tls-cert ${file("host", "crt")} --tls-key ${file("host", "key")} --tls-client-ca ${file("ca", "crt")}`;
  say(`Use them for development alone: troupe host ${flags}`);
}

function listOfNames(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  // The names become those of files, too.
  if (names.every((name) => /^[A-Za-z0-9:][A-Za-z0-9._:-]{0,62}$/.test(name)) && !names.includes("ca")) return names;
  throw new InvalidArgumentError(
    "Not a list of names of letters, digits, . _ : - with commas between them; ca is taken.",
  );
}
