import type { Command } from "commander";

/** Adds the flags that say where the settings are. */
export function addConfigFlags(command: Command): Command {
  return command
    .optionsGroup("Settings:")
    .option(
      "--config <file>",
      "file with settings (YAML, or JSON in a file .json; default: troupe.yaml, if it is there)",
    )
    .option("--no-config", "read no file with settings")
    .optionsGroup("Options:");
}

/** Says in a help how flags can stand elsewhere. */
export function settingsHelp(section: "host" | "client"): string {
  const [key, variable] =
    section === "host"
      ? ["--call-timeout-ms is call-timeout-ms below host:", "TROUPE_CALL_TIMEOUT_MS"]
      : ["--tls-ca is tls-ca below client:", "TROUPE_CLIENT_TLS_CA"];
  return `\nEach of these flags can also be a variable of the environment and a line in the file of settings: ${key} and ${variable}. A flag wins\nover a variable, and a variable over the file. See what counts with troupe config.`;
}
